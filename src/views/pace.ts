/** A long read's way of letting the event loop have its turns. */
import { type Slices, systemSlices } from "../base/slices.ts";

/** Gives a turn of the event loop to work that can wait, and when it should end (performance.now()). */
export type Turn = () => Promise<number>;

const SLICE_MS = 4;
/** What a read may take in the turn in which it was asked for: a small one asks for no other. */
const FIRST_MS = 1;

const ownTurn: Turn = async () => {
  await systemSlices.turn();
  return systemSlices.ends(SLICE_MS);
};

export interface PaceOptions {
  readonly signal?: AbortSignal | undefined;
  /** Absent: turns of its own, beside all others'. */
  readonly turn?: Turn | undefined;
  readonly slices?: Slices | undefined;
}

export class Pace {
  readonly #turn: Turn;
  readonly #signal: AbortSignal | undefined;
  #ends: number;

  constructor({ signal, turn, slices = systemSlices }: PaceOptions) {
    this.#turn = turn ?? ownTurn;
    this.#signal = signal;
    this.#ends = slices.ends(FIRST_MS);
  }

  /** Whether the turn at hand is used up. */
  get isOver(): boolean {
    return performance.now() >= this.#ends;
  }

  /** Asked between two pieces of work: goes on in another turn if this one is used up. @throws what the signal was aborted with */
  async pause(): Promise<void> {
    if (!this.isOver) return;
    this.#ends = await this.#turn();
    this.#signal?.throwIfAborted();
  }
}
