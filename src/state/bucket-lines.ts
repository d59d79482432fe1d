/**
 * The directory of a hash index, in cache lines, growing one line at a time (linear hashing, Litwin 1980).
 *
 * A bucket is a line of 64 bytes: up to seven entries with their whole hashes, a count, and a link to an overflow line. A lookup costs one cache
 * miss, and looks at a row only where all 32 bits agree; an insert finds the line at hand. (Chains through the rows
 * cost a miss for every entry walked over.)
 *
 * 1. There are always n buckets, 2^L <= n < 2^(L+1). A hash h belongs to bucket h mod 2^(L+1), or, when that one does not exist yet, to h mod 2^L.
 * 2. Within a bucket, entries stand oldest first, and the bucket's own line holds the newest: when it is full, all of it moves to an
 *    overflow line in front of the others, and the line begins anew.
 * 3. At some three entries per bucket on average, each insert pays for its share of a split: bucket n - 2^L is dealt out to itself and the new bucket
 *    n. Both are next to the last ones split, so the machine has fetched them already. No step ever rehashes the table.
 *
 * Words of a line: hashes 0..6, entries 7..13, count 14, overflow line + 1 at 15 (0 = none). Fresh zeroed memory is an empty line.
 */
import { assert } from "../base/assert.ts";
import { GrowingMemory, Int32List, sharedMemory } from "./memory.ts";

export const LINE_ENTRIES = 7;
export const LINE_COUNT = 14;
export const LINE_OVERFLOW = 15;
const LINE_WORDS = 16;
const LINE_BYTES = LINE_WORDS * 4;
/** Of the machine's memory: larger ones are touched more often than needed. */
const PAGE_WORDS = 1024;
/**
 * On average. Buckets that wait for their split hold up to twice as many: six, which fit a line, where at four they would be eight
 * (measured: 17 bytes an entry instead of 22, and the join bench slower by 5 %). The eighth beyond three is 0.8 bytes an entry.
 */
const ENTRIES_PER_BUCKET = 3.125;
const INITIAL_BUCKETS = 8;

/** A directory between two threads. */
export interface HandedLines {
  readonly memory: WebAssembly.Memory;
  readonly overflow: WebAssembly.Memory;
  readonly n: number;
  readonly count: number;
  readonly overflowLines: number;
}

export class BucketLines {
  #memory = new GrowingMemory();
  #overflow = new GrowingMemory();
  readonly #freeOverflow = new Int32List();
  /** Bucket lines. Replaced when the directory grows. */
  B: Int32Array;
  /** Overflow lines. Replaced likewise. */
  O: Int32Array;
  n: number = INITIAL_BUCKETS;
  /** 2^L - 1 */
  low: number = INITIAL_BUCKETS - 1;
  /** 2^(L+1) - 1 */
  high: number = INITIAL_BUCKETS * 2 - 1;
  count = 0;
  /** With more entries than that a bucket is split. */
  #countMax = INITIAL_BUCKETS * ENTRIES_PER_BUCKET;
  #overflowLines = 0;
  #scratchHashes: Int32Array = new Int32Array(64);
  #scratchEntries: Int32Array = new Int32Array(64);

  constructor() {
    this.B = this.#memory.I;
    this.O = this.#overflow.I;
  }

  get bytes(): number {
    return (this.n + this.#overflowLines) * LINE_BYTES;
  }

  /** An empty directory sized for `entries`: filling it then splits nothing. */
  presize(entries: number): void {
    if (this.count > 0) return;
    const n = Math.max(INITIAL_BUCKETS, Math.ceil(entries / ENTRIES_PER_BUCKET));
    this.#memory.ensure(n * LINE_BYTES);
    this.B = this.#memory.I;
    this.#setBuckets(n);
  }

  #setBuckets(n: number): void {
    this.n = n;
    this.#countMax = Math.floor(n * ENTRIES_PER_BUCKET);
    this.high = INITIAL_BUCKETS * 2 - 1;
    while (this.high < n) this.high = this.high * 2 + 1;
    this.low = this.high >>> 1;
  }

  /** An empty directory whose lines can be handed to another thread, and how that is done. */
  static toHand(): { readonly lines: BucketLines; readonly hand: () => HandedLines } {
    const lines = new BucketLines();
    const memory = sharedMemory();
    const overflow = sharedMemory();
    lines.#use(memory, overflow);
    const hand = (): HandedLines => {
      assert(lines.#freeOverflow.length === 0, "a directory that is handed over has only been filled");
      return { memory, overflow, n: lines.n, count: lines.count, overflowLines: lines.#overflowLines };
    };
    return { lines, hand };
  }

  /** Takes what another thread has filled, in place of what is here. */
  take({ memory, overflow, n, count, overflowLines }: HandedLines): void {
    this.#use(memory, overflow);
    this.#setBuckets(n);
    this.count = count;
    this.#overflowLines = overflowLines;
    this.#freeOverflow.clear();
  }

  #use(memory: WebAssembly.Memory, overflow: WebAssembly.Memory): void {
    this.#memory = new GrowingMemory(0, memory);
    this.#overflow = new GrowingMemory(0, overflow);
    this.B = this.#memory.I;
    this.O = this.#overflow.I;
  }

  /** Gives its memory back. */
  clear(): void {
    this.#memory.clear();
    this.#overflow.clear();
    this.B = this.#memory.I;
    this.O = this.#overflow.I;
    this.#setBuckets(INITIAL_BUCKETS);
    this.count = 0;
    this.#overflowLines = 0;
    this.#freeOverflow.clear();
  }

  /** First word of the hash's bucket, in B. */
  lineOf(hash: number): number {
    const b = hash & this.high;
    return (b < this.n ? b : b & this.low) << 4;
  }

  /** Adds an entry, newer than all. */
  insert(hash: number, entry: number): void {
    if (++this.count > this.#countMax) this.#split();
    this.#append(this.lineOf(hash), hash, entry);
  }

  /** insert() for each of the first `n`, in order: into a directory presized for them, nothing is split and the lines are fetched side by side. */
  insertAll(hashes: Int32Array, entries: Int32Array, n: number): void {
    if (this.count + n > this.#countMax) {
      for (let i = 0; i < n; i++) this.insert(hashes[i] as number, entries[i] as number);
      return;
    }
    this.count += n;
    const { B, low, high, n: buckets } = this;
    for (let i = 0; i < n; i++) {
      const hash = hashes[i] as number;
      const b = hash & high;
      const at = (b < buckets ? b : b & low) << 4;
      let count = B[at + LINE_COUNT] as number;
      if (count === LINE_ENTRIES) {
        this.#pushOut(at);
        count = 0;
      }
      B[at + count] = hash;
      B[at + count + LINE_ENTRIES] = entries[i] as number;
      B[at + LINE_COUNT] = count + 1;
    }
  }

  /**
   * Writes to each page of the lines from..to-1, which must be empty. A fresh page that is read first is mapped twice: to the machine's page of
   * zeros, and when it is written to one of its own.
   */
  map(from: number, to: number): void {
    const { B } = this;
    for (let at = from << 4; at < to << 4; at += PAGE_WORDS) B[at + LINE_COUNT] = 0;
  }

  /** insert() for each [hash, entry] of a list, from the `from`-th up to the `to`-th. REQUIRES a directory presized for them. */
  insertPairs(pairs: Int32Array, from: number, to: number): void {
    this.count += to - from;
    const { B, high } = this;
    const half = this.low + 1;
    const last = this.n - 1;
    for (let i = from * 2; i < to * 2; i += 2) {
      const hash = pairs[i] as number;
      // As lineOf(), without a branch that nobody can foresee.
      const b = hash & high;
      const at = (b - (((last - b) >> 31) & half)) << 4;
      let count = B[at + LINE_COUNT] as number;
      if (count === LINE_ENTRIES) {
        this.#pushOut(at);
        count = 0;
      }
      B[at + count] = hash;
      B[at + count + LINE_ENTRIES] = pairs[i + 1] as number;
      B[at + LINE_COUNT] = count + 1;
    }
  }

  /** Takes an entry out, which must be there. */
  remove(hash: number, entry: number): void {
    this.count--;
    const first = this.lineOf(hash);
    let L = this.B;
    let at = first;
    let before = -1;
    let beforeIn = L;
    for (;;) {
      const end = at + (L[at + LINE_COUNT] as number);
      let i = at;
      while (i < end && L[i + LINE_ENTRIES] !== entry) i++;
      if (i < end) {
        for (; i + 1 < end; i++) {
          L[i] = L[i + 1] as number;
          L[i + LINE_ENTRIES] = L[i + 1 + LINE_ENTRIES] as number;
        }
        const left = (L[at + LINE_COUNT] as number) - 1;
        L[at + LINE_COUNT] = left;
        if (left === 0 && before >= 0) {
          beforeIn[before + LINE_OVERFLOW] = L[at + LINE_OVERFLOW] as number;
          this.#freeLine(at);
        }
        return;
      }
      before = at;
      beforeIn = L;
      at = ((L[at + LINE_OVERFLOW] as number) - 1) << 4;
      if (at < 0) throw new Error("broken invariant: an entry of a hash index is in its bucket");
      L = this.O;
    }
  }

  /** Puts another entry in an entry's place, in age too. */
  replace(hash: number, entry: number, by: number): void {
    let L = this.B;
    let at = this.lineOf(hash);
    for (;;) {
      const end = at + (L[at + LINE_COUNT] as number);
      for (let i = at; i < end; i++) {
        if (L[i + LINE_ENTRIES] !== entry) continue;
        L[i + LINE_ENTRIES] = by;
        return;
      }
      at = ((L[at + LINE_OVERFLOW] as number) - 1) << 4;
      if (at < 0) throw new Error("broken invariant: an entry of a hash index is in its bucket");
      L = this.O;
    }
  }

  #append(at: number, hash: number, entry: number): void {
    const B = this.B;
    let count = B[at + LINE_COUNT] as number;
    if (count === LINE_ENTRIES) {
      this.#pushOut(at);
      count = 0;
    }
    B[at + count] = hash;
    B[at + count + LINE_ENTRIES] = entry;
    B[at + LINE_COUNT] = count + 1;
  }

  /** Moves a bucket's full line to an overflow line in front of its others. */
  #pushOut(at: number): void {
    const line = this.#freeOverflow.length > 0 ? this.#freeOverflow.pop() : this.#newLine();
    const B = this.B;
    const O = this.O;
    const to = line << 4;
    for (let i = 0; i < LINE_WORDS; i++) O[to + i] = B[at + i] as number;
    B[at + LINE_COUNT] = 0;
    B[at + LINE_OVERFLOW] = line + 1;
  }

  #newLine(): number {
    const line = this.#overflowLines++;
    if (this.#overflow.ensure(this.#overflowLines * LINE_BYTES)) this.O = this.#overflow.I;
    return line;
  }

  #freeLine(at: number): void {
    this.O[at + LINE_COUNT] = 0;
    this.O[at + LINE_OVERFLOW] = 0;
    this.#freeOverflow.push(at >> 4);
  }

  /** Adds bucket n and deals the entries of bucket n - 2^L out to both, keeping their order. */
  #split(): void {
    const created = this.n;
    if (this.#memory.ensure((created + 1) * LINE_BYTES)) this.B = this.#memory.I;
    this.n = created + 1;
    this.#countMax = Math.floor(this.n * ENTRIES_PER_BUCKET);
    const from = (created & this.low) << 4;
    const to = created << 4;
    const { B, high } = this;
    if (B[from + LINE_OVERFLOW] === 0) {
      // One line: kept entries close up, the others append to the empty line.
      const count = B[from + LINE_COUNT] as number;
      let stay = from;
      let move = to;
      for (let i = from; i < from + count; i++) {
        const hash = B[i] as number;
        const entry = B[i + LINE_ENTRIES] as number;
        const target = (hash & high) === created ? move++ : stay++;
        B[target] = hash;
        B[target + LINE_ENTRIES] = entry;
      }
      B[from + LINE_COUNT] = stay - from;
      B[to + LINE_COUNT] = move - to;
    } else this.#splitLong(from, to, created);
    if (this.n === high + 1) {
      this.low = high;
      this.high = high * 2 + 1;
    }
  }

  #splitLong(from: number, to: number, created: number): void {
    const total = this.#gather(from);
    const hashes = this.#scratchHashes;
    const entries = this.#scratchEntries;
    for (let i = total - 1; i >= 0; i--) {
      const hash = hashes[i] as number;
      this.#append((hash & this.high) === created ? to : from, hash, entries[i] as number);
    }
  }

  /** Empties a bucket into the scratch arrays, newest entry first. */
  #gather(from: number): number {
    let L = this.B;
    let at = from;
    let total = 0;
    for (;;) {
      const count = L[at + LINE_COUNT] as number;
      if (total + count > this.#scratchHashes.length) this.#growScratch();
      for (let i = at + count - 1; i >= at; i--) {
        this.#scratchHashes[total] = L[i] as number;
        this.#scratchEntries[total++] = L[i + LINE_ENTRIES] as number;
      }
      const next = L[at + LINE_OVERFLOW] as number;
      if (L === this.B) {
        L[at + LINE_COUNT] = 0;
        L[at + LINE_OVERFLOW] = 0;
      } else this.#freeLine(at);
      if (next === 0) return total;
      at = (next - 1) << 4;
      L = this.O;
    }
  }

  #growScratch(): void {
    this.#scratchHashes = doubled(this.#scratchHashes);
    this.#scratchEntries = doubled(this.#scratchEntries);
  }
}

function doubled(array: Int32Array): Int32Array {
  const larger = new Int32Array(array.length * 2);
  larger.set(array);
  return larger;
}
