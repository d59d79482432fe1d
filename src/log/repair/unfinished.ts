/** A repair that was begun and did not end: files of the log are under way, and nobody may take what is there for all of it. */
import { EvertError } from "../../base/errors.ts";

/** In the log's directory while files move: see repair.ts. */
export const REPAIR_PLAN = "repair-plan";

/** `names`: what is in the log's directory. @throws EvertError log_damaged */
export function refuseUnfinishedRepair(names: readonly string[]): void {
  if (!names.includes(REPAIR_PLAN)) return;
  throw new EvertError("log_damaged", "a repair of the log has not ended", {
    hint: "Run `evert check --repair` again: it goes on where it was.",
  });
}
