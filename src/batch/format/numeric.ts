/**
 * numeric as text and as a scaled integer.
 *
 * Canonical text is what PostgreSQL prints: an optional "-", at least one digit before the point without leading zeros, and
 * as many digits after it as the value's display scale; or NaN, Infinity, -Infinity. Zero has no sign.
 *
 * numeric(p, s) rounds half away from zero to s digits and then must stay below 10^(p-s). With p <= 18 it is also an *unscaled*
 * int64, the value times 10^s; NaN has no place there and is refused.
 */
import { EvertError } from "../../base/errors.ts";
import type { SqlType } from "../types.ts";
import { badSyntax, trimSpace } from "./integer.ts";

/** PostgreSQL's limits of an unconstrained numeric: digits before and after the point. */
const WHOLE_DIGITS_MAX = 131_072;
const FRACTION_DIGITS_MAX = 16_383;

const plainForm = /^-?(?:0|[1-9]\d*)(?:\.\d+)?$/;
const digitRun = "\\d+(?:_\\d+)*";
const decimalForm = new RegExp(
  `^([+-]?)(?:(${digitRun})(?:\\.(${digitRun})?)?|\\.(${digitRun}))(?:[eE]([+-]?${digitRun}))?$`,
);
const baseForm = /^([+-]?)(0[xX](?:_?[0-9a-fA-F])+|0[oO](?:_?[0-7])+|0[bB](?:_?[01])+)$/;

/** Any of PostgreSQL's input forms as canonical text, rounded to `type`'s precision and scale when it has them. */
export function parseNumeric(text: string, type: SqlType = { name: "numeric" }): string {
  const canonical = canonicalNumeric(text);
  return type.precision === undefined
    ? canonical
    : constrainNumeric(canonical, type.precision, type.scale ?? 0);
}

/** Canonical text rounded to (precision, scale). @throws numeric field overflow (22003). */
export function constrainNumeric(canonical: string, precision: number, scale: number): string {
  if (canonical === "NaN") return canonical;
  return unscaledToText(round(canonical, precision, scale), scale);
}

/** The value times 10^scale, for numeric(p <= 18, s). @throws numeric field overflow (22003), or NaN refused. */
export function numericToUnscaled(text: string, scale: number, precision: number): bigint {
  const canonical = canonicalNumeric(text);
  if (canonical === "NaN") {
    throw new EvertError("feature_not_supported", `NaN cannot be stored in numeric(${precision},${scale})`, {
      detail: "A numeric of 18 digits or fewer is kept as a scaled integer.",
      hint: "Declare the column as numeric without precision.",
    });
  }
  return round(canonical, precision, scale);
}

/**
 * As numericToUnscaled, for a double: the shortest decimal that reads back as it is what counts, so 1.005 rounds to 1.01.
 * A number while that is safe.
 */
export function doubleToUnscaled(x: number, scale: number): number | null {
  const power = powersOfTen[scale];
  if (power === undefined) return null;
  // When the nearest scaled integer has at most 15 digits and divides back to x, it is the shortest decimal itself:
  // two decimals of 15 digits never share a double. Everything else takes the way over text.
  const unscaled = Math.round(x * power);
  return unscaled / power === x && Math.abs(unscaled) < 1e15 ? unscaled + 0 : null;
}

const powersOfTen = Array.from({ length: 19 }, (_, k) => 10 ** k);

/** Canonical text of an unscaled integer. */
export function unscaledToText(unscaled: bigint | number, scale: number): string {
  if (scale === 0) return unscaled === 0 ? "0" : String(unscaled);
  const text = String(unscaled);
  const negative = text.startsWith("-");
  const digits = (negative ? text.slice(1) : text).padStart(scale + 1, "0");
  const point = digits.length - scale;
  return `${negative ? "-" : ""}${digits.slice(0, point)}.${digits.slice(point)}`;
}

function round(canonical: string, precision: number, scale: number): bigint {
  if (canonical.endsWith("Infinity")) {
    throw fieldOverflow(`A field with precision ${precision}, scale ${scale} cannot hold an infinite value.`);
  }
  const negative = canonical.startsWith("-");
  const digits = negative ? canonical.slice(1) : canonical;
  const point = digits.indexOf(".");
  const whole = point < 0 ? digits : digits.slice(0, point);
  const fraction = point < 0 ? "" : digits.slice(point + 1);
  let unscaled = BigInt(whole + fraction.slice(0, scale).padEnd(scale, "0"));
  if (fraction.length > scale && fraction.charCodeAt(scale) >= 0x35) unscaled += 1n;
  if (unscaled >= 10n ** BigInt(precision)) {
    const room = precision - scale;
    const bound = room === 0 ? "1" : `10^${room}`;
    throw fieldOverflow(
      `A field with precision ${precision}, scale ${scale} must round to an absolute value less than ${bound}.`,
    );
  }
  return negative ? -unscaled : unscaled;
}

function fieldOverflow(detail: string): EvertError {
  return new EvertError("numeric_value_out_of_range", "numeric field overflow", { detail });
}

function canonicalNumeric(text: string): string {
  // most values are canonical already; the short bound keeps them clear of every limit
  if (text.length <= 1000 && plainForm.test(text)) return withoutZeroSign(text);
  const trimmed = trimSpace(text);
  const decimal = decimalForm.exec(trimmed);
  if (decimal !== null) {
    const [, sign = "", whole = "", fractionAfter = "", fractionAlone = "", power = "0"] = decimal;
    return expand(sign, plain(whole), plain(fractionAfter + fractionAlone), plain(power));
  }
  const based = baseForm.exec(trimmed);
  if (based !== null) {
    const digits = String(BigInt(plain(based[2] as string)));
    if (digits.length > WHOLE_DIGITS_MAX) throw formatOverflow();
    return withoutZeroSign((based[1] === "-" ? "-" : "") + digits);
  }
  return specialValue(trimmed) ?? refuse(text);
}

function plain(digits: string): string {
  return digits.includes("_") ? digits.replaceAll("_", "") : digits;
}

/** sign whole.fraction * 10^power, written out. */
function expand(sign: string, whole: string, fraction: string, powerText: string): string {
  const power = Number(powerText);
  // no digit string that fits in memory brings such a power back into range, and zeros with it are refused as well
  if (Math.abs(power) >= 2 ** 30) throw formatOverflow();
  const scale = Math.max(0, fraction.length - power);
  if (scale > FRACTION_DIGITS_MAX) throw formatOverflow();

  const digits = whole + fraction;
  const leadingZeros = /^0*/.exec(digits)?.[0].length ?? 0;
  if (leadingZeros === digits.length) return scale === 0 ? "0" : `0.${"0".repeat(scale)}`;
  const wholeDigits = whole.length + power - leadingZeros;
  if (wholeDigits > WHOLE_DIGITS_MAX) throw formatOverflow();

  const significant = digits.slice(leadingZeros);
  const minus = sign === "-" ? "-" : "";
  if (wholeDigits <= 0) return `${minus}0.${"0".repeat(-wholeDigits)}${significant}`;
  const wholePart = significant.slice(0, wholeDigits).padEnd(wholeDigits, "0");
  return scale === 0 ? minus + wholePart : `${minus}${wholePart}.${significant.slice(wholeDigits)}`;
}

function specialValue(trimmed: string): string | null {
  switch (trimmed.toLowerCase()) {
    case "nan":
      return "NaN";
    case "infinity":
    case "+infinity":
    case "inf":
    case "+inf":
      return "Infinity";
    case "-infinity":
    case "-inf":
      return "-Infinity";
    default:
      return null;
  }
}

function withoutZeroSign(canonical: string): string {
  return canonical.charCodeAt(0) === 0x2d && !/[1-9]/.test(canonical) ? canonical.slice(1) : canonical;
}

function formatOverflow(): EvertError {
  return new EvertError("numeric_value_out_of_range", "value overflows numeric format");
}

function refuse(text: string): never {
  throw badSyntax(text, "numeric");
}
