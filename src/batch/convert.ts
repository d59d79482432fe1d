/**
 * Values of the outside (TypeScript and JSON) to values of a type and back. The one place that knows the rules; the builder's
 * columns repeat only the fast cases.
 *
 * | type        | taken                                                                    |
 * |-------------|--------------------------------------------------------------------------|
 * | int2, int4  | an integral number or bigint                                             |
 * | int8        | a safe integral number, a bigint, a string of decimal digits             |
 * | float4, float8 | any number, a bigint, "NaN", "Infinity", "-Infinity"                  |
 * | numeric     | a string, a bigint, a number (its shortest decimal), rounded to the scale |
 * | bool        | true, false                                                              |
 * | text        | a string without U+0000 and lone surrogates                              |
 * | timestamptz | an ISO 8601 string, a Date                                               |
 * | timestamp   | an ISO 8601 string, a Date (its UTC time)                                |
 * | varchar, bpchar | a string of the declared length or shorter                           |
 * | date, time, interval, uuid | a string in one of PostgreSQL's forms                     |
 * | bytea       | a Uint8Array, an ArrayBuffer, a string in hex or escape form             |
 * | enum        | one of its labels                                                        |
 * | json, jsonb | anything JSON can say                                                    |
 * | array       | an array (nested: sub-arrays of one length), PostgreSQL's text of one    |
 * | record      | an object of its fields, PostgreSQL's text of one                        |
 *
 * A JsonNumber (a number of a JSON text that no double keeps) is taken wherever a number is.
 */
import { EvertError } from "../base/errors.ts";
import type { Datum } from "./datum.ts";
import { ARRAY_DIMENSIONS_MAX, EMPTY_ARRAY, formatArray, nestArray, parseArray } from "./format/array.ts";
import { bytesToHex, parseBytea } from "./format/bytes.ts";
import { fitText } from "./format/characters.ts";
import { parseDate, parseTime } from "./format/datetime.ts";
import { plainDecimal } from "./format/float8.ts";
import { parseInt8 } from "./format/integer.ts";
import { doubleToUnscaled, numericToUnscaled, parseNumeric, unscaledToText } from "./format/numeric.ts";
import { formatRecord, parseRecord } from "./format/record.ts";
import {
  formatTimestampJson,
  formatTimestamptzJson,
  parseTimestampLoose,
  parseTimestamptzLoose,
  timestamptzFromMillis,
} from "./format/timestamptz.ts";
import { canonicalJson, checkText, plainJson } from "./jsonb.ts";
import { JsonNumber } from "./lossless-json.ts";
import { datumFromText, datumToText } from "./text-form.ts";
import { arrayOf, carrierOf, isSmallNumeric, type SqlType, typeToString } from "./types.ts";
import { describe, prefixPath, ValueError } from "./value-error.ts";

export type { Datum } from "./datum.ts";

/** The value's Datum; null and undefined are null. @throws EvertError whose message begins with `path`. */
export function datumFromJson(type: SqlType, value: unknown, path = ""): Datum {
  if (value === null || value === undefined) return null;
  try {
    return toDatum(type, value);
  } catch (error) {
    throw prefixPath(error, path);
  }
}

/** REQUIRES a value that is neither null nor undefined. */
export function toDatum(type: SqlType, value: unknown): Exclude<Datum, null> {
  const made = fromValue(type, value);
  return carrierOf(type) === "int64" ? BigInt(made as number | bigint) : made;
}

/** The same, but integers of 64 bits as a number where that is safe. */
export function fromValue(type: SqlType, value: unknown): Exclude<Datum, null> {
  if (value instanceof ExactValue) return value.datum;
  switch (type.name) {
    case "int2":
      return toInt2(value);
    case "int4":
      return toInt4(value);
    case "int8":
      return toInt8(value);
    case "float4":
      return toFloat4(value);
    case "float8":
      return toFloat8(value);
    case "numeric":
      return isSmallNumeric(type) ? toUnscaled(value, type) : toNumeric(value, type);
    case "bool":
      return toBool(value);
    case "text":
      return toText(value);
    case "varchar":
    case "bpchar":
      return fitText(toText(value), type.length, type.name === "bpchar");
    case "bytea":
      return toBytea(value);
    case "timestamptz":
      return toTimestamptz(value);
    case "timestamp":
      return value instanceof Date ? toTimestamptz(value) : parseTimestampLoose(textOf(value, "a timestamp"));
    case "date":
      return parseDate(textOf(value, "a date"));
    case "time":
      return parseTime(textOf(value, "a time"));
    case "uuid":
    case "interval":
    case "enum":
    case "jsonpath":
      return datumFromText(type, textOf(value, expectations[type.name]));
    case "json":
      return plainJson(value);
    case "jsonb":
      return canonicalJson(value);
    case "array":
      return toArray(type.element!, value);
    case "record":
      return toRecord(type, value);
  }
}

const expectations = {
  uuid: "a UUID",
  interval: "an interval",
  enum: "a label",
  jsonpath: "a jsonpath",
} as const;

function textOf(value: unknown, expected: string): string {
  if (typeof value === "string") {
    checkText(value, "");
    return value;
  }
  throw mismatch(`${expected} as a string`, value);
}

/** The value in TypeScript form (the table in types.ts). */
export function datumToValue(type: SqlType, datum: Datum): unknown {
  if (datum === null) return null;
  switch (type.name) {
    case "int2":
    case "int4":
    case "float4":
    case "float8":
    case "bool":
    case "text":
    case "varchar":
    case "bpchar":
    case "bytea":
    case "uuid":
    case "interval":
    case "jsonpath":
      return datum;
    case "int8":
      return safeNumber(datum as number | bigint);
    case "numeric":
      return isSmallNumeric(type) ? unscaledToText(datum as number | bigint, type.scale ?? 0) : datum;
    case "timestamptz":
      return formatTimestamptzJson(datum as number | bigint);
    case "timestamp":
      return formatTimestampJson(datum as number | bigint);
    case "date":
    case "time":
    case "enum":
      return datumToText(type, datum);
    case "json":
    case "jsonb":
      return JSON.parse(datum as string);
    case "array": {
      const element = type.element!;
      return nestArray(parseArray(datum as string), (item) =>
        item === null ? null : datumToValue(element, datumFromText(element, item)),
      );
    }
    case "record": {
      const items = parseRecord(datum as string, type.fields!.length);
      const values = type.fields!.map(({ name, type: field }, i): [string, unknown] => {
        const item = items[i]!;
        return [name, item === null ? null : datumToValue(field, datumFromText(field, item))];
      });
      return Object.fromEntries(values);
    }
  }
}

/** Of an object: its fields by name, those that it has not null. */
function toRecord(type: SqlType, value: unknown): string {
  if (typeof value === "string") return datumFromText(type, value) as string;
  if (typeof value !== "object" || Array.isArray(value)) throw mismatch("an object", value);
  const given = value as Readonly<Record<string, unknown>>;
  const items = type.fields!.map(({ name, type: field }) => {
    const item = Object.hasOwn(given, name) ? datumFromJson(field, given[name], `.${name}`) : null;
    return item === null ? null : datumToText(field, item);
  });
  return formatRecord(items);
}

/** A value that is right already: `fromValue` takes it as it is. */
export class ExactValue {
  readonly datum: Exclude<Datum, null>;

  constructor(datum: Exclude<Datum, null>) {
    this.datum = datum;
  }
}

/** For a record made inside: the TypeScript form, or the datum itself where that form keeps less (spaces and digits of JSON, bounds of an array). */
export function exactValue(type: SqlType, datum: Datum): unknown {
  if (datum === null) return null;
  switch (type.name) {
    case "json":
    case "jsonb":
    case "array":
      return new ExactValue(datum);
    default:
      return datumToValue(type, datum);
  }
}

/** A bigint as a number while that loses nothing. */
export function safeNumber(value: number | bigint): number | bigint {
  if (typeof value === "number") return value;
  return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;
}

const INT4_MIN = -(2 ** 31);
const INT4_MAX = 2 ** 31 - 1;
const INT8_MIN = -(2n ** 63n);
const INT8_MAX = 2n ** 63n - 1n;

export function toInt4(value: unknown): number {
  if (typeof value === "number" && (value | 0) === value) return value + 0; // + 0: no negative zero
  const integer = integral(value, "an integer");
  if (integer >= INT4_MIN && integer <= INT4_MAX) return Number(integer);
  throw new EvertError("numeric_value_out_of_range", `value "${integer}" is out of range for type integer`);
}

export function toInt2(value: unknown): number {
  const integer = typeof value === "number" && (value | 0) === value ? value : integral(value, "an integer");
  if (integer >= -32768 && integer <= 32767) return Number(integer) + 0;
  throw new EvertError("numeric_value_out_of_range", `value "${integer}" is out of range for type smallint`);
}

export function toInt8(value: unknown): number | bigint {
  if (typeof value === "number" && Number.isSafeInteger(value)) return value + 0;
  if (typeof value === "string") {
    if (/^[+-]?\d+$/.test(value)) return parseInt8(value);
    throw mismatch("an integer", value);
  }
  const integer = integral(value, "an integer");
  if (integer >= INT8_MIN && integer <= INT8_MAX) return integer;
  throw new EvertError("numeric_value_out_of_range", `value "${integer}" is out of range for type bigint`);
}

/** @throws for what is no integer, and for a number so large that its last digits are already lost. */
function integral(value: unknown, expected: string): number | bigint {
  if (typeof value === "bigint") return value;
  if (value instanceof JsonNumber) {
    const canonical = parseNumeric(value.text);
    const [whole = "", fraction = ""] = canonical.split(".");
    if (/^0*$/.test(fraction)) return BigInt(whole);
    throw mismatch(expected, value.text);
  }
  if (typeof value !== "number" || !Number.isInteger(value)) throw mismatch(expected, value);
  if (!Number.isSafeInteger(value)) {
    throw new EvertError(
      "numeric_value_out_of_range",
      `${value} is beyond the integers a number keeps exactly`,
      {
        hint: "Send it as a bigint or as a string of digits.",
      },
    );
  }
  return value;
}

export function toFloat8(value: unknown): number {
  if (typeof value === "number") return value;
  if (typeof value === "bigint" || value instanceof JsonNumber) {
    const double = Number(value instanceof JsonNumber ? value.text : value);
    if (Number.isFinite(double)) return double;
    throw new EvertError(
      "numeric_value_out_of_range",
      `"${value}" is out of range for type double precision`,
    );
  }
  if (value === "NaN") return Number.NaN;
  if (value === "Infinity") return Number.POSITIVE_INFINITY;
  if (value === "-Infinity") return Number.NEGATIVE_INFINITY;
  throw mismatch("a number", value);
}

/** The nearest float; a number of no float's size is refused. */
export function toFloat4(value: unknown): number {
  const double = toFloat8(value);
  const float = Math.fround(double);
  if (Number.isFinite(float) === Number.isFinite(double) && (float === 0) === (double === 0)) return float;
  if (Number.isNaN(double)) return double;
  throw new EvertError("numeric_value_out_of_range", `"${String(double)}" is out of range for type real`);
}

/** Canonical text, for a numeric of more than 18 digits or without precision. */
export function toNumeric(value: unknown, type: SqlType): string {
  return parseNumeric(numericText(value), type);
}

/** The unscaled integer, for a numeric of 18 digits or fewer. */
export function toUnscaled(value: unknown, type: SqlType): number | bigint {
  const scale = type.scale ?? 0;
  const precision = type.precision as number;
  if (typeof value === "number") {
    const unscaled = doubleToUnscaled(value, scale);
    if (unscaled !== null && Math.abs(unscaled) < 10 ** precision) return unscaled;
  }
  return safeNumber(numericToUnscaled(numericText(value), scale, precision));
}

function numericText(value: unknown): string {
  if (typeof value === "string") return value;
  if (typeof value === "number") return Number.isFinite(value) ? plainDecimal(value) : String(value);
  if (typeof value === "bigint" || value instanceof JsonNumber) return String(value);
  throw mismatch("a number or a decimal string", value);
}

export function toBool(value: unknown): boolean {
  if (typeof value === "boolean") return value;
  throw mismatch("true or false", value);
}

export function toText(value: unknown): string {
  if (typeof value !== "string") throw mismatch("a string", value);
  checkText(value, "");
  return value;
}

export function toTimestamptz(value: unknown): number | bigint {
  if (typeof value === "string") return parseTimestamptzLoose(value);
  if (value instanceof Date) {
    const ms = value.getTime();
    if (!Number.isNaN(ms)) return timestamptzFromMillis(ms);
    throw new EvertError("invalid_datetime", "the Date is invalid");
  }
  throw mismatch("a timestamp as an ISO 8601 string", value);
}

/** Hex form, from bytes or from either of PostgreSQL's text forms. */
export function toBytea(value: unknown): string {
  if (value instanceof Uint8Array) return bytesToHex(value);
  if (value instanceof ArrayBuffer) return bytesToHex(new Uint8Array(value));
  if (typeof value === "string") return parseBytea(value);
  throw mismatch("bytes or their hex form", value);
}

/** PostgreSQL's text of an array: from nested arrays, each of one length with its neighbours, or from that text. */
export function toArray(element: SqlType, value: unknown): string {
  if (typeof value === "string") return datumFromText(arrayOf(element), value) as string;
  if (!Array.isArray(value)) throw mismatch("an array", value);
  const dims: number[] = [];
  const items: (string | null)[] = [];
  // A JSON value may be an array itself, so there every array but the outermost is an item.
  const flat = element.name === "json" || element.name === "jsonb";
  const level = (list: readonly unknown[], depth: number, path: string): void => {
    if (depth >= ARRAY_DIMENSIONS_MAX) {
      throw new ValueError(
        "statement_too_complex",
        path,
        `an array has at most ${ARRAY_DIMENSIONS_MAX} dimensions`,
      );
    }
    if (dims.length === depth && items.length === 0) dims.push(list.length);
    else if (dims[depth] !== list.length) throw ragged(path);
    list.forEach((item: unknown, i) => {
      const place = `${path}[${i}]`;
      if (Array.isArray(item) && !flat) level(item, depth + 1, place);
      else if (depth !== dims.length - 1) throw ragged(place);
      else if (item === null || item === undefined) items.push(null);
      else {
        try {
          items.push(datumToText(element, fromValue(element, item)));
        } catch (error) {
          throw prefixPath(error, place);
        }
      }
    });
  };
  level(value, 0, "");
  return formatArray(items.length === 0 ? EMPTY_ARRAY : { dims, lower: dims.map(() => 1), items });
}

function ragged(path: string): ValueError {
  return new ValueError(
    "invalid_text_representation",
    path,
    "multidimensional arrays must have sub-arrays with matching dimensions",
  );
}

/** A null where none may be. */
export function nullRefused(column: string, isMissing: boolean): ValueError {
  return new ValueError(
    "not_null_violation",
    column,
    isMissing ? "a value is required, but the property is missing" : "a value is required, but it is null",
  );
}

export function typeMismatch(path: string, type: SqlType, other: SqlType): ValueError {
  return new ValueError(
    "datatype_mismatch",
    path,
    `expected ${typeToString(type)}, got ${typeToString(other)}`,
  );
}

function mismatch(expected: string, value: unknown): EvertError {
  return new EvertError("datatype_mismatch", `expected ${expected}, got ${describe(value)}`);
}
