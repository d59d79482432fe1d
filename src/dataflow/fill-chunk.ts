/** Columns of a batch to those of a chunk: the values of the rows that are asked for. */
import type { Batch, Column } from "../batch/batch.ts";
import type { Dictionary } from "../state/dictionary.ts";
import type { Chunk, Values } from "./chunk.ts";

export function fillChunk(
  chunk: Chunk,
  batch: Batch,
  from: number,
  to: number,
  dictionary: Dictionary,
  wanted: (column: number) => boolean,
): void {
  for (let i = 0; i < chunk.columns.length; i++) {
    if (!wanted(i)) continue;
    const column = batch.columns[i] as Column;
    const values = chunk.columns[i] as Values;
    const nulls = chunk.nulls[i] as Uint8Array | null;
    if ((chunk.late?.[i] ?? null) === null) fillValues(values, column, from, to, dictionary);
    if (nulls !== null) fillNulls(values, nulls, column.validity, from, to);
  }
}

function fillNulls(
  values: Values,
  nulls: Uint8Array,
  validity: Uint8Array | null,
  from: number,
  to: number,
): void {
  if (validity === null) {
    nulls.fill(0, 0, to - from);
    return;
  }
  for (let row = from, at = 0; row < to; row++, at++) {
    const isNull = (((validity[row >>> 3] as number) >>> (row & 7)) & 1) ^ 1;
    nulls[at] = isNull;
    if (isNull === 1) values[at] = 0;
  }
}

function fillValues(values: Values, column: Column, from: number, to: number, dictionary: Dictionary): void {
  switch (column.kind) {
    case "bits":
      for (let row = from, at = 0; row < to; row++, at++)
        values[at] = ((column.values[row >>> 3] as number) >>> (row & 7)) & 1;
      return;
    case "utf8":
      dictionary.internColumn(values as Int32Array, column, from, to);
      return;
    case "fixed": {
      const source = column.values;
      if (source instanceof BigInt64Array) fillWide(values as Float64Array, source, from, to, dictionary);
      else values.set(source.subarray(from, to));
    }
  }
}

/** int64 as two 32-bit words to a double, without a BigInt unless it does not fit. */
function fillWide(
  values: Float64Array,
  source: BigInt64Array,
  from: number,
  to: number,
  dictionary: Dictionary,
): void {
  const words = new Int32Array(source.buffer, source.byteOffset, source.length * 2);
  for (let row = from, at = 0; row < to; row++, at++) values[at] = doubleOf(source, words, row, dictionary);
}

function doubleOf(source: BigInt64Array, words: Int32Array, row: number, dictionary: Dictionary): number {
  const high = words[row * 2 + 1] as number;
  const value = high * 4294967296 + ((words[row * 2] as number) >>> 0);
  // Doubles are exact up to 2^53; beyond, the sum above was rounded and the integer is interned instead.
  return value <= 9007199254740991 && value >= -9007199254740991
    ? value
    : dictionary.internBigInt(source[row] as bigint);
}

/** The same for rows[0] .. rows[chunk.length - 1], which ascend, and these columns. */
export function fillRows(
  chunk: Chunk,
  batch: Batch,
  rows: Int32Array,
  dictionary: Dictionary,
  columns: readonly number[],
): void {
  for (const c of columns) {
    const column = batch.columns[c] as Column;
    const values = chunk.columns[c] as Values;
    const nulls = chunk.nulls[c] as Uint8Array | null;
    if ((chunk.late?.[c] ?? null) === null) fillPicked(values, column, rows, chunk.length, dictionary);
    if (nulls === null) continue;
    const { validity } = column;
    if (validity === null) nulls.fill(0, 0, chunk.length);
    else
      for (let i = 0; i < chunk.length; i++) {
        const row = rows[i] as number;
        const isNull = (((validity[row >>> 3] as number) >>> (row & 7)) & 1) ^ 1;
        nulls[i] = isNull;
        if (isNull === 1) values[i] = 0;
      }
  }
}

function fillPicked(
  values: Values,
  column: Column,
  rows: Int32Array,
  count: number,
  dictionary: Dictionary,
): void {
  switch (column.kind) {
    case "bits":
      for (let i = 0; i < count; i++) {
        const row = rows[i] as number;
        values[i] = ((column.values[row >>> 3] as number) >>> (row & 7)) & 1;
      }
      return;
    case "utf8":
      dictionary.internRows(values as Int32Array, column, rows, count, 0);
      return;
    case "fixed": {
      const source = column.values;
      if (source instanceof BigInt64Array) {
        const words = new Int32Array(source.buffer, source.byteOffset, source.length * 2);
        for (let i = 0; i < count; i++) values[i] = doubleOf(source, words, rows[i] as number, dictionary);
      } else for (let i = 0; i < count; i++) values[i] = source[rows[i] as number] as number;
    }
  }
}
