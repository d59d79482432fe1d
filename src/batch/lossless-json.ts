/**
 * JSON text to values without losing digits.
 *
 * JSON.parse turns every number into a double, and 9007199254740993 becomes ...992 before anybody can refuse it. Here an integer beyond
 * the safe range comes as a bigint, and any other number whose digits a double does not keep comes as a JsonNumber.
 * A text without such numbers (one scan tells) takes JSON.parse as it is.
 */
import { EvertError } from "../base/errors.ts";
import { plainDecimal } from "./format/float8.ts";
import { parseNumeric } from "./format/numeric.ts";

/** A number that no double keeps, as it was written. */
export class JsonNumber {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  toString(): string {
    return this.text;
  }
}

/**
 * Whether a number of the text loses digits in a double. Only one that has sixteen digits, an exponent, or a fraction that ends in 0 can, and
 * of those most do not (the microseconds of a time, what another program printed): each is looked at on its own, because asking JSON.parse
 * for the sources of all numbers costs ten times the parsing. Strings are passed over. (A loop: it costs a fifth of a regular
 * expression, and of the parsing itself.)
 */
function losesDigits(text: string): boolean {
  const { length } = text;
  for (let i = 0; i < length; i++) {
    let unit = text.charCodeAt(i);
    if (unit === 0x22) {
      i = endOfString(text, i + 1);
      continue;
    }
    if (unit < 0x30 || unit > 0x39) continue;
    const from = i;
    let isInteger = true;
    for (; i < length; unit = text.charCodeAt(++i)) {
      if (unit >= 0x30 && unit <= 0x39) continue;
      if (unit !== 0x2e && (unit | 0x20) !== 0x65 && unit !== 0x2b && unit !== 0x2d) break;
      isInteger = false;
    }
    if (isInteger) {
      if (i - from >= 16 && !Number.isSafeInteger(Number(text.slice(from, i)))) return true;
    } else if (i - from > 16 || text.charCodeAt(i - 1) === 0x30 || hasExponent(text, from, i)) {
      const source = text.slice(from, i);
      if (String(Number(source)) !== source) return true;
    }
  }
  return false;
}

/** Index of the quote that ends the string. Short ones are gone through; the longer the rest, the better to leave it to indexOf. */
function endOfString(text: string, from: number): number {
  const { length } = text;
  const near = Math.min(length, from + 24);
  let i = from;
  for (; i < near; i++) {
    const unit = text.charCodeAt(i);
    if (unit === 0x22) return i;
    if (unit === 0x5c) i++;
  }
  for (;;) {
    const quote = text.indexOf('"', i);
    if (quote < 0) return length;
    let slashes = quote;
    while (slashes > i && text.charCodeAt(slashes - 1) === 0x5c) slashes--;
    if (((quote - slashes) & 1) === 0) return quote;
    i = quote + 1;
  }
}

function hasExponent(text: string, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if ((text.charCodeAt(i) | 0x20) === 0x65) return true;
  return false;
}

/** @throws invalid_text_representation for what is not JSON, statement_too_complex for absurd nesting. */
export function parseJson(text: string): unknown {
  try {
    return losesDigits(text) ? JSON.parse(text, keepDigits as Reviver) : JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) {
      throw new EvertError("invalid_text_representation", "invalid input syntax for type json", {
        // Of a line of many, "line 1" would be taken for its number.
        detail: text.includes("\n") ? error.message : error.message.replace(/ \(line 1 column \d+\)$/, ""),
        cause: error,
      });
    }
    if (error instanceof RangeError) {
      throw new EvertError("statement_too_complex", "the JSON value is nested too deeply", { cause: error });
    }
    throw error;
  }
}

type Reviver = (key: string, value: unknown) => unknown;

/** The third argument holds a primitive's source text (ECMAScript 2025); an engine without it leaves numbers as they are. */
function keepDigits(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  if (typeof value !== "number" || context?.source === undefined) return value;
  const source = context.source;
  if (/^-?\d+$/.test(source)) return Number.isSafeInteger(value) ? value : BigInt(source);
  if (String(value) === source) return value;
  if (Number.isFinite(value) && parseNumeric(source) === plainDecimal(value)) return value;
  return new JsonNumber(source);
}
