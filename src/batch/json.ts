/**
 * Values and rows as JSON, as PostgreSQL's to_jsonb prints it. From columns or from single values, without an object per row.
 *
 * JSON.stringify escapes strings exactly as PostgreSQL does in jsonb: \" \\ \b \f \n \r \t, \u00xx for the other
 * control characters, everything else as it is.
 */
import { assert } from "../base/assert.ts";
import type { Batch, Column } from "./batch.ts";
import { getBit } from "./bitmap.ts";
import { datumAt, textAt } from "./column.ts";
import { type Datum, datumToValue, safeNumber } from "./convert.ts";
import { nestArray, parseArray } from "./format/array.ts";
import { formatDate, formatTime } from "./format/datetime.ts";
import { formatFloat4Json } from "./format/float4.ts";
import { formatFloat8Json } from "./format/float8.ts";
import { unscaledToText } from "./format/numeric.ts";
import { parseRecord } from "./format/record.ts";
import { formatTimestampJson, formatTimestamptzJson } from "./format/timestamptz.ts";
import type { Schema } from "./schema.ts";
import { datumFromText, labelOf } from "./text-form.ts";
import { isSmallNumeric, type SqlType } from "./types.ts";

/** The JSON text of a value. What a bigint carries may come as a safe number too. */
export function valueToJson(type: SqlType, datum: Datum): string {
  if (datum === null) return "null";
  switch (type.name) {
    case "int2":
    case "int4":
    case "int8":
    case "bool":
      return String(datum);
    case "float4":
      return formatFloat4Json(datum as number);
    case "float8":
      return formatFloat8Json(datum as number);
    case "numeric":
      return isSmallNumeric(type)
        ? unscaledToText(datum as number | bigint, type.scale ?? 0)
        : numericToJson(datum as string);
    case "text":
    case "varchar":
    case "bpchar":
    case "bytea":
      return JSON.stringify(datum);
    case "uuid":
    case "interval":
      return `"${datum as string}"`;
    case "date":
      return `"${formatDate(datum as number)}"`;
    case "time":
      return `"${formatTime(datum as number | bigint)}"`;
    case "timestamp":
      return `"${formatTimestampJson(datum as number | bigint)}"`;
    case "timestamptz":
      return `"${formatTimestamptzJson(datum as number | bigint)}"`;
    case "enum":
      return JSON.stringify(labelOf(type, datum as number));
    case "json":
      // A line break can only stand between tokens, and a row is a line.
      return (datum as string).replace(/[\n\r]+/g, " ");
    case "jsonb":
      return datum as string;
    case "jsonpath":
      return JSON.stringify(datum);
    case "array":
      return arrayToJson(type.element!, datum as string, (element, item) =>
        valueToJson(element, datumFromText(element, item)),
      );
    case "record":
      return recordToJson(type, datum as string, (field, item) =>
        valueToJson(field, datumFromText(field, item)),
      );
  }
}

/** The array's items, each as `written` has it. */
export function arrayToJson(
  element: SqlType,
  text: string,
  written: (type: SqlType, item: string) => string,
): string {
  const write = (item: string | null): string => (item === null ? "null" : written(element, item));
  const joined = (part: unknown): string =>
    Array.isArray(part) ? `[${part.map(joined).join(",")}]` : (part as string);
  return joined(nestArray(parseArray(text), write));
}

/** The object of a row's fields. `between`: what stands after a comma. */
export function recordToJson(
  { fields }: SqlType,
  text: string,
  write: (type: SqlType, item: string) => string,
  between = "",
): string {
  const items = parseRecord(text, fields!.length);
  const members = fields!.map(({ name, type }, i) => {
    const item = items[i]!;
    return `${JSON.stringify(name)}:${item === null ? "null" : write(type, item)}`;
  });
  return `{${members.join(`,${between}`)}}`;
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
