/**
 * Bytes that live once: text and what lies as text, and integers too wide for a double.
 *
 * Everything of variable length that enters the engine is interned here and travels as an int32 id from then on: operators compare,
 * hash and store four bytes, and equal bytes have equal ids. (Measured against hashed bytes in every state: docs/decisions/0003-text.md.)
 *
 * 1. `intern` hashes the bytes and looks into one line; a new value gets an id and a block of the heap. A whole column goes through the heap's
 *    window (text-heap.ts): hashed in one loop, looked for, and what is new then added.
 * 2. References are counted by who stores an id in a row. A value that nobody stores (a new one, or one whose last row was freed) is
 *    put on the list of candidates.
 * 3. `collect`, called when no operator holds ids outside rows (between steps), frees the candidates that are still unreferenced. No
 *    pause, no sweep: the work is proportional to what became garbage.
 *
 * A *wide reference* is an integer outside +-(2^53-1) where the engine keeps int8, timestamptz or small numerics in doubles: the double
 * WIDE + id * 1024, id naming the value's eight bytes. Equal integers have equal codes, so equality and hashing need not know.
 *
 * Where equal values may lie as different bytes (1.0 and 1.00, '1 mon' and '30 days'), a value's entry names its *canonical form*, the id of bytes
 * that are equal when the values are: a numeric without trailing zeros, or an order key (batch/order-key.ts), whose bytes are also in the values'
 * order. Bytes do not know their type, and the same may be values of two: the entry has room for one kind of canonical form, what is rare lies in a
 * map.
 *
 * Id 0 is the empty text, never freed: the value of a null is 0.
 */

import { writeUtf8 } from "../base/bytes.ts";
import type { Utf8Column } from "../batch/batch.ts";
import { getBit } from "../batch/bitmap.ts";
import { type OrderKey, orderKeyOf } from "../batch/order-key.ts";
import type { SqlType } from "../batch/types.ts";
import { digitsRoom, quotientEnd, readDigits, writeDigits, writeQuotient } from "./decimal-digits.ts";
import { Int32List } from "./memory.ts";
import { hashBytes } from "./text-loops.ts";
import { CANONICAL, ENTRY_WORDS, FLAGS, HASH, LENGTH, OFFSET, REFS, TextTable } from "./text-table.ts";

/** 2^62: every wide reference is at least this, every other integer in a double is below 2^53. */
export const WIDE: number = 2 ** 62;
const WIDE_STEP = 1024;

const QUEUED = 1; // is on the list of candidates
const HAS_OTHERS = 2; // canonical forms of further kinds stand in #others
const KIND_SHIFT = 2; // the other bits: what kind of canonical form CANONICAL names
/** Numerics have a way of their own; every other kind is an order key. */
const NUMERIC_KIND = 0;
const KINDS_MAX = 1 << 20;
/** Fewer rows are interned one by one. */
const LOADED_ROWS_MIN = 8;
/** The cache of strings has a slot for each id while these are few, and then so many. */
const CACHE_SLOTS_MIN = 1 << 8;
const CACHE_SLOTS = 1 << 14;
const SWEPT_AT_ONCE = 1 << 13;
/** Longer strings are decoded anew each time rather than kept in the JavaScript heap. */
const CACHED_LENGTH_MAX = 256;

export class Dictionary {
  readonly #table = new TextTable();
  readonly #candidates = new Int32List();
  /** Of the candidates, how many have been looked at. */
  #collected = 0;
  /** New ids of a column. */
  readonly #added = new Int32List();
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  #cacheIds = new Int32Array(CACHE_SLOTS_MIN).fill(-1);
  readonly #cacheStrings: string[] = new Array<string>(CACHE_SLOTS_MIN).fill("");
  readonly #keys: OrderKey[] = [];
  /** Canonical forms of further kinds: id * KINDS_MAX + kind -> id. */
  readonly #others = new Map<number, number>();
  #scratch = new Uint8Array(1024);

  /** Entries (text-table.ts), which have the reference counts. Replaced when the table grows: read it anew after interning. */
  get E(): Int32Array {
    return this.#table.E;
  }

  constructor() {
    this.intern(this.#scratch, 0, 0);
    this.retain(0);
  }

  /** Values held. */
  get size(): number {
    return this.#table.live;
  }

  /** Bytes of state in use. */
  get bytes(): number {
    return this.#table.bytes;
  }

  /** The id of these bytes. The id is only kept beyond the step if somebody retains it. */
  intern(source: Uint8Array, start: number, end: number): number {
    const hash = hashBytes(source, start, end);
    const table = this.#table;
    const found = table.find(source, start, end, hash);
    if (found >= 0) return found;
    const id = table.add(source, start, end, hash);
    this.#queue(id);
    return id;
  }

  /** The ids of rows `from`.. of a column, to `ids` from its beginning on; a null's is 0. Kept as those of intern(). */
  internColumn(ids: Int32Array, { offsets, data, validity }: Utf8Column, from: number, to: number): void {
    const { heap } = this.#table;
    for (let row = from; row < to; ) {
      const end = to - row < LOADED_ROWS_MIN ? row : heap.load(data, offsets, row, to);
      if (end > row) this.#internLoaded(ids, row - from, end - row);
      else ids[row - from] = this.intern(data, offsets[row] as number, offsets[row + 1] as number);
      row = Math.max(end, row + 1);
    }
    if (validity === null) return;
    for (let row = from; row < to; row++) if (!getBit(validity, row)) ids[row - from] = 0;
  }

  /** The same for `count` rows of the column, ascending, counted from row `base`. */
  internRows(
    ids: Int32Array,
    { offsets: all, data, validity }: Utf8Column,
    rows: Int32Array,
    count: number,
    base: number,
  ): void {
    const offsets = base === 0 ? all : all.subarray(base);
    const { heap } = this.#table;
    for (let i = 0; i < count; ) {
      const end = count - i < LOADED_ROWS_MIN ? i : heap.loadRows(data, offsets, rows, i, count);
      const row = rows[i] as number;
      if (end > i) this.#internLoaded(ids, i, end - i);
      else ids[i] = this.intern(data, offsets[row] as number, offsets[row + 1] as number);
      i = Math.max(end, i + 1);
    }
    if (validity === null) return;
    for (let i = 0; i < count; i++) if (!getBit(validity, base + (rows[i] as number))) ids[i] = 0;
  }

  #internLoaded(ids: Int32Array, at: number, rows: number): void {
    const added = this.#added;
    this.#table.findLoaded(ids, at, rows, added);
    for (let i = 0; i < added.length; i++) this.#queue(added.array[i] as number);
    added.clear();
  }

  internString(value: string): number {
    const length = value.length;
    if (length * 3 > this.#scratch.length) this.#scratch = new Uint8Array(length * 3);
    const scratch = this.#scratch;
    const id = this.intern(scratch, 0, writeUtf8(value, scratch, 0));
    if (scratch.length > 1 << 20) this.#scratch = new Uint8Array(1024);
    return id;
  }

  /** The id of a decimal's text: a safe integer with its point put in before the last `scale` digits, without a string in between. */
  internDigits(unscaled: number, scale: number): number {
    const room = digitsRoom(scale);
    if (room > this.#scratch.length) this.#scratch = new Uint8Array(room);
    return this.intern(this.#scratch, writeDigits(this.#scratch, room, unscaled, scale), room);
  }

  /** The id of the text of a quotient (writeQuotient), without a bigint or a string in between. */
  internQuotient(dividend: number, divisor: number, scale: number): number {
    const end = quotientEnd(scale);
    if (end > this.#scratch.length) this.#scratch = new Uint8Array(end);
    return this.intern(this.#scratch, writeQuotient(this.#scratch, dividend, divisor, scale), end);
  }

  /** The integer of a numeric's digits (readDigits), whose scale scaleRead() tells; NaN where it has many. */
  unscaled(id: number): number {
    const { E, heap } = this.#table;
    const at = id * ENTRY_WORDS;
    return readDigits(heap.U8, (E[at + OFFSET] as number) * 8, E[at + LENGTH] as number);
  }

  string(id: number): string {
    const slot = id & (this.#cacheIds.length - 1);
    if (this.#cacheIds[slot] === id) return this.#cacheStrings[slot] as string;
    const bytes = this.utf8(id);
    const value = bytes.length <= 24 ? shortString(bytes, this.#decoder) : this.#decoder.decode(bytes);
    if (bytes.length <= CACHED_LENGTH_MAX) this.#cache(id, value);
    return value;
  }

  #cache(id: number, value: string): void {
    let slots = this.#cacheIds.length;
    if (id >= slots && slots < CACHE_SLOTS) {
      // So far each id has had the slot of its own number, and keeps it.
      while (id >= slots && slots < CACHE_SLOTS) slots *= 2;
      const ids = new Int32Array(slots).fill(-1);
      ids.set(this.#cacheIds);
      for (let slot = this.#cacheIds.length; slot < slots; slot++) this.#cacheStrings.push("");
      this.#cacheIds = ids;
    }
    const slot = id & (slots - 1);
    this.#cacheIds[slot] = id;
    this.#cacheStrings[slot] = value;
  }

  /** The bytes themselves, not a copy: valid until the next intern. */
  utf8(id: number): Uint8Array {
    const E = this.#table.E;
    const at = id * ENTRY_WORDS;
    const start = (E[at + OFFSET] as number) * 8;
    return this.#table.heap.U8.subarray(start, start + (E[at + LENGTH] as number));
  }

  /** Puts the value's bytes into `target` from `at` on. */
  copyTo(id: number, target: Uint8Array, at: number): void {
    const { E, heap } = this.#table;
    const U = heap.U8;
    const start = (E[id * ENTRY_WORDS + OFFSET] as number) * 8;
    const length = E[id * ENTRY_WORDS + LENGTH] as number;
    if (length > 40) target.set(U.subarray(start, start + length), at);
    else for (let i = 0; i < length; i++) target[at + i] = U[start + i] as number;
  }

  /** The memory in which the bytes lie: valid until the next intern. */
  get bytesOfTexts(): Uint8Array {
    return this.#table.heap.U8;
  }

  /** Where in it the value begins. */
  startOf(id: number): number {
    return (this.#table.E[id * ENTRY_WORDS + OFFSET] as number) * 8;
  }

  /** Bytes of the value. */
  length(id: number): number {
    return this.#table.E[id * ENTRY_WORDS + LENGTH] as number;
  }

  /** Bytes of the value, as the part of each of those who hold it. */
  share(id: number): number {
    const { E } = this.#table;
    const at = id * ENTRY_WORDS;
    return (E[at + LENGTH] as number) / Math.max(1, E[at + REFS] as number);
  }

  /** Of the bytes: the same whatever the id. */
  hashOf(id: number): number {
    return this.#table.E[id * ENTRY_WORDS + HASH] as number;
  }

  /** Order of the bytes, unsigned: the C collation. */
  compare(a: number, b: number): number {
    if (a === b) return 0;
    const E = this.#table.E;
    const U = this.#table.heap.U8;
    const x = (E[a * ENTRY_WORDS + OFFSET] as number) * 8;
    const y = (E[b * ENTRY_WORDS + OFFSET] as number) * 8;
    const lx = E[a * ENTRY_WORDS + LENGTH] as number;
    const ly = E[b * ENTRY_WORDS + LENGTH] as number;
    const shared = Math.min(lx, ly);
    for (let i = 0; i < shared; i++) {
      const d = (U[x + i] as number) - (U[y + i] as number);
      if (d !== 0) return d;
    }
    return lx - ly;
  }

  /** First six bytes as an integer whose order agrees with `compare` where it differs. */
  prefix(id: number): number {
    const E = this.#table.E;
    const U = this.#table.heap.U8;
    const start = (E[id * ENTRY_WORDS + OFFSET] as number) * 8;
    const length = E[id * ENTRY_WORDS + LENGTH] as number;
    let p = 0;
    for (let i = 0; i < 6; i++) p = p * 256 + (i < length ? (U[start + i] as number) : 0);
    return p;
  }

  retain(id: number): void {
    const at = id * ENTRY_WORDS + REFS;
    const E = this.#table.E;
    E[at] = (E[at] as number) + 1;
  }

  release(id: number): void {
    const at = id * ENTRY_WORDS + REFS;
    const E = this.#table.E;
    if ((E[at] = (E[at] as number) - 1) === 0) this.#queue(id);
  }

  /** The double code of an integer outside +-(2^53-1). */
  internBigInt(value: bigint): number {
    new DataView(this.#scratch.buffer).setBigInt64(0, value, true);
    // The ninth byte keeps it apart from any text: no UTF-8 text holds 0xFF.
    this.#scratch[8] = 0xff;
    return WIDE + this.intern(this.#scratch, 0, 9) * WIDE_STEP;
  }

  /** The integer behind a wide reference. */
  bigint(code: number): bigint {
    const bytes = this.utf8((code - WIDE) / WIDE_STEP);
    return new DataView(bytes.buffer, bytes.byteOffset, 8).getBigInt64(0, true);
  }

  retainWide(code: number): void {
    this.retain((code - WIDE) / WIDE_STEP);
  }

  releaseWide(code: number): void {
    this.release((code - WIDE) / WIDE_STEP);
  }

  /** The id of the same numeric without trailing zeros after the point: equal numerics have equal canonical ids. */
  canonicalNumeric(id: number): number {
    const known = this.#canonicalOf(id, NUMERIC_KIND);
    if (known >= 0) return known;
    const bytes = this.utf8(id);
    const end = canonicalEnd(bytes);
    let canonical = id;
    if (end !== bytes.length || (bytes.length > 0 && isNegativeZero(bytes, end))) {
      const copy = isNegativeZero(bytes, end) ? ZERO : bytes.slice(0, end);
      canonical = this.intern(copy, 0, copy.length);
      if (canonical !== id) this.retain(canonical);
    }
    this.#setCanonical(id, NUMERIC_KIND, canonical);
    return canonical;
  }

  /** The number by which `keyed` knows the type's order key; 0 when its values are ordered as they lie. */
  kindOf(type: SqlType): number {
    const key = orderKeyOf(type);
    if (key === null) return 0;
    const known = this.#keys.indexOf(key);
    return known >= 0 ? known + 1 : this.#keys.push(key);
  }

  /** The id of the value's order key: equal values have equal ones, and `compare` of two is the order of the values. A null's 0 stays 0. */
  keyed(id: number, kind: number): number {
    if (id === 0) return 0;
    const known = this.#canonicalOf(id, kind);
    if (known >= 0) return known;
    const bytes = (this.#keys[kind - 1] as OrderKey).of(this.string(id));
    const canonical = this.intern(bytes, 0, bytes.length);
    if (canonical !== id) this.retain(canonical);
    this.#setCanonical(id, kind, canonical);
    return canonical;
  }

  compareKeyed(a: number, b: number, kind: number): number {
    return a === b ? 0 : this.compare(this.keyed(a, kind), this.keyed(b, kind));
  }

  /** -1: not computed. */
  #canonicalOf(id: number, kind: number): number {
    const at = id * ENTRY_WORDS;
    const E = this.#table.E;
    const flags = E[at + FLAGS] as number;
    const known = E[at + CANONICAL] as number;
    if (known !== 0 && flags >>> KIND_SHIFT === kind) return known - 1;
    return (flags & HAS_OTHERS) === 0 ? -1 : (this.#others.get(id * KINDS_MAX + kind) ?? -1);
  }

  /** It lives as long as the value that points to it. */
  #setCanonical(id: number, kind: number, canonical: number): void {
    const at = id * ENTRY_WORDS;
    const E = this.#table.E;
    if (E[at + CANONICAL] === 0) {
      E[at + CANONICAL] = canonical + 1;
      E[at + FLAGS] = ((E[at + FLAGS] as number) & (QUEUED | HAS_OTHERS)) | (kind << KIND_SHIFT);
    } else {
      E[at + FLAGS] = (E[at + FLAGS] as number) | HAS_OTHERS;
      this.#others.set(id * KINDS_MAX + kind, canonical);
    }
  }

  /** Lets go of a value's canonical forms. */
  #dropCanonical(id: number): void {
    const at = id * ENTRY_WORDS;
    const E = this.#table.E;
    const canonical = (E[at + CANONICAL] as number) - 1;
    const hasOthers = ((E[at + FLAGS] as number) & HAS_OTHERS) !== 0;
    E[at + CANONICAL] = 0;
    E[at + FLAGS] = (E[at + FLAGS] as number) & QUEUED;
    if (canonical >= 0 && canonical !== id) this.release(canonical);
    if (!hasOthers) return;
    for (let kind = 0; kind <= this.#keys.length; kind++) {
      const other = this.#others.get(id * KINDS_MAX + kind);
      if (other === undefined) continue;
      this.#others.delete(id * KINDS_MAX + kind);
      if (other !== id) this.release(other);
    }
  }

  /**
   * Frees candidates nobody references, looking at no more than `most`; true: at all. Only when no ids are held outside rows and `retain`. What is
   * left stays a candidate, whoever comes to reference it meanwhile.
   */
  collect(most: number = Number.POSITIVE_INFINITY): boolean {
    const list = this.#candidates;
    const end = this.#collected + most;
    // Freeing one may release its canonical value, which is then pushed behind and met in the same loop.
    for (; this.#collected < list.length; this.#collected++) {
      if (this.#collected >= end) return false;
      const id = list.array[this.#collected] as number;
      const at = id * ENTRY_WORDS;
      const E = this.#table.E;
      E[at + FLAGS] = (E[at + FLAGS] as number) & ~QUEUED;
      if ((E[at + REFS] as number) === 0) this.#free(id);
    }
    list.clear();
    this.#collected = 0;
    return true;
  }

  /** Candidates that collect() has not looked at. */
  get uncollected(): number {
    return this.#candidates.length - this.#collected;
  }

  /** Marks of the ids made or freed since the last call, for the checkpoint. */
  takeTouched(): Int32Array {
    return this.#table.touched.take();
  }

  isLive(id: number): boolean {
    return this.#table.isLive(id);
  }

  get highWater(): number {
    return this.#table.highWater;
  }

  /** Before the first restore(), into a new dictionary. */
  restoring(): void {
    this.#table.fill();
  }

  /** Puts a value, the bytes from `start` to `end`, under a given id (restoring a checkpoint). What was under the id goes. */
  restore(id: number, bytes: Uint8Array, start: number, end: number): void {
    this.forget(id);
    this.#table.addAs(id, bytes, start, end, hashBytes(bytes, start, end));
  }

  /** Takes an id away (restoring a checkpoint). */
  forget(id: number): void {
    if (id !== 0 && this.isLive(id)) this.#free(id);
  }

  /** After the last restore() or forget(): values are found from then on. Yields between pieces. */
  *restored(): Generator<void> {
    yield* this.#table.filled();
    this.#table.touched.take();
  }

  /** After all rows are restored: frees what none of them references, of views that are gone or made anew. Yields between pieces. */
  *sweep(): Generator<void> {
    for (let id = 1; id < this.highWater; id++) {
      if (this.isLive(id) && this.E[id * ENTRY_WORDS + REFS] === 0) this.#queue(id);
      if ((id & (SWEPT_AT_ONCE - 1)) !== 0) continue;
      this.collect();
      yield;
    }
    this.collect();
  }

  #free(id: number): void {
    if (!this.isLive(id)) return;
    this.#table.remove(id);
    const cached = id & (this.#cacheIds.length - 1);
    if (this.#cacheIds[cached] === id) this.#cacheIds[cached] = -1;
    this.#dropCanonical(id);
  }

  #queue(id: number): void {
    const at = id * ENTRY_WORDS + FLAGS;
    const E = this.#table.E;
    if (((E[at] as number) & QUEUED) !== 0) return;
    E[at] = (E[at] as number) | QUEUED;
    this.#candidates.push(id);
  }
}

const ZERO = new Uint8Array([48]);

/** Where a numeric's text ends once trailing zeros after the point are cut. */
function canonicalEnd(bytes: Uint8Array): number {
  const dot = bytes.indexOf(46);
  if (dot < 0) return bytes.length;
  let end = bytes.length;
  while (end > dot + 1 && bytes[end - 1] === 48) end--;
  return end === dot + 1 ? dot : end;
}

function isNegativeZero(bytes: Uint8Array, end: number): boolean {
  return end === 2 && bytes[0] === 45 && bytes[1] === 48;
}

function shortString(bytes: Uint8Array, decoder: TextDecoder): string {
  let s = "";
  for (let i = 0; i < bytes.length; i++) {
    const c = bytes[i] as number;
    if (c >= 128) return decoder.decode(bytes);
    s += String.fromCharCode(c);
  }
  return s;
}
