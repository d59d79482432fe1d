/** How much memory state may take where nobody says. */
import { totalmem } from "node:os";
import { EvertError } from "../base/errors.ts";

/** Half of what the machine has, or the container it runs in. @throws EvertError invalid_argument. */
export function memoryLimitOf(given: number | undefined): number {
  if (given === undefined) {
    const constrained = process.constrainedMemory();
    const all = constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
    return Math.floor(all / 2);
  }
  if (Number.isSafeInteger(given) && given > 0) return given;
  throw new EvertError("invalid_argument", `memoryLimit must be a number of bytes: ${given}`);
}
