/** What every growing column has: its length, its room, and the bitmap of its nulls, which exists from the first null on. */

import type { Arena } from "../base/arena.ts";
import type { Column } from "./batch.ts";
import { allSet, bitmapBytes, clearBit, clearTail, copyBits, setBits } from "./bitmap.ts";
import type { Field } from "./schema.ts";
import type { SqlType } from "./types.ts";

const ROWS_MIN = 16;
/** Buffers up to this many rows are kept from batch to batch. */
export const ROWS_KEPT_MAX = 4096;
const EXPECTED_ROWS_MAX = 65_536;

export abstract class GrowingColumn {
  readonly name: string;
  readonly type: SqlType;
  readonly nullable: boolean;
  /** Bytes of a row in the encoded form, without bitmap and text. */
  abstract readonly rowBytes: number;
  length = 0;
  /** What a row has that does not name the column, as append() takes it; undefined: a null, or nothing at all. */
  fallback: unknown = undefined;
  protected capacity = 0;
  /** Rows of the next batch: about as many as the one before had, so that it need not grow from nothing. */
  #expectedRows = 0;
  protected validity: Uint8Array | null = null;

  constructor(field: Field) {
    this.name = field.name;
    this.type = field.type;
    this.nullable = field.nullable;
  }

  /** Makes room for `capacity` rows; the bitmap is grown by `markNull` and friends. */
  protected abstract resize(capacity: number): void;

  protected grow(rows: number): void {
    let capacity = Math.max(ROWS_MIN, this.capacity, this.#expectedRows);
    while (capacity < rows) capacity *= 2;
    this.resize(capacity);
    this.capacity = capacity;
    if (this.validity !== null) this.validity = grown(this.validity, bitmapBytes(capacity));
  }

  /** The bitmap, made on the first null with a bit for every row so far. */
  protected nulls(): Uint8Array {
    if (this.validity === null) {
      this.validity = new Uint8Array(bitmapBytes(this.capacity));
      setBits(this.validity, 0, this.length);
    }
    return this.validity;
  }

  /** Rows that may come before it has to grow. */
  get room(): number {
    return this.capacity - this.length;
  }

  /** Room for so many more rows. */
  reserve(rows: number): void {
    if (this.length + rows > this.capacity) this.grow(this.length + rows);
  }

  /** Room for so many more rows, none of them null so far: they may be written, and closeBlock says how many were. */
  openBlock(rows: number): void {
    this.reserve(rows);
    if (this.validity !== null) setBits(this.validity, this.length, this.length + rows);
  }

  /** A row of the open block is null. */
  nullAt(row: number): void {
    if (this.validity === null) {
      this.validity = new Uint8Array(bitmapBytes(this.capacity));
      setBits(this.validity, 0, this.capacity);
    }
    clearBit(this.validity, row);
  }

  closeBlock(rows: number): void {
    this.length += rows;
  }

  /** Validity of rows [from, to) of another column, behind the rows so far. REQUIRES the room. */
  protected copyValidity(column: Column, from: number, to: number): void {
    if (column.validity === null && this.validity === null) return;
    const bitmap = this.nulls();
    if (column.validity === null) setBits(bitmap, this.length, this.length + to - from);
    else copyBits(column.validity, from, bitmap, this.length, to - from);
  }

  protected takeValidity(): Uint8Array | null {
    this.#expectedRows = Math.min(this.length, EXPECTED_ROWS_MAX);
    const bitmap = this.validitySoFar();
    this.validity = null;
    return bitmap;
  }

  /** The bitmap of the rows so far, as it lies here; null: none of them is null. */
  protected validitySoFar(): Uint8Array | null {
    const bitmap = this.validity;
    if (bitmap === null || allSet(bitmap, this.length)) return null;
    const rows = bitmap.subarray(0, bitmapBytes(this.length));
    clearTail(rows, this.length);
    return rows;
  }

  /** Whether a batch fills the buffers well enough to get them. */
  protected givesAway(arena: Arena | undefined): boolean {
    return this.length * 2 >= this.capacity && arena?.holds(this.length * this.rowBytes) !== true;
  }
}

function grown(bytes: Uint8Array, size: number): Uint8Array {
  const larger = new Uint8Array(size);
  larger.set(bytes.subarray(0, Math.min(bytes.length, size)));
  return larger;
}
