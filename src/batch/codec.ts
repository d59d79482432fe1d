/**
 * A batch as bytes: the columnar form inside a frame of the log. Little-endian, unpadded, without schema (the frame names it)
 * and without checksum (the frame has one for all).
 *
 *   batch    = weighted weights? column*              one column per field, in order
 *   weighted = u8                                     1: weights follow; 0: every row has weight 1
 *   weights  = i32 x length
 *   column   = nulls bitmap? values                   nulls: u8, 1: a bitmap follows; 0: no value is null
 *   bitmap   = u8 x ceil(length / 8)                  Arrow's: bit i of byte i >> 3, 1 = not null
 *   values   = i32 x length                           int2, int4, date, enum
 *            | f64 x length                           float4, float8
 *            | i64 x length                           int8, time, timestamp, timestamptz, small numeric
 *            | u8 x ceil(length / 8)                  bool
 *            | dataBytes data ends                    every other type, as text
 *   dataBytes = u32
 *   data     = u8 x dataBytes
 *   ends     = u32 x length                           where each value ends in data; ascending, the last = dataBytes
 *
 * Example, (id int4, name text) with rows (7, "ab"), (8, null):
 *   00 | 00  07 00 00 00  08 00 00 00 | 01  01  02 00 00 00  61 62  02 00 00 00  02 00 00 00
 *
 * Cost: one memcpy per array. Decoded arrays are views of the input where it happens to be aligned and copies elsewhere, so the
 * input must not be reused while the batch lives. Lengths and ends are all checked before anything is read; text is trusted to be the valid UTF-8
 * that was written.
 */
import { bytesOf } from "../base/bytes.ts";
import { EvertError } from "../base/errors.ts";
import type { Batch, Column, Utf8Column } from "./batch.ts";
import { bitmapBytes } from "./bitmap.ts";
import { type Layout, layoutOf, nullColumn } from "./column.ts";
import type { Schema } from "./schema.ts";
import type { SqlType } from "./types.ts";

/** Rows of one batch: keeps every size below 2^31. */
export const BATCH_ROWS_MAX = 2 ** 27;

/** A batch without weights that is still what its frame will have; columns are made of it when somebody looks at them. */
export class EncodedBatch implements Batch {
  readonly schema: Schema;
  readonly length: number;
  readonly weights = null;
  /** Of others, too: this one stands in [from, to), and stays there. */
  readonly bytes: Uint8Array;
  readonly from: number;
  readonly to: number;
  #columns: readonly Column[] | null = null;

  constructor(schema: Schema, length: number, bytes: Uint8Array, from: number, to: number) {
    this.schema = schema;
    this.length = length;
    this.bytes = bytes;
    this.from = from;
    this.to = to;
  }

  get columns(): readonly Column[] {
    this.#columns ??= decodeBatch(this.bytes, this.from, this.schema, this.length).batch.columns;
    return this.#columns;
  }
}

export function encodedSize(batch: Batch): number {
  if (batch instanceof EncodedBatch) return batch.to - batch.from;
  const { length } = batch;
  let size = 1 + (batch.weights === null ? 0 : length * 4);
  for (const column of batch.columns) {
    size += 1 + (column.validity === null ? 0 : bitmapBytes(length));
    switch (column.kind) {
      case "fixed":
        size += length * column.values.BYTES_PER_ELEMENT;
        break;
      case "bits":
        size += bitmapBytes(length);
        break;
      case "utf8":
        size += 4 + dataLength(column) + length * 4;
        break;
    }
  }
  return size;
}

/** Writes the batch at `at` and returns the offset after it. REQUIRES encodedSize(batch) bytes of room. */
export function encodeBatch(batch: Batch, target: Uint8Array, at: number): number {
  if (batch instanceof EncodedBatch) return put(target, at, batch.bytes.subarray(batch.from, batch.to));
  const { length, weights } = batch;
  target[at++] = weights === null ? 0 : 1;
  if (weights !== null) at = put(target, at, bytesOf(weights.subarray(0, length)));
  for (const column of batch.columns) {
    const { validity } = column;
    target[at++] = validity === null ? 0 : 1;
    if (validity !== null) at = put(target, at, validity.subarray(0, bitmapBytes(length)));
    switch (column.kind) {
      case "fixed":
        at = put(target, at, bytesOf(column.values.subarray(0, length)));
        break;
      case "bits":
        at = put(target, at, column.values.subarray(0, bitmapBytes(length)));
        break;
      case "utf8":
        at = putText(target, at, column);
        break;
    }
  }
  return at;
}

function dataLength(column: Utf8Column): number {
  return (column.offsets[column.length] as number) - (column.offsets[0] as number);
}

function putText(target: Uint8Array, at: number, column: Utf8Column): number {
  const { offsets, length } = column;
  const from = offsets[0] as number;
  const bytes = dataLength(column);
  at = putU32(target, at, bytes);
  at = put(target, at, column.data.subarray(from, from + bytes));
  if (from === 0) return put(target, at, bytesOf(offsets.subarray(1, length + 1)));
  for (let i = 1; i <= length; i++) at = putU32(target, at, (offsets[i] as number) - from);
  return at;
}

function put(target: Uint8Array, at: number, bytes: Uint8Array): number {
  target.set(bytes, at);
  return at + bytes.length;
}

function putU32(target: Uint8Array, at: number, value: number): number {
  target[at] = value;
  target[at + 1] = value >>> 8;
  target[at + 2] = value >>> 16;
  target[at + 3] = value >>> 24;
  return at + 4;
}

export interface DecodedBatch {
  readonly batch: Batch;
  /** Offset after the batch. */
  readonly next: number;
}

/**
 * Reads the batch at `at`. Columns whose index is not in `wanted` are passed over and come as nulls. With `memory`, what has to be copied lies there, until
 * the next batch is read with it.
 * @throws log_damaged when the bytes cannot be such a batch.
 */
export function decodeBatch(
  bytes: Uint8Array,
  at: number,
  schema: Schema,
  length: number,
  wanted?: ReadonlySet<number>,
  memory: CopyMemory | null = null,
): DecodedBatch {
  if (!Number.isInteger(length) || length < 0 || length > BATCH_ROWS_MAX) {
    throw damaged(`${length} rows in one batch`, at);
  }
  memory?.begin();
  const reader = new Reader(bytes, at, memory);
  const weights = reader.flag() ? reader.int32(length) : null;
  const columns = schema.fields.map((field, k) =>
    wanted === undefined || wanted.has(k)
      ? readColumn(reader, field.type, length)
      : skipColumn(reader, field.type, length),
  );
  return { batch: { schema, length, columns, weights }, next: reader.at };
}

function readColumn(reader: Reader, type: SqlType, length: number): Column {
  const validity = reader.flag() ? reader.raw(bitmapBytes(length)) : null;
  switch (layoutOf(type)) {
    case "int32":
      return { kind: "fixed", type, length, validity, values: reader.int32(length) };
    case "float64":
      return { kind: "fixed", type, length, validity, values: reader.float64(length) };
    case "int64":
      return { kind: "fixed", type, length, validity, values: reader.int64(length) };
    case "bits":
      return { kind: "bits", type, length, validity, values: reader.raw(bitmapBytes(length)) };
    case "utf8": {
      const dataBytes = reader.u32();
      const data = reader.raw(dataBytes);
      const offsets = readEnds(reader, length, dataBytes);
      return { kind: "utf8", type, length, validity, offsets, data };
    }
  }
}

function readEnds(reader: Reader, length: number, dataBytes: number): Int32Array {
  const from = reader.at;
  const ends = reader.int32(length);
  const offsets = reader.offsets(length + 1);
  let previous = 0;
  offsets[0] = 0;
  for (let i = 1; i <= length; i++) {
    const end = ends[i - 1] as number;
    if (end < previous) throw damaged("an end of text that lies before its start", from);
    offsets[i] = previous = end;
  }
  if (previous !== dataBytes) throw damaged("text that ends elsewhere than its data", from);
  return offsets;
}

const bytesPerValue: Record<Exclude<Layout, "bits" | "utf8">, number> = { int32: 4, float64: 8, int64: 8 };

function skipColumn(reader: Reader, type: SqlType, length: number): Column {
  if (reader.flag()) reader.skip(bitmapBytes(length));
  const layout = layoutOf(type);
  if (layout === "utf8") reader.skip(reader.u32() + length * 4);
  else reader.skip(layout === "bits" ? bitmapBytes(length) : length * bytesPerValue[layout]);
  return nullColumn(type, length);
}

/** Up to here reading value by value is cheaper than making a buffer to copy into. */
const SMALL = 16;

/** Buffers that are used again for each batch: a collector that has to find them spends as long as the reading takes. */
export class CopyMemory {
  readonly #buffers: ArrayBuffer[] = [];
  #next = 0;

  /** What was taken is not needed any more. */
  begin(): void {
    this.#next = 0;
  }

  /** At least so many bytes. */
  take(bytes: number): ArrayBuffer {
    const i = this.#next++;
    let buffer = this.#buffers[i];
    if (buffer === undefined || buffer.byteLength < bytes) {
      buffer = new ArrayBuffer(bytes);
      this.#buffers[i] = buffer;
    }
    return buffer;
  }
}

/** Walks over bytes; never past their end. */
class Reader {
  at: number;
  readonly #bytes: Uint8Array;
  readonly #memory: CopyMemory | null;
  #view: DataView | null = null;

  constructor(bytes: Uint8Array, at: number, memory: CopyMemory | null) {
    if (!Number.isInteger(at) || at < 0 || at > bytes.length) throw damaged("a batch outside its frame", at);
    this.#bytes = bytes;
    this.#memory = memory;
    this.at = at;
  }

  skip(count: number): number {
    const from = this.at;
    if (count > this.#bytes.length - from) throw damaged("a batch that ends behind its frame", from);
    this.at = from + count;
    return from;
  }

  raw(count: number): Uint8Array {
    const from = this.skip(count);
    return this.#bytes.subarray(from, from + count);
  }

  flag(): boolean {
    const value = this.#bytes[this.skip(1)] as number;
    if (value > 1) throw damaged(`the flag ${value}`, this.at - 1);
    return value === 1;
  }

  u32(): number {
    const from = this.skip(4);
    const bytes = this.#bytes;
    const low =
      (bytes[from] as number) | ((bytes[from + 1] as number) << 8) | ((bytes[from + 2] as number) << 16);
    return (low | ((bytes[from + 3] as number) << 24)) >>> 0;
  }

  int32(count: number): Int32Array {
    const bytes = this.raw(count * 4);
    if (isAligned(bytes, 4)) return new Int32Array(bytes.buffer, bytes.byteOffset, count);
    if (count > SMALL) return new Int32Array(this.#copyOf(bytes), 0, count);
    const view = this.#words();
    const values = new Int32Array(count);
    for (let i = 0, at = this.at - count * 4; i < count; i++, at += 4) values[i] = view.getInt32(at, true);
    return values;
  }

  float64(count: number): Float64Array {
    const bytes = this.raw(count * 8);
    if (isAligned(bytes, 8)) return new Float64Array(bytes.buffer, bytes.byteOffset, count);
    if (count > SMALL) return new Float64Array(this.#copyOf(bytes), 0, count);
    const view = this.#words();
    const values = new Float64Array(count);
    for (let i = 0, at = this.at - count * 8; i < count; i++, at += 8) values[i] = view.getFloat64(at, true);
    return values;
  }

  int64(count: number): BigInt64Array {
    const bytes = this.raw(count * 8);
    if (isAligned(bytes, 8)) return new BigInt64Array(bytes.buffer, bytes.byteOffset, count);
    if (count > SMALL) return new BigInt64Array(this.#copyOf(bytes), 0, count);
    const view = this.#words();
    const values = new BigInt64Array(count);
    for (let i = 0, at = this.at - count * 8; i < count; i++, at += 8) values[i] = view.getBigInt64(at, true);
    return values;
  }

  offsets(count: number): Int32Array {
    return new Int32Array(this.#buffer(count * 4), 0, count);
  }

  #buffer(bytes: number): ArrayBuffer {
    return this.#memory?.take(bytes) ?? new ArrayBuffer(bytes);
  }

  /** Memory of their own: Uint8Array.prototype.slice would keep a subclass (Node's Buffer) and its pool. */
  #copyOf(bytes: Uint8Array): ArrayBuffer {
    const buffer = this.#buffer(bytes.length);
    new Uint8Array(buffer).set(bytes);
    return buffer;
  }

  #words(): DataView {
    this.#view ??= new DataView(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.byteLength);
    return this.#view;
  }
}

function isAligned(bytes: Uint8Array, size: number): boolean {
  return (bytes.byteOffset & (size - 1)) === 0;
}

function damaged(what: string, at: number): EvertError {
  return new EvertError("log_damaged", `the log holds ${what}`, {
    detail: `At byte ${at} of the frame's payload.`,
  });
}
