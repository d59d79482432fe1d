/** Offsets of a batch's rows, which may have gaps. */
import type { TopicBatch } from "./log.ts";

type Rows = Pick<TopicBatch, "baseOffset" | "offsets" | "batch">;

export function offsetOf({ baseOffset, offsets }: Rows, row: number): number {
  return offsets === undefined ? baseOffset + row : offsets[row]!;
}

/** Behind the last row. REQUIRES a batch with rows. */
export function endOffset(rows: Rows): number {
  return offsetOf(rows, rows.batch.length - 1) + 1;
}

/** The first row at the offset or behind it; the batch's length if there is none. */
export function rowFrom({ baseOffset, offsets, batch }: Rows, offset: number): number {
  if (offsets === undefined) return Math.min(Math.max(0, offset - baseOffset), batch.length);
  let from = 0;
  for (let to = batch.length; from < to; ) {
    const middle = (from + to) >> 1;
    if (offsets[middle]! < offset) from = middle + 1;
    else to = middle;
  }
  return from;
}
