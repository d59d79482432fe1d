/**
 * What the operators of a view may keep and make before the view is stopped: a join that explodes takes neither the memory nor the time of the
 * others. It is looked at between two pieces of work, so a limit is passed by a few chunks at most. Topics are data, not derived: they have
 * no limit here.
 */
import { EvertError } from "../base/errors.ts";
import type { Node } from "./node.ts";

export interface StateLimits {
  /** Rows that one operator keeps. */
  readonly rowsMax: number;
  /** Bytes of them, with their indexes. */
  readonly bytesMax: number;
  /** Rows that one operator makes in one step: while it does, no view moves on. */
  readonly stepRowsMax: number;
}

export const STATE_LIMITS: StateLimits = {
  rowsMax: 100_000_000,
  bytesMax: 2 ** 32,
  stepRowsMax: 100_000_000,
};

/** Pieces of work between two looks. */
export const LOOK_EVERY = 16;

/** Why the operator has to stop, or null. */
export function overLimit(node: Node, limits: StateLimits): EvertError | null {
  if (node.made > limits.stepRowsMax) {
    return tooMuch(node, `made more than ${limits.stepRowsMax} rows in one step`, "stepRowsMax");
  }
  for (const store of node.allStores) {
    if (store.live > limits.rowsMax)
      return tooMuch(node, `keeps more than ${limits.rowsMax} rows`, "rowsMax");
    if (store.bytes > limits.bytesMax)
      return tooMuch(node, `keeps more than ${limits.bytesMax} bytes`, "bytesMax");
  }
  return null;
}

function tooMuch(node: Node, what: string, limit: keyof StateLimits): EvertError {
  return new EvertError("view_limit", `the query is too large: one of its operators ${what}`, {
    detail: `The operator: ${node.label}.`,
    hint: `Join on more, or filter before. Or open the database with a higher limits.${limit}.`,
  });
}
