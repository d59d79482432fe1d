/**
 * Subscriptions: a snapshot of each view at one moment, then every step that touches any of them; no gap, no overlap.
 *
 * 1. publish() is called once per step, when the step is done and durable. It encodes each watched view's changes once and hands every
 *    subscriber one event with all views of its that were touched.
 * 2. A new subscriber notes the published epoch, starts to queue steps, and reads its snapshots at that epoch (pinned), however long that takes.
 * 3. A subscriber that resumes gets the frames after its position, if all its views still have them; otherwise a reset and snapshots.
 * 4. Rows of an earlier definition (see WatchedView) are a snapshot too, that says so; who has it is reset when the view has been built anew.
 * 5. A subscriber's queue is bounded. One that does not read loses its queue and, when it reads again, is reset: memory is
 *    bounded and nobody else waits.
 */
import type { ErrorBody, EvertError } from "../base/errors.ts";
import { type SqlType, typeTag } from "../batch/types.ts";
import { encodeChanges, type Frame, FrameLog, snapshotRows, type Touched } from "./frames.ts";
import type { View } from "./view.ts";

export interface ColumnHeader {
  readonly name: string;
  readonly type: string;
}

export interface OrderHeader {
  readonly column: string;
  readonly descending: boolean;
  readonly nullsFirst: boolean;
}

export type SubscriptionItem =
  | {
      readonly type: "snapshot";
      readonly view: string;
      readonly columns: readonly ColumnHeader[];
      readonly keyColumns: readonly string[];
      readonly order: readonly OrderHeader[];
      readonly rowsJson: readonly string[];
      readonly position: string;
      readonly last: boolean;
      readonly stale?: true;
    }
  | { readonly type: "step"; readonly position: string; readonly views: ReadonlyMap<string, string> }
  | { readonly type: "reset"; readonly view: string; readonly reason: string }
  | { readonly type: "error"; readonly view: string; readonly error: ErrorBody };

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
  readonly keepBytes?: number;
  readonly keepMs?: number;
  readonly queueBytesMax?: number;
}

export interface WatchedView {
  readonly view: View;
  /** The error reads of the view answer with, or null. */
  readonly error: () => EvertError | null;
  /** Set where the rows are those of an earlier definition: what they reflect. They never change; in the end they are replaced. */
  readonly stalePosition?: number | undefined;
}

export interface Target {
  readonly view: string;
  readonly key?: unknown;
  /** Position to resume from; null: a snapshot in any case; absent: the subscription's. */
  readonly from?: number | null | undefined;
}

/** A step's effects on the views, as the engine hands them over. */
export interface PublishedStep extends Published {
  readonly touched: ReadonlyMap<View, Touched>;
}

const SNAPSHOT_ROWS = 10_000;
const SNAPSHOT_SLICE = 512;

interface Watch {
  readonly watched: WatchedView;
  readonly log: FrameLog;
  watchers: number;
  /** When the last watcher left. */
  leftAt: number;
  failing: boolean;
}

export class Subscriptions {
  readonly #options: Required<SubscriptionsOptions>;
  readonly #watches = new Map<View, Watch>();
  readonly #subscribers = new Set<Subscriber>();

  constructor(options: SubscriptionsOptions) {
    this.#options = { keepBytes: 64 << 20, keepMs: 60_000, queueBytesMax: 16 << 20, ...options };
  }

  get size(): number {
    return this.#subscribers.size;
  }

  publish(step: PublishedStep): void {
    if (this.#watches.size === 0) return;
    const now = this.#options.now();
    const frames = new Map<View, Frame>();
    for (const [view, touched] of step.touched) {
      const watch = this.#watches.get(view);
      if (watch === undefined) continue;
      const changes = encodeChanges(view, touched);
      if (changes.length === 0) continue;
      const frame: Frame = {
        position: step.position,
        changes,
        json: `[${changes.map((c) => c.json).join(",")}]`,
        at: now,
      };
      watch.log.push(frame);
      frames.set(view, frame);
    }
    for (const [view, watch] of this.#watches) {
      const error = watch.watched.error();
      if (error !== null && !watch.failing) for (const s of this.#subscribers) s.failed(view, error);
      if (error === null && watch.failing) for (const s of this.#subscribers) s.healed(view);
      watch.failing = error !== null;
      if (watch.watchers === 0 && now - watch.leftAt > this.#options.keepMs) this.#watches.delete(view);
    }
    if (frames.size > 0) for (const subscriber of this.#subscribers) subscriber.step(step.position, frames);
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
    this.#watches.delete(view);
    for (const subscriber of this.#subscribers) subscriber.replaced(view);
  }

  closeAll(error: EvertError): void {
    for (const subscriber of [...this.#subscribers]) subscriber.close(error);
  }

  async *subscribe(
    targets: readonly Target[],
    options: { from?: number | undefined; signal?: AbortSignal | undefined } = {},
  ): AsyncGenerator<SubscriptionItem> {
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
      for (const watch of subscriber.watched()) this.#leave(watch);
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
      subscriber.watch(watch, keyText(watch.watched.view, target));
      const { from } = target;
      const refusal = from === undefined ? null : (reason ?? whyNot(watch, from, position));
      if (from !== undefined && refusal === null && !fresh.has(watch)) {
        resumed.set(watch, Math.min(from, resumed.get(watch) ?? from));
      } else {
        resumed.delete(watch);
        fresh.set(watch, refusal ?? (from === undefined ? null : "another part of the view begins anew"));
      }
    }
    const missed = missedSteps(resumed);
    const pins = [...fresh.keys()].map((w) => w.watched.view.store.pin(epoch));
    try {
      for (const [at, frames] of missed) {
        const item = subscriber.itemOf(at, frames);
        if (item !== null) yield item;
      }
      for (const [watch, refusal] of fresh) {
        const { view } = watch.watched;
        if (refusal !== null) yield { type: "reset", view: view.name, reason: refusal };
        const error = watch.watched.error();
        if (error === null) yield* snapshot(watch.watched, epoch, position, subscriber.keysOf(watch));
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
      watch = { watched, log, watchers: 0, leftAt: 0, failing: watched.error() !== null };
      this.#watches.set(watched.view, watch);
    }
    return watch;
  }

  #leave(watch: Watch): void {
    watch.watchers--;
    watch.leftAt = this.#options.now();
  }
}

/** A position nothing is kept from. */
const STALE = -1;

/** Why a subscriber cannot go on from the position; null: it can. */
function whyNot(watch: Watch, from: number, position: number): string | null {
  if (watch.failing) return "the view has an error";
  if (watch.watched.stalePosition !== undefined) return "the view is made anew";
  if (from > position) return "the position has not been reached";
  return from < watch.log.floor ? "the position is older than what is kept" : null;
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

async function* snapshot(
  { view, stalePosition }: WatchedView,
  epoch: number,
  position: number,
  keys: ReadonlySet<string> | null,
): AsyncGenerator<SubscriptionItem> {
  const { store, encoder } = view;
  const head = {
    type: "snapshot" as const,
    view: view.name,
    columns: view.fields.map(columnMessage),
    keyColumns: (view.keyColumns ?? []).map((c) => view.fields[c]!.name),
    order: view.order
      .filter((o) => o.column < view.fields.length)
      .map((o) => ({
        column: view.fields[o.column]!.name,
        descending: o.descending,
        nullsFirst: o.nullsFirst,
      })),
    position: String(stalePosition ?? position),
    ...(stalePosition === undefined ? {} : { stale: true as const }),
  };
  let rows: string[] = [];
  const take = (json: string, key: string): void => {
    if (keys === null || keys.has(key)) rows.push(json);
  };
  for (let slot = 0; slot < store.highWater; slot++) {
    if (store.visible(slot, epoch)) snapshotRows(encoder, slot, store.weight(slot), take);
    if (rows.length >= SNAPSHOT_ROWS) {
      yield { ...head, rowsJson: rows.slice(0, SNAPSHOT_ROWS), last: false };
      rows = rows.slice(SNAPSHOT_ROWS);
    }
    if (slot % SNAPSHOT_SLICE === SNAPSHOT_SLICE - 1)
      await new Promise<void>((resolve) => setImmediate(resolve));
  }
  yield { ...head, rowsJson: rows, last: true };
}

function keyText(view: View, target: Target): string | null {
  return target.key === undefined ? null : view.keyText(target.key);
}

/** One listener: a bounded queue between publish() and whoever reads. */
class Subscriber {
  readonly #queueBytesMax: number;
  /** Keys wanted of each view; null: all. */
  #watches = new Map<View, { watch: Watch; keys: Set<string> | null }>();
  #queue: (SubscriptionItem | "reset")[] = [];
  #bytes = 0;
  #wake: (() => void) | null = null;
  #closed = false;
  #error: EvertError | null = null;
  resetReason = "";

  constructor(queueBytesMax: number) {
    this.#queueBytesMax = queueBytesMax;
  }

  watch(watch: Watch, key: string | null): void {
    const { view } = watch.watched;
    const known = this.#watches.get(view);
    if (known === undefined) {
      watch.watchers++;
      this.#watches.set(view, { watch, keys: key === null ? null : new Set([key]) });
    } else if (key === null) known.keys = null;
    else known.keys?.add(key);
  }

  *watched(): Iterable<Watch> {
    for (const { watch } of this.#watches.values()) yield watch;
  }

  keysOf(watch: Watch): ReadonlySet<string> | null {
    return this.#watches.get(watch.watched.view)?.keys ?? null;
  }

  restart(): void {
    this.#queue = [];
    this.#bytes = 0;
  }

  /** The step as this subscriber sees it; null when it touches nothing it wants. */
  itemOf(position: number, frames: ReadonlyMap<View, Frame>): SubscriptionItem | null {
    let views: Map<string, string> | null = null;
    for (const [view, { keys }] of this.#watches) {
      const frame = frames.get(view);
      if (frame === undefined) continue;
      let { json } = frame;
      if (keys !== null) {
        const mine = frame.changes.filter((c) => keys.has(c.key));
        if (mine.length === 0) continue;
        json = `[${mine.map((c) => c.json).join(",")}]`;
      }
      views ??= new Map();
      views.set(view.name, json);
    }
    return views === null ? null : { type: "step", position: String(position), views };
  }

  step(position: number, frames: ReadonlyMap<View, Frame>): void {
    const item = this.itemOf(position, frames);
    if (item === null || item.type !== "step") return;
    let bytes = 0;
    for (const json of item.views.values()) bytes += json.length;
    if (this.#bytes + bytes > this.#queueBytesMax && this.#queue.length > 0) {
      this.#reset("the subscriber did not keep up");
      return;
    }
    this.#bytes += bytes;
    this.#push(item);
  }

  failed(view: View, error: EvertError): void {
    if (this.#watches.has(view)) this.#push({ type: "error", view: view.name, error: error.toJSON() });
  }

  healed(view: View): void {
    if (this.#watches.has(view)) this.#reset("the view has healed");
  }

  replaced(view: View): void {
    if (!this.#watches.delete(view)) return;
    this.#reset("the view was replaced");
  }

  close(error: EvertError | null): void {
    this.#closed = true;
    this.#error = error;
    this.#wake?.();
  }

  /** Null: closed. @throws the error it was closed with. */
  async next(): Promise<SubscriptionItem | "reset" | null> {
    while (this.#queue.length === 0 && !this.#closed) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = null;
    }
    const item = this.#queue.shift();
    if (item === undefined) {
      if (this.#error !== null) throw this.#error;
      return null;
    }
    if (item !== "reset" && item.type === "step")
      for (const json of item.views.values()) this.#bytes -= json.length;
    return item;
  }

  #reset(reason: string): void {
    this.restart();
    this.resetReason = reason;
    this.#push("reset");
  }

  #push(item: SubscriptionItem | "reset"): void {
    this.#queue.push(item);
    this.#wake?.();
  }
}

/** A column as a snapshot tells it; an enum's labels, so that the other end can order by them. */
function columnMessage({ name, type }: { readonly name: string; readonly type: SqlType }) {
  const labels = type.labels ?? type.element?.labels;
  return labels === undefined ? { name, type: typeTag(type) } : { name, type: typeTag(type), labels };
}
