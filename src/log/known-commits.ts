/** Idempotency keys of the last 24 hours of log time, and what each stands for. */
import type { KnownCommit } from "./log.ts";

export const KNOWN_FOR_US = 24 * 3_600_000_000;

interface Remembered {
  readonly key: string;
  readonly timeUs: number;
  readonly commit: KnownCommit;
}

export class KnownCommits {
  readonly #byKey = new Map<string, KnownCommit>();
  /** In order of time; everything before #head is forgotten. */
  #queue: Remembered[] = [];
  #head = 0;

  get(key: string): KnownCommit | null {
    return this.#byKey.get(key) ?? null;
  }

  get size(): number {
    return this.#byKey.size;
  }

  /** REQUIRES that none of a later time is known. */
  add(key: string, timeUs: number, commit: KnownCommit): void {
    this.#byKey.set(key, commit);
    this.#queue.push({ key, timeUs, commit });
  }

  /** Log time is `timeUs` now: forgets what is older than 24 hours. */
  expire(timeUs: number): void {
    const queue = this.#queue;
    while (this.#head < queue.length && queue[this.#head]!.timeUs < timeUs - KNOWN_FOR_US) {
      const { key, commit } = queue[this.#head]!;
      // The key may have been used again since.
      if (this.#byKey.get(key) === commit) this.#byKey.delete(key);
      this.#head++;
    }
    if (this.#head > 1024 && this.#head * 2 > queue.length) {
      this.#queue = queue.slice(this.#head);
      this.#head = 0;
    }
  }
}
