/**
 * How blocks are read: at once, or by the thread pool.
 *
 * What was written lately, or read before, is mostly in the system's own memory, from where a block comes in 2 µs; to ask the thread pool for it
 * takes the main thread 11 µs and more (docs/decisions/0036-cold-rows.md). Whether it is there cannot be asked, but is seen afterwards: a read that
 * took longer was one of the disk, and the event loop stood still for it. Then all are left to the thread pool for a while, twice as long each time
 * that this happens at once again.
 */
import type { DiskFile } from "../../base/disk.ts";

/** What a read from memory takes at most, in milliseconds. */
const QUICK_MS = 0.25;
const AWAY_MS = 10;
const AWAY_MS_MAX = 2_000;
/** Quick reads after which a slow one is the first again. */
const CALM_READS = 256;

export class ReadPace {
  #awayUntil = Number.NEGATIVE_INFINITY;
  #awayMs = AWAY_MS;
  #quick = 0;

  /** Bytes read; null: the thread pool is to be asked. */
  readNow(file: DiskFile, target: Uint8Array, at: number): number | null {
    const began = performance.now();
    if (began < this.#awayUntil) return null;
    const got = file.readNow(target, at);
    const now = performance.now();
    if (now - began <= QUICK_MS) {
      if (++this.#quick >= CALM_READS) this.#awayMs = AWAY_MS;
      return got;
    }
    this.#awayUntil = now + this.#awayMs;
    this.#awayMs = Math.min(AWAY_MS_MAX, this.#awayMs * 2);
    this.#quick = 0;
    return got;
  }
}
