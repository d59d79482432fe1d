/** What ends the evaluation of a jsonpath: an error of its data, which a predicate makes unknown and a silent call null. */
import { type ScalarError, scalarError, takeFault } from "../errors.ts";

export class PathFault {
  readonly error: ScalarError;
  /** Not of the data: neither predicates nor silence help. */
  readonly always: boolean;

  constructor(error: ScalarError, always: boolean) {
    this.error = error;
    this.always = always;
  }
}

export function pathFault(sqlstate: string, message: string): PathFault {
  return new PathFault(scalarError("invalid_value", message, { sqlstate }), false);
}

/** Throws what a scalar function has left. */
export function raiseFault(): void {
  const error = takeFault();
  if (error !== null) throw new PathFault(error, false);
}
