/**
 * One subscription under way: what it wants, what it has been told, and so what it is owed. What it wants may change while it lasts.
 *
 * 1. To begin, it notes the published position P, starts to queue steps behind it, and tells: which views do not go on from what is shown, before any
 *    position behind which they lie; the steps up to P that are missed of what goes on from an earlier position; then snapshots of the others at P.
 *    Then it tells the queued steps.
 * 2. When what it wants has changed, it begins again in the same way. Views that were wanted before go on from the last step told: the steps that
 *    stood in the queue are found among the frames that are kept of every view, put together by step as ever. So what came to it is told at the same
 *    P. Changes wait while it begins, and those that name one view come about one after the other: what is told before a token never belongs to a
 *    later one. Where what is published is not to be shown, it does not begin before that has an end.
 * 3. When it did not keep up, or a view was replaced or has healed, it begins again without positions: whatever is shown is replaced.
 */
import { type EvertError, toEvertError } from "../base/errors.ts";
import type { Slices } from "../base/slices.ts";
import type { Frame } from "./frames.ts";
import { snapshot } from "./snapshot.ts";
import { Subscriber } from "./subscriber.ts";
import type { AlteredItem, Published, SubscriptionItem, Target } from "./subscription-item.ts";
import type { View } from "./view.ts";
import type { Watch } from "./watch.ts";

/** What it needs of those whom it is one of. */
export interface Shared {
  readonly now: () => number;
  readonly published: () => Published;
  readonly isWhole: () => boolean;
  readonly turn: () => Promise<number>;
  readonly slices: Slices;
  readonly looked: () => void;
  readonly queueBytesMax: number;
  /** @throws EvertError undefined_table */
  watch(name: string): Watch;
  /** From which position on the name means the view that it means now. */
  namedAt(name: string): number;
}

/** What is wanted of one view. */
interface Wanted {
  /** null: every row. */
  keys: readonly unknown[] | null;
  /** Where the other end says that it has come to, for what was not told here yet. */
  readonly from: number | undefined;
  /** Why what it says it has does not hold, or null. */
  readonly refusal: string | null;
  /** What it has been told: nothing yet, rows, rows of an earlier definition, or an error. */
  told: "nothing" | "rows" | "stale" | "error";
  /** That it was told of. */
  view: View | null;
}

/** What is wanted of a view from now on. */
export interface Alteration {
  readonly view: string;
  /** All of them are of this view. None: nothing of it. */
  readonly targets: readonly Target[];
  /** It is told anew, or from the positions that the targets give. Otherwise they are some of those that there were, and nothing is told. */
  readonly isAnew: boolean;
}

export class OpenSubscription {
  readonly #shared: Shared;
  readonly #subscriber: Subscriber;
  readonly #wanted = new Map<string, Wanted>();
  /** Whether a view that is not there ends it; otherwise it is told, and the others go on. */
  readonly #isFixed: boolean;
  /** Changes of what is wanted that are not followed yet. */
  #asked: { readonly changes: readonly Alteration[]; readonly token: unknown }[] = [];
  /** Every view that shows rows shows those at this position. */
  #toldTo = 0;

  constructor(shared: Shared, isFixed: boolean) {
    this.#shared = shared;
    this.#isFixed = isFixed;
    this.#subscriber = new Subscriber(shared.queueBytesMax);
  }

  /**
   * From now on, of each view named, these targets are wanted. What is told when that has come about has the token: behind it all that is wanted is
   * shown at one moment.
   */
  alter(changes: readonly Alteration[], token: unknown): void {
    this.#asked.push({ changes, token });
    this.#subscriber.alter();
  }

  /** A name may mean another view: whoever is shown one is told anew. */
  look(): void {
    this.#subscriber.alter();
  }

  /** What was told may not hold any more. */
  reset(reason: string): void {
    this.#subscriber.reset(reason);
  }

  close(error: EvertError | null): void {
    this.#subscriber.close(error);
  }

  /** To be read once. REQUIRES: whoever stops reading returns it. */
  async *items(): AsyncGenerator<SubscriptionItem | AlteredItem> {
    const subscriber = this.#subscriber;
    try {
      let reason: string | null = null;
      let tokens: unknown[] = [];
      for (;;) {
        tokens.push(...this.#follow());
        const isTold: boolean = yield* this.#begin(reason);
        if (isTold && tokens.length > 0) {
          yield { type: "altered", tokens, position: String(this.#toldTo), views: this.#whole() };
          tokens = [];
        }
        if (this.#asked.length > 0) subscriber.alter();
        for (;;) {
          const item = await subscriber.next();
          if (item === null) return;
          if (item === "altered" || item === "reset") {
            reason = item === "reset" || !isTold ? subscriber.resetReason : null;
            break;
          }
          this.#note(item);
          yield item;
        }
      }
    } finally {
      this.#leave();
    }
  }

  /** Wants what was asked for, up to a change that names a view again. Gives the tokens. */
  #follow(): unknown[] {
    const named = new Set<string>();
    const tokens: unknown[] = [];
    for (const { changes, token } of this.#asked) {
      if (changes.some(({ view }) => named.has(view))) break;
      tokens.push(token);
      for (const { view, targets, isAnew } of changes) {
        named.add(view);
        const before = this.#wanted.get(view);
        if (before !== undefined && !isAnew) before.keys = keysOf(targets);
        else {
          this.#wanted.delete(view);
          if (targets.length > 0) this.#wanted.set(view, wantedOf(targets, before));
        }
      }
    }
    this.#asked.splice(0, tokens.length);
    return tokens;
  }

  #whole(): Map<string, boolean> {
    return new Map([...this.#wanted].map(([name, { told }]) => [name, told === "rows"]));
  }

  #leave(): void {
    const now = this.#shared.now();
    for (const watch of this.#subscriber.leave()) watch.leftAt = now;
  }

  #note(item: SubscriptionItem): void {
    if (item.type === "step") this.#toldTo = Number(item.position);
    if (item.type !== "error") return;
    const wanted = this.#wanted.get(item.view);
    if (wanted !== undefined && wanted.told !== "nothing") wanted.told = "error";
  }

  /** What is owed up to now. `reason`: nothing that was told holds any more. False: it could not be told, and is owed anew. */
  async *#begin(reason: string | null): AsyncGenerator<SubscriptionItem, boolean> {
    const subscriber = this.#subscriber;
    const shared = this.#shared;
    // All of one moment: from here on steps are queued behind what is given below.
    subscriber.restart();
    this.#leave();
    if (!shared.isWhole()) {
      // Who asks for what is not there need not wait to be told.
      if (this.#isFixed) for (const name of this.#wanted.keys()) shared.watch(name);
      return false;
    }
    const { epoch, position } = shared.published();
    const resumed = new Map<string, readonly [Watch, number]>();
    /** Why what is shown of it does not hold; null: nothing is shown yet. */
    const fresh: {
      name: string;
      watch: Watch;
      wanted: Wanted;
      refusal: string | null;
      error: EvertError | null;
    }[] = [];
    const missing: SubscriptionItem[] = [];
    for (const [name, wanted] of this.#wanted) {
      let watch: Watch;
      try {
        watch = shared.watch(name);
        subscriber.watchAll(name, watch, wanted.keys);
      } catch (thrown) {
        const error = toEvertError(thrown);
        if (this.#isFixed || error.code === "internal") throw thrown;
        this.#wanted.delete(name);
        missing.push({ type: "error", view: name, error: error.toJSON(), ended: true });
        continue;
      }
      const start = this.#startOf(name, wanted, watch, position, reason);
      if (start === "same") continue;
      if (typeof start === "number") {
        resumed.set(name, [watch, start]);
        wanted.told = "rows";
        wanted.view = watch.watched.view;
        continue;
      }
      const error = watch.watched.error();
      if (error !== null) watch.failing = true;
      fresh.push({ name, watch, wanted, refusal: start.refusal, error });
    }
    const missed = missedSteps(resumed.values());
    const starts = new Map([...resumed].map(([name, [, from]]) => [name, from]));
    // However slowly they are taken, and whatever is kept meanwhile.
    const borrowed = [...missed].flatMap(([, frames]) => [...frames.values()]);
    for (const frame of borrowed) frame.borrow();
    // Snapshots follow rows that go to disk, however slowly they are taken.
    const pins = fresh.map(({ watch }) => watch.watched.view.store.pin(epoch, true));
    try {
      yield* missing;
      for (const { name, refusal } of fresh)
        if (refusal !== null) yield { type: "reset", view: name, reason: refusal };
      for (const [at, frames] of missed) {
        if (!(await subscriber.ready(frames))) {
          subscriber.giveUp();
          return false;
        }
        const item = subscriber.itemOf(at, frames, starts);
        if (item !== null) yield item;
      }
      for (const { name, watch, wanted, error } of fresh) {
        const { view, stalePosition } = watch.watched;
        if (error === null)
          yield* snapshot(name, watch.watched, { epoch, position }, subscriber.keysOf(name), shared);
        else yield { type: "error", view: name, error: error.toJSON() };
        wanted.view = view;
        wanted.told = error !== null ? "error" : stalePosition !== undefined ? "stale" : "rows";
      }
      this.#toldTo = position;
      return true;
    } finally {
      for (const frame of borrowed) frame.giveBack();
      for (const pin of pins) pin.release();
    }
  }

  /** From which position it goes on, or that a snapshot is to be told, and why what is shown does not hold; same: there is nothing to tell. */
  #startOf(
    name: string,
    wanted: Wanted,
    watch: Watch,
    position: number,
    reason: string | null,
  ): number | "same" | { readonly refusal: string | null } {
    const { told } = wanted;
    if (told === "nothing") {
      if (wanted.refusal !== null) return { refusal: wanted.refusal };
      if (wanted.from === undefined) return { refusal: null };
      const wasAnother = wanted.from < this.#shared.namedAt(name) ? "the view was replaced" : null;
      const refusal = reason ?? wasAnother ?? whyNot(watch, wanted.from, position);
      return refusal === null ? wanted.from : { refusal };
    }
    if (reason !== null) return { refusal: reason };
    const { view, stalePosition } = watch.watched;
    if (view !== wanted.view) return { refusal: "the view was replaced" };
    if (told === "error") return watch.failing ? "same" : { refusal: "the view has healed" };
    if (told === "stale") return stalePosition === undefined ? { refusal: "the view was replaced" } : "same";
    const refusal = whyNot(watch, this.#toldTo, position);
    return refusal === null ? this.#toldTo : { refusal };
  }
}

function wantedOf(targets: readonly Target[], before: Wanted | undefined): Wanted {
  const positions = targets.map((t) => t.from ?? undefined);
  const known = positions.filter((from) => from !== undefined);
  const isWhole = known.length === positions.length;
  const isShown = known.length > 0 || (before !== undefined && before.told !== "nothing");
  return {
    keys: keysOf(targets),
    from: isWhole ? Math.min(...known) : undefined,
    refusal: !isWhole && isShown ? "another part of the view begins anew" : null,
    told: "nothing",
    view: null,
  };
}

function keysOf(targets: readonly Target[]): readonly unknown[] | null {
  return targets.some((t) => t.key === undefined) ? null : targets.map((t) => t.key);
}

/** Why a subscriber cannot go on from the position; null: it can. */
function whyNot(watch: Watch, from: number, position: number): string | null {
  if (watch.failing) return "the view has an error";
  if (watch.watched.stalePosition !== undefined) return "the view is made anew";
  if (from > position) return "the position has not been reached";
  if (from < watch.log.floor) return "the position is older than what is kept";
  return watch.log.splits(from) ? "the position lies within a step" : null;
}

/** Frames after each view's position, put together by step. */
function missedSteps(resumed: Iterable<readonly [Watch, number]>): [number, Map<View, Frame>][] {
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
