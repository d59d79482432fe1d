/**
 * PostgreSQL's text input of int2, int4, int8 and bool.
 *
 *   integer = space* sign? (digits | "0x" hex | "0o" octal | "0b" binary) space*
 *
 * "_" may stand between two digits, and right after a base prefix. As in PostgreSQL the range is checked while digits are read: what overflows is
 * out of range even when nonsense follows.
 */
import { EvertError } from "../../base/errors.ts";

const INT2_MIN = -(2 ** 15);
const INT2_MAX = 2 ** 15 - 1;
const INT4_MIN = -(2 ** 31);
const INT4_MAX = 2 ** 31 - 1;
const INT8_MIN = -(2n ** 63n);
const INT8_MAX = 2n ** 63n - 1n;

/** Longest run of decimal digits that is a safe integer whatever the digits are. */
const SAFE_DIGITS = 15;

export function parseInt2(text: string): number {
  const value = parseInteger(text, "smallint");
  if (value < INT2_MIN || value > INT2_MAX) throw outOfRange(text, "smallint");
  return Number(value);
}

export function parseInt4(text: string): number {
  const value = parseInteger(text, "integer");
  if (value < INT4_MIN || value > INT4_MAX) throw outOfRange(text, "integer");
  return Number(value);
}

export function parseInt8(text: string): bigint {
  return BigInt(parseInteger(text, "bigint"));
}

type IntegerName = "smallint" | "integer" | "bigint";

function parseInteger(text: string, typeName: IntegerName): number | bigint {
  return plainDigits(text) ?? (longDigits.test(text) ? wholeRange(text, typeName) : general(text, typeName));
}

const longDigits = /^-?\d{16,19}$/;

/** All of int8 has at most 19 digits: one conversion instead of one per digit. */
function wholeRange(text: string, typeName: IntegerName): bigint {
  const value = BigInt(text);
  if (value < INT8_MIN || value > INT8_MAX) throw outOfRange(text, typeName);
  return value;
}

/** The common form, a sign and up to 15 digits, without a bigint; null for every other. */
function plainDigits(text: string): number | null {
  const first = text.charCodeAt(0);
  const negative = first === 0x2d;
  const from = negative ? 1 : 0;
  const count = text.length - from;
  if (count < 1 || count > SAFE_DIGITS) return null;
  let value = 0;
  for (let i = from; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) return null;
    value = value * 10 + digit;
  }
  return negative && value !== 0 ? -value : value;
}

const ranges: Readonly<Record<IntegerName, readonly [bigint, bigint]>> = {
  smallint: [BigInt(INT2_MIN), BigInt(INT2_MAX)],
  integer: [BigInt(INT4_MIN), BigInt(INT4_MAX)],
  bigint: [INT8_MIN, INT8_MAX],
};

function general(text: string, typeName: IntegerName): bigint {
  let i = 0;
  while (isSpace(text.charCodeAt(i))) i++;
  const sign = text[i];
  const negative = sign === "-";
  if (sign === "-" || sign === "+") i++;

  const base = baseAt(text, i);
  if (base !== 10n) i += 2;
  let value = 0n;
  let digits = 0;
  for (; ; i++) {
    let unit = text.charCodeAt(i);
    if (unit === 0x5f) {
      // "_" needs a digit after it and, in a decimal, one before
      if (digits === 0 && base === 10n) throw badSyntax(text, typeName);
      unit = text.charCodeAt(++i);
      if (digitOf(unit) >= base) throw badSyntax(text, typeName);
    }
    const digit = digitOf(unit);
    if (digit >= base) break;
    value = value * base + digit;
    digits++;
    const signed = negative ? -value : value;
    const [least, most] = ranges[typeName];
    if (signed < least || signed > most) throw outOfRange(text, typeName);
  }
  if (digits === 0) throw badSyntax(text, typeName);
  while (isSpace(text.charCodeAt(i))) i++;
  if (i < text.length) throw badSyntax(text, typeName);
  return negative ? -value : value;
}

function baseAt(text: string, i: number): bigint {
  if (text[i] !== "0") return 10n;
  switch (text[i + 1]) {
    case "x":
    case "X":
      return 16n;
    case "o":
    case "O":
      return 8n;
    case "b":
    case "B":
      return 2n;
    default:
      return 10n;
  }
}

/** Value of a digit in any base up to 16; 99 for what is none. */
function digitOf(unit: number): bigint {
  if (unit >= 0x30 && unit <= 0x39) return BigInt(unit - 0x30);
  const letter = unit | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? BigInt(letter - 0x61 + 10) : 99n;
}

/** C's isspace(), which PostgreSQL's input functions use. */
export function isSpace(unit: number): boolean {
  return unit === 0x20 || (unit >= 0x09 && unit <= 0x0d);
}

/** Without C's white space at both ends (String.trim also takes Unicode's). */
export function trimSpace(text: string): string {
  let from = 0;
  let to = text.length;
  while (from < to && isSpace(text.charCodeAt(from))) from++;
  while (to > from && isSpace(text.charCodeAt(to - 1))) to--;
  return from === 0 && to === text.length ? text : text.slice(from, to);
}

const trueWords = ["true", "yes", "on", "1"];
const falseWords = ["false", "no", "off", "0"];

/** Unique prefixes of true, false, yes, no, and the words on, off, 1, 0, in any case. */
export function parseBool(text: string): boolean {
  const word = trimSpace(text).toLowerCase();
  if (word !== "" && word !== "o") {
    if (trueWords.some((full) => full.startsWith(word))) return true;
    if (falseWords.some((full) => full.startsWith(word))) return false;
  }
  throw badSyntax(text, "boolean");
}

export function formatBool(value: boolean): "t" | "f" {
  return value ? "t" : "f";
}

/** PostgreSQL's 22P02. */
export function badSyntax(text: string, typeName: string): EvertError {
  return new EvertError(
    "invalid_text_representation",
    `invalid input syntax for type ${typeName}: "${text}"`,
  );
}

/** PostgreSQL's 22003 of the integer types. */
export function outOfRange(text: string, typeName: string): EvertError {
  return new EvertError("numeric_value_out_of_range", `value "${text}" is out of range for type ${typeName}`);
}
