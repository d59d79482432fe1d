/**
 * JSON text to values without losing digits.
 *
 * JSON.parse turns every number into a double, and 9007199254740993 becomes ...992 before anybody can refuse it. Here an integer beyond
 * the safe range comes as a bigint, and any other number whose digits a double does not keep comes as a JsonNumber.
 * A text without such digits (one scan tells) takes JSON.parse as it is.
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
 * Whether a number of the text has sixteen digits, an exponent, or a fraction that ends in 0: the only places where digits
 * can be lost. Strings are passed over. (A loop: it costs a fifth of a regular expression, and of the parsing itself.)
 */
function mayLoseDigits(text: string): boolean {
  const { length } = text;
  let run = 0;
  let inFraction = false;
  for (let i = 0; i < length; i++) {
    const unit = text.charCodeAt(i);
    if (unit >= 0x30 && unit <= 0x39) {
      if (++run === 16) return true;
      continue;
    }
    if (run > 0) {
      if ((unit | 0x20) === 0x65) return true;
      if (inFraction && text.charCodeAt(i - 1) === 0x30) return true;
      inFraction = unit === 0x2e;
      if (inFraction) continue;
      run = 0;
    }
    if (unit === 0x22) {
      for (i++; i < length; i++) {
        const inside = text.charCodeAt(i);
        if (inside === 0x22) break;
        if (inside === 0x5c) i++;
      }
    }
  }
  return inFraction && text.endsWith("0");
}

/** @throws invalid_text_representation for what is not JSON, statement_too_complex for absurd nesting. */
export function parseJson(text: string): unknown {
  try {
    return mayLoseDigits(text) ? JSON.parse(text, keepDigits as Reviver) : JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) {
      throw new EvertError("invalid_text_representation", "invalid input syntax for type json", {
        detail: error.message,
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
