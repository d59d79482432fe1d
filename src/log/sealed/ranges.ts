/** Whether a block can hold a row that a reader wants, by the least and the greatest value of its columns. */
import { compareBytes } from "../../base/bytes.ts";
import type { ColumnRange } from "../log.ts";
import type { Block, ColumnPage } from "./format.ts";
import { BOUND_BYTES_MAX } from "./page.ts";

/** False only where no row of the block has, in every column named, a value within the range. */
export function mayHold(block: Block, ranges: readonly ColumnRange[]): boolean {
  if (block.opaque !== null || block.deletes !== null) return true;
  return ranges.every((range) => mayMeet(block.columns[range.column]!, block.rows, range));
}

function mayMeet({ nulls, bounds }: ColumnPage, rows: number, range: ColumnRange): boolean {
  if (nulls === rows) return false;
  if (bounds === null) return true;
  if (bounds.kind === "number") {
    const { min, max } = range;
    return !(typeof min === "number" && bounds.max < min) && !(typeof max === "number" && bounds.min > max);
  }
  const { min, max } = range;
  // A greatest value that was cut stands for all that begin with it.
  if (min instanceof Uint8Array && compareBytes(bounds.max, cut(min)) < 0) return false;
  return !(max instanceof Uint8Array && compareBytes(bounds.min, cut(max)) > 0);
}

/** Both sides are compared as far as bounds are kept. */
function cut(text: Uint8Array): Uint8Array {
  return text.subarray(0, BOUND_BYTES_MAX);
}
