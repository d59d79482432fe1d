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

const TWO_32 = 2 ** 32;

/** The first `count` of `rows`, with their weights. */
export function batchOf(
  schema: Schema,
  chunk: Chunk,
  rows: Int32Array,
  count: number,
  dictionary: Dictionary,
): Batch {
  const weights = new Int32Array(count);
  for (let i = 0; i < count; i++) weights[i] = chunk.weights[rows[i] as number] as number;
  const columns = schema.fields.map(({ type }, c) =>
    columnOf(type, chunk.columns[c] as Values, chunk.nulls[c] ?? null, rows, count, dictionary),
  );
  return { schema, length: count, columns, weights };
}

function columnOf(
  type: SqlType,
  values: Values,
  nulls: Uint8Array | null,
  rows: Int32Array,
  count: number,
  dictionary: Dictionary,
): Column {
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
    case "utf8":
      return { kind: "utf8", ...of, ...texts(values, rows, count, dictionary) };
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
): { readonly offsets: Int32Array; readonly data: Uint8Array } {
  const offsets = new Int32Array(count + 1);
  let end = 0;
  for (let i = 0; i < count; i++) offsets[i + 1] = end += dictionary.length(ids[rows[i] as number] as number);
  const data = new Uint8Array(end);
  for (let i = 0; i < count; i++)
    dictionary.copyTo(ids[rows[i] as number] as number, data, offsets[i] as number);
  return { offsets, data };
}
