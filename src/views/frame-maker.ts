/**
 * Makes frames: small ones while their step is published, large ones in turns of their own, in the order in which they came.
 *
 * A frame that is not ready holds the rows of its step (the epoch before it is pinned, so that none of them is freed, nor goes to disk). So how many
 * rows may wait is bounded, and so is what one frame may come to: beyond that a frame is lost, and its watchers get the view anew, which comes in
 * pieces and at their own pace.
 */
import type { Slices } from "../base/slices.ts";
import { ChangeWriter } from "./change-writer.ts";
import type { FrameLog } from "./frame-log.ts";
import { Frame } from "./frames.ts";
import { Slabs } from "./slabs.ts";
import { changesOfStep, type StepChanges, type Touched } from "./step-changes.ts";
import type { View } from "./view.ts";

export interface FrameMakerOptions {
  /** Gives a turn of the event loop, and when it should end (performance.now()). */
  readonly turn: () => Promise<number>;
  readonly slices: Slices;
  /** A frame that was not ready when it was begun is now, or is lost. */
  readonly done: (view: View, frame: Frame) => void;
  /** What only a bug can bring about. */
  readonly failed: (error: unknown) => void;
  /** Of one frame. */
  readonly frameBytesMax: number;
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
  /** What is written in the turn at hand. */
  readonly #written = new ChangeWriter();
  readonly #slabs = new Slabs();
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
    this.#ends = this.#options.slices.ends(AT_ONCE_MS);
  }

  /** The step's changes of the view, put into its log; null: there are none. `at`: when. */
  make(
    view: View,
    touched: Touched,
    step: { readonly epoch: number; readonly position: number; readonly after: number },
    at: number,
    log: FrameLog,
  ): Frame | null {
    const rows = touched.born.length + touched.died.length;
    const changes = changesOfStep(view, touched, step.epoch);
    const written = this.#written.begin(view);
    let isAll = false;
    while (this.#rowsLeft > 0 && !isAll && written.bytes <= this.#options.frameBytesMax) {
      this.#rowsLeft -= ROWS_PER_LOOK;
      isAll = changes.advance(ROWS_PER_LOOK, written);
      if (performance.now() >= this.#ends) this.#rowsLeft = 0;
    }
    if (isAll && written.changes === 0) return null;
    if (isAll && log.fits(written)) return log.keep(step, at, written);
    const frame = new Frame(step, at, rows, this.#slabs);
    this.#add(frame, isAll);
    if (frame.state === "made") this.#wait(view, frame, changes, step.epoch);
    log.push(frame);
    return frame;
  }

  #wait(view: View, frame: Frame, changes: StepChanges, epoch: number): void {
    const rows = frame.touched;
    if (this.#waitingRows + rows > WAITING_ROWS_MAX) {
      frame.lose();
      return;
    }
    this.#waitingRows += rows;
    this.#jobs.push({ view, frame, changes, pin: view.store.pin(epoch - 1, true) });
    if (!this.#running) {
      this.#running = true;
      this.#run().catch(this.#options.failed);
    }
  }

  async #run(): Promise<void> {
    for (let job = this.#jobs[0]; job !== undefined; job = this.#jobs[0]) {
      const ends = await this.#options.turn();
      const { view, frame, changes } = job;
      const written = this.#written.begin(view);
      const bytesMax = this.#options.frameBytesMax - frame.length;
      let isAll = false;
      for (let rows = 0; !isAll && rows < ROWS_PER_TURN; rows += ROWS_PER_LOOK) {
        isAll = changes.advance(ROWS_PER_LOOK, written);
        if (written.bytes > bytesMax || performance.now() >= ends) break;
      }
      this.#add(frame, isAll);
      if (frame.state === "made") continue;
      this.#jobs.shift();
      this.#waitingRows -= frame.touched;
      job.pin.release();
      this.#options.done(view, frame);
    }
    this.#running = false;
  }

  /** What was written goes to the frame. */
  #add(frame: Frame, isAll: boolean): void {
    frame.add(this.#written);
    if (isAll) frame.complete();
    else if (frame.length > this.#options.frameBytesMax) frame.lose();
  }
}
