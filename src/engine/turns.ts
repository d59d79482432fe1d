/**
 * Work over many rows that only the engine itself waits for, such as what an UPDATE of a whole table decides while the gate is held: between two rows
 * it asks whether its slice is used up, by rows or by time, and then lets the event loop have its turn.
 */
import type { Slices } from "../base/slices.ts";
import { SLICE_MS } from "./time-slice.ts";

export const ROWS_PER_TURN = 512;
/** The clock is looked at once for so many rows. */
const ROWS_PER_LOOK = 16;

export class Turns {
  readonly #slices: Slices;
  #rows = 0;
  #ends: number;

  constructor(slices: Slices) {
    this.#slices = slices;
    this.#ends = slices.ends(SLICE_MS);
  }

  /** Asked once for each row, or for some rows together: whether to take a turn before them. */
  due(rows = 1): boolean {
    this.#rows += rows;
    if (this.#rows >= ROWS_PER_TURN) return true;
    return (rows > 1 || this.#rows % ROWS_PER_LOOK === 0) && performance.now() >= this.#ends;
  }

  async take(): Promise<void> {
    await this.#slices.turn();
    this.#rows = 0;
    this.#ends = this.#slices.ends(SLICE_MS);
  }
}

/** items.map(make), in turns. */
export async function mapInTurns<T, R>(
  items: readonly T[],
  slices: Slices,
  make: (item: T) => R,
): Promise<R[]> {
  const turns = new Turns(slices);
  const made: R[] = [];
  for (const item of items) {
    if (turns.due()) await turns.take();
    made.push(make(item));
  }
  return made;
}
