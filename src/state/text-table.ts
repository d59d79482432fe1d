/**
 * The values of a dictionary: entries in numbered slots (ids), found by their bytes through a hash table, the bytes in a heap.
 *
 * Single values are looked for one after the other. Texts in the heap's window come many at a time, and then what each lookup will read is read for
 * all of them first, so that the machine fetches it side by side: a table of a million values is larger than any cache.
 */
import { assert } from "../base/assert.ts";
import { Buckets } from "./buckets.ts";
import { Marks } from "./marks.ts";
import { GrowingMemory, Int32List } from "./memory.ts";
import { HASHES_WORD, TEXTS_WORD, TextHeap } from "./text-heap.ts";

// An entry is eight words.
export const OFFSET = 0; // in the heap, in units of 8 bytes
export const LENGTH = 1; // bytes; -1 when the id is free
const HASH = 2;
const NEXT = 3; // next entry of the bucket + 1
export const REFS = 4;
export const CANONICAL = 5; // id + 1 of the value's canonical form (of the kind in FLAGS); 0 = not computed
export const FLAGS = 6;
export const ENTRY_WORDS = 8;

/** Values from which on the table is taken to be larger than the cache. */
const LARGE = 32_768;

export class TextTable {
  readonly heap: TextHeap = new TextHeap();
  /** Ids made or freed since somebody took them. */
  readonly touched: Marks = new Marks();
  readonly #entries = new GrowingMemory();
  #buckets = new Buckets();
  readonly #freeIds = new Int32List();
  /** Values held. */
  live = 0;
  /** Ids below it were given once. */
  highWater = 0;

  /** Entries. Replaced when there are more of them. */
  get E(): Int32Array {
    return this.#entries.I;
  }

  get bytes(): number {
    return this.heap.bytes + this.live * ENTRY_WORDS * 4 + this.#buckets.bytes;
  }

  isLive(id: number): boolean {
    return id < this.highWater && (this.E[id * ENTRY_WORDS + LENGTH] as number) >= 0;
  }

  /** -1: not there. */
  find(source: Uint8Array, start: number, end: number, hash: number): number {
    const E = this.E;
    const U = this.heap.U8;
    const length = end - start;
    const buckets = this.#buckets;
    let entry = buckets.B[buckets.bucketOf(hash)] as number;
    while (entry !== 0) {
      const at = (entry - 1) * ENTRY_WORDS;
      if (E[at + HASH] === hash && E[at + LENGTH] === length) {
        const offset = (E[at + OFFSET] as number) * 8;
        let i = 0;
        while (i < length && U[offset + i] === source[start + i]) i++;
        if (i === length) return entry - 1;
      }
      entry = E[at + NEXT] as number;
    }
    return -1;
  }

  /** REQUIRES that it is not there. */
  add(source: Uint8Array, start: number, end: number, hash: number): number {
    const id = this.#freeIds.length > 0 ? this.#freeIds.pop() : this.#newId();
    this.heap.write(this.#place(id, end - start, hash), source, start, end);
    return id;
  }

  /** So many values are about to come to a table that holds but one: filling it then splits nothing. */
  expect(values: number): void {
    assert(this.live === 1 && this.isLive(0), "a table that is filled holds the empty text");
    const hash = this.E[HASH] as number;
    this.#buckets = new Buckets();
    this.#buckets.presize(values);
    this.#buckets.count = 1;
    this.#buckets.B[this.#buckets.bucketOf(hash)] = 1;
  }

  /** The same under a given id, which is free; those between it and the highest so far become free, too. */
  addAs(id: number, bytes: Uint8Array, hash: number): void {
    while (this.highWater <= id) {
      const fresh = this.#newId();
      this.E[fresh * ENTRY_WORDS + LENGTH] = -1;
    }
    this.heap.write(this.#place(id, bytes.length, hash), bytes, 0, bytes.length);
  }

  /** After addAs() and remove() at will: which ids are free. */
  listFree(): void {
    this.#freeIds.clear();
    for (let id = this.highWater - 1; id > 0; id--) if (!this.isLive(id)) this.#freeIds.push(id);
  }

  remove(id: number): void {
    const E = this.E;
    const at = id * ENTRY_WORDS;
    const buckets = this.#buckets;
    const bucket = buckets.bucketOf(E[at + HASH] as number);
    let entry = buckets.B[bucket] as number;
    if (entry === id + 1) buckets.B[bucket] = E[at + NEXT] as number;
    else {
      while ((E[(entry - 1) * ENTRY_WORDS + NEXT] as number) !== id + 1)
        entry = E[(entry - 1) * ENTRY_WORDS + NEXT] as number;
      E[(entry - 1) * ENTRY_WORDS + NEXT] = E[at + NEXT] as number;
    }
    buckets.count--;
    this.heap.free(E[at + OFFSET] as number, E[at + LENGTH] as number);
    E[at + LENGTH] = -1;
    this.live--;
    this.#freeIds.push(id);
    this.touched.add(id);
  }

  /** Ids of the first `rows` texts in the window, to ids[at ..]; each that is new is added and told to `added`. */
  findLoaded(ids: Int32Array, at: number, rows: number, added: Int32List): void {
    this.#entries.ensure((this.highWater + rows) * ENTRY_WORDS * 4);
    const large = this.live > LARGE;
    if (large) this.#touchChains(rows);
    let missing = 0;
    for (let r = 0; r < rows; r++) {
      const id = this.#findOne(r);
      ids[at + r] = id;
      if (id < 0) missing++;
    }
    if (missing === 0) return;
    if (large) this.#touchSplits(missing);
    for (let r = 0; r < rows; r++) {
      if ((ids[at + r] as number) >= 0) continue;
      // The same may stand in the window twice.
      let id = this.#findOne(r);
      if (id < 0) added.push((id = this.#addOne(r)));
      ids[at + r] = id;
    }
  }

  #findOne(r: number): number {
    const { heap } = this;
    const { I } = heap;
    const hash = I[HASHES_WORD + r] as number;
    const start = I[TEXTS_WORD + r * 2] as number;
    const length = (I[TEXTS_WORD + r * 2 + 1] as number) - start;
    const E = this.E;
    const buckets = this.#buckets;
    let entry = buckets.B[buckets.bucketOf(hash)] as number;
    while (entry !== 0) {
      const e = (entry - 1) * ENTRY_WORDS;
      if (
        E[e + HASH] === hash &&
        E[e + LENGTH] === length &&
        heap.equal((E[e + OFFSET] as number) * 8, start, length) === 1
      )
        return entry - 1;
      entry = E[e + NEXT] as number;
    }
    return -1;
  }

  #addOne(r: number): number {
    const { heap } = this;
    const id = this.#freeIds.length > 0 ? this.#freeIds.pop() : this.#newId();
    const start = heap.I[TEXTS_WORD + r * 2] as number;
    const length = (heap.I[TEXTS_WORD + r * 2 + 1] as number) - start;
    heap.keep(this.#place(id, length, heap.I[HASHES_WORD + r] as number), start, length);
    return id;
  }

  #touchChains(rows: number): void {
    const { I } = this.heap;
    const E = this.E;
    const buckets = this.#buckets;
    const { B } = buckets;
    let sum = 0;
    for (let r = 0; r < rows; r++) sum ^= B[buckets.bucketOf(I[HASHES_WORD + r] as number)] as number;
    for (let r = 0; r < rows; r++) {
      const entry = B[buckets.bucketOf(I[HASHES_WORD + r] as number)] as number;
      if (entry !== 0) sum ^= E[(entry - 1) * ENTRY_WORDS + HASH] as number;
    }
    sink.value = sum;
  }

  /** What the splits will read that so many new values cause. */
  #touchSplits(values: number): void {
    const E = this.E;
    const { B, n, low } = this.#buckets;
    let sum = 0;
    for (let i = 0; i < values * 2; i++) {
      const entry = B[(n + i) & low] as number;
      if (entry !== 0) sum ^= E[(entry - 1) * ENTRY_WORDS + HASH] as number;
    }
    sink.value = sum;
  }

  #newId(): number {
    const id = this.highWater++;
    this.#entries.ensure((id + 1) * ENTRY_WORDS * 4);
    this.touched.ensure(id + 1);
    return id;
  }

  /** Enters a value under its hash; gives the block for its bytes. What else an entry has begins anew. */
  #place(id: number, length: number, hash: number): number {
    const buckets = this.#buckets;
    buckets.count++;
    while (buckets.full) this.#split();
    const offset = this.heap.allocate(length);
    const E = this.E;
    const at = id * ENTRY_WORDS;
    E[at + OFFSET] = offset;
    E[at + LENGTH] = length;
    E[at + HASH] = hash;
    E[at + REFS] = 0;
    E[at + CANONICAL] = 0;
    const bucket = buckets.bucketOf(hash);
    E[at + NEXT] = buckets.B[bucket] as number;
    buckets.B[bucket] = id + 1;
    this.live++;
    this.touched.add(id);
    return offset;
  }

  #split(): void {
    const buckets = this.#buckets;
    const from = buckets.addBucket();
    const to = buckets.n - 1;
    const E = this.E;
    const B = buckets.B;
    let entry = B[from] as number;
    let stay = 0;
    let move = 0;
    while (entry !== 0) {
      const at = (entry - 1) * ENTRY_WORDS;
      const next = E[at + NEXT] as number;
      if (((E[at + HASH] as number) & buckets.high) === to) {
        E[at + NEXT] = move;
        move = entry;
      } else {
        E[at + NEXT] = stay;
        stay = entry;
      }
      entry = next;
    }
    B[from] = stay;
    B[to] = move;
    buckets.afterSplit();
  }
}

/** Takes what was read for the sake of reading, so that nobody can prove it useless. */
const sink = { value: 0 };
