/** What was begun in a log's directory and did not end: nobody may take what is there for all of it. */
import { EvertError } from "../../base/errors.ts";

/** In the log's directory while files move: see repair.ts. */
export const REPAIR_PLAN = "repair-plan";

/** In the log's directory from the beginning of a restore into it until its files are there. Beside the first of them it says nothing any more. */
export const RESTORE_BEGUN = "restore-begun";

/** `names`: what is in the log's directory. @throws EvertError log_damaged */
export function refuseUnfinished(names: readonly string[]): void {
  if (names.includes(REPAIR_PLAN)) {
    throw new EvertError("log_damaged", "a repair of the log has not ended", {
      hint: "Run `evert check --repair` again: it goes on where it was.",
    });
  }
  if (names.length === 1 && names[0] === RESTORE_BEGUN) {
    throw new EvertError("log_damaged", "a restore into this directory has not ended", {
      detail: "Nothing of the backup is in its log yet.",
      hint: "Run `evert restore` again; it begins anew.",
    });
  }
}
