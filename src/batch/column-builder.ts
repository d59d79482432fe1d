/**
 * Growing columns: the parts of a BatchBuilder. One class per memory layout; the common types
 * convert by themselves, the others by convert.ts.
 *
 * Contract: `append` takes a value that is not null, converts it by the rules of convert.ts and either lengthens the column by one or throws
 * and leaves it as it was. `push` takes the value as it lies in the column, checked by the caller. `take` hands the arrays over (small ones copied, into the arena if there is one) and leaves the column empty; `look` gives what there is as a column that is good until the next append or
 * truncate. A null's value is zero (or no bytes).
 *
 * Between openBlock and closeBlock the row loop (row-loop.ts) writes the arrays themselves: `values`, `words`, `offsets`.
 *
 * Buffers double. A taken column keeps its buffers for the next batch when the batch was small (and is copied out), and gives them
 * away when it fills them.
 */
import type { Arena } from "../base/arena.ts";
import type { BitColumn, Column, FixedColumn } from "./batch.ts";
import { bitmapBytes, clearBit, clearTail, copyBits, setBit } from "./bitmap.ts";
import { fromValue, toBool, toFloat8, toInt4, toInt8, toText } from "./convert.ts";
import { GrowingColumn, ROWS_KEPT_MAX } from "./growing-column.ts";
import type { Field } from "./schema.ts";
import { carrierOf } from "./types.ts";
import { Utf8Builder } from "./utf8-builder.ts";

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

/** Values of one width, side by side. What is done per row stands in each class, so that it knows its array's kind. */
abstract class FixedBuilder extends GrowingColumn {
  abstract values: FixedColumn["values"];

  truncate(length: number): void {
    this.length = length;
  }

  look(): Column {
    const { length, type } = this;
    const values = this.values.subarray(0, length);
    return { kind: "fixed", type, length, validity: this.validitySoFar(), values };
  }
}

class Int4Builder extends FixedBuilder {
  readonly rowBytes = 4;
  values = new Int32Array(0);

  protected resize(capacity: number): void {
    const values = new Int32Array(capacity);
    values.set(this.values.subarray(0, this.length));
    this.values = values;
  }

  append(value: unknown): void {
    this.push(typeof value === "number" && (value | 0) === value ? value : toInt4(value));
  }

  push(converted: number): void {
    if (this.length === this.capacity) this.grow(this.length + 1);
    this.values[this.length] = converted;
    if (this.validity !== null) setBit(this.validity, this.length);
    this.length++;
  }

  appendNull(): void {
    if (this.length === this.capacity) this.grow(this.length + 1);
    this.values[this.length] = 0;
    clearBit(this.nulls(), this.length);
    this.length++;
  }

  appendColumn(column: Column, from: number, to: number): void {
    if (this.length + to - from > this.capacity) this.grow(this.length + to - from);
    this.copyValidity(column, from, to);
    this.values.set((column as FixedColumn).values.subarray(from, to) as Int32Array, this.length);
    this.length += to - from;
  }

  take(arena?: Arena): Column {
    const { length, type } = this;
    const given = this.givesAway(arena);
    const values = given
      ? this.values.subarray(0, length)
      : (arena?.int32(this.values, length) ?? this.values.slice(0, length));
    const validity = this.takeValidity();
    this.length = 0;
    if (given || this.capacity > ROWS_KEPT_MAX) {
      this.values = new Int32Array(0);
      this.capacity = 0;
    }
    return { kind: "fixed", type, length, validity, values };
  }
}

class Float8Builder extends FixedBuilder {
  readonly rowBytes = 8;
  values = new Float64Array(0);

  protected resize(capacity: number): void {
    const values = new Float64Array(capacity);
    values.set(this.values.subarray(0, this.length));
    this.values = values;
  }

  append(value: unknown): void {
    this.push(typeof value === "number" ? value : toFloat8(value));
  }

  push(converted: number): void {
    if (this.length === this.capacity) this.grow(this.length + 1);
    this.values[this.length] = converted;
    if (this.validity !== null) setBit(this.validity, this.length);
    this.length++;
  }

  appendNull(): void {
    if (this.length === this.capacity) this.grow(this.length + 1);
    this.values[this.length] = 0;
    clearBit(this.nulls(), this.length);
    this.length++;
  }

  appendColumn(column: Column, from: number, to: number): void {
    if (this.length + to - from > this.capacity) this.grow(this.length + to - from);
    this.copyValidity(column, from, to);
    this.values.set((column as FixedColumn).values.subarray(from, to) as Float64Array, this.length);
    this.length += to - from;
  }

  take(arena?: Arena): Column {
    const { length, type } = this;
    const given = this.givesAway(arena);
    const values = given
      ? this.values.subarray(0, length)
      : (arena?.float64(this.values, length) ?? this.values.slice(0, length));
    const validity = this.takeValidity();
    this.length = 0;
    if (given || this.capacity > ROWS_KEPT_MAX) {
      this.values = new Float64Array(0);
      this.capacity = 0;
    }
    return { kind: "fixed", type, length, validity, values };
  }
}

/** int8, times, small numeric. A safe number is written as two words, without a bigint in between. */
abstract class Int64Builder extends FixedBuilder {
  readonly rowBytes = 8;
  values = new BigInt64Array(0);
  words = new Int32Array(0);

  abstract append(value: unknown): void;

  protected resize(capacity: number): void {
    const values = new BigInt64Array(capacity);
    values.set(this.values.subarray(0, this.length));
    this.values = values;
    this.words = new Int32Array(values.buffer);
  }

  push(value: number | bigint): void {
    if (this.length === this.capacity) this.grow(this.length + 1);
    if (typeof value === "number") {
      this.words[this.length * 2] = value | 0;
      this.words[this.length * 2 + 1] = Math.floor(value / 0x1_0000_0000);
    } else {
      this.values[this.length] = value;
    }
    if (this.validity !== null) setBit(this.validity, this.length);
    this.length++;
  }

  appendNull(): void {
    if (this.length === this.capacity) this.grow(this.length + 1);
    this.words[this.length * 2] = 0;
    this.words[this.length * 2 + 1] = 0;
    clearBit(this.nulls(), this.length);
    this.length++;
  }

  appendColumn(column: Column, from: number, to: number): void {
    if (this.length + to - from > this.capacity) this.grow(this.length + to - from);
    this.copyValidity(column, from, to);
    this.values.set((column as FixedColumn).values.subarray(from, to) as BigInt64Array, this.length);
    this.length += to - from;
  }

  take(arena?: Arena): Column {
    const { length, type } = this;
    const given = this.givesAway(arena);
    const values = given
      ? this.values.subarray(0, length)
      : (arena?.int64(this.values, length) ?? this.values.slice(0, length));
    const validity = this.takeValidity();
    this.length = 0;
    if (given || this.capacity > ROWS_KEPT_MAX) {
      this.values = new BigInt64Array(0);
      this.words = new Int32Array(0);
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
  values = new Uint8Array(0);

  protected resize(capacity: number): void {
    const values = new Uint8Array(bitmapBytes(capacity));
    values.set(this.values.subarray(0, bitmapBytes(this.length)));
    this.values = values;
  }

  append(value: unknown): void {
    this.push(toBool(value));
  }

  push(converted: boolean): void {
    if (this.length === this.capacity) this.grow(this.length + 1);
    if (converted) setBit(this.values, this.length);
    else clearBit(this.values, this.length);
    if (this.validity !== null) setBit(this.validity, this.length);
    this.length++;
  }

  appendNull(): void {
    if (this.length === this.capacity) this.grow(this.length + 1);
    clearBit(this.values, this.length);
    clearBit(this.nulls(), this.length);
    this.length++;
  }

  appendColumn(column: Column, from: number, to: number): void {
    if (this.length + to - from > this.capacity) this.grow(this.length + to - from);
    this.copyValidity(column, from, to);
    copyBits((column as BitColumn).values, from, this.values, this.length, to - from);
    this.length += to - from;
  }

  truncate(length: number): void {
    this.length = length;
  }

  look(): Column {
    const { length, type } = this;
    const values = this.values.subarray(0, bitmapBytes(length));
    clearTail(values, length);
    return { kind: "bits", type, length, validity: this.validitySoFar(), values };
  }

  take(): Column {
    const { length, type } = this;
    const values = this.values.slice(0, bitmapBytes(length));
    clearTail(values, length);
    const validity = this.takeValidity();
    this.length = 0;
    if (this.capacity > ROWS_KEPT_MAX) {
      this.values = new Uint8Array(0);
      this.capacity = 0;
    }
    return { kind: "bits", type, length, validity, values };
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
