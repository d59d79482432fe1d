/** How long the engine works before the event loop has a turn: who works in slices asks whether the one it is in is over, and then pauses. */
import type { Slices } from "../base/slices.ts";

/** In milliseconds. With 4 steps took as long, and everybody else waited twice as long for them. */
export const SLICE_MS = 2;

export class TimeSlice {
  readonly #slices: Slices;
  /** What is waited for between two slices; null: a turn of the event loop. */
  readonly #waiting: () => Promise<void> | null;
  #began = 0;
  /** In the milliseconds of performance.now(). */
  ends = 0;
  /** What the longest slice took: so long nobody else had a turn. */
  longestMs = 0;

  constructor(slices: Slices, waiting: () => Promise<void> | null) {
    this.#slices = slices;
    this.#waiting = waiting;
  }

  /** A slice begins now. */
  begin(): void {
    this.#began = performance.now();
    this.ends = this.#slices.ends(SLICE_MS);
  }

  get isOver(): boolean {
    return performance.now() >= this.ends;
  }

  /** The event loop has a turn, and the slice stays over. */
  turn(): Promise<void> {
    return this.#slices.turn();
  }

  /** Ends in another slice. */
  async pause(): Promise<void> {
    const took = performance.now() - this.#began;
    if (took > this.longestMs) this.longestMs = took;
    await (this.#waiting() ?? this.#slices.turn());
    this.begin();
  }
}
