/** A column in which every row has one value: what the rows of before have of a column that was added later. */
import { utf8Length } from "../base/bytes.ts";
import type { Column } from "./batch.ts";
import { bitmapBytes, clearTail } from "./bitmap.ts";
import { nullColumn } from "./column.ts";
import type { Datum } from "./datum.ts";
import { carrierOf, type SqlType } from "./types.ts";

const encoder = new TextEncoder();

/** REQUIRES a datum of the type, or null. */
export function constantColumn(type: SqlType, datum: Datum, length: number): Column {
  if (datum === null || length === 0) return nullColumn(type, length);
  const head = { type, length, validity: null } as const;
  switch (carrierOf(type)) {
    case "int32":
      return { kind: "fixed", ...head, values: new Int32Array(length).fill(Number(datum)) };
    case "double":
      return { kind: "fixed", ...head, values: new Float64Array(length).fill(datum as number) };
    case "int64":
      return {
        kind: "fixed",
        ...head,
        values: new BigInt64Array(length).fill(BigInt(datum as number | bigint)),
      };
    case "bool":
      return { kind: "bits", ...head, values: bits(datum === true, length) };
    case "string":
      return { kind: "utf8", ...head, ...repeated(datum as string, length) };
  }
}

function bits(value: boolean, length: number): Uint8Array {
  const values = new Uint8Array(bitmapBytes(length)).fill(value ? 255 : 0);
  clearTail(values, length);
  return values;
}

function repeated(text: string, length: number): { offsets: Int32Array; data: Uint8Array } {
  const bytes = utf8Length(text);
  const offsets = new Int32Array(length + 1);
  const data = new Uint8Array(bytes * length);
  if (bytes > 0) encoder.encodeInto(text, data);
  for (let row = 1; row <= length; row++) offsets[row] = row * bytes;
  // What is there is doubled until all of it is.
  for (let filled = bytes; filled < data.length; filled *= 2) data.copyWithin(filled, 0, filled);
  return { offsets, data };
}

/** A value that says nothing, for a column that may have no null and that nobody reads. */
export function emptyDatum(type: SqlType): Datum {
  switch (carrierOf(type)) {
    case "int32":
    case "double":
      return 0;
    case "int64":
      return 0n;
    case "bool":
      return false;
    case "string":
      return "";
  }
}
