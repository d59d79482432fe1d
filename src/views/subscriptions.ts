/**
 * Subscriptions: a snapshot of each view at one moment, then every step that touches any of them; no gap, no overlap.
 *
 * 1. publish() is called once per step, when the step is done and durable. It has each watched view's changes encoded once and hands every
 *    subscriber one event with all views of its that were touched. Of a large step this event stands in the queue while its frames are made
 *    (frame-maker.ts); subscribers of other views do not wait for it.
 * 2. A new subscriber notes the published epoch, starts to queue steps, and reads its snapshots at that epoch (pinned), however long that takes.
 * 3. A subscriber that resumes gets the frames after its position, if all its views still have them; otherwise a reset and snapshots.
 * 4. Rows of an earlier definition (see WatchedView) are a snapshot too, that says so; who has it is reset when the view has been built anew.
 * 5. A subscriber's queue is bounded. One that does not read loses its queue and, when it reads again, is reset: memory is
 *    bounded and nobody else waits.
 */
import type { EvertError } from "../base/errors.ts";
import { FrameMaker } from "./frame-maker.ts";
import { type Frame, FrameLog } from "./frames.ts";
import { snapshot } from "./snapshot.ts";
import type { Touched } from "./step-changes.ts";
import { Subscriber } from "./subscriber.ts";
import type { SubscriptionItem } from "./subscription-item.ts";
import type { View } from "./view.ts";
import { type Listener, Watch, type WatchedView } from "./watch.ts";

/** What subscriptions need to know of the engine. */
export interface Published {
  readonly epoch: number;
  readonly position: number;
}

export interface SubscriptionsOptions {
  readonly now: () => number;
  /** @throws EvertError undefined_table */
  readonly resolve: (name: string) => WatchedView;
  readonly published: () => Published;
  /** Gives a turn of the event loop to work that can wait, and when it should end (performance.now()). */
  readonly turn: () => Promise<number>;
  /** Told when rows from disk were read, whose texts are to be freed. */
  readonly looked: () => void;
  /** What only a bug can bring about. */
  readonly failed: (error: unknown) => void;
  readonly keepBytes?: number;
  readonly keepMs?: number;
  readonly queueBytesMax?: number;
}

export interface Target {
  readonly view: string;
  readonly key?: unknown;
  /** Position to resume from; null: a snapshot in any case; absent: the subscription's. */
  readonly from?: number | null | undefined;
}

/** A step's effects on the views, as the engine hands them over. */
export interface PublishedStep extends Published {
  /** Position of the step before. */
  readonly after: number;
  readonly touched: ReadonlyMap<View, Touched>;
}

export class Subscriptions {
  readonly #options: Required<SubscriptionsOptions>;
  readonly #watches = new Map<View, Watch>();
  readonly #subscribers = new Set<Subscriber>();
  readonly #maker: FrameMaker;

  constructor(options: SubscriptionsOptions) {
    this.#options = { keepBytes: 64 << 20, keepMs: 60_000, queueBytesMax: 16 << 20, ...options };
    this.#maker = new FrameMaker({
      turn: options.turn,
      failed: options.failed,
      done: (view, frame) => this.#made(view, frame),
      frameCharsMax: this.#options.keepBytes,
    });
  }

  get size(): number {
    return this.#subscribers.size;
  }

  publish(step: PublishedStep): void {
    if (this.#watches.size === 0) return;
    const now = this.#options.now();
    const frames = new Map<View, Frame>();
    const concerned = new Set<Listener>();
    const lost: [Watch, Frame][] = [];
    this.#maker.begin();
    for (const [view, touched] of step.touched) {
      const watch = this.#watches.get(view);
      if (watch === undefined) continue;
      const frame = this.#maker.make(view, touched, step, now);
      frame.after = step.after;
      if (frame.state === "ready" && frame.isEmpty) continue;
      watch.log.push(frame);
      frames.set(view, frame);
      for (const listener of watch.concerned(frame, frame.takeKeys())) concerned.add(listener);
      if (frame.state === "lost") lost.push([watch, frame]);
    }
    for (const [view, watch] of this.#watches) {
      const error = watch.watched.error();
      if (error !== null && !watch.failing) for (const l of watch.listeners) l.failed(view, error);
      if (error === null && watch.failing) for (const l of watch.listeners) l.healed(view);
      watch.failing = error !== null;
      if (watch.listeners.size === 0 && now - watch.leftAt > this.#options.keepMs) this.#watches.delete(view);
    }
    for (const listener of concerned) listener.step(step.position, frames);
    for (const [watch, frame] of lost) this.#lose(watch, frame);
  }

  /** A frame is ready after its step was published, or will never be. */
  #made(view: View, frame: Frame): void {
    const watch = this.#watches.get(view);
    if (watch === undefined) return;
    if (frame.state === "lost") this.#lose(watch, frame);
    else watch.log.grown(frame);
    for (const listener of watch.listeners) listener.wake();
  }

  #lose(watch: Watch, frame: Frame): void {
    watch.log.drop(frame);
    for (const listener of watch.listeners) listener.lost(watch.watched.view, frame);
  }

  /**
   * Somebody was shown the view as it is published now and may come for what follows: its steps are kept from here on, as if a
   * watcher had just left.
   */
  shown(name: string): void {
    const watch = this.#watch(name);
    watch.leftAt = this.#options.now();
  }

  /** A view was dropped or replaced: its watchers are told and start over with what bears the name now. */
  replaced(view: View): void {
    const watch = this.#watches.get(view);
    if (watch === undefined) return;
    this.#watches.delete(view);
    for (const listener of [...watch.listeners]) listener.replaced(view);
  }

  closeAll(error: EvertError): void {
    for (const subscriber of [...this.#subscribers]) subscriber.close(error);
  }

  async *subscribe(
    targets: readonly Target[],
    options: { from?: number | undefined; signal?: AbortSignal | undefined } = {},
  ): AsyncGenerator<SubscriptionItem> {
    if (options.signal?.aborted === true) return;
    const subscriber = new Subscriber(this.#options.queueBytesMax);
    const abort = (): void => subscriber.close(null);
    options.signal?.addEventListener("abort", abort, { once: true });
    this.#subscribers.add(subscriber);
    try {
      let asked = targets.map((t) => ({
        ...t,
        from: t.from === undefined ? options.from : (t.from ?? undefined),
      }));
      let reason: string | null = null;
      for (;;) {
        yield* this.#begin(subscriber, asked, reason);
        for (;;) {
          const item = await subscriber.next();
          if (item === null) return;
          if (item !== "reset") {
            yield item;
            continue;
          }
          // Over again, without positions: whatever is shown for these views is replaced.
          reason = subscriber.resetReason;
          asked = targets.map((t) => ({ ...t, from: STALE }));
          break;
        }
      }
    } finally {
      options.signal?.removeEventListener("abort", abort);
      this.#subscribers.delete(subscriber);
      const now = this.#options.now();
      for (const watch of subscriber.leave()) watch.leftAt = now;
    }
  }

  /** What a subscriber is owed up to now: missed steps of views that resume, then snapshots of the others. */
  async *#begin(
    subscriber: Subscriber,
    targets: readonly (Target & { readonly from: number | undefined })[],
    reason: string | null,
  ): AsyncGenerator<SubscriptionItem> {
    // All of one moment: from here on steps are queued behind what is given below.
    subscriber.restart();
    const { epoch, position } = this.#options.published();
    const resumed = new Map<Watch, number>();
    /** Why what is shown of it does not hold; null: nothing is shown yet. */
    const fresh = new Map<Watch, string | null>();
    for (const target of targets) {
      const watch = this.#watch(target.view);
      subscriber.watch(watch, target.key);
      const { from } = target;
      const refusal = from === undefined ? null : (reason ?? whyNot(watch, from, position));
      if (from !== undefined && refusal === null && !fresh.has(watch)) {
        resumed.set(watch, Math.min(from, resumed.get(watch) ?? from));
      } else {
        const isShown = from !== undefined || resumed.delete(watch);
        const other = fresh.get(watch) ?? (isShown ? "another part of the view begins anew" : null);
        fresh.set(watch, refusal ?? other);
      }
    }
    const missed = missedSteps(resumed);
    // Snapshots follow rows that go to disk, however slowly they are taken.
    const pins = [...fresh.keys()].map((w) => w.watched.view.store.pin(epoch, true));
    try {
      for (const [at, frames] of missed) {
        if (!(await subscriber.ready(frames))) {
          subscriber.giveUp();
          return;
        }
        const item = subscriber.itemOf(at, frames);
        if (item !== null) yield item;
      }
      for (const [watch, refusal] of fresh) {
        const { view } = watch.watched;
        if (refusal !== null) yield { type: "reset", view: view.name, reason: refusal };
        const error = watch.watched.error();
        if (error === null)
          yield* snapshot(watch.watched, { epoch, position }, subscriber.keysOf(watch), this.#options);
        else {
          watch.failing = true;
          yield { type: "error", view: view.name, error: error.toJSON() };
        }
      }
    } finally {
      for (const pin of pins) pin.release();
    }
  }

  #watch(name: string): Watch {
    const watched = this.#options.resolve(name);
    let watch = this.#watches.get(watched.view);
    if (watch === undefined) {
      const { position } = this.#options.published();
      const log = new FrameLog(position, this.#options.keepBytes, this.#options.keepMs);
      watch = new Watch(watched, log);
      this.#watches.set(watched.view, watch);
    }
    return watch;
  }
}

/** A position nothing is kept from. */
const STALE = -1;

/** Why a subscriber cannot go on from the position; null: it can. */
function whyNot(watch: Watch, from: number, position: number): string | null {
  if (watch.failing) return "the view has an error";
  if (watch.watched.stalePosition !== undefined) return "the view is made anew";
  if (from > position) return "the position has not been reached";
  if (from < watch.log.floor) return "the position is older than what is kept";
  return watch.log.splits(from) ? "the position lies within a step" : null;
}

/** Frames after each view's position, put together by step. */
function missedSteps(resumed: ReadonlyMap<Watch, number>): [number, Map<View, Frame>][] {
  const steps = new Map<number, Map<View, Frame>>();
  for (const [watch, from] of resumed) {
    for (const frame of watch.log.after(from)) {
      let frames = steps.get(frame.position);
      if (frames === undefined) steps.set(frame.position, (frames = new Map()));
      frames.set(watch.watched.view, frame);
    }
  }
  return [...steps].sort(([a], [b]) => a - b);
}
