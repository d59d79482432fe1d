/**
 * How many rows to pass on at once, learnt from how long the last took: thousands as a rule, a few where each costs milliseconds (a pattern that
 * backtracks, a list of thousands to compare with). So the event loop has its turn in time, whatever a query computes. No answer depends
 * on it.
 *
 * Two milliseconds, as long as a slice of the stepper: with four, a third more turns took over six, and a table of four million rows was loaded 12 %
 * slower (two runs by turns), for fewer rows stay in the processor's cache from one operator to the next.
 */
const TARGET_MS = 2;
const ROWS_FIRST = 128;

export class RowPace {
  /** At most this many, next time. */
  rows: number;
  readonly #most: number;

  constructor(most: number) {
    this.#most = most;
    this.rows = Math.min(most, ROWS_FIRST);
  }

  /** `rows` took `ms`. */
  took(rows: number, ms: number): void {
    if (ms > TARGET_MS) this.rows = Math.max(1, Math.min(this.rows, Math.floor((rows * TARGET_MS) / ms)));
    else if (rows >= this.rows && ms < TARGET_MS / 2) this.rows = Math.min(this.#most, this.rows * 2);
  }
}
