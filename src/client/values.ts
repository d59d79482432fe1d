/**
 * From the JSON of a message to the values of a row (the table stands in batch/types.ts), and from a key to the text it is
 * found by. The parsed objects belong to nobody else yet, so rows are converted in place.
 */
import type { ColumnMessage } from "../wire/http/messages.ts";
import { ExactNumber, plainJson } from "./json.ts";

export type ValueConverter = (value: unknown) => unknown;

/** Null: values of this type come out of JSON.parse as they should be. */
function converterOf({ type, labels }: Pick<ColumnMessage, "type" | "labels">): ValueConverter | null {
  if (labels !== undefined) return null;
  switch (type) {
    case "int8":
      return toInt8;
    case "float4":
    case "float8":
      return toFloat;
    case "numeric":
      return toNumeric;
    case "json":
    case "jsonb":
    case "record":
      return plainJson;
    case "int2":
    case "int4":
    case "oid":
    case "bool":
    case "text":
    case "varchar":
    case "bpchar":
    case "bytea":
    case "uuid":
    case "date":
    case "time":
    case "timestamp":
    case "timestamptz":
    case "interval":
    case "jsonpath":
      return null;
  }
  return type.startsWith("_") ? itemsOf(converterOf({ type: type.slice(1) })) : toPlain;
}

/** Of an array, whatever its dimensions: each item, in place. (The items of json[] are what they are: JSON.) */
function itemsOf(convert: ValueConverter | null): ValueConverter | null {
  if (convert === null || convert === plainJson) return convert;
  const items = (value: unknown): unknown => {
    if (!Array.isArray(value)) return value === null ? null : convert(value);
    for (let i = 0; i < value.length; i++) value[i] = items(value[i]);
    return value;
  };
  return items;
}

/** A number when it is safe to calculate with, else a bigint. */
function toInt8(value: unknown): unknown {
  if (typeof value === "number") return Number.isSafeInteger(value) ? value : BigInt(value);
  return value instanceof ExactNumber ? BigInt(value.text) : value;
}

function toFloat(value: unknown): unknown {
  if (typeof value === "string") return Number(value);
  return value instanceof ExactNumber ? Number(value.text) : value;
}

function toNumeric(value: unknown): unknown {
  if (typeof value === "number") return String(value);
  return value instanceof ExactNumber ? value.text : value;
}

/** An enum whose labels were not sent, or a type this client does not know: whatever its JSON says, without loss. */
function toPlain(value: unknown): unknown {
  return value instanceof ExactNumber ? value.text : value;
}

/** Whether messages with such columns must be parsed with all digits. */
export function needsDigits(columns: readonly ColumnMessage[]): boolean {
  return columns.some((c) => c.type === "numeric" || c.type === "_numeric");
}

/** The same of a message that has not been parsed. */
export function mayNeedDigits(text: string): boolean {
  return text.includes('"type":"numeric"') || text.includes('"type":"_numeric"');
}

export type RawRow = Record<string, unknown>;

/** Converts a row's values in place and gives it back. */
export function rowConverter(columns: readonly ColumnMessage[]): (row: RawRow) => RawRow {
  const names: string[] = [];
  const converters: ValueConverter[] = [];
  for (const column of columns) {
    const convert = converterOf(column);
    if (convert === null) continue;
    names.push(column.name);
    converters.push(convert);
  }
  return (row) => {
    for (let i = 0; i < names.length; i++) {
      const name = names[i]!;
      const value = row[name];
      if (value !== null && value !== undefined) row[name] = converters[i]!(value);
    }
    return row;
  };
}

/** Converts a row that is an array of values, in place. */
export function tupleConverter(columns: readonly ColumnMessage[]): (row: unknown[]) => unknown[] {
  const converters = columns.map(converterOf);
  return (row) => {
    for (let i = 0; i < converters.length; i++) {
      const convert = converters[i];
      if (convert && row[i] !== null) row[i] = convert(row[i]);
    }
    return row;
  };
}

/** Converts a key: the value of its column, or an array of the values of several. */
export function keyConverter(
  columns: readonly ColumnMessage[],
  key: readonly string[],
): (value: unknown) => unknown {
  const convert = tupleConverter(key.map((name) => columns.find((c) => c.name === name) as ColumnMessage));
  return key.length === 1 ? (value) => convert([value])[0] : (values) => convert(values as unknown[]);
}

/**
 * The text a key is found by: equal for equal keys however they came (a number, an int8 with all digits, a numeric with or
 * without zeros at its end), different for different ones.
 */
export function keyId(key: unknown, keyTypes: readonly string[]): string {
  if (!Array.isArray(key)) return keyPart(key, keyTypes[0]);
  if (key.length === 1) return keyPart(key[0], keyTypes[0]);
  return JSON.stringify(key.map((part, i) => keyPart(part, keyTypes[i])));
}

function keyPart(value: unknown, type: string | undefined): string {
  if (value instanceof ExactNumber)
    return type === "numeric" ? shortNumeric(value.text) : canonicalNumber(value.text, type);
  switch (typeof value) {
    case "string":
      return type === "numeric" ? shortNumeric(value) : `"${value}`;
    case "number":
      // -0 and 0 are one key.
      return String(value === 0 ? 0 : value);
    case "bigint":
    case "boolean":
      return String(value);
    default:
      return value === null || value === undefined ? "null" : JSON.stringify(plainJson(value));
  }
}

function canonicalNumber(text: string, type: string | undefined): string {
  return type === "float8" ? String(Number(text)) : text;
}

function shortNumeric(text: string): string {
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}
