/** Values of one type of a writer's as values of one type of a column. */
import { decodeUtf8Strict } from "../../base/bytes.ts";
import { EvertError, toEvertError } from "../../base/errors.ts";
import { safeNumber } from "../../batch/convert.ts";
import type { Datum } from "../../batch/datum.ts";
import { constrainNumeric, unscaledToText } from "../../batch/format/numeric.ts";
import {
  bytesToHex,
  checkedDay,
  checkTime,
  checkTimestamptz,
  fitText,
  formatArray,
  listOf,
} from "../../batch/format.ts";
import { datumFromText, datumToText } from "../../batch/text-form.ts";
import { isSmallNumeric, type SqlType, typeToString } from "../../batch/types.ts";
import type { Utf8Builder } from "../../batch/utf8-builder.ts";
import { prefixPath } from "../../batch/value-error.ts";
import { type Cursor, malformed } from "./cursor.ts";
import { takesNoBytes } from "./skip.ts";
import type { AvroNode } from "./writer-schema.ts";

/** The value as it lies in a column; integers of 64 bits as numbers where that is safe. */
export type ValueReader = (cursor: Cursor) => Exclude<Datum, null>;

/** Items of an array that take no bytes, nulls, are counted. */
const EMPTY_ITEMS_MAX = 65_536;
/** About as many digits as a numeric has. */
const DECIMAL_BYTES_MAX = 512;

/** Reads the writer's values as the type's, or says why there is no such reading. `doubt`: what single values will be refused for. */
export function valueReader(
  writer: AvroNode,
  type: SqlType,
  doubt: (reason: string) => void,
): ValueReader | string {
  const no = `${words(writer)} cannot become ${typeToString(type)}`;
  const { kind } = writer;
  const logical = "logical" in writer ? (writer.logical?.name ?? null) : null;
  // A decimal's bytes are a number: as text or as bytes they would mean nothing to anybody.
  const isText = (kind === "string" || kind === "bytes") && logical !== "decimal";
  switch (type.name) {
    case "int2":
      return kind === "int" ? (cursor) => int2(cursor.int()) : no;
    case "int4":
      return kind === "int" ? (cursor) => cursor.int() : no;
    case "int8":
      return kind === "int" || kind === "long" ? (cursor) => cursor.long() : no;
    case "float4":
      if (kind === "float") return (cursor) => cursor.float();
      return kind === "int" || kind === "long" ? (cursor) => Math.fround(Number(cursor.long())) : no;
    case "float8":
      if (kind === "double") return (cursor) => cursor.double();
      if (kind === "float") return (cursor) => cursor.float();
      return kind === "int" || kind === "long" ? (cursor) => Number(cursor.long()) : no;
    case "bool":
      return kind === "boolean" ? (cursor) => cursor.bool() : no;
    case "text":
      return isText ? textOf : no;
    case "varchar":
    case "bpchar":
      return isText ? (cursor) => fitText(textOf(cursor), type.length, type.name === "bpchar") : no;
    case "json":
    case "jsonb":
      return isText ? (cursor) => datumFromText(type, textOf(cursor)) : no;
    case "bytea":
      return isText ? (cursor) => bytesToHex(bytesOf(cursor)) : no;
    case "uuid":
      if (kind === "fixed" && writer.size === 16 && logical === "uuid")
        return (cursor) => uuidOf(fixedOf(cursor, 16));
      return isText ? (cursor) => datumFromText(type, textOf(cursor)) : no;
    case "date":
      return kind === "int" && (logical === "date" || logical === null)
        ? (cursor) => checkedDay(cursor.int())
        : no;
    case "time":
      if (kind === "int" && logical === "time-millis") return (cursor) => checkTime(cursor.int() * 1000);
      if (kind === "int" && logical !== null) return no;
      return (kind === "long" || kind === "int") && (logical === "time-micros" || logical === null)
        ? (cursor) => checkTime(Number(cursor.long()))
        : no;
    case "timestamp":
    case "timestamptz":
      return timestampReader(kind, logical) ?? no;
    case "numeric":
      return decimalReader(writer, type, doubt) ?? no;
    case "enum":
      return kind === "enum" ? labelReader(writer.symbols, type, doubt) : no;
    case "array":
      return kind === "array" ? arrayReader(writer.items, type.element as SqlType, doubt) : no;
    case "interval":
    case "jsonpath":
    case "record":
      return no;
  }
}

/** What a value is refused with when it comes. */
export function reject(error: EvertError): never {
  throw error;
}

function words(writer: AvroNode): string {
  const logical = "logical" in writer ? writer.logical : null;
  if (logical === null) return writer.kind;
  const digits = logical.name === "decimal" ? `(${logical.precision}, ${logical.scale})` : "";
  return `${writer.kind} of ${logical.name}${digits}`;
}

function int2(value: number): number {
  if (value >= -32_768 && value <= 32_767) return value;
  throw new EvertError("numeric_value_out_of_range", `${value} is out of range for type smallint`);
}

// ---- text and bytes ---------------------------------------------------------------------------------------------

/** A text into its column: most are copied as they are. */
export function readText(cursor: Cursor, column: Utf8Builder): void {
  const from = cursor.measured();
  const { bytes, at: to } = cursor;
  let isPlain = true;
  for (let i = from; i < to; i++) {
    const byte = bytes[i] as number;
    // NUL, or more than ASCII.
    if (((byte - 1) & 0xff) > 0x7e) {
      isPlain = false;
      break;
    }
  }
  if (isPlain) column.pushBytes(bytes, from, to);
  else column.push(checked(bytes, from, to));
}

function textOf(cursor: Cursor): string {
  const from = cursor.measured();
  return checked(cursor.bytes, from, cursor.at);
}

function checked(bytes: Uint8Array, from: number, to: number): string {
  const text = decodeUtf8Strict(bytes, from, to);
  if (text === null)
    throw new EvertError("untranslatable_character", "the text is not valid UTF-8", { sqlstate: "22021" });
  if (text.includes("\0")) throw new EvertError("untranslatable_character", "text cannot hold U+0000");
  return text;
}

function bytesOf(cursor: Cursor): Uint8Array {
  const from = cursor.measured();
  return cursor.bytes.subarray(from, cursor.at);
}

function fixedOf(cursor: Cursor, size: number): Uint8Array {
  const from = cursor.fixed(size);
  return cursor.bytes.subarray(from, from + size);
}

function uuidOf(bytes: Uint8Array): string {
  const hex = bytesToHex(bytes).slice(2);
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

// ---- times ------------------------------------------------------------------------------------------------------

function timestampReader(kind: AvroNode["kind"], logical: string | null): ValueReader | null {
  if (kind !== "long" && !(kind === "int" && logical === null)) return null;
  switch (logical) {
    case null:
    case "timestamp-micros":
    case "local-timestamp-micros":
      return (cursor) => instant(cursor.long());
    case "timestamp-millis":
    case "local-timestamp-millis":
      return (cursor) => {
        const ms = cursor.long();
        const us = Number(ms) * 1000;
        return Number.isSafeInteger(us) ? instant(us) : instant(BigInt(ms) * 1000n);
      };
  }
  return null;
}

/** Most are in range whatever the calendar says. */
const US_SURE_MAX = 4e15;

function instant(us: number | bigint): number | bigint {
  if (typeof us === "number" && us < US_SURE_MAX && us > -US_SURE_MAX) return us;
  return safeNumber(checkTimestamptz(BigInt(us)));
}

// ---- decimals ---------------------------------------------------------------------------------------------------

function decimalReader(writer: AvroNode, type: SqlType, doubt: (reason: string) => void): ValueReader | null {
  if (writer.kind !== "bytes" && writer.kind !== "fixed") return null;
  const { logical } = writer;
  const { precision, scale = 0 } = type;
  if (logical?.name !== "decimal" || precision === undefined || logical.scale > scale) return null;
  if (logical.precision - logical.scale > precision - scale)
    doubt(`${words(writer)} has more digits before the point than ${typeToString(type)}`);
  const size = writer.kind === "fixed" ? writer.size : null;
  const factor = 10n ** BigInt(scale - logical.scale);
  const limit = 10n ** BigInt(precision);
  const small = isSmallNumeric(type);
  return (cursor) => {
    const bytes = size === null ? bytesOf(cursor) : fixedOf(cursor, size);
    if (bytes.length > DECIMAL_BYTES_MAX) throw malformed(`a decimal of ${bytes.length} bytes`);
    const unscaled = integerOf(bytes) * factor;
    if (unscaled >= limit || unscaled <= -limit) {
      throw new EvertError("numeric_value_out_of_range", "numeric field overflow", {
        detail: `A field with precision ${precision}, scale ${scale} must round to an absolute value less than 10^${precision - scale}.`,
      });
    }
    return small ? safeNumber(unscaled) : constrainNumeric(unscaledToText(unscaled, scale), precision, scale);
  };
}

/** Two's complement, the first byte first. */
function integerOf(bytes: Uint8Array): bigint {
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  return ((bytes[0] ?? 0) & 0x80) === 0 ? value : value - (1n << BigInt(8 * bytes.length));
}

// ---- enums and arrays -------------------------------------------------------------------------------------------

function labelReader(
  symbols: readonly string[],
  type: SqlType,
  doubt: (reason: string) => void,
): ValueReader | string {
  const numbers = symbols.map((symbol) => (type.labels ?? []).indexOf(symbol));
  const unknown = symbols.filter((_, i) => numbers[i] === -1);
  if (unknown.length === symbols.length) return `${typeToString(type)} has none of the writer's symbols`;
  if (unknown.length > 0)
    doubt(`${typeToString(type)} has no label ${unknown.map((s) => JSON.stringify(s)).join(", ")}`);
  return (cursor) => {
    const index = cursor.choice(symbols.length, "symbols");
    const number = numbers[index] as number;
    if (number >= 0) return number;
    throw new EvertError(
      "invalid_text_representation",
      `invalid input value for enum ${typeToString(type)}: ${JSON.stringify(symbols[index])}`,
    );
  };
}

function arrayReader(
  items: AvroNode,
  element: SqlType,
  doubt: (reason: string) => void,
): ValueReader | string {
  const read = itemReader(items, element, doubt);
  if (typeof read === "string") return read;
  const emptyMax = takesNoBytes(items) ? EMPTY_ITEMS_MAX : null;
  return (cursor) => {
    const texts: (string | null)[] = [];
    for (;;) {
      const count = cursor.block(emptyMax);
      if (count === 0) return formatArray(listOf(texts));
      cursor.spend(count);
      if (emptyMax !== null && texts.length + count > emptyMax) throw malformed("an array of too many nulls");
      for (let i = 0; i < count; i++) {
        try {
          const item = read(cursor);
          texts.push(item === null ? null : datumToText(element, item));
        } catch (error) {
          throw prefixPath(toEvertError(error), `[${texts.length}]`);
        }
      }
    }
  };
}

/** Items may be null. */
function itemReader(
  writer: AvroNode,
  element: SqlType,
  doubt: (reason: string) => void,
): ((cursor: Cursor) => Datum) | string {
  if (writer.kind === "null") return () => null;
  if (writer.kind !== "union") {
    return valueReader(writer, element, doubt);
  }
  const reasons: string[] = [];
  const branches = writer.branches.map((branch) => {
    const read = itemReader(branch, element, doubt);
    if (typeof read !== "string") return read;
    reasons.push(read);
    return () => reject(new EvertError("datatype_mismatch", read));
  });
  if (reasons.length === branches.length) return reasons.join(", ") || "a union of nothing has no value";
  reasons.forEach(doubt);
  return (cursor) =>
    (branches[cursor.choice(branches.length, "branches")] as (cursor: Cursor) => Datum)(cursor);
}
