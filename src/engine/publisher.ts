/**
 * The border between what the engine has done and what anybody may know of it.
 *
 * A step becomes visible when it is complete and the log is durable up to its last commit, in order, one at a time: then, and only then,
 * reads see its epoch, subscribers get its frame, and those who waited for its position go on.
 * Some of what is published is shown to nobody (moments.ts).
 */
import { EvertError } from "../base/errors.ts";
import type { Touched } from "../views/step-changes.ts";
import type { Published } from "../views/subscription-item.ts";
import type { PublishedStep } from "../views/subscriptions.ts";
import type { View } from "../views/view.ts";
import { Moments } from "./moments.ts";

interface Waiter {
  readonly position: number;
  readonly resolve: () => void;
  readonly reject: (error: EvertError) => void;
}

interface Stepped extends Omit<PublishedStep, "after"> {
  /** It takes in a part of the commits up to there, if that is not its position. */
  readonly end: number;
}

export class Publisher {
  #published: Published = { epoch: 0, position: 0 };
  #durable = 0;
  #pending: Stepped[] = [];
  #waiters: Waiter[] = [];
  #epochWaiters: {
    readonly epoch: number;
    readonly resolve: () => void;
    readonly reject: (e: EvertError) => void;
  }[] = [];
  /** What is to be done in the moment in which an epoch is published, before anybody is told of it; in the order of epochs. */
  #atEpochs: { readonly epoch: number; readonly run: () => void }[] = [];
  readonly #onPublish: (step: PublishedStep) => void;
  readonly #onPart: () => void;
  /** Whether what is published may be shown. */
  readonly moments: Moments;
  #failure: EvertError | null = null;

  /**
   * `onWhole`: what is published may be shown again, though nothing was published. `onPart`: what is published may be shown, and what is published
   * next may not, for it has a part of a commit.
   */
  constructor(onPublish: (step: PublishedStep) => void, onWhole: () => void, onPart: () => void = () => {}) {
    this.#onPublish = onPublish;
    this.#onPart = onPart;
    this.moments = new Moments(() => this.#published.position, onWhole);
  }

  startAt(start: Published): void {
    this.#published = start;
    this.#durable = Math.max(this.#durable, start.position);
  }

  get published(): Published {
    return this.#published;
  }

  /** A step is complete; it may not be durable yet. `end`: of commits of which it takes in a part beyond its position. */
  stepped(
    epoch: number,
    position: number,
    touched: ReadonlyMap<View, Touched>,
    end: number = position,
  ): void {
    this.#pending.push({ epoch, position, touched, end });
    this.#advance();
  }

  durable(position: number): void {
    this.#durable = position;
    this.#advance();
  }

  /** Nothing more will become durable. */
  fail(error: EvertError): void {
    this.#failure = error;
    this.moments.end(error);
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter.reject(error);
    for (const waiter of this.#epochWaiters.splice(0)) waiter.reject(error);
  }

  /** Resolves when reads reflect the epoch. @throws EvertError what fail() was called with */
  shown(epoch: number): Promise<void> {
    if (epoch <= this.#published.epoch) return Promise.resolve();
    if (this.#failure !== null) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => this.#epochWaiters.push({ epoch, resolve, reject }));
  }

  /** Runs it in the moment in which the epoch is published: that one, too, is told by what this changes. Never where the epoch is not. */
  whenShown(epoch: number, run: () => void): void {
    if (epoch <= this.#published.epoch) run();
    else this.#atEpochs.push({ epoch, run });
  }

  /** Resolves when reads reflect the position. @throws EvertError timeout; what fail() was called with */
  async waitFor(position: number, timeoutMs: number): Promise<void> {
    if (position <= this.#published.position) return;
    if (this.#failure !== null) throw this.#failure;
    let timer: NodeJS.Timeout | undefined;
    let waiter: Waiter | undefined;
    const reached = new Promise<boolean>((resolve, reject) => {
      waiter = { position, resolve: () => resolve(true), reject };
      this.#waiters.push(waiter);
      timer = setTimeout(() => resolve(false), timeoutMs);
    });
    const inTime = await reached.finally(() => clearTimeout(timer));
    if (inTime) return;
    this.#waiters = this.#waiters.filter((w) => w !== waiter);
    throw new EvertError("timeout", `position ${position} was not reached within ${timeoutMs} ms`, {
      detail: `Reads reflect position ${this.#published.position}.`,
      hint: "Ask again, or give a larger timeoutMs.",
    });
  }

  #advance(): void {
    let done = 0;
    for (const step of this.#pending) {
      if (step.end > this.#durable) break;
      done++;
      if (step.end > step.position) {
        if (this.moments.isWhole) this.#onPart();
        this.moments.partUntil(step.end);
      }
      const after = this.#published.position;
      this.#published = { epoch: step.epoch, position: step.position };
      while ((this.#atEpochs[0]?.epoch ?? Number.POSITIVE_INFINITY) <= step.epoch)
        this.#atEpochs.shift()?.run();
      this.#onPublish({ ...step, after });
    }
    if (done === 0) return;
    this.#pending.splice(0, done);
    this.moments.advanced();
    const { epoch, position } = this.#published;
    if (this.#epochWaiters.length > 0) {
      const shown = this.#epochWaiters.filter((w) => w.epoch <= epoch);
      this.#epochWaiters = this.#epochWaiters.filter((w) => w.epoch > epoch);
      for (const waiter of shown) waiter.resolve();
    }
    if (this.#waiters.length === 0) return;
    const ready = this.#waiters.filter((w) => w.position <= position);
    if (ready.length === 0) return;
    this.#waiters = this.#waiters.filter((w) => w.position > position);
    for (const waiter of ready) waiter.resolve();
  }
}
