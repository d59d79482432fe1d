/**
 * The values of a dictionary: entries in numbered slots (ids), found by their bytes through a hash table (bucket-lines.ts), the bytes in a heap.
 *
 * Single values are looked for one after the other. Texts in the heap's window come many at a time. Most columns of texts have few values: those met
 * again lately are known to the heap, which finds them by itself. Of the others, what each lookup will read is read for all of them first, so that
 * the machine fetches it side by side: a table of a million values is larger than any cache.
 */
import { assert } from "../base/assert.ts";
import { BucketLines, LINE_COUNT, LINE_ENTRIES, LINE_OVERFLOW } from "./bucket-lines.ts";
import { FILLING_MIN, IndexFilling, type PieceOfSlots } from "./index-filling.ts";
import { Marks } from "./marks.ts";
import { GrowingMemory, Int32List } from "./memory.ts";
import { HASHES_WORD, IDS_WORD, MISSED_WORD, TEXTS_WORD, TextHeap } from "./text-heap.ts";

// An entry is six words.
export const OFFSET = 0; // in the heap, in units of 8 bytes
export const LENGTH = 1; // bytes; -1 when the id is free
export const HASH = 2; // of the bytes
export const REFS = 3;
export const CANONICAL = 4; // id + 1 of the value's canonical form (of the kind in FLAGS); 0 = not computed
export const FLAGS = 5;
export const ENTRY_WORDS = 6;

/** Ids between two turns when a table is filled. */
const PIECE_IDS = 8_192;
/** Values from which on the table is taken to be larger than the cache. */
const LARGE = 32_768;

export class TextTable {
  readonly heap: TextHeap = new TextHeap();
  /** Ids made or freed since somebody took them. */
  readonly touched: Marks = new Marks();
  readonly #entries = new GrowingMemory();
  #lines = new BucketLines();
  readonly #freeIds = new Int32List();
  /** Between fill() and filled(): values are in no line. */
  #isFilling = false;
  /** Values held. */
  live = 0;
  /** Ids below it were given once. */
  highWater = 0;

  /** Entries. Replaced when there are more of them. */
  get E(): Int32Array {
    return this.#entries.I;
  }

  get bytes(): number {
    return this.heap.bytes + this.live * ENTRY_WORDS * 4 + this.#lines.bytes;
  }

  isLive(id: number): boolean {
    return id < this.highWater && (this.E[id * ENTRY_WORDS + LENGTH] as number) >= 0;
  }

  /** -1: not there. */
  find(source: Uint8Array, start: number, end: number, hash: number): number {
    const { E, heap } = this;
    const { U8 } = heap;
    const length = end - start;
    for (let id = this.#first(hash); id >= 0; id = this.#after(hash, id)) {
      if (E[id * ENTRY_WORDS + LENGTH] !== length) continue;
      const offset = (E[id * ENTRY_WORDS + OFFSET] as number) * 8;
      let i = 0;
      while (i < length && U8[offset + i] === source[start + i]) i++;
      if (i === length) return id;
    }
    return -1;
  }

  /** An id with this hash; -1: none. */
  #first(hash: number): number {
    const lines = this.#lines;
    let L = lines.B;
    let at = lines.lineOf(hash);
    for (;;) {
      for (let i = at + (L[at + LINE_COUNT] as number) - 1; i >= at; i--)
        if (L[i] === hash) return L[i + LINE_ENTRIES] as number;
      at = ((L[at + LINE_OVERFLOW] as number) - 1) << 4;
      if (at < 0) return -1;
      L = lines.O;
    }
  }

  /** The one behind it with the same hash: two texts of one hash are rare. */
  #after(hash: number, id: number): number {
    const lines = this.#lines;
    let seen = false;
    let L = lines.B;
    let at = lines.lineOf(hash);
    for (;;) {
      for (let i = at + (L[at + LINE_COUNT] as number) - 1; i >= at; i--) {
        if (L[i] !== hash) continue;
        if (seen) return L[i + LINE_ENTRIES] as number;
        seen = L[i + LINE_ENTRIES] === id;
      }
      at = ((L[at + LINE_OVERFLOW] as number) - 1) << 4;
      if (at < 0) return -1;
      L = lines.O;
    }
  }

  /** REQUIRES that it is not there. */
  add(source: Uint8Array, start: number, end: number, hash: number): number {
    const id = this.#freeIds.length > 0 ? this.#freeIds.pop() : this.#newId();
    this.heap.write(this.#place(id, end - start, hash), source, start, end);
    return id;
  }

  /** A table that holds but one value is about to be filled with addAs() and remove(), until filled(): meanwhile nothing is found. */
  fill(): void {
    assert(this.live === 1 && this.isLive(0), "a table that is filled holds the empty text");
    this.#lines = new BucketLines();
    this.#isFilling = true;
  }

  /** All values have come: they can be found, and ids that are free be given out. Yields between pieces. */
  *filled(): Generator<void> {
    this.#freeIds.clear();
    const isFilling = this.#isFilling;
    this.#isFilling = false;
    const lines = this.#lines;
    if (isFilling) lines.presize(this.live);
    const hashes = new Int32Array(PIECE_IDS);
    const hashAll = (ids: Int32Array, n: number): Int32Array => {
      const { E } = this;
      for (let i = 0; i < n; i++) hashes[i] = E[(ids[i] as number) * ENTRY_WORDS + HASH] as number;
      return hashes;
    };
    const filling = isFilling && this.live >= FILLING_MIN ? new IndexFilling(lines, hashAll) : null;
    for (const piece of this.#pieces(true)) {
      if (filling !== null) filling.count(piece);
      else if (isFilling) lines.insertAll(hashAll(piece.slots, piece.count), piece.slots, piece.count);
      yield;
    }
    if (filling !== null) yield* filling.enter(this.#pieces(false));
  }

  /** Ids of values. `listFree`: of the others, which are free. */
  *#pieces(listFree: boolean): Generator<PieceOfSlots> {
    const slots = new Int32Array(PIECE_IDS);
    // The highest first: free ids are given out from the end of their list.
    for (let end = this.highWater; end > 0; end -= PIECE_IDS) {
      const { E } = this;
      let count = 0;
      for (let id = end - 1; id >= Math.max(0, end - PIECE_IDS); id--) {
        if ((E[id * ENTRY_WORDS + LENGTH] as number) >= 0) slots[count++] = id;
        else if (listFree) this.#freeIds.push(id);
      }
      yield { slots, count };
    }
  }

  /** The same under a given id, which is free; those between it and the highest so far become free, too. */
  addAs(id: number, bytes: Uint8Array, start: number, end: number, hash: number): void {
    while (this.highWater <= id) {
      const fresh = this.#newId();
      this.E[fresh * ENTRY_WORDS + LENGTH] = -1;
    }
    this.heap.write(this.#place(id, end - start, hash), bytes, start, end);
  }

  remove(id: number): void {
    const E = this.E;
    const at = id * ENTRY_WORDS;
    if (!this.#isFilling) this.#lines.remove(E[at + HASH] as number, id);
    this.heap.forget(id, E[at + HASH] as number);
    this.heap.free(E[at + OFFSET] as number, E[at + LENGTH] as number);
    E[at + LENGTH] = -1;
    this.live--;
    this.#freeIds.push(id);
    this.touched.add(id);
  }

  /** Ids of the first `rows` texts in the window, to ids[at ..]; each that is new is added and told to `added`. */
  findLoaded(ids: Int32Array, at: number, rows: number, added: Int32List): void {
    this.#entries.ensure((this.highWater + rows) * ENTRY_WORDS * 4);
    const { heap } = this;
    const missed = heap.findRecent(rows);
    for (let r = 0; r < rows; r++) ids[at + r] = heap.I[IDS_WORD + r] as number;
    if (missed === 0) return;
    this.#findHashes(ids, at, missed);
    let missing = 0;
    for (let m = 0; m < missed; m++) {
      const r = heap.I[MISSED_WORD + m] as number;
      let id = ids[at + r] as number;
      if (id >= 0 && !this.#isLoaded(id, r)) ids[at + r] = id = this.#findOne(r);
      if (id < 0) missing++;
      else this.#remember(id);
    }
    if (missing === 0) return;
    for (let m = 0; m < missed; m++) {
      const r = heap.I[MISSED_WORD + m] as number;
      if ((ids[at + r] as number) >= 0) continue;
      // The same may stand in the window twice.
      let id = this.#findOne(r);
      if (id < 0) added.push((id = this.#addOne(r)));
      ids[at + r] = id;
    }
  }

  #remember(id: number): void {
    const { E } = this;
    const e = id * ENTRY_WORDS;
    this.heap.remember(id, E[e + HASH] as number, E[e + LENGTH] as number, E[e + OFFSET] as number);
  }

  /**
   * Ids that have the hashes of the window's texts not met lately, -1 for none. Lines are read before they are needed, and so are the entries found.
   */
  #findHashes(ids: Int32Array, at: number, missed: number): void {
    const { I } = this.heap;
    const E = this.E;
    const lines = this.#lines;
    const hash = (m: number): number => I[HASHES_WORD + (I[MISSED_WORD + m] as number)] as number;
    let sum = 0;
    if (this.live > LARGE) for (let m = 0; m < missed; m++) sum ^= lines.B[lines.lineOf(hash(m))] as number;
    for (let m = 0; m < missed; m++) {
      const id = this.#first(hash(m));
      ids[at + (I[MISSED_WORD + m] as number)] = id;
      if (id >= 0) sum ^= E[id * ENTRY_WORDS] as number;
    }
    sink.value = sum;
  }

  #isLoaded(id: number, r: number): boolean {
    const { heap, E } = this;
    const start = heap.I[TEXTS_WORD + r * 2] as number;
    const length = (heap.I[TEXTS_WORD + r * 2 + 1] as number) - start;
    const e = id * ENTRY_WORDS;
    return E[e + LENGTH] === length && heap.equal((E[e + OFFSET] as number) * 8, start, length) === 1;
  }

  #findOne(r: number): number {
    const hash = this.heap.I[HASHES_WORD + r] as number;
    let id = this.#first(hash);
    while (id >= 0 && !this.#isLoaded(id, r)) id = this.#after(hash, id);
    return id;
  }

  #addOne(r: number): number {
    const { heap } = this;
    const id = this.#freeIds.length > 0 ? this.#freeIds.pop() : this.#newId();
    const start = heap.I[TEXTS_WORD + r * 2] as number;
    const length = (heap.I[TEXTS_WORD + r * 2 + 1] as number) - start;
    heap.keep(this.#place(id, length, heap.I[HASHES_WORD + r] as number), start, length);
    return id;
  }

  #newId(): number {
    const id = this.highWater++;
    this.#entries.ensure((id + 1) * ENTRY_WORDS * 4);
    this.touched.ensure(id + 1);
    return id;
  }

  /** Enters a value under its hash; gives the block for its bytes. What else an entry has begins anew. */
  #place(id: number, length: number, hash: number): number {
    if (!this.#isFilling) this.#lines.insert(hash, id);
    const offset = this.heap.allocate(length);
    const E = this.E;
    const at = id * ENTRY_WORDS;
    E[at + OFFSET] = offset;
    E[at + LENGTH] = length;
    E[at + HASH] = hash;
    E[at + REFS] = 0;
    E[at + CANONICAL] = 0;
    this.live++;
    this.touched.add(id);
    return offset;
  }
}

/** Takes what was read for the sake of reading, so that nobody can prove it useless. */
const sink = { value: 0 };
