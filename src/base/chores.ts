/**
 * Work that can wait, such as filling a new view, writing a checkpoint or telling what a huge step changed: cut into pieces, of which one is done
 * in a turn of the event loop, whoever it belongs to.
 *
 * A commit passes through several turns before its subscribers have it (it is sealed, written, synced, stepped, told). Each turn that also holds a
 * piece of something else makes all of them later by as much; with three pieces a turn, three times as much. So those who have such work ask for a
 * turn here and get one after the other; and while a commit is under way pieces are short, beside the slices of its step shorter still, so that they
 * make it by no more than a quarter longer.
 */

import { type Slices, systemSlices } from "./slices.ts";

/** Who waits for something else. */
export type Waiting = "nobody" | "commit" | "step";

const PIECE_MS: Readonly<Record<Waiting, number>> = { nobody: 4, commit: 1, step: 0.5 };

export class Chores {
  readonly #waiter: () => Waiting;
  readonly #slices: Slices;
  #waiting: ((ends: number) => void)[] = [];
  #scheduled = false;

  constructor(waiter: () => Waiting, slices: Slices = systemSlices) {
    this.#waiter = waiter;
    this.#slices = slices;
  }

  /** Resolves in a turn in which nobody else does a piece; when it should end, in the milliseconds of performance.now(). */
  turn(): Promise<number> {
    const turn = new Promise<number>((resolve) => this.#waiting.push(resolve));
    this.#schedule();
    return turn;
  }

  #schedule(): void {
    if (this.#scheduled || this.#waiting.length === 0) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      const first = this.#waiting.shift();
      this.#schedule();
      first?.(this.#slices.ends(PIECE_MS[this.#waiter()]));
    });
  }
}
