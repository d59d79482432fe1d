/**
 * Which commits the latest steps took in: a row tells the step that made it, and by that when it was written.
 *
 * A ring of the last steps. Of what lies further back, or was there at the start, only the end of it is known.
 */

const STEPS = 65_536;

/** Commits (after, to]. */
export interface Commits {
  readonly after: number;
  readonly to: number;
}

export class StepPositions {
  readonly #ends = new Float64Array(STEPS);
  /** The oldest and the newest epoch whose ends are known. */
  #first = 0;
  #last = 0;

  /** Everything that is there at this epoch reflects the log up to the position. */
  startAt(epoch: number, position: number): void {
    this.#first = epoch;
    this.#last = epoch;
    this.#ends[epoch % STEPS] = position;
  }

  /** REQUIRES that it is called for each epoch. */
  stepped(epoch: number, position: number): void {
    this.#last = epoch;
    this.#ends[epoch % STEPS] = position;
    this.#first = Math.max(this.#first, epoch - STEPS + 1);
  }

  /** The last complete step, and the last commit that it took in. */
  get newest(): { readonly epoch: number; readonly position: number } {
    return { epoch: this.#last, position: this.#ends[this.#last % STEPS] as number };
  }

  /** The commits of which one made the rows born at this epoch. */
  of(epoch: number): Commits {
    if (epoch <= this.#first) return { after: 0, to: this.#ends[this.#first % STEPS] as number };
    if (epoch > this.#last)
      return { after: this.#ends[this.#last % STEPS] as number, to: Number.POSITIVE_INFINITY };
    return { after: this.#ends[(epoch - 1) % STEPS] as number, to: this.#ends[epoch % STEPS] as number };
  }
}
