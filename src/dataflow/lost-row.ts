import { EvertError } from "../base/errors.ts";

/** A change takes away a row that is not there: something upstream did not give the same answer twice. */
export function lostRow(where: string): EvertError {
  return new EvertError("nondeterministic_view", `a row to be taken away is not in ${where}`, {
    detail: "A function used by the view gave another result for the same row than before.",
    hint: "Make the function depend on its arguments only, then rebuild the view.",
  });
}
