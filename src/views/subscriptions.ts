/**
 * Subscriptions: a snapshot of each view at one moment, then every step that touches any of them; no gap, no overlap.
 *
 * 1. publish() is called once per step, when the step is done and durable. It has each watched view's changes encoded once and hands every
 *    subscriber one event with all views of its that were touched. Of a large step this event stands in the queue while its frames are made
 *    (frame-maker.ts); subscribers of other views do not wait for it.
 * 2. A new subscriber notes the published epoch, starts to queue steps, and reads its snapshots at that epoch (pinned), however long that takes
 *    (open-subscription.ts).
 * 3. A subscriber that resumes gets the frames after its position, if all its views still have them; otherwise a reset and snapshots.
 * 4. Rows of an earlier definition (see WatchedView) are a snapshot too, that says so; who has it is reset when the view has been built anew.
 * 5. What is published that is no moment of the log (engine/moments.ts) is told to nobody. Whoever is there waits, and is reset behind it.
 * 6. A subscriber's queue is bounded. One that does not read loses its queue and, when it reads again, is reset: memory is
 *    bounded and nobody else waits.
 */
import type { EvertError } from "../base/errors.ts";
import { type Slices, systemSlices } from "../base/slices.ts";
import { FrameLog } from "./frame-log.ts";
import { FrameMaker } from "./frame-maker.ts";
import type { Frame } from "./frames.ts";
import { OpenSubscription, type Shared } from "./open-subscription.ts";
import type { Touched } from "./step-changes.ts";
import type { AlteredItem, Published, SubscriptionItem, Target } from "./subscription-item.ts";
import type { View } from "./view.ts";
import { type Listener, Watch, type WatchedView } from "./watch.ts";

export interface SubscriptionsOptions {
  readonly now: () => number;
  /** @throws EvertError undefined_table */
  readonly resolve: (name: string) => WatchedView;
  readonly published: () => Published;
  /** Whether that may be shown. */
  readonly isWhole: () => boolean;
  /** Gives a turn of the event loop to work that can wait, and when it should end (performance.now()). */
  readonly turn: () => Promise<number>;
  readonly slices?: Slices;
  /** Told when rows from disk were read, whose texts are to be freed. */
  readonly looked: () => void;
  /** What only a bug can bring about. */
  readonly failed: (error: unknown) => void;
  readonly keepBytes?: number;
  readonly keepMs?: number;
  readonly queueBytesMax?: number;
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
  readonly #open = new Set<OpenSubscription>();
  readonly #shared: Shared;
  readonly #maker: FrameMaker;
  /** Something was published that was told to nobody. */
  #hasGap = false;
  /** By name, from which position on it means the view that it means now; of those that have meant another one. */
  readonly #namedAt = new Map<string, number>();
  /** From before such a gap: who has not left yet may wait for a frame of theirs. */
  #before: Watch[] = [];

  constructor(options: SubscriptionsOptions) {
    this.#options = {
      keepBytes: 64 << 20,
      keepMs: 60_000,
      queueBytesMax: 16 << 20,
      slices: systemSlices,
      ...options,
    };
    // Who does not begin is owed everything behind it, also where no step is left out.
    const isWhole = (): boolean => options.isWhole() || !(this.#hasGap = true);
    this.#shared = {
      ...this.#options,
      isWhole,
      watch: (name) => this.#watch(name),
      namedAt: (name) => this.#namedAt.get(name) ?? 0,
    };
    this.#maker = new FrameMaker({
      turn: options.turn,
      slices: this.#options.slices,
      failed: options.failed,
      done: (view, frame) => this.#made(view, frame),
      frameBytesMax: this.#options.keepBytes,
    });
  }

  get size(): number {
    return this.#open.size;
  }

  publish(step: PublishedStep): void {
    if (!this.#options.isWhole()) {
      this.#hasGap = true;
      return;
    }
    this.resume();
    if (this.#before.length > 0) this.#before = this.#before.filter(isWatched);
    if (this.#watches.size === 0) return;
    const now = this.#options.now();
    const frames = new Map<View, Frame>();
    const concerned = new Set<Listener>();
    const lost: [Watch, Frame][] = [];
    this.#maker.begin();
    for (const [view, touched] of step.touched) {
      const watch = this.#watches.get(view);
      if (watch === undefined) continue;
      const frame = this.#maker.make(view, touched, step, now, watch.log);
      if (frame === null) continue;
      frames.set(view, frame);
      for (const listener of watch.concerned(frame)) concerned.add(listener);
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

  /** What is published may be shown again. */
  resume(): void {
    if (!this.#hasGap) return;
    this.#hasGap = false;
    // Nobody can go on from what was told before.
    this.#before = [...this.#before, ...this.#watches.values()].filter(isWatched);
    this.#watches.clear();
    for (const open of this.#open) open.reset("what lies between is no moment of the log");
  }

  /** A frame is ready after its step was published, or will never be. */
  #made(view: View, frame: Frame): void {
    for (const watch of this.#before) if (watch.watched.view === view) wakeAll(watch);
    const watch = this.#watches.get(view);
    if (watch === undefined) return;
    if (frame.state === "lost") this.#lose(watch, frame);
    else watch.log.grown(frame);
    wakeAll(watch);
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

  /** A name means another view from the position on: those who watch by it begin anew with what bears the name now, the others notice nothing. */
  renamed(name: string, position: number): void {
    this.#namedAt.set(name, position);
    for (const open of [...this.#open]) open.look();
  }

  closeAll(error: EvertError): void {
    for (const open of [...this.#open]) open.close(error);
  }

  async *subscribe(
    targets: readonly Target[],
    options: { from?: number | undefined; signal?: AbortSignal | undefined } = {},
  ): AsyncGenerator<SubscriptionItem> {
    const byView = new Map<string, Target[]>();
    for (const target of targets) {
      const from = target.from === undefined ? options.from : (target.from ?? undefined);
      const asked = { ...target, from };
      const known = byView.get(target.view);
      if (known === undefined) byView.set(target.view, [asked]);
      else known.push(asked);
    }
    const open = new OpenSubscription(this.#shared, true);
    const changes = [...byView].map(([view, asked]) => ({ view, targets: asked, isAnew: true }));
    open.alter(changes, null);
    for await (const item of this.#items(open, options.signal)) if (item.type !== "altered") yield item;
  }

  /** A subscription to nothing yet; what it wants is said while it lasts. A view that is not there is told as an error, and does not end it. */
  open(signal: AbortSignal | undefined): {
    readonly subscription: OpenSubscription;
    readonly items: AsyncGenerator<SubscriptionItem | AlteredItem>;
  } {
    const subscription = new OpenSubscription(this.#shared, false);
    return { subscription, items: this.#items(subscription, signal) };
  }

  async *#items(
    open: OpenSubscription,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<SubscriptionItem | AlteredItem> {
    if (signal?.aborted === true) return;
    const abort = (): void => open.close(null);
    signal?.addEventListener("abort", abort, { once: true });
    this.#open.add(open);
    try {
      yield* open.items();
    } finally {
      signal?.removeEventListener("abort", abort);
      this.#open.delete(open);
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

function isWatched({ listeners }: Watch): boolean {
  return listeners.size > 0;
}

function wakeAll({ listeners }: Watch): void {
  for (const listener of listeners) listener.wake();
}
