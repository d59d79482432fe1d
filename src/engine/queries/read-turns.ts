/**
 * Reads of one program that follow one another: each may be answered in the turn of the event loop in which it was asked, so that a loop that awaits
 * them is one turn without an end, in which no timer runs, no file is read, and no step of the engine goes on.
 *
 * The first read of a turn notes when it came. One that comes later than a slice after it waits for the next turn; who asks now and then waits for
 * nothing.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Slices } from "../../base/slices.ts";
import { SLICE_MS } from "../time-slice.ts";

export class ReadTurns {
  readonly #slices: Slices;
  /** Resolves in the next turn; null: no read has come in this one. */
  #next: Promise<void> | null = null;
  #ends = 0;

  constructor(slices: Slices) {
    this.#slices = slices;
  }

  /** Asked before each read: what it has to wait for, or null. */
  take(): Promise<void> | null {
    if (this.#next === null) {
      this.#ends = this.#slices.ends(SLICE_MS);
      this.#next = nextTurn().then(() => {
        this.#next = null;
      });
      return null;
    }
    return performance.now() < this.#ends ? null : this.#next;
  }
}
