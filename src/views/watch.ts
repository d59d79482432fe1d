/** A view that is watched, or was a while ago, and the frames kept of it. */
import { encodeUtf8 } from "../base/bytes.ts";
import type { EvertError } from "../base/errors.ts";
import { hashOf } from "./change-writer.ts";
import type { FrameLog } from "./frame-log.ts";
import type { Frame } from "./frames.ts";
import type { View } from "./view.ts";

export interface WatchedView {
  readonly view: View;
  /** The error reads of the view answer with, or null. */
  readonly error: () => EvertError | null;
  /** Set where the rows are those of an earlier definition: what they reflect. They never change; in the end they are replaced. */
  readonly stalePosition?: number | undefined;
}

/** Somebody who is told of steps. */
export interface Listener {
  step(position: number, frames: ReadonlyMap<View, Frame>): void;
  failed(view: View, error: EvertError): void;
  healed(view: View): void;
  replaced(view: View): void;
  lost(view: View, frame: Frame): void;
  wake(): void;
}

export class Watch {
  readonly watched: WatchedView;
  readonly log: FrameLog;
  /** When the last listener left. */
  leftAt = 0;
  failing: boolean;
  readonly #listeners = new Set<Listener>();
  /** Those of the whole view, and of some of its rows by what their keys hash to: a step finds whom it concerns by what it touched. */
  readonly #ofAll = new Set<Listener>();
  readonly #ofKey = new Map<number, Set<Listener>>();

  constructor(watched: WatchedView, log: FrameLog) {
    this.watched = watched;
    this.log = log;
    this.failing = watched.error() !== null;
  }

  get listeners(): ReadonlySet<Listener> {
    return this.#listeners;
  }

  /** `key` as JSON text; null: every row. */
  add(listener: Listener, key: string | null): void {
    this.#listeners.add(listener);
    if (key === null) {
      this.#ofAll.add(listener);
      return;
    }
    const hash = hashOf(encodeUtf8(key));
    const known = this.#ofKey.get(hash);
    if (known === undefined) this.#ofKey.set(hash, new Set([listener]));
    else known.add(listener);
  }

  /** `keys`: all that it was added with. */
  remove(listener: Listener, keys: Iterable<string>): void {
    this.#listeners.delete(listener);
    this.#ofAll.delete(listener);
    for (const key of keys) {
      const hash = hashOf(encodeUtf8(key));
      const known = this.#ofKey.get(hash);
      if (known?.delete(listener) === true && known.size === 0) this.#ofKey.delete(hash);
    }
  }

  /** Those whom the frame may concern. What it touches is not known before it is ready. */
  *concerned(frame: Frame): Iterable<Listener> {
    if (frame.state !== "ready") {
      yield* this.#listeners;
      return;
    }
    yield* this.#ofAll;
    if (this.#ofKey.size === 0) return;
    for (const hash of frame.hashes()) {
      const listeners = this.#ofKey.get(hash);
      if (listeners !== undefined) yield* listeners;
    }
  }
}
