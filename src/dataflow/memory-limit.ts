/**
 * What all state of a database may take together: rows, indexes and texts of topics, views, builds and queries.
 *
 * - Beyond 15/16 of it a commit that needs new room in a table is refused: what is appended is data, and cannot be kept in part.
 *   A table whose rows can go to disk in that moment (cooling.ts) takes more, up to 31/32: theirs take the room of those.
 * - Beyond all of it one operator stops, and its view with it: of those that grow in that moment the one that keeps most. Its rows are freed, and
 *   only if that is not enough, the next one stops.
 *
 * So views over a stream, which takes no state itself, stop one by one; tables never push views out.
 */
import { EvertError } from "../base/errors.ts";
import type { Node } from "./node.ts";

/** Milliseconds for which what was counted is good enough, at least and at most: to count asks every store. */
const COUNTED_MS = 20;
const COUNTED_MS_MAX = 500;
/** Of the time, at most one part in so many goes into counting. */
const PARTS = 100;

/** Of the limit, the part after which rows that have come, at so many bytes each, are counted, however lately that was done. */
const CAME_PART = 64;
const ROW_BYTES = 64;

export class MemoryLimit {
  readonly bytes: number;
  /** Beyond it tables may take no more. */
  readonly nearBytes: number;
  readonly #count: () => number;
  #used = 0;
  #countAgainAt = Number.NEGATIVE_INFINITY;
  /** Rows since it was counted. */
  #came = 0;
  /** Rows that have come ever. */
  rows = 0;

  /** `count`: the bytes that are taken now, without those of operators that have stopped. */
  constructor(bytes: number, count: () => number) {
    this.bytes = bytes;
    this.nearBytes = bytes === Number.POSITIVE_INFINITY ? bytes : bytes - bytes / 16;
    this.#count = count;
  }

  /** Bytes taken, as of a moment ago. */
  get used(): number {
    const began = performance.now();
    if (began >= this.#countAgainAt) {
      this.#used = this.#count();
      this.#came = 0;
      const now = performance.now();
      this.#countAgainAt = now + Math.min(COUNTED_MS_MAX, Math.max(COUNTED_MS, PARTS * (now - began)));
    }
    return this.#used;
  }

  /** Bytes taken, as of now. */
  get usedNow(): number {
    this.#countAgainAt = Number.NEGATIVE_INFINITY;
    return this.used;
  }

  /** What is taken is counted anew when it is asked for next. */
  stale(): void {
    this.#countAgainAt = Number.NEGATIVE_INFINITY;
  }

  /** So many rows have come to topics, or been made of them. They may fill a small limit before it is time to count. */
  came(rows: number): void {
    this.rows += rows;
    this.#came += rows;
    if (this.#areMany(this.#came)) this.#countAgainAt = Number.NEGATIVE_INFINITY;
  }

  /**
   * Whether so many rows have come since there were `rows` that it is time to look who has to stop: also where somebody else has counted meanwhile.
   */
  isDue(rows: number): boolean {
    return this.#areMany(this.rows - rows);
  }

  #areMany(rows: number): boolean {
    return rows * ROW_BYTES * CAME_PART > this.bytes;
  }

  /** Whether tables may take no more. */
  get isNear(): boolean {
    return this.used > this.nearBytes;
  }

  /** Whether these nodes keep so much that what was counted a moment ago may be wrong by it: then it is counted anew when asked next. */
  countAgain(nodes: readonly Node[]): boolean {
    if (this.bytes === Number.POSITIVE_INFINITY) return false;
    let bytes = 0;
    for (const node of nodes) {
      bytes += node.bytesElsewhere;
      for (const store of node.allStores) bytes += store.bytes;
    }
    if (bytes <= this.bytes / PARTS) return false;
    this.#countAgainAt = Number.NEGATIVE_INFINITY;
    return true;
  }

  /** Of these nodes the one that has to stop, if one has to. */
  stopped(nodes: readonly Node[]): Node | null {
    if (this.bytes === Number.POSITIVE_INFINITY || this.used <= this.bytes) return null;
    // Also one that keeps nothing itself: what comes back for it may be a topic's, which never stops.
    let most = -1;
    let stopped: Node | null = null;
    for (const node of nodes) {
      if (node.failed !== null || node.isTopic) continue;
      let bytes = node.bytesElsewhere;
      let grows = node.grewElsewhere || node.tookSlots;
      for (const store of node.allStores) {
        bytes += store.bytes;
        grows ||= store.bornCount > store.died.length;
      }
      if (!grows || bytes <= most) continue;
      most = bytes;
      stopped = node;
    }
    // Where none grows, nothing has changed: to count anew at every look would cost more than the work.
    if (stopped === null) return null;
    // What was counted a moment ago may have been freed since: of one that has stopped, say, which took more than this one ever will.
    this.#countAgainAt = Number.NEGATIVE_INFINITY;
    if (this.used <= this.bytes) return null;
    // What it kept no longer counts.
    this.#countAgainAt = Number.NEGATIVE_INFINITY;
    return stopped;
  }

  /** Why it has stopped. */
  error(node: Node): EvertError {
    return new EvertError("view_limit", "the database has reached its memory limit", {
      detail: `All state takes more than ${this.bytes} bytes, and this operator went on growing: ${node.label}.`,
      hint: "Narrow the query, drop views, or open the database with a higher memoryLimit. A view that has stopped is filled again when it is dropped and created anew, or by a start, where there is room by then.",
    });
  }
}
