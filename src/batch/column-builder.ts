/**
 * Growing columns: the parts of a BatchBuilder. One class per memory layout; the common types
 * convert by themselves, the others by convert.ts.
 *
 * Contract: `append` takes a value that is not null, converts it by the rules of convert.ts and either lengthens the column by one or throws
 * and leaves it as it was. `take` hands the arrays over and leaves the column empty. A null's value is zero (or no bytes).
 *
 * The bitmap of nulls exists from the first null on. Buffers double. A taken column keeps its buffers for the next batch
 * when the batch was small (and is copied out), and gives them away when it fills them.
 */
import { writeUtf8 } from "../base/bytes.ts";
import { EvertError } from "../base/errors.ts";
import type { BitColumn, Column, FixedColumn, Utf8Column } from "./batch.ts";
import { allSet, bitmapBytes, clearBit, clearTail, copyBits, setBit, setBits } from "./bitmap.ts";
import { fromValue, toBool, toFloat8, toInt4, toInt8, toText } from "./convert.ts";
import type { Field } from "./schema.ts";
import { carrierOf, type SqlType } from "./types.ts";

const ROWS_MIN = 16;
/** Buffers up to this many rows, or bytes of text, are kept from batch to batch. */
const ROWS_KEPT_MAX = 4096;
const BYTES_KEPT_MAX = 65_536;
/** Offsets are Int32. */
const TEXT_BYTES_MAX = 2 ** 31 - 1;
/** Longer strings are encoded apart, so that not three times their length is reserved. */
const ENCODE_IN_PLACE_MAX = 8192;

export type ColumnBuilder = Int4Builder | Float8Builder | Int64Builder | BoolBuilder | Utf8Builder;

export function columnBuilderFor(field: Field): ColumnBuilder {
  switch (field.type.name) {
    case "int4":
      return new Int4Builder(field);
    case "int8":
      return new Int8Builder(field);
    case "float8":
      return new Float8Builder(field);
    case "bool":
      return new BoolBuilder(field);
    case "text":
      return new TextBuilder(field);
  }
  switch (carrierOf(field.type)) {
    case "int32":
      return new ConvertedInt32Builder(field);
    case "int64":
      return new ConvertedInt64Builder(field);
    case "double":
      return new ConvertedDoubleBuilder(field);
    case "string":
      return new ConvertedTextBuilder(field);
    case "bool":
      return new BoolBuilder(field);
  }
}

abstract class GrowingColumn {
  readonly name: string;
  readonly type: SqlType;
  readonly nullable: boolean;
  /** Bytes of a row in the encoded form, without bitmap and text. */
  abstract readonly rowBytes: number;
  length = 0;
  protected capacity = 0;
  protected validity: Uint8Array | null = null;

  constructor(field: Field) {
    this.name = field.name;
    this.type = field.type;
    this.nullable = field.nullable;
  }

  /** Makes room for `capacity` rows; the bitmap is grown by `markNull` and friends. */
  protected abstract resize(capacity: number): void;

  protected grow(rows: number): void {
    let capacity = Math.max(ROWS_MIN, this.capacity);
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

  /** Validity of rows [from, to) of another column, behind the rows so far. REQUIRES the room. */
  protected copyValidity(column: Column, from: number, to: number): void {
    if (column.validity === null && this.validity === null) return;
    const bitmap = this.nulls();
    if (column.validity === null) setBits(bitmap, this.length, this.length + to - from);
    else copyBits(column.validity, from, bitmap, this.length, to - from);
  }

  protected takeValidity(): Uint8Array | null {
    const bitmap = this.validity;
    this.validity = null;
    if (bitmap === null || allSet(bitmap, this.length)) return null;
    const taken = bitmap.subarray(0, bitmapBytes(this.length));
    clearTail(taken, this.length);
    return taken;
  }

  /** Whether a batch fills the buffers well enough to get them. */
  protected givesAway(): boolean {
    return this.length * 2 >= this.capacity;
  }
}

function grown(bytes: Uint8Array, size: number): Uint8Array {
  const larger = new Uint8Array(size);
  larger.set(bytes.subarray(0, Math.min(bytes.length, size)));
  return larger;
}

/** int4, and what else lies as an int32. */
class Int4Builder extends GrowingColumn {
  readonly rowBytes = 4;
  #values = new Int32Array(0);

  protected resize(capacity: number): void {
    const values = new Int32Array(capacity);
    values.set(this.#values.subarray(0, this.length));
    this.#values = values;
  }

  append(value: unknown): void {
    this.push(typeof value === "number" && (value | 0) === value ? value : toInt4(value));
  }

  protected push(converted: number): void {
    if (this.length === this.capacity) this.grow(this.length + 1);
    this.#values[this.length] = converted;
    if (this.validity !== null) setBit(this.validity, this.length);
    this.length++;
  }

  appendNull(): void {
    if (this.length === this.capacity) this.grow(this.length + 1);
    this.#values[this.length] = 0;
    clearBit(this.nulls(), this.length);
    this.length++;
  }

  appendColumn(column: Column, from: number, to: number): void {
    if (this.length + to - from > this.capacity) this.grow(this.length + to - from);
    this.copyValidity(column, from, to);
    this.#values.set((column as FixedColumn).values.subarray(from, to) as Int32Array, this.length);
    this.length += to - from;
  }

  truncate(length: number): void {
    this.length = length;
  }

  take(): Column {
    const { length, type } = this;
    const given = this.givesAway();
    const values = given ? this.#values.subarray(0, length) : this.#values.slice(0, length);
    const validity = this.takeValidity();
    this.length = 0;
    if (given || this.capacity > ROWS_KEPT_MAX) {
      this.#values = new Int32Array(0);
      this.capacity = 0;
    }
    return { kind: "fixed", type, length, validity, values };
  }
}

class Float8Builder extends GrowingColumn {
  readonly rowBytes = 8;
  #values = new Float64Array(0);

  protected resize(capacity: number): void {
    const values = new Float64Array(capacity);
    values.set(this.#values.subarray(0, this.length));
    this.#values = values;
  }

  append(value: unknown): void {
    this.push(typeof value === "number" ? value : toFloat8(value));
  }

  protected push(converted: number): void {
    if (this.length === this.capacity) this.grow(this.length + 1);
    this.#values[this.length] = converted;
    if (this.validity !== null) setBit(this.validity, this.length);
    this.length++;
  }

  appendNull(): void {
    if (this.length === this.capacity) this.grow(this.length + 1);
    this.#values[this.length] = 0;
    clearBit(this.nulls(), this.length);
    this.length++;
  }

  appendColumn(column: Column, from: number, to: number): void {
    if (this.length + to - from > this.capacity) this.grow(this.length + to - from);
    this.copyValidity(column, from, to);
    this.#values.set((column as FixedColumn).values.subarray(from, to) as Float64Array, this.length);
    this.length += to - from;
  }

  truncate(length: number): void {
    this.length = length;
  }

  take(): Column {
    const { length, type } = this;
    const given = this.givesAway();
    const values = given ? this.#values.subarray(0, length) : this.#values.slice(0, length);
    const validity = this.takeValidity();
    this.length = 0;
    if (given || this.capacity > ROWS_KEPT_MAX) {
      this.#values = new Float64Array(0);
      this.capacity = 0;
    }
    return { kind: "fixed", type, length, validity, values };
  }
}

/** int8, times, small numeric. A safe number is written as two words, without a bigint in between. */
abstract class Int64Builder extends GrowingColumn {
  readonly rowBytes = 8;
  #values = new BigInt64Array(0);
  #words = new Int32Array(0);

  abstract append(value: unknown): void;

  protected resize(capacity: number): void {
    const values = new BigInt64Array(capacity);
    values.set(this.#values.subarray(0, this.length));
    this.#values = values;
    this.#words = new Int32Array(values.buffer);
  }

  protected push(value: number | bigint): void {
    if (this.length === this.capacity) this.grow(this.length + 1);
    if (typeof value === "number") {
      this.#words[this.length * 2] = value | 0;
      this.#words[this.length * 2 + 1] = Math.floor(value / 0x1_0000_0000);
    } else {
      this.#values[this.length] = value;
    }
    if (this.validity !== null) setBit(this.validity, this.length);
    this.length++;
  }

  appendNull(): void {
    if (this.length === this.capacity) this.grow(this.length + 1);
    this.#words[this.length * 2] = 0;
    this.#words[this.length * 2 + 1] = 0;
    clearBit(this.nulls(), this.length);
    this.length++;
  }

  appendColumn(column: Column, from: number, to: number): void {
    if (this.length + to - from > this.capacity) this.grow(this.length + to - from);
    this.copyValidity(column, from, to);
    this.#values.set((column as FixedColumn).values.subarray(from, to) as BigInt64Array, this.length);
    this.length += to - from;
  }

  truncate(length: number): void {
    this.length = length;
  }

  take(): Column {
    const { length, type } = this;
    const given = this.givesAway();
    const values = given ? this.#values.subarray(0, length) : this.#values.slice(0, length);
    const validity = this.takeValidity();
    this.length = 0;
    if (given || this.capacity > ROWS_KEPT_MAX) {
      this.#values = new BigInt64Array(0);
      this.#words = new Int32Array(0);
      this.capacity = 0;
    }
    return { kind: "fixed", type, length, validity, values };
  }
}

class Int8Builder extends Int64Builder {
  append(value: unknown): void {
    this.push(toInt8(value));
  }
}

class ConvertedInt64Builder extends Int64Builder {
  append(value: unknown): void {
    this.push(fromValue(this.type, value) as number | bigint);
  }
}

class ConvertedInt32Builder extends Int4Builder {
  override append(value: unknown): void {
    this.push(fromValue(this.type, value) as number);
  }
}

class ConvertedDoubleBuilder extends Float8Builder {
  override append(value: unknown): void {
    this.push(fromValue(this.type, value) as number);
  }
}

class BoolBuilder extends GrowingColumn {
  readonly rowBytes = 1 / 8;
  #values = new Uint8Array(0);

  protected resize(capacity: number): void {
    const values = new Uint8Array(bitmapBytes(capacity));
    values.set(this.#values.subarray(0, bitmapBytes(this.length)));
    this.#values = values;
  }

  append(value: unknown): void {
    const converted = toBool(value);
    if (this.length === this.capacity) this.grow(this.length + 1);
    if (converted) setBit(this.#values, this.length);
    else clearBit(this.#values, this.length);
    if (this.validity !== null) setBit(this.validity, this.length);
    this.length++;
  }

  appendNull(): void {
    if (this.length === this.capacity) this.grow(this.length + 1);
    clearBit(this.#values, this.length);
    clearBit(this.nulls(), this.length);
    this.length++;
  }

  appendColumn(column: Column, from: number, to: number): void {
    if (this.length + to - from > this.capacity) this.grow(this.length + to - from);
    this.copyValidity(column, from, to);
    copyBits((column as BitColumn).values, from, this.#values, this.length, to - from);
    this.length += to - from;
  }

  truncate(length: number): void {
    this.length = length;
  }

  take(): Column {
    const { length, type } = this;
    const values = this.#values.slice(0, bitmapBytes(length));
    clearTail(values, length);
    const validity = this.takeValidity();
    this.length = 0;
    if (this.capacity > ROWS_KEPT_MAX) {
      this.#values = new Uint8Array(0);
      this.capacity = 0;
    }
    return { kind: "bits", type, length, validity, values };
  }
}

/** text, and all that lies as text. */
export abstract class Utf8Builder extends GrowingColumn {
  readonly rowBytes = 4;
  /** One more than rows; #offsets[length] is the end of the data. */
  #offsets = new Int32Array(1);
  #data = new Uint8Array(0);

  abstract append(value: unknown): void;

  protected resize(capacity: number): void {
    const offsets = new Int32Array(capacity + 1);
    offsets.set(this.#offsets.subarray(0, this.length + 1));
    this.#offsets = offsets;
  }

  protected push(text: string): void {
    if (this.length === this.capacity) this.grow(this.length + 1);
    const from = this.#offsets[this.length] as number;
    let to: number;
    if (text.length <= ENCODE_IN_PLACE_MAX) {
      if (from + text.length * 3 > this.#data.length) this.#growData(from + text.length * 3);
      to = writeUtf8(text, this.#data, from);
    } else {
      const bytes = new TextEncoder().encode(text);
      to = from + bytes.length;
      if (to > this.#data.length) this.#growData(to);
      this.#data.set(bytes, from);
    }
    this.#offsets[this.length + 1] = to;
    if (this.validity !== null) setBit(this.validity, this.length);
    this.length++;
  }

  #growData(size: number): void {
    if (size > TEXT_BYTES_MAX) {
      throw new EvertError("record_too_large", "a batch cannot hold more than 2 GiB of text in one column");
    }
    const data = new Uint8Array(Math.min(TEXT_BYTES_MAX, Math.max(size, this.#data.length * 2, 64)));
    data.set(this.#data.subarray(0, this.#offsets[this.length]));
    this.#data = data;
  }

  appendNull(): void {
    if (this.length === this.capacity) this.grow(this.length + 1);
    this.#offsets[this.length + 1] = this.#offsets[this.length] as number;
    clearBit(this.nulls(), this.length);
    this.length++;
  }

  appendColumn(column: Column, from: number, to: number): void {
    if (this.length + to - from > this.capacity) this.grow(this.length + to - from);
    const { offsets, data } = column as Utf8Column;
    const start = offsets[from] as number;
    const end = offsets[to] as number;
    const at = this.#offsets[this.length] as number;
    if (at + end - start > this.#data.length) this.#growData(at + end - start);
    this.copyValidity(column, from, to);
    this.#data.set(data.subarray(start, end), at);
    const shift = at - start;
    const target = this.#offsets;
    for (let i = from, k = this.length; i < to; i++) target[++k] = (offsets[i + 1] as number) + shift;
    this.length += to - from;
  }

  truncate(length: number): void {
    this.length = length;
  }

  get dataBytes(): number {
    return this.#offsets[this.length] as number;
  }

  take(): Column {
    const { length, type } = this;
    const bytes = this.#offsets[length] as number;
    const offsets = this.#offsets.slice(0, length + 1);
    const validity = this.takeValidity();
    const given = bytes * 2 >= this.#data.length;
    const data = given ? this.#data.subarray(0, bytes) : this.#data.slice(0, bytes);
    if (given || this.#data.length > BYTES_KEPT_MAX) this.#data = new Uint8Array(0);
    this.length = 0;
    if (this.capacity > ROWS_KEPT_MAX) {
      this.#offsets = new Int32Array(1);
      this.capacity = 0;
    }
    return { kind: "utf8", type, length, validity, offsets, data };
  }
}

class TextBuilder extends Utf8Builder {
  append(value: unknown): void {
    this.push(toText(value));
  }
}

class ConvertedTextBuilder extends Utf8Builder {
  append(value: unknown): void {
    this.push(fromValue(this.type, value) as string);
  }
}
