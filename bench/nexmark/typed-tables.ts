/** What the loops on typed arrays are made of: rows that grow, hash tables of one number and of two, a heap of texts. */
import type { Utf8Column } from "../../src/batch/batch.ts";

const FIRST_SLOTS = 1 << 10;

/** Rows in numbered slots, side by side: column c of a slot is F[slot * width + c]. Integers of these events fit doubles. */
export class Rows {
  readonly width: number;
  /** Another one after reserve(). */
  F: Float64Array<ArrayBuffer>;
  length = 0;

  constructor(width: number) {
    this.width = width;
    this.F = new Float64Array(FIRST_SLOTS * width);
  }

  /** Room for so many new slots. */
  reserve(slots: number): void {
    const wanted = (this.length + slots) * this.width;
    let capacity = this.F.length;
    if (wanted <= capacity) return;
    while (wanted > capacity) capacity *= 2;
    const larger = new Float64Array(capacity);
    larger.set(this.F);
    this.F = larger;
  }

  /** Puts a row behind the others that is made of another table's. */
  copy(from: Rows, slot: number): void {
    this.reserve(1);
    const { width } = this;
    const to = this.length++ * width;
    for (let c = 0; c < width; c++) this.F[to + c] = from.F[slot * from.width + c]!;
  }
}

/** Number -> slot, by linear probing; key and slot side by side, four neighbouring keys in a cache line. */
export class KeyTable {
  #table = new Float64Array(FIRST_SLOTS * 2).fill(Number.NaN);
  #mask = FIRST_SLOTS - 1;
  #count = 0;

  /** -1: not there. */
  find(key: number): number {
    const at = this.#place(key);
    return this.#table[at] === key ? this.#table[at + 1]! : -1;
  }

  /** Sets it; what was there, or -1. */
  swap(key: number, slot: number): number {
    const at = this.#place(key);
    const table = this.#table;
    if (table[at] === key) {
      const before = table[at + 1]!;
      table[at + 1] = slot;
      return before;
    }
    table[at] = key;
    table[at + 1] = slot;
    if (++this.#count * 2 > this.#mask) this.#grow();
    return -1;
  }

  #place(key: number): number {
    const table = this.#table;
    const mask = this.#mask;
    let at = hash(key) & mask;
    // An empty place holds NaN, which is not itself.
    while (table[at * 2] !== key && !Number.isNaN(table[at * 2])) at = (at + 1) & mask;
    return at * 2;
  }

  #grow(): void {
    const old = this.#table;
    this.#table = new Float64Array(old.length * 2).fill(Number.NaN);
    this.#mask = old.length - 1;
    for (let i = 0; i < old.length; i += 2) {
      if (Number.isNaN(old[i])) continue;
      const at = this.#place(old[i]!);
      this.#table[at] = old[i]!;
      this.#table[at + 1] = old[i + 1]!;
    }
  }
}

/** Keeps four neighbours together. */
function hash(key: number): number {
  const low = key | 0;
  const k = low === key ? low : low ^ Math.imul((key / 2 ** 32) | 0, 0x85ebca6b);
  const h = Math.imul(k >> 2, 0x9e3779b1);
  return ((h ^ (h >>> 15)) << 2) | (k & 3);
}

/** Slots of a table by two of its columns, by linear probing; the whole hash beside the slot, so that a row is looked at only where it agrees. */
export class PairTable {
  readonly #rows: Rows;
  readonly #first: number;
  readonly #second: number;
  /** Hash, slot + 1 (0: empty). */
  #table = new Int32Array(FIRST_SLOTS * 2);
  #mask = FIRST_SLOTS - 1;
  #count = 0;

  constructor(rows: Rows, first: number, second: number) {
    this.#rows = rows;
    this.#first = first;
    this.#second = second;
  }

  /** -1: not there. */
  find(first: number, second: number): number {
    const table = this.#table;
    const mask = this.#mask;
    const { F, width } = this.#rows;
    const h = pairHash(first, second);
    for (let at = h & mask; ; at = (at + 1) & mask) {
      const slot = table[at * 2 + 1]! - 1;
      if (slot < 0) return -1;
      if (table[at * 2] !== h) continue;
      const row = slot * width;
      if (F[row + this.#first] === first && F[row + this.#second] === second) return slot;
    }
  }

  /** REQUIRES that it is not there. */
  add(first: number, second: number, slot: number): void {
    if (++this.#count * 2 > this.#mask) this.#grow();
    this.#put(pairHash(first, second), slot + 1);
  }

  #put(h: number, entry: number): void {
    const table = this.#table;
    const mask = this.#mask;
    let at = h & mask;
    while (table[at * 2 + 1] !== 0) at = (at + 1) & mask;
    table[at * 2] = h;
    table[at * 2 + 1] = entry;
  }

  #grow(): void {
    const old = this.#table;
    this.#table = new Int32Array(old.length * 2);
    this.#mask = old.length - 1;
    for (let i = 0; i < old.length; i += 2) if (old[i + 1] !== 0) this.#put(old[i]!, old[i + 1]!);
  }
}

function pairHash(first: number, second: number): number {
  const h = Math.imul(first | 0, 0x9e3779b1) ^ Math.imul((second | 0) + 0x7f4a7c15, 0x85ebca6b);
  return Math.imul(h ^ (h >>> 15), 0x2c1b3c6d) ^ (h >>> 13);
}

/** Blocks are multiples of so many bytes; a freed one waits for the next text of its size. */
const UNIT = 16;

/** Texts as bytes, each with its length before it. */
export class Texts {
  #bytes = new Uint8Array(1 << 16);
  #end = 0;
  /** By units: places of free blocks. */
  readonly #free: number[][] = [];

  put({ offsets, data }: Utf8Column, row: number): number {
    const from = offsets[row]!;
    const length = offsets[row + 1]! - from;
    const units = Math.ceil((length + 2) / UNIT);
    const at = this.#free[units]?.pop() ?? this.#append(units);
    const bytes = this.#bytes;
    bytes[at] = length & 255;
    bytes[at + 1] = length >> 8;
    // A call costs as much as some forty bytes.
    if (length > 40) bytes.set(data.subarray(from, from + length), at + 2);
    else for (let i = 0; i < length; i++) bytes[at + 2 + i] = data[from + i]!;
    return at;
  }

  drop(at: number): void {
    const units = Math.ceil((this.#length(at) + 2) / UNIT);
    const free = this.#free[units];
    if (free === undefined) this.#free[units] = [at];
    else free.push(at);
  }

  text(at: number): string {
    return Buffer.from(this.#bytes.buffer, at + 2, this.#length(at)).toString();
  }

  #length(at: number): number {
    return this.#bytes[at]! + this.#bytes[at + 1]! * 256;
  }

  #append(units: number): number {
    const at = this.#end;
    this.#end += units * UNIT;
    if (this.#end > this.#bytes.length) {
      const larger = new Uint8Array(this.#bytes.length * 2);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    return at;
  }
}
