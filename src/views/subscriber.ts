/**
 * One listener: a bounded queue between the steps that are published and whoever reads.
 *
 * A step stands in the queue as its frames, from the moment it is published; it is handed out when those of the listener's views are ready, and what
 * comes behind it waits, so that steps come in order.
 */
import type { EvertError } from "../base/errors.ts";
import type { Frame } from "./frames.ts";
import type { SubscriptionItem } from "./subscription-item.ts";
import type { View } from "./view.ts";
import type { Listener, Watch } from "./watch.ts";

type StepItem = Extract<SubscriptionItem, { type: "step" }>;

/** A step that is not told yet. */
interface Step {
  readonly type: "frames";
  readonly position: number;
  readonly frames: ReadonlyMap<View, Frame>;
  /** What it counts for in the queue. */
  readonly bytes: number;
}

type Queued = Exclude<SubscriptionItem, StepItem> | Step | "reset";

/** What a change is taken to come to before it is made. */
const CHANGE_BYTES_GUESSED = 64;
const BEHIND = "the subscriber did not keep up";

export class Subscriber implements Listener {
  readonly #queueBytesMax: number;
  /** By the name it is asked for: of each view, which may have several, the keys wanted, as JSON text and as they were given; null: all. */
  readonly #watches = new Map<
    string,
    { readonly watch: Watch; readonly keys: Map<string, unknown> | null }
  >();
  #queue: Queued[] = [];
  #bytes = 0;
  #wake: (() => void) | null = null;
  /** What the step is read from that was told last. */
  #lent: Frame[] = [];
  #closed = false;
  #isAltered = false;
  #error: EvertError | null = null;
  resetReason = "";

  constructor(queueBytesMax: number) {
    this.#queueBytesMax = queueBytesMax;
  }

  /** `keys`: null for every row. @throws EvertError when one is not of the view's type; then nothing is watched. */
  watchAll(name: string, watch: Watch, keys: readonly unknown[] | null): void {
    const { view } = watch.watched;
    if (keys === null) this.#add(name, watch, null, undefined);
    else
      for (const [text, key] of keys.map((key) => [view.keyText(key), key] as const))
        this.#add(name, watch, text, key);
  }

  #add(name: string, watch: Watch, text: string | null, key: unknown): void {
    const known = this.#watches.get(name);
    // Who wants every row is told of each anyway.
    if (known?.keys === null) return;
    if (text === null && known !== undefined) watch.remove(this, known.keys.keys());
    watch.add(this, text);
    if (text === null) this.#watches.set(name, { watch, keys: null });
    else if (known === undefined) this.#watches.set(name, { watch, keys: new Map([[text, key]]) });
    else known.keys.set(text, key);
  }

  /** Watches nothing any more, and reads nothing. Gives what it watched. */
  leave(): Watch[] {
    this.#giveBack();
    const left = [...this.#watches.values()];
    this.#watches.clear();
    for (const { watch, keys } of left) watch.remove(this, keys?.keys() ?? []);
    return left.map(({ watch }) => watch);
  }

  /** The keys it wants, as JSON text and as they were given; null: all. */
  keysOf(name: string): ReadonlyMap<string, unknown> | null {
    return this.#watches.get(name)?.keys ?? null;
  }

  /** The names under which it watches the view. */
  #namesOf(view: View): string[] {
    return [...this.#watches].flatMap(([name, { watch }]) => (watch.watched.view === view ? [name] : []));
  }

  /** Who reads begins: it knows what is wanted, and what is queued is told otherwise. */
  restart(): void {
    this.#isAltered = false;
    this.#queue = [];
    this.#bytes = 0;
  }

  #giveBack(): void {
    for (const frame of this.#lent) frame.giveBack();
    this.#lent = [];
  }

  /**
   * The step as this subscriber sees it, once its frames are ready; null when it touches nothing it wants. It may be read until the next is asked
   * for, or it leaves. `starts`: it is told under these names alone, and under each what comes after its position.
   */
  itemOf(
    position: number,
    frames: ReadonlyMap<View, Frame>,
    starts: ReadonlyMap<string, number> | null = null,
  ): StepItem | null {
    this.#giveBack();
    let views: Map<string, readonly Uint8Array[]> | null = null;
    for (const [name, { watch, keys }] of this.#watches) {
      const frame = frames.get(watch.watched.view);
      if (frame === undefined) continue;
      if (starts !== null && (starts.get(name) ?? position) >= position) continue;
      const pieces = keys === null ? frame.pieces : frame.piecesOf(keys.keys());
      if (pieces.length === 0) continue;
      views ??= new Map();
      views.set(name, pieces);
      frame.borrow();
      this.#lent.push(frame);
    }
    return views === null ? null : { type: "step", position: String(position), views };
  }

  /** Resolves when the frames of its views are ready; false when one is lost, or it was closed meanwhile. */
  async ready(frames: ReadonlyMap<View, Frame>): Promise<boolean> {
    while (!this.#closed && this.#some(frames, "made")) await this.#woken();
    return !this.#some(frames, "made") && !this.#some(frames, "lost");
  }

  step(position: number, frames: ReadonlyMap<View, Frame>): void {
    const mine = new Map<View, Frame>();
    let bytes = 0;
    let isConcerned = false;
    for (const { watch, keys } of this.#watches.values()) {
      const { view } = watch.watched;
      const frame = frames.get(view);
      if (frame === undefined) continue;
      mine.set(view, frame);
      if (frame.state === "lost") isConcerned = true;
      else if (frame.state === "made") bytes += frame.touched * CHANGE_BYTES_GUESSED;
      else if (keys === null) bytes += frame.length;
      else for (const piece of frame.piecesOf(keys.keys())) bytes += piece.length;
    }
    // Nothing that it wants.
    if (bytes === 0 && !isConcerned) return;
    if (this.#bytes + bytes > this.#queueBytesMax && this.#queue.length > 0) {
      this.reset(BEHIND);
      return;
    }
    this.#bytes += bytes;
    this.#push({ type: "frames", position, frames: mine, bytes });
  }

  failed(view: View, error: EvertError): void {
    for (const name of this.#namesOf(view)) this.#push({ type: "error", view: name, error: error.toJSON() });
  }

  healed(view: View): void {
    if (this.#namesOf(view).length > 0) this.reset("the view has healed");
  }

  replaced(view: View): void {
    const names = this.#namesOf(view);
    if (names.length === 0) return;
    for (const name of names) this.#watches.delete(name);
    this.reset("the view was replaced");
  }

  /** The frame will never be ready. Who has begun after its step does not mind. */
  lost(view: View, frame: Frame): void {
    if (this.#namesOf(view).length === 0) return;
    const waits = this.#queue.some((item) => isStep(item) && item.frames.get(view) === frame);
    if (waits) this.giveUp();
    else this.wake();
  }

  /** Something it was to be told is lost: everything is told anew. */
  giveUp(): void {
    this.reset("a step changed more rows than are told one by one");
  }

  /** Everything is told anew. */
  reset(reason: string): void {
    this.#queue = [];
    this.#bytes = 0;
    this.resetReason = reason;
    this.#push("reset");
  }

  close(error: EvertError | null): void {
    this.#closed = true;
    this.#error = error;
    this.wake();
  }

  /** What is wanted has changed: who reads is told before anything else. */
  alter(): void {
    this.#isAltered = true;
    this.wake();
  }

  /** Something it may wait for has happened. */
  wake(): void {
    this.#wake?.();
  }

  /** Null: closed. What is ready is told before that; nothing is told anew. @throws the error it was closed with. */
  async next(): Promise<SubscriptionItem | "reset" | "altered" | null> {
    this.#giveBack();
    for (;;) {
      if (this.#isAltered && !this.#closed) return "altered";
      const first = this.#queue[0];
      const waits = first === undefined || (isStep(first) && this.#some(first.frames, "made"));
      if (this.#closed && (waits || first === "reset")) {
        if (this.#error !== null) throw this.#error;
        return null;
      }
      if (waits) {
        await this.#woken();
        continue;
      }
      this.#queue.shift();
      if (!isStep(first)) return first;
      this.#bytes -= first.bytes;
      if (this.#some(first.frames, "lost")) {
        this.reset(BEHIND);
        continue;
      }
      const item = this.itemOf(first.position, first.frames);
      if (item !== null) return item;
    }
  }

  async #woken(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    this.#wake = null;
  }

  /** Whether some frame of its views is in that state. */
  #some(frames: ReadonlyMap<View, Frame>, state: Frame["state"]): boolean {
    for (const { watch } of this.#watches.values())
      if (frames.get(watch.watched.view)?.state === state) return true;
    return false;
  }

  #push(item: Queued): void {
    this.#queue.push(item);
    this.wake();
  }
}

function isStep(item: Queued): item is Step {
  return item !== "reset" && item.type === "frames";
}
