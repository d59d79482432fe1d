/** Values to and from PostgreSQL's text forms: what its output and input functions do, for every type. */
import { EvertError } from "../base/errors.ts";
import type { Datum } from "./datum.ts";
import { formatArray, parseArray } from "./format/array.ts";
import { parseBytea, parseUuid } from "./format/bytes.ts";
import { fitText } from "./format/characters.ts";
import { formatDate, formatTime, parseDate, parseTime } from "./format/datetime.ts";
import { formatFloat4, parseFloat4 } from "./format/float4.ts";
import { formatFloat8, parseFloat8 } from "./format/float8.ts";
import { formatBool, parseBool, parseInt2, parseInt4, parseInt8 } from "./format/integer.ts";
import { formatInterval, parseInterval } from "./format/interval.ts";
import { numericToUnscaled, parseNumeric, unscaledToText } from "./format/numeric.ts";
import { formatRecord, parseRecord } from "./format/record.ts";
import {
  formatTimestamp,
  formatTimestamptz,
  parseTimestamp,
  parseTimestamptz,
} from "./format/timestamptz.ts";
import { checkJson, parseJsonb } from "./jsonb.ts";
import { parsePath } from "./jsonpath/parse.ts";
import { printPath } from "./jsonpath/print.ts";
import { isSmallNumeric, type SqlType } from "./types.ts";

/** The value the type's input function reads. @throws EvertError with PostgreSQL's SQLSTATE */
export function datumFromText(type: SqlType, text: string): Exclude<Datum, null> {
  switch (type.name) {
    case "int2":
      return parseInt2(text);
    case "int4":
      return parseInt4(text);
    case "int8":
      return parseInt8(text);
    case "float4":
      return parseFloat4(text);
    case "float8":
      return parseFloat8(text);
    case "numeric":
      return isSmallNumeric(type)
        ? numericToUnscaled(text, type.scale ?? 0, type.precision!)
        : parseNumeric(text, type);
    case "bool":
      return parseBool(text);
    case "text":
      return text;
    case "varchar":
      return fitText(text, type.length, false);
    case "bpchar":
      return fitText(text, type.length, true);
    case "bytea":
      return parseBytea(text);
    case "uuid":
      return parseUuid(text);
    case "date":
      return parseDate(text);
    case "time":
      return BigInt(parseTime(text));
    case "timestamp":
      return parseTimestamp(text);
    case "timestamptz":
      return parseTimestamptz(text);
    case "interval":
      return formatInterval(parseInterval(text));
    case "json":
      return checkJson(text);
    case "jsonb":
      return parseJsonb(text);
    case "jsonpath":
      return printPath(parsePath(text));
    case "enum":
      return labelNumber(type, text);
    case "array":
      return canonicalArray(type.element!, text);
    case "record":
      return canonicalRecord(type, text);
  }
}

/** The text its output function prints; null for null. */
export function valueToText(type: SqlType, datum: Datum): string | null {
  return datum === null ? null : datumToText(type, datum);
}

export function datumToText(type: SqlType, datum: Exclude<Datum, null>): string {
  switch (type.name) {
    case "int2":
    case "int4":
    case "int8":
      return String(datum);
    case "bool":
      return formatBool(datum as boolean);
    case "float4":
      return formatFloat4(datum as number);
    case "float8":
      return formatFloat8(datum as number);
    case "numeric":
      return isSmallNumeric(type)
        ? unscaledToText(datum as number | bigint, type.scale ?? 0)
        : (datum as string);
    case "date":
      return formatDate(datum as number);
    case "time":
      return formatTime(datum as number | bigint);
    case "timestamp":
      return formatTimestamp(datum as number | bigint);
    case "timestamptz":
      return formatTimestamptz(datum as number | bigint);
    case "enum":
      return labelOf(type, datum as number);
    case "text":
    case "varchar":
    case "bpchar":
    case "bytea":
    case "uuid":
    case "interval":
    case "json":
    case "jsonb":
    case "jsonpath":
    case "array":
    case "record":
      return datum as string;
  }
}

/** @throws invalid_text_representation */
export function labelNumber(type: SqlType, label: string): number {
  const number = type.labels!.indexOf(label);
  if (number >= 0) return number;
  throw new EvertError(
    "invalid_text_representation",
    `invalid input value for enum ${type.enumName}: "${label}"`,
  );
}

export function labelOf(type: SqlType, number: number): string {
  return type.labels![number]!;
}

/** Its items as their type prints them. */
function canonicalArray(element: SqlType, text: string): string {
  const parts = parseArray(text);
  const items = parts.items.map((item) =>
    item === null ? null : datumToText(element, datumFromText(element, item)),
  );
  return formatArray({ ...parts, items });
}

/** Its fields as their types print them. */
function canonicalRecord(type: SqlType, text: string): string {
  const items = parseRecord(text, type.fields!.length);
  return formatRecord(
    items.map((item, i) => {
      const field = type.fields![i]!.type;
      return item === null ? null : datumToText(field, datumFromText(field, item));
    }),
  );
}
