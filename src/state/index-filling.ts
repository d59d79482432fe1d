/**
 * A unique index of very many rows made at once, when a database starts.
 *
 * Entered in the order of their slots, rows fall anywhere into the directory, and each fetches a line from memory: 10 M rows, 10 M lines of 64 bytes.
 * So they are dealt out first:
 * 1. The hashes of all rows are counted by the part of the directory they belong to; a part fits a cache of the processor.
 * 2. In a second walk over the rows each hash goes with its slot to where its part is gathered, 8 bytes a row.
 * 3. Part by part they are entered: each line comes from memory once, and it is near the line before.
 *
 * Measured in docs/decisions/0035-checkpoints.md.
 */
import type { BucketLines } from "./bucket-lines.ts";

/** Entries from which on it is worth it: below, the directory lies in a cache anyway. */
export const FILLING_MIN = 1 << 17;
const PARTS = 256;

/** The live slots of a piece of the store, of which there are so many, at the beginning of a list. */
export interface PieceOfSlots {
  readonly slots: Int32Array;
  readonly count: number;
}

export class IndexFilling {
  readonly #buckets: BucketLines;
  readonly #hashAll: (slots: Int32Array, n: number) => Int32Array;
  readonly #shift: number;
  /** By part: entries counted, then where its next one goes. */
  readonly #places = new Int32Array(PARTS);

  /** REQUIRES an empty directory presized for what is to come. `hashAll` as in hash-index.ts. */
  constructor(buckets: BucketLines, hashAll: (slots: Int32Array, n: number) => Int32Array) {
    this.#buckets = buckets;
    this.#hashAll = hashAll;
    this.#shift = Math.max(0, Math.ceil(Math.log2(buckets.n)) - Math.log2(PARTS));
  }

  count({ slots, count }: PieceOfSlots): void {
    const hashes = this.#hashAll(slots, count);
    const places = this.#places;
    const shift = this.#shift;
    const { high } = this.#buckets;
    const half = this.#buckets.low + 1;
    const last = this.#buckets.n - 1;
    for (let i = 0; i < count; i++) {
      const b = (hashes[i] as number) & high;
      (places[(b - (((last - b) >> 31) & half)) >>> shift] as number)++;
    }
  }

  /** Enters the rows, which are those that were counted; yields between pieces. */
  *enter(pieces: Iterable<PieceOfSlots>): Generator<void> {
    const places = this.#places;
    const shift = this.#shift;
    const { high, n } = this.#buckets;
    const half = this.#buckets.low + 1;
    const last = n - 1;
    let entries = 0;
    for (let part = 0; part < PARTS; part++) {
      const counted = places[part] as number;
      places[part] = entries;
      entries += counted;
    }
    const pairs = new Int32Array(entries * 2);
    for (const { slots, count } of pieces) {
      const hashes = this.#hashAll(slots, count);
      for (let i = 0; i < count; i++) {
        const hash = hashes[i] as number;
        const b = hash & high;
        const part = (b - (((last - b) >> 31) & half)) >>> shift;
        const at = (places[part] as number) * 2;
        places[part] = (places[part] as number) + 1;
        pairs[at] = hash;
        pairs[at + 1] = slots[i] as number;
      }
      yield;
    }
    for (let part = 0, from = 0; part < PARTS; part++) {
      const end = places[part] as number;
      this.#buckets.map(part << shift, Math.min(n, (part + 1) << shift));
      this.#buckets.insertPairs(pairs, from, end);
      from = end;
      yield;
    }
  }
}
