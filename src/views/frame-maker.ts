/**
 * Makes frames: small ones while their step is published, large ones in turns of their own, in the order in which they came.
 *
 * A frame that is not ready holds the rows of its step (the epoch before it is pinned, so that none of them is freed, nor goes to disk). So how many rows may wait is bounded, and so is what one frame
 * may come to: beyond that a frame is lost, and its watchers get the view anew, which comes in pieces and at their own pace.
 */
import { Frame } from "./frames.ts";
import { changesOfStep, type StepChanges, type Touched } from "./step-changes.ts";
import type { View } from "./view.ts";

export interface FrameMakerOptions {
  /** Gives a turn of the event loop, and when it should end (performance.now()). */
  readonly turn: () => Promise<number>;
  /** A frame that was not ready when it was begun is now, or is lost. */
  readonly done: (view: View, frame: Frame) => void;
  /** What only a bug can bring about. */
  readonly failed: (error: unknown) => void;
  /** Characters of one frame. */
  readonly frameCharsMax: number;
}

/** Slots of a step looked at while it is published, over all its views, and between two looks at the clock afterwards. */
export const ROWS_AT_ONCE = 1_024;
const ROWS_PER_LOOK = 64;
/** At most in a turn of its own. */
export const ROWS_PER_TURN = 2_048;
const AT_ONCE_MS = 2;
/** Touched slots of all frames that are being made. */
const WAITING_ROWS_MAX = 2_000_000;

interface Job {
  readonly view: View;
  readonly frame: Frame;
  readonly changes: StepChanges;
  readonly pin: { release(): void };
}

export class FrameMaker {
  readonly #options: FrameMakerOptions;
  readonly #jobs: Job[] = [];
  #waitingRows = 0;
  #running = false;
  /** Of the step being published. */
  #rowsLeft = 0;
  #ends = 0;

  constructor(options: FrameMakerOptions) {
    this.#options = options;
  }

  /** A step is published. */
  begin(): void {
    this.#rowsLeft = ROWS_AT_ONCE;
    this.#ends = performance.now() + AT_ONCE_MS;
  }

  /** `at`: when. */
  make(
    view: View,
    touched: Touched,
    step: { readonly epoch: number; readonly position: number },
    at: number,
  ): Frame {
    const rows = touched.born.length + touched.died.length;
    const frame = new Frame(step.position, at, rows);
    const changes = changesOfStep(view, touched, step.epoch);
    while (this.#rowsLeft > 0 && frame.state === "made") {
      this.#rowsLeft -= ROWS_PER_LOOK;
      this.#advance(frame, changes);
      if (performance.now() >= this.#ends) this.#rowsLeft = 0;
    }
    if (frame.state === "made" && this.#waitingRows + rows > WAITING_ROWS_MAX) frame.lose();
    if (frame.state !== "made") return frame;
    this.#waitingRows += rows;
    this.#jobs.push({ view, frame, changes, pin: view.store.pin(step.epoch - 1, true) });
    if (!this.#running) {
      this.#running = true;
      this.#run().catch(this.#options.failed);
    }
    return frame;
  }

  async #run(): Promise<void> {
    for (let job = this.#jobs[0]; job !== undefined; job = this.#jobs[0]) {
      const ends = await this.#options.turn();
      for (let rows = 0; job.frame.state === "made" && rows < ROWS_PER_TURN; rows += ROWS_PER_LOOK) {
        this.#advance(job.frame, job.changes);
        if (performance.now() >= ends) break;
      }
      if (job.frame.state === "made") continue;
      this.#jobs.shift();
      this.#waitingRows -= job.frame.touched;
      job.pin.release();
      this.#options.done(job.view, job.frame);
    }
    this.#running = false;
  }

  #advance(frame: Frame, changes: StepChanges): void {
    if (changes.advance(ROWS_PER_LOOK, (change) => frame.add(change))) frame.complete();
    else if (frame.length > this.#options.frameCharsMax) frame.lose();
  }
}
