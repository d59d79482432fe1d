/**
 * Rows of a chunk as a batch: the form in which they cross from one thread to another, where dictionary ids mean nothing. What fillChunk()
 * does, the other way round.
 */
import type { Batch, Column } from "../../batch/batch.ts";
import { bitmapBytes } from "../../batch/bitmap.ts";
import { layoutOf } from "../../batch/column.ts";
import type { Schema } from "../../batch/schema.ts";
import type { SqlType } from "../../batch/types.ts";
import { type Dictionary, WIDE } from "../../state/dictionary.ts";
import type { Chunk, Values } from "../chunk.ts";
import type { Parcel } from "./parcel.ts";

const TWO_32 = 2 ** 32;

/** Of one column: more goes into batches of its own, so that no parcel is ever large, and offsets into texts are counted in 32 bits. */
const TEXT_BYTES_MAX = 16 << 20;

/** Adds the first `count` of `rows` to the parcel, with their weights. */
export function addRows(
  parcel: Parcel,
  schema: Schema,
  chunk: Chunk,
  rows: Int32Array,
  count: number,
  dictionary: Dictionary,
): void {
  const batch = batchOf(schema, chunk, rows, count, dictionary);
  if (batch !== null) {
    parcel.add(batch);
    return;
  }
  const half = count >> 1;
  addRows(parcel, schema, chunk, rows, half, dictionary);
  addRows(parcel, schema, chunk, rows.subarray(half), count - half, dictionary);
}

/** null: they are too much for one batch. */
function batchOf(
  schema: Schema,
  chunk: Chunk,
  rows: Int32Array,
  count: number,
  dictionary: Dictionary,
): Batch | null {
  const columns: Column[] = [];
  for (const [c, { type }] of schema.fields.entries()) {
    const values = chunk.columns[c] as Values;
    const column = columnOf(type, values, chunk.nulls[c] ?? null, rows, count, dictionary);
    if (column === null) return null;
    columns.push(column);
  }
  const weights = new Int32Array(count);
  for (let i = 0; i < count; i++) weights[i] = chunk.weights[rows[i] as number] as number;
  return { schema, length: count, columns, weights };
}

function columnOf(
  type: SqlType,
  values: Values,
  nulls: Uint8Array | null,
  rows: Int32Array,
  count: number,
  dictionary: Dictionary,
): Column | null {
  const validity = nulls === null ? null : validityOf(nulls, rows, count);
  const of = { type, length: count, validity };
  const layout = layoutOf(type);
  switch (layout) {
    case "int32":
    case "float64": {
      const picked = layout === "int32" ? new Int32Array(count) : new Float64Array(count);
      for (let i = 0; i < count; i++) picked[i] = values[rows[i] as number] as number;
      return { kind: "fixed", ...of, values: picked };
    }
    case "int64":
      return { kind: "fixed", ...of, values: integers(values, rows, count, dictionary) };
    case "bits": {
      const bits = new Uint8Array(bitmapBytes(count));
      for (let i = 0; i < count; i++)
        (bits[i >>> 3] as number) |= (values[rows[i] as number] as number) << (i & 7);
      return { kind: "bits", ...of, values: bits };
    }
    case "utf8": {
      const written = texts(values, rows, count, dictionary);
      return written === null ? null : { kind: "utf8", ...of, ...written };
    }
  }
}

function validityOf(nulls: Uint8Array, rows: Int32Array, count: number): Uint8Array | null {
  let isNull = 0;
  for (let i = 0; i < count; i++) isNull |= nulls[rows[i] as number] as number;
  if (isNull === 0) return null;
  const bits = new Uint8Array(bitmapBytes(count));
  for (let i = 0; i < count; i++)
    (bits[i >>> 3] as number) |= ((nulls[rows[i] as number] as number) ^ 1) << (i & 7);
  return bits;
}

/** Doubles to int64 by their words: a BigInt is made only where the integer is no exact double. */
function integers(values: Values, rows: Int32Array, count: number, dictionary: Dictionary): BigInt64Array {
  const picked = new BigInt64Array(count);
  const words = new Int32Array(picked.buffer);
  for (let i = 0; i < count; i++) {
    const value = values[rows[i] as number] as number;
    if (value >= WIDE) picked[i] = dictionary.bigint(value);
    else {
      const high = Math.floor(value / TWO_32);
      words[i * 2] = value - high * TWO_32;
      words[i * 2 + 1] = high;
    }
  }
  return picked;
}

function texts(
  ids: Values,
  rows: Int32Array,
  count: number,
  dictionary: Dictionary,
): { readonly offsets: Int32Array; readonly data: Uint8Array } | null {
  const offsets = new Int32Array(count + 1);
  let end = 0;
  for (let i = 0; i < count; i++) offsets[i + 1] = end += dictionary.length(ids[rows[i] as number] as number);
  if (end > TEXT_BYTES_MAX && count > 1) return null;
  const data = new Uint8Array(end);
  for (let i = 0; i < count; i++)
    dictionary.copyTo(ids[rows[i] as number] as number, data, offsets[i] as number);
  return { offsets, data };
}
