/**
 * From the checkpoint to the end of the log: what a start has to do before the database is what it was when it stopped.
 *
 * The log after the checkpoint is fed to the circuit, the same steps as live, and each step is published at once, since all of it is durable. So
 * readers may be let in before the end (`answerWhileCatchingUp`): what they see existed, at the position they are told, and with `atLeast` they wait
 * for what they need. Where rows were taken out of what is replayed, they wait until it is behind (moments.ts). Who writes waits: constraints are
 * decided by what the log holds, all of it.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { EvertError } from "../base/errors.ts";
import type { Log, ReadOptions } from "../log/log.ts";
import type { Publisher } from "./publisher.ts";
import type { Stepper } from "./stepper.ts";

/** Rows that wait for their step while readers are let in: a query comes between two steps, behind all that wait. */
const WAITING_ROWS_MAX = 65_536;

export interface CatchUpContext {
  readonly log: Log;
  readonly stepper: Stepper;
  readonly publisher: Publisher;
  /** Why nothing goes on any more, or null. */
  readonly failure: EvertError | null;
  replayOptions(from: number, to: number): ReadOptions;
}

export class CatchUp {
  readonly #core: CatchUpContext;
  /** Positions from..to are in the log and not in the checkpoint. */
  readonly #from: number;
  readonly #to: number;
  #isStopped = false;
  /** Ends with the start, whether it has come to the end of the log or not. */
  readonly ended: Promise<void>;
  #end: () => void = () => {};

  /** REQUIRES a stepper that stands at its checkpoint. */
  constructor(core: CatchUpContext) {
    this.#core = core;
    this.#from = core.stepper.position;
    this.#to = core.log.durablePosition;
    core.publisher.moments.lackUntil(Math.min(core.log.horizonBehind(this.#from), this.#to));
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  /** 0..1: how much of it has been stepped. */
  get progress(): number {
    const all = this.#to - this.#from;
    return all <= 0 ? 1 : Math.min(1, (this.#core.stepper.position - this.#from) / all);
  }

  /** Whether the position is yet to be reached again. */
  isAhead(position: number): boolean {
    return position <= this.#to && position > this.#core.publisher.published.position;
  }

  /** `beside`: while readers are answered. @throws EvertError log_damaged; shutting_down when it was stopped. */
  async run(beside: boolean): Promise<void> {
    const { log, stepper, publisher } = this.#core;
    publisher.durable(this.#to);
    if (this.#to <= this.#from) return;
    for await (const group of log.read(this.#core.replayOptions(this.#from + 1, this.#to))) {
      await stepper.room();
      while (beside && stepper.queuedRows >= WAITING_ROWS_MAX && this.#core.failure === null)
        await nextTurn();
      if (this.#isStopped) throw new EvertError("shutting_down", "the database is being closed");
      stepper.enqueue(group);
    }
    await stepper.atBoundary(() => {});
  }

  /** The start is over. */
  end(): void {
    this.#end();
  }

  stop(): void {
    this.#isStopped = true;
  }
}
