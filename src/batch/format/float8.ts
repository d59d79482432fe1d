/**
 * PostgreSQL's text forms of float8.
 *
 * Output is the shortest decimal that reads back as the same double. JavaScript's Number.prototype.toString finds the same
 * digits, with one exception: PostgreSQL never prints a decimal that lies exactly halfway between two doubles (a reader with sloppy
 * rounding might take the wrong one), so 1e23 prints as 9.999999999999999e+22. Such a decimal d * 10^k needs an odd part of 54 bits:
 * only possible for 2^53 <= |x| < 10^40, where the check is made in integers.
 *
 * Text output (float8out) is plain from 1e-4 up to below 1e15 and has an exponent of at least two digits elsewhere.
 * JSON output (to_jsonb) goes through numeric and is always plain.
 */
import { EvertError, notSupported } from "../../base/errors.ts";
import { badSyntax, trimSpace } from "./integer.ts";

const HALFWAY_FROM = 2 ** 53;
const HALFWAY_TO = 1e40;

export function formatFloat8(x: number): string {
  const magnitude = Math.abs(x);
  if (magnitude >= 1e-4 && magnitude < 1e15) return String(x);
  if (x === 0) return Object.is(x, -0) ? "-0" : "0";
  if (!Number.isFinite(x)) return String(x); // NaN, Infinity, -Infinity: both languages agree
  const { digits, exponent } = shortestDecimal(magnitude);
  const sign = x < 0 ? "-" : "";
  const fraction = digits.length > 1 ? `.${digits.slice(1)}` : "";
  const power = String(Math.abs(exponent)).padStart(2, "0");
  return `${sign}${digits[0]}${fraction}e${exponent < 0 ? "-" : "+"}${power}`;
}

/** As to_jsonb prints it: never an exponent, no negative zero, and a string for what JSON has no number for. */
export function formatFloat8Json(x: number): string {
  return Number.isFinite(x) ? plainDecimal(x) : `"${x}"`;
}

/** A finite double's shortest decimal without exponent: what casting it to numeric gives. */
export function plainDecimal(x: number): string {
  const magnitude = Math.abs(x);
  if (magnitude < HALFWAY_FROM && magnitude >= 1e-6) return String(x);
  if (x === 0) return "0";
  const { digits, exponent } = shortestDecimal(magnitude);
  const sign = x < 0 ? "-" : "";
  if (exponent < 0) return `${sign}0.${"0".repeat(-exponent - 1)}${digits}`;
  if (digits.length <= exponent + 1) return sign + digits.padEnd(exponent + 1, "0");
  return `${sign}${digits.slice(0, exponent + 1)}.${digits.slice(exponent + 1)}`;
}

/** x = digits[0].digits[1..] * 10^exponent; x finite and positive. */
interface Decimal {
  readonly digits: string;
  readonly exponent: number;
}

function shortestDecimal(x: number): Decimal {
  const decimal = parseExponential(x.toExponential());
  if (x < HALFWAY_FROM || x >= HALFWAY_TO) return decimal;
  const interval = roundingInterval(x);
  return isHalfway(decimal, interval) ? shortestInside(interval) : decimal;
}

function parseExponential(text: string): Decimal {
  const e = text.indexOf("e");
  return { digits: text.slice(0, e).replace(".", ""), exponent: Number(text.slice(e + 1)) };
}

/** The decimals that read back as x lie between low / 2 and high / 2; doubled, so that the ends are integers. */
interface Interval {
  readonly value: bigint;
  readonly low: bigint;
  readonly high: bigint;
}

/** REQUIRES x >= 2^53. */
function roundingInterval(x: number): Interval {
  const bits = new DataView(new ArrayBuffer(8));
  bits.setFloat64(0, x);
  const exponent = ((bits.getUint32(0) >>> 20) & 0x7ff) - 1023 - 52;
  const gapAbove = 2n ** BigInt(exponent);
  // below a power of two doubles stand twice as close
  const isPowerOfTwo = (bits.getBigUint64(0) & 0xf_ffff_ffff_ffffn) === 0n;
  const gapBelow = isPowerOfTwo ? gapAbove / 2n : gapAbove;
  const value = BigInt(x) * 2n;
  return { value, low: value - gapBelow, high: value + gapAbove };
}

function isHalfway(decimal: Decimal, interval: Interval): boolean {
  const zeros = decimal.exponent + 1 - decimal.digits.length;
  if (zeros < 0) return false;
  const doubled = BigInt(decimal.digits) * 10n ** BigInt(zeros) * 2n;
  return doubled === interval.low || doubled === interval.high;
}

/** The shortest decimal strictly inside, the closest to the value among those; 17 digits always suffice. */
function shortestInside({ value, low, high }: Interval): Decimal {
  const exponent = String(value / 2n).length - 1;
  for (let zeros = exponent; ; zeros--) {
    const step = 2n * 10n ** BigInt(zeros);
    const below = (value / step) * step;
    const above = below + step;
    const belowFits = below > low;
    const aboveFits = above < high;
    if (!belowFits && !aboveFits) continue;
    const nearer = value - below <= above - value ? below : above;
    const chosen = nearer === below ? (belowFits ? below : above) : aboveFits ? above : below;
    const plain = String(chosen / 2n);
    return { digits: plain.replace(/0+$/, ""), exponent: plain.length - 1 };
  }
}

const decimalForm = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
const hexForm = /^[+-]?0[xX][0-9a-fA-F]*\.?[0-9a-fA-F]*(?:[pP][+-]?\d+)?$/;

export function parseFloat8(text: string): number {
  return parseFloating(text, "double precision");
}

/** What both sizes have in common; `round` makes a float4 of the double. */
export function parseFloating(
  text: string,
  typeName: "real" | "double precision",
  round: (x: number) => number = (x) => x,
): number {
  const trimmed = trimSpace(text);
  if (decimalForm.test(trimmed)) {
    const value = round(Number(trimmed));
    const lost = !Number.isFinite(value) || (value === 0 && /[1-9]/.test(trimmed.replace(/[eE].*$/, "")));
    if (!lost) return value;
    throw new EvertError("numeric_value_out_of_range", `"${trimmed}" is out of range for type ${typeName}`);
  }
  switch (trimmed.toLowerCase()) {
    case "nan":
    case "+nan":
    case "-nan":
      return Number.NaN;
    case "infinity":
    case "+infinity":
    case "inf":
    case "+inf":
      return Number.POSITIVE_INFINITY;
    case "-infinity":
    case "-inf":
      return Number.NEGATIVE_INFINITY;
  }
  if (/[0-9a-fA-F]/.test(trimmed.slice(2)) && hexForm.test(trimmed)) {
    throw notSupported(`hexadecimal input of type ${typeName}`);
  }
  throw badSyntax(text, typeName);
}
