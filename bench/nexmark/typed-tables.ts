/** What the loops on typed arrays are made of: columns that grow, a hash table of numbers, a heap of texts. */
import type { Utf8Column } from "../../src/batch/batch.ts";

/** Rows in slots, each column an array of doubles: a 64-bit integer of these events fits. */
export class Columns {
  readonly #columns: Float64Array<ArrayBuffer>[];
  length = 0;

  constructor(columns: number) {
    this.#columns = Array.from({ length: columns }, () => new Float64Array(1 << 10));
  }

  /** A new slot. Arrays from of() may be others afterwards, unless there was room. */
  add(): number {
    if (this.length === this.#columns[0]!.length) this.reserve(1);
    return this.length++;
  }

  /** Room for so many new slots. */
  reserve(slots: number): void {
    let capacity = this.#columns[0]!.length;
    if (this.length + slots <= capacity) return;
    while (this.length + slots > capacity) capacity *= 2;
    for (const [c, column] of this.#columns.entries()) {
      const larger = new Float64Array(capacity);
      larger.set(column);
      this.#columns[c] = larger;
    }
  }

  of(column: number): Float64Array<ArrayBuffer> {
    return this.#columns[column]!;
  }
}

/** Number -> slot, by linear probing. */
export class KeyTable {
  #keys = new Float64Array(1 << 10).fill(Number.NaN);
  #slots = new Int32Array(1 << 10);
  #mask = (1 << 10) - 1;
  #count = 0;

  /** -1: not there. */
  find(key: number): number {
    const at = this.#place(key);
    return this.#keys[at] === key ? this.#slots[at]! : -1;
  }

  set(key: number, slot: number): void {
    this.swap(key, slot);
  }

  /** Sets it; what was there, or -1. */
  swap(key: number, slot: number): number {
    const at = this.#place(key);
    if (this.#keys[at] === key) {
      const before = this.#slots[at]!;
      this.#slots[at] = slot;
      return before;
    }
    this.#keys[at] = key;
    this.#slots[at] = slot;
    if (++this.#count * 2 > this.#keys.length) this.#grow();
    return -1;
  }

  #place(key: number): number {
    const keys = this.#keys;
    const mask = this.#mask;
    let at = hash(key) & mask;
    // An empty place holds NaN, which is not itself.
    while (keys[at] !== key && !Number.isNaN(keys[at])) at = (at + 1) & mask;
    return at;
  }

  #grow(): void {
    const [keys, slots] = [this.#keys, this.#slots];
    this.#keys = new Float64Array(keys.length * 2).fill(Number.NaN);
    this.#slots = new Int32Array(keys.length * 2);
    this.#mask = keys.length * 2 - 1;
    for (let i = 0; i < keys.length; i++) {
      if (Number.isNaN(keys[i])) continue;
      const at = this.#place(keys[i]!);
      this.#keys[at] = keys[i]!;
      this.#slots[at] = slots[i]!;
    }
  }
}

function hash(key: number): number {
  const low = key | 0;
  const h = Math.imul(low === key ? low : low ^ Math.imul((key / 2 ** 32) | 0, 0x85ebca6b), 0x9e3779b1);
  return h ^ (h >>> 15);
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
    // A call costs as much as some thirty bytes.
    if (length > 32) bytes.set(data.subarray(from, from + length), at + 2);
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
