/**
 * Values and rows as text: JSON as PostgreSQL's to_jsonb prints it, and PostgreSQL's text output. From columns or from single values, without
 * an object per row.
 *
 * JSON.stringify escapes strings exactly as PostgreSQL does in jsonb: \" \\ \b \f \n \r \t, \u00xx for the other
 * control characters, everything else as it is.
 */
import { assert } from "../base/assert.ts";
import type { Batch, Column } from "./batch.ts";
import { getBit } from "./bitmap.ts";
import { datumAt, textAt } from "./column.ts";
import { type Datum, datumToValue, safeNumber } from "./convert.ts";
import { formatFloat8, formatFloat8Json } from "./format/float8.ts";
import { formatBool } from "./format/integer.ts";
import { unscaledToText } from "./format/numeric.ts";
import { formatTimestamptz, formatTimestamptzJson } from "./format/timestamptz.ts";
import type { Schema } from "./schema.ts";
import { isSmallNumeric, type SqlType } from "./types.ts";

/** The JSON text of a value. int8, timestamptz and small numerics may come as safe numbers too. */
export function valueToJson(type: SqlType, datum: Datum): string {
  if (datum === null) return "null";
  switch (type.name) {
    case "int4":
    case "int8":
    case "bool":
      return String(datum);
    case "float8":
      return formatFloat8Json(datum as number);
    case "numeric":
      return isSmallNumeric(type)
        ? unscaledToText(datum as number | bigint, type.scale ?? 0)
        : numericToJson(datum as string);
    case "text":
      return JSON.stringify(datum);
    case "timestamptz":
      return `"${formatTimestamptzJson(datum as number | bigint)}"`;
    case "jsonb":
      return datum as string;
  }
}

/** PostgreSQL's text output; null for null. */
export function valueToText(type: SqlType, datum: Datum): string | null {
  if (datum === null) return null;
  switch (type.name) {
    case "int4":
    case "int8":
      return String(datum);
    case "bool":
      return formatBool(datum as boolean);
    case "float8":
      return formatFloat8(datum as number);
    case "numeric":
      return isSmallNumeric(type)
        ? unscaledToText(datum as number | bigint, type.scale ?? 0)
        : (datum as string);
    case "timestamptz":
      return formatTimestamptz(datum as number | bigint);
    case "text":
    case "jsonb":
      return datum as string;
  }
}

/** NaN and the infinities are strings in JSON. */
function numericToJson(canonical: string): string {
  const first = canonical.charCodeAt(canonical.charCodeAt(0) === 0x2d ? 1 : 0);
  return first > 0x39 ? `"${canonical}"` : canonical;
}

/** Writes row i of batches of one schema. Made once per schema, it keeps the names quoted. */
export interface RowJsonWriter {
  /** `{"a":1,"b":null}` */
  object(batch: Batch, i: number): string;
  /** `[1,null]` */
  array(batch: Batch, i: number): string;
  /** The object from values that stand elsewhere: `get(column)` as a Datum. */
  objectOf(get: (column: number) => Datum): string;
  /** The array, likewise. */
  arrayOf(get: (column: number) => Datum): string;
}

export function rowJsonWriter(schema: Schema, only?: readonly number[]): RowJsonWriter {
  const indexes = only ?? schema.fields.map((_, k) => k);
  const types = indexes.map((k) => schema.fields[k]!.type);
  const prefixes = indexes.map(
    (k, at) => `${at === 0 ? "{" : ","}${JSON.stringify(schema.fields[k]!.name)}:`,
  );
  const count = indexes.length;
  return {
    object(batch, i) {
      if (count === 0) return "{}";
      let text = "";
      for (let k = 0; k < count; k++) text += prefixes[k]! + columnToJson(batch.columns[indexes[k]!]!, i);
      return text + "}";
    },
    array(batch, i) {
      let text = "[";
      for (let k = 0; k < count; k++)
        text += (k === 0 ? "" : ",") + columnToJson(batch.columns[indexes[k]!]!, i);
      return text + "]";
    },
    objectOf(get) {
      if (count === 0) return "{}";
      let text = "";
      for (let k = 0; k < count; k++) text += prefixes[k]! + valueToJson(types[k]!, get(indexes[k]!));
      return text + "}";
    },
    arrayOf(get) {
      let text = "[";
      for (let k = 0; k < count; k++) text += (k === 0 ? "" : ",") + valueToJson(types[k]!, get(indexes[k]!));
      return text + "]";
    },
  };
}

/** The JSON text of row i. */
export function columnToJson(column: Column, i: number): string {
  if (column.validity !== null && !getBit(column.validity, i)) return "null";
  if (column.kind === "utf8" && column.type.name === "text") return JSON.stringify(textAt(column, i));
  return valueToJson(column.type, datumAt(column, i));
}

/** The row as an object in TypeScript form. */
export function rowToObject(schema: Schema, batch: Batch, i: number): Record<string, unknown> {
  assert(i >= 0 && i < batch.length, "the row lies in the batch");
  const row: Record<string, unknown> = {};
  for (let k = 0; k < schema.fields.length; k++) {
    const column = batch.columns[k]!;
    setProperty(row, schema.fields[k]!.name, columnValue(column, i));
  }
  return row;
}

/** Row i in TypeScript form. */
export function columnValue(column: Column, i: number): unknown {
  const datum = datumAt(column, i);
  return typeof datum === "bigint" && column.type.name === "int8"
    ? safeNumber(datum)
    : datumToValue(column.type, datum);
}

/** Assignment would call the setter that "__proto__" has on every object. */
export function setProperty(row: Record<string, unknown>, name: string, value: unknown): void {
  if (name === "__proto__") {
    Object.defineProperty(row, name, { value, enumerable: true, configurable: true, writable: true });
  } else {
    row[name] = value;
  }
}
