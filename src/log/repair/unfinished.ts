/** What was begun in a log's directory and did not end: nobody may take what is there for all of it. */
import { EvertError } from "../../base/errors.ts";
import { parseSegmentName, REPAIR_PLAN, RESTORE_BEGUN } from "../segment.ts";

/** `names`: what is in the log's directory. @throws EvertError log_damaged */
export function refuseUnfinished(names: readonly string[]): void {
  if (names.includes(REPAIR_PLAN)) {
    throw new EvertError("log_damaged", "a repair of the log has not ended", {
      hint: "Run `evert check --repair` again: it goes on where it was.",
    });
  }
  // Beside it may lie what a file system or a desktop puts into every directory.
  if (names.includes(RESTORE_BEGUN) && !names.some((name) => parseSegmentName(name) !== null)) {
    throw new EvertError("log_damaged", "a restore into this directory has not ended", {
      detail: "Nothing of the backup is in its log yet.",
      hint: "Run `evert restore` again; it begins anew.",
    });
  }
}
