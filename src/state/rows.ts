/** What indexes see of the Store whose rows they order: memory and layout, but nothing that could change a row. */
import type { Dictionary } from "./dictionary.ts";
import type { RowLayout } from "./layout.ts";

/** death of a living row; birth of a free slot. Later than every epoch. */
export const LIVE = 0x7fffffff;

/** Epochs are 31 bits, and begin anew with every start from a checkpoint (docs/decisions/0005-versions.md). */
export const LAST_EPOCH: number = LIVE - 1;

export interface Rows {
  readonly name: string;
  readonly layout: RowLayout;
  readonly dictionary: Dictionary;
  /** Replaced when the memory grows: take them anew after every reserve. */
  readonly I: Int32Array;
  readonly F: Float64Array;
  /** Slots below it may hold rows. */
  readonly highWater: number;
  readonly live: number;
}
