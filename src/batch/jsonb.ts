/**
 * jsonb as PostgreSQL prints it: the canonical text that columns of this type hold.
 *
 * `{"a": 1, "bb": [1.50, null]}`: a space after each colon and comma, keys ordered by length in bytes and then by bytes, the last of equal
 * keys kept, numbers without exponent and with the digits they were written with. Equal values have equal texts, but for trailing
 * zeros of numbers.
 */
import { isWellFormed, utf8Length } from "../base/bytes.ts";
import { EvertError } from "../base/errors.ts";
import { plainDecimal } from "./format/float8.ts";
import { parseNumeric } from "./format/numeric.ts";
import { JsonNumber, parseJson } from "./lossless-json.ts";
import { describe, ValueError } from "./value-error.ts";

export const JSON_DEPTH_MAX = 1000;

/** Canonical text of JSON text. */
export function parseJsonb(text: string): string {
  const value = parseJson(text);
  try {
    return canonicalJson(value);
  } catch (error) {
    // PostgreSQL has no character for \u0000 and calls half of a surrogate pair no JSON.
    if (!(error instanceof EvertError) || error.code !== "untranslatable_character" || hasNul(text))
      throw error;
    throw new EvertError("invalid_text_representation", "invalid input syntax for type json", {
      detail: error.detail,
      cause: error,
    });
  }
}

function hasNul(text: string): boolean {
  return /(?:^|[^\\])(?:\\\\)*\\u0000/.test(text);
}

/** The text itself, once it is known to be JSON: what a column of type json keeps. @throws invalid_text_representation */
export function checkJson(text: string): string {
  parseJson(text);
  return text;
}

/**
 * Canonical text of a JavaScript value, as JSON.stringify sees it: toJSON is called, properties without value are left out.
 * What JSON cannot say (NaN, functions, a Map) is refused.
 */
export function canonicalJson(value: unknown): string {
  return write(value, "", 0, JSONB);
}

/** The same for a column of type json, which orders nothing: members stand as they came, and numbers have the digits they were written with. */
export function plainJson(value: unknown): string {
  return write(value, "", 0, JSON_AS_IT_CAME);
}

/** How a type writes what a value leaves open. */
interface Form {
  readonly type: "json" | "jsonb";
  readonly comma: string;
  readonly colon: string;
  readonly isSorted: boolean;
  readonly number: (value: number) => string;
  readonly digits: (text: string) => string;
}

const JSONB: Form = {
  type: "jsonb",
  comma: ", ",
  colon: ": ",
  isSorted: true,
  number: plainDecimal,
  digits: parseNumeric,
};

const JSON_AS_IT_CAME: Form = {
  type: "json",
  comma: ",",
  colon: ":",
  isSorted: false,
  number: (value) => (Object.is(value, -0) ? "-0" : String(value)),
  digits: (text) => text,
};

function write(value: unknown, path: string, depth: number, form: Form): string {
  switch (typeof value) {
    case "string":
      return quoteJson(value, path);
    case "number":
      if (Number.isFinite(value)) return form.number(value);
      throw new ValueError("invalid_value", path, `${value} has no place in ${form.type}`);
    case "bigint":
    case "boolean":
      return String(value);
    case "object":
      return value === null ? "null" : writeObject(value, path, depth, form);
    case "undefined":
    case "function":
    case "symbol":
      throw new ValueError("datatype_mismatch", path, `expected a JSON value, got ${describe(value)}`);
  }
}

function writeObject(value: object, path: string, depth: number, form: Form): string {
  if (depth >= JSON_DEPTH_MAX) {
    throw new ValueError(
      "statement_too_complex",
      "",
      `${form.type} is nested more than ${JSON_DEPTH_MAX} levels deep`,
    );
  }
  if (Array.isArray(value)) {
    let text = "[";
    for (let i = 0; i < value.length; i++) {
      if (i > 0) text += form.comma;
      text += write(value[i] ?? null, `${path}[${i}]`, depth + 1, form);
    }
    return text + "]";
  }
  if (value instanceof JsonNumber) return form.digits(value.text);
  if ("toJSON" in value && typeof value.toJSON === "function")
    return write(value.toJSON(), path, depth + 1, form);
  if (
    value instanceof Map ||
    value instanceof Set ||
    value instanceof ArrayBuffer ||
    ArrayBuffer.isView(value)
  ) {
    throw new ValueError("datatype_mismatch", path, "expected a JSON value, got a collection or bytes", {
      hint: "Use plain objects and arrays.",
    });
  }
  return writeProperties(value as Record<string, unknown>, path, depth, form);
}

function writeProperties(value: Record<string, unknown>, path: string, depth: number, form: Form): string {
  const keys = Object.keys(value);
  if (form.isSorted && keys.length > 1) keys.sort(compareJsonKeys);
  let text = "{";
  for (const key of keys) {
    const property = value[key];
    if (property === undefined) continue;
    const place = path === "" ? key : `${path}.${key}`;
    text += `${text === "{" ? "" : form.comma}${quoteJson(key, path)}${form.colon}${write(property, place, depth + 1, form)}`;
  }
  return text + "}";
}

/** By length in bytes, then by bytes: as PostgreSQL keeps the keys of an object. */
export function compareJsonKeys(a: string, b: string): number {
  const byLength = utf8Length(a) - utf8Length(b);
  return byLength !== 0 ? byLength : compareCodePoints(a, b);
}

/** The order of UTF-8 bytes is the order of code points; that of UTF-16 units is not, above U+FFFF. */
function compareCodePoints(a: string, b: string): number {
  const shorter = Math.min(a.length, b.length);
  for (let i = 0; i < shorter; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return rank(x) - rank(y);
  }
  return a.length - b.length;
}

/** Surrogates stand for code points above all others. */
function rank(unit: number): number {
  return unit >= 0xd800 && unit < 0xe000 ? unit + 0x1_0000 : unit;
}

export function quoteJson(text: string, path: string): string {
  checkText(text, path);
  return JSON.stringify(text);
}

/** What no text of PostgreSQL may hold: NUL, and half of a surrogate pair. @throws untranslatable_character */
export function checkText(text: string, path: string): void {
  if (text.includes("\0")) {
    throw new ValueError("untranslatable_character", path, "text cannot hold the character U+0000");
  }
  if (!isWellFormed(text)) {
    throw new ValueError("untranslatable_character", path, "the text is not valid Unicode", {
      detail: "It holds half of a surrogate pair.",
    });
  }
}
