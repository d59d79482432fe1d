/**
 * Values of the outside (TypeScript and JSON) to values of a type and back. The one place that knows the rules; the builder's
 * columns repeat only the fast cases.
 *
 * | type        | taken                                                                    |
 * |-------------|--------------------------------------------------------------------------|
 * | int4        | an integral number or bigint                                             |
 * | int8        | a safe integral number, a bigint, a string of decimal digits             |
 * | float8      | any number, a bigint, "NaN", "Infinity", "-Infinity"                     |
 * | numeric     | a string, a bigint, a number (its shortest decimal), rounded to the scale |
 * | bool        | true, false                                                              |
 * | text        | a string without U+0000 and lone surrogates                              |
 * | timestamptz | an ISO 8601 string, a Date                                               |
 * | jsonb       | anything JSON can say                                                    |
 *
 * A JsonNumber (a number of a JSON text that no double keeps) is taken wherever a number is.
 */
import { EvertError } from "../base/errors.ts";
import { plainDecimal } from "./format/float8.ts";
import { parseInt8 } from "./format/integer.ts";
import { doubleToUnscaled, numericToUnscaled, parseNumeric, unscaledToText } from "./format/numeric.ts";
import { formatTimestamptzJson, parseTimestamptzLoose, timestamptzFromMillis } from "./format/timestamptz.ts";
import { canonicalJson, checkText } from "./jsonb.ts";
import { JsonNumber } from "./lossless-json.ts";
import { isSmallNumeric, type SqlType, typeToString } from "./types.ts";
import { describe, prefixPath, ValueError } from "./value-error.ts";

/**
 * A value inside: int4, float8 number; bool boolean; int8, timestamptz (microseconds), small numeric (unscaled) bigint; text, jsonb
 * (canonical JSON), unconstrained numeric (canonical text) string. Where a bigint is expected, functions here take a safe number as well.
 */
export type Datum = number | bigint | boolean | string | null;

/** The value's Datum; null and undefined are null. @throws EvertError whose message begins with `path`. */
export function datumFromJson(type: SqlType, value: unknown, path = ""): Datum {
  if (value === null || value === undefined) return null;
  try {
    switch (type.name) {
      case "int4":
        return toInt4(value);
      case "int8":
        return BigInt(toInt8(value));
      case "float8":
        return toFloat8(value);
      case "numeric":
        return isSmallNumeric(type) ? BigInt(toUnscaled(value, type)) : toNumeric(value, type);
      case "bool":
        return toBool(value);
      case "text":
        return toText(value);
      case "timestamptz":
        return BigInt(toTimestamptz(value));
      case "jsonb":
        return canonicalJson(value);
    }
  } catch (error) {
    throw prefixPath(error, path);
  }
}

/** The value in TypeScript form (the table in types.ts). */
export function datumToValue(type: SqlType, datum: Datum): unknown {
  if (datum === null) return null;
  switch (type.name) {
    case "int4":
    case "float8":
    case "bool":
    case "text":
      return datum;
    case "int8":
      return safeNumber(datum as number | bigint);
    case "numeric":
      return isSmallNumeric(type) ? unscaledToText(datum as number | bigint, type.scale ?? 0) : datum;
    case "timestamptz":
      return formatTimestamptzJson(datum as number | bigint);
    case "jsonb":
      return JSON.parse(datum as string);
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
