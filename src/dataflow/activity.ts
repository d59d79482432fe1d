/**
 * What an operator has done since it was made: rows in and out, steps, time. Read by EXPLAIN ANALYZE and the views' figures.
 *
 * Counting is per chunk and per step, never per row, and always on. The watch runs on whichever operator works now: entering one ends the time
 * of the one around it, so that each is given its own time alone, also where it is called from within another (docs/decisions/0021-analyze.md).
 */

/** Rows given on; of an operator that keeps its output in a store, changes of that. */
const OUT = 0;
/** Rows in and out together. */
const MOVED = 1;
/** MOVED at the end of the last step. */
const SETTLED = 2;
/** Steps in which rows moved. */
const STEPS = 3;
/** Milliseconds. */
const TIME = 4;
const WORDS = 5;

/** What an operator has done and keeps, for people (operator-stats.ts). */
export interface OperatorStats {
  readonly operator: string;
  /** The parts of the plan it works off, outermost first. */
  readonly plan: readonly string[];
  /** Places in the list. */
  readonly inputs: readonly number[];
  /**
   * own: works for these rows alone; shared: for others too; source: a topic, another view or kept rows that are only read here: what it has done is
   * told nowhere but here, and is no part of any sum.
   */
  readonly role: "own" | "shared" | "source";
  readonly rowsIn: number;
  /** The same, by input. */
  readonly taken: readonly number[];
  /** Of an operator whose output is kept: changes of that. */
  readonly rowsOut: number;
  /** Rows in its state. */
  readonly rowsKept: number;
  /** Bytes of its state, indexes included. */
  readonly bytes: number;
  /** Of rows that are not in memory, on disk. */
  readonly coldBytes: number;
  /** Steps in which rows moved. */
  readonly steps: number;
  /** Its own time, without that of the operators it called; of small steps it is an estimate. */
  readonly ms: number;
}

export class Activity {
  /** Rows taken, by port. */
  readonly taken: Float64Array;
  /** Numbers side by side: changing them makes no garbage. */
  readonly #words = new Float64Array(WORDS);

  constructor(ports: number) {
    this.taken = new Float64Array(Math.max(1, ports));
  }

  get rowsIn(): number {
    return this.taken.reduce((sum, rows) => sum + rows, 0);
  }

  get rowsOut(): number {
    return this.#words[OUT] as number;
  }

  get steps(): number {
    return this.#words[STEPS] as number;
  }

  get ms(): number {
    return this.#words[TIME] as number;
  }

  tookRows(port: number, rows: number): void {
    (this.taken[port] as number) += rows;
    (this.#words[MOVED] as number) += rows;
  }

  gaveRows(rows: number): void {
    (this.#words[OUT] as number) += rows;
    (this.#words[MOVED] as number) += rows;
  }

  /** The operator is done with the step. */
  settle(): void {
    const words = this.#words;
    if (words[MOVED] === words[SETTLED]) return;
    words[SETTLED] = words[MOVED] as number;
    (words[STEPS] as number)++;
  }

  addTime(ms: number): void {
    (this.#words[TIME] as number) += ms;
  }
}

/**
 * How many steps one that is timed stands for; 0: this one is not timed. Asking for the time twice per operator would make a step of one row half as
 * slow again, so of small steps one in sixteen is timed, and counts for sixteen; large ones are all timed.
 */
export type TimeWeight = number;

const SMALL_STEPS_PER_TIMED = 16;
/** Fed at once, they make a step a large one. */
const LARGE_ROWS = 256;

/** Decides which steps of a graph are timed. */
export class StepTimer {
  weight: TimeWeight;
  readonly #sampled: boolean;
  #steps = 0;

  constructor(timing: Timing) {
    this.#sampled = timing === "sampled";
    this.weight = timing === "always" ? 1 : 0;
  }

  begin(): void {
    if (!this.#sampled) return;
    // Spread evenly, and not in time with whatever comes every sixteen steps.
    const chosen = Math.imul(this.#steps++, 0x9e3779b1) >>> 0 < 2 ** 32 / SMALL_STEPS_PER_TIMED;
    this.weight = chosen ? SMALL_STEPS_PER_TIMED : 0;
  }

  fed(rows: number): void {
    if (this.#sampled && rows >= LARGE_ROWS) this.weight = 1;
  }
}

export type Timing = "always" | "sampled" | "never";

/** Time of nobody: between operators. */
const nobody = new Activity(0);
let working = nobody;
let since = 0;

/** From now on time is this operator's; gives the one whose it was, for goBack(). */
export function goTo(activity: Activity, weight: TimeWeight): Activity {
  const before = working;
  const now = performance.now();
  before.addTime((now - since) * weight);
  working = activity;
  since = now;
  return before;
}

export function goBack(before: Activity, weight: TimeWeight): void {
  const now = performance.now();
  working.addTime((now - since) * weight);
  working = before;
  since = now;
}
