/**
 * Which commits the latest steps took in: a row tells the step that made it, and by that when it was written.
 *
 * A step may take in a part of a commit; with its last one it is known which.
 * A ring of the last steps. Of what lies further back, or was there at the start, only the end of it is known.
 */

const STEPS_MAX = 65_536;
const FIRST_STEPS = 256;

/** Commits (after, to]. */
export interface Commits {
  readonly after: number;
  readonly to: number;
}

export class StepPositions {
  /** By epoch modulo its length, which doubles until it has room for all steps that are remembered. */
  #ends = new Float64Array(FIRST_STEPS);
  /** The oldest and the newest epoch whose ends are known. */
  #first = 0;
  #last = 0;

  /** Everything that is there at this epoch reflects the log up to the position. */
  startAt(epoch: number, position: number): void {
    this.#first = epoch;
    this.#last = epoch;
    this.#ends[epoch % this.#ends.length] = position;
  }

  /** REQUIRES that it is called for each epoch, but for those that took in a part of what this one completes. */
  stepped(epoch: number, position: number): void {
    for (let part = this.#last + 1; part < epoch; part++) this.#note(part, this.#endOf(this.#last));
    this.#note(epoch, position);
  }

  #note(epoch: number, position: number): void {
    if (epoch - this.#first >= this.#ends.length && this.#ends.length < STEPS_MAX) this.#grow();
    this.#last = epoch;
    this.#ends[epoch % this.#ends.length] = position;
    this.#first = Math.max(this.#first, epoch - this.#ends.length + 1);
  }

  /** The last complete step, and the last commit that it took in. */
  get newest(): { readonly epoch: number; readonly position: number } {
    return { epoch: this.#last, position: this.#endOf(this.#last) };
  }

  /** The commits of which one made the rows born at this epoch. */
  of(epoch: number): Commits {
    if (epoch <= this.#first) return { after: 0, to: this.#endOf(this.#first) };
    if (epoch > this.#last) return { after: this.#endOf(this.#last), to: Number.POSITIVE_INFINITY };
    const after = this.#endOf(epoch - 1);
    let to = epoch;
    while (to < this.#last && this.#endOf(to) === after) to++;
    return { after, to: this.#endOf(to) };
  }

  #endOf(epoch: number): number {
    return this.#ends[epoch % this.#ends.length] as number;
  }

  #grow(): void {
    const larger = new Float64Array(2 * this.#ends.length);
    for (let epoch = this.#first; epoch <= this.#last; epoch++)
      larger[epoch % larger.length] = this.#endOf(epoch);
    this.#ends = larger;
  }
}
