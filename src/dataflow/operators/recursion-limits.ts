/** What a recursive query may do before it is taken for an endless one. */
import { EvertError } from "../../base/errors.ts";

export interface RecursionLimits {
  /** Rows that a recursion may find, and that any of its intermediate results may hold. */
  readonly rowsMax: number;
  readonly iterationsMax: number;
  /** Iterations, over all steps, after which a recursion is worked out anew: they are numbered like steps, in 31 bits. */
  readonly renewAfter: number;
}

export const RECURSION_LIMITS: RecursionLimits = {
  rowsMax: 1_000_000,
  iterationsMax: 100_000,
  renewAfter: 2 ** 30,
};

/** Thrown by a recursion to itself. */
export class RecursionLimit extends Error {
  readonly error: EvertError;

  constructor(error: EvertError) {
    super(error.message);
    this.error = error;
  }
}

export function tooMany({ rowsMax }: RecursionLimits): EvertError {
  return new EvertError("recursion_limit", `a recursive query makes more than ${rowsMax} rows`, {
    detail: "It may never end.",
    hint: "Bound it: count the depth and stop at one, or take UNION for UNION ALL. recursion.rowsMax sets the limit.",
  });
}

export function tooDeep({ iterationsMax }: RecursionLimits): EvertError {
  return new EvertError("recursion_limit", `a recursive query goes deeper than ${iterationsMax} iterations`, {
    detail: "It may never end.",
    hint: "Bound it: count the depth and stop at one, or take UNION for UNION ALL. recursion.iterationsMax sets the limit.",
  });
}
