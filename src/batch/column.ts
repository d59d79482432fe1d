/** Reading columns: one value at a time, ranges, and columns made of nothing. */
import { decodeUtf8 } from "../base/bytes.ts";
import type { Batch, Column, FixedColumn, Utf8Column } from "./batch.ts";
import { bitmapBytes, copyBits, getBit } from "./bitmap.ts";
import type { Datum } from "./convert.ts";
import type { Schema } from "./schema.ts";
import { type Carrier, carrierOf, type SqlType } from "./types.ts";

export type FixedValues = FixedColumn["values"];

/** How a type lies in a batch. */
export type Layout = "int32" | "float64" | "int64" | "bits" | "utf8";

const layouts: Readonly<Record<Carrier, Layout>> = {
  int32: "int32",
  double: "float64",
  int64: "int64",
  bool: "bits",
  string: "utf8",
};

export function layoutOf(type: SqlType): Layout {
  return layouts[carrierOf(type)];
}

export function isNull(column: Column, i: number): boolean {
  return column.validity !== null && !getBit(column.validity, i);
}

/** The value of row i as a Datum. */
export function datumAt(column: Column, i: number): Datum {
  if (column.validity !== null && !getBit(column.validity, i)) return null;
  switch (column.kind) {
    case "fixed":
      return column.values[i] as number | bigint;
    case "bits":
      return getBit(column.values, i);
    case "utf8":
      return textAt(column, i);
  }
}

/** REQUIRES a row that is not null (a null reads as the empty string). */
export function textAt(column: Utf8Column, i: number): string {
  return decodeUtf8(column.data, column.offsets[i] as number, column.offsets[i + 1] as number);
}

/** Rows [from, to): values are views of the same memory, bitmaps are copied. */
export function sliceBatch(batch: Batch, from: number, to: number): Batch {
  if (from === 0 && to === batch.length) return batch;
  return {
    schema: batch.schema,
    length: to - from,
    columns: batch.columns.map((column) => sliceColumn(column, from, to)),
    weights: batch.weights === null ? null : batch.weights.subarray(from, to),
  };
}

export function sliceColumn(column: Column, from: number, to: number): Column {
  const { type } = column;
  const length = to - from;
  const validity = column.validity === null ? null : sliceBits(column.validity, from, length);
  switch (column.kind) {
    case "fixed":
      return {
        kind: "fixed",
        type,
        length,
        validity,
        values: column.values.subarray(from, to) as FixedValues,
      };
    case "bits":
      return { kind: "bits", type, length, validity, values: sliceBits(column.values, from, length) };
    case "utf8":
      return {
        kind: "utf8",
        type,
        length,
        validity,
        offsets: column.offsets.subarray(from, to + 1),
        data: column.data,
      };
  }
}

function sliceBits(bitmap: Uint8Array, from: number, length: number): Uint8Array {
  const bits = new Uint8Array(bitmapBytes(length));
  copyBits(bitmap, from, bits, 0, length);
  return bits;
}

export function emptyBatch(schema: Schema): Batch {
  return { schema, length: 0, columns: schema.fields.map((f) => nullColumn(f.type, 0)), weights: null };
}

/** A column of nulls. */
export function nullColumn(type: SqlType, length: number): Column {
  const validity = length === 0 ? null : new Uint8Array(bitmapBytes(length));
  switch (layoutOf(type)) {
    case "int32":
      return { kind: "fixed", type, length, validity, values: new Int32Array(length) };
    case "float64":
      return { kind: "fixed", type, length, validity, values: new Float64Array(length) };
    case "int64":
      return { kind: "fixed", type, length, validity, values: new BigInt64Array(length) };
    case "bits":
      return { kind: "bits", type, length, validity, values: new Uint8Array(bitmapBytes(length)) };
    case "utf8":
      return {
        kind: "utf8",
        type,
        length,
        validity,
        offsets: new Int32Array(length + 1),
        data: new Uint8Array(0),
      };
  }
}
