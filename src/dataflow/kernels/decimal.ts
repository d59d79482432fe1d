/**
 * Exact numeric values: unscaled * 10^-scale, where scale is also PostgreSQL's display scale, or NaN and the infinities.
 *
 * Result scales are PostgreSQL's, because a reader sees them: + and - take the larger scale, * the sum, % the larger, and / as
 * many digits as give 16 significant ones (selectDivisionScale). Rounding is half away from zero, everywhere.
 * An operation that fails leaves its error in `fault` and returns ZERO.
 */
import { divisionByZero, fail, numericOverflow } from "./errors.ts";

export const FINITE = 0;
export const NEGATIVE_INFINITY = 1;
export const INFINITY = 2;
export const NAN = 3;

/** Digits after the point that a result of division, power or logarithm has at most. */
export const DISPLAY_SCALE_MAX = 1000;
export const SIGNIFICANT_DIGITS_MIN = 16;
const SCALE_MAX = 16383;
export const WHOLE_DIGITS_MAX = 131072;

export class Decimal {
  /** FINITE or one of the special values; their order is the order of values. */
  readonly kind: number;
  readonly unscaled: bigint;
  readonly scale: number;

  constructor(kind: number, unscaled: bigint, scale: number) {
    this.kind = kind;
    this.unscaled = unscaled;
    this.scale = scale;
  }
}

export const ZERO = new Decimal(FINITE, 0n, 0);
export const ONE = new Decimal(FINITE, 1n, 0);
export const DECIMAL_NAN = new Decimal(NAN, 0n, 0);
export const DECIMAL_INFINITY = new Decimal(INFINITY, 0n, 0);
export const DECIMAL_NEGATIVE_INFINITY = new Decimal(NEGATIVE_INFINITY, 0n, 0);

export function decimal(unscaled: bigint, scale: number): Decimal {
  return new Decimal(FINITE, unscaled, scale);
}

const powers: bigint[] = [1n];
/** Beyond this many digits a power is made anew: keeping them all would cost more memory than time. */
const POWERS_KEPT = 1100;

export function powerOfTen(n: number): bigint {
  if (n > POWERS_KEPT) return 10n ** BigInt(n);
  while (powers.length <= n) powers.push(powers[powers.length - 1]! * 10n);
  return powers[n]!;
}

export function magnitude(x: bigint): bigint {
  return x < 0n ? -x : x;
}

export function signOf(x: Decimal): number {
  switch (x.kind) {
    case NEGATIVE_INFINITY:
      return -1;
    case INFINITY:
    case NAN:
      return 1;
    default:
      return x.unscaled > 0n ? 1 : x.unscaled < 0n ? -1 : 0;
  }
}

/** n / d rounded half away from zero; d > 0. */
export function divideRounded(n: bigint, d: bigint): bigint {
  const q = n / d;
  const rest = magnitude(n - q * d) * 2n;
  if (rest < d) return q;
  return n < 0n ? q - 1n : q + 1n;
}

/** The unscaled value at another scale (which may be negative), rounded. */
export function rescaled(unscaled: bigint, from: number, to: number): bigint {
  if (to === from) return unscaled;
  return to > from ? unscaled * powerOfTen(to - from) : divideRounded(unscaled, powerOfTen(from - to));
}

// ---- text -----------------------------------------------------------------------------------------------------

/** From canonical text, as the dictionary and constants hold it. */
export function decimalFromText(text: string): Decimal {
  const c = text.charCodeAt(text.length - 1);
  if (c > 57) {
    return text === "NaN" ? DECIMAL_NAN : text === "Infinity" ? DECIMAL_INFINITY : DECIMAL_NEGATIVE_INFINITY;
  }
  const dot = text.indexOf(".");
  if (dot < 0) return decimal(BigInt(text), 0);
  return decimal(BigInt(text.slice(0, dot) + text.slice(dot + 1)), text.length - dot - 1);
}

export function decimalToText(x: Decimal): string {
  switch (x.kind) {
    case NAN:
      return "NaN";
    case INFINITY:
      return "Infinity";
    case NEGATIVE_INFINITY:
      return "-Infinity";
    default:
      return scaledToText(x.unscaled, x.scale);
  }
}

/** An unscaled integer (a safe number or a bigint) with its point put in. */
export function scaledToText(unscaled: bigint | number, scale: number): string {
  if (scale === 0) return String(unscaled);
  const negative = unscaled < 0;
  const digits = String(negative ? -unscaled : unscaled).padStart(scale + 1, "0");
  const at = digits.length - scale;
  return (negative ? "-" : "") + digits.slice(0, at) + "." + digits.slice(at);
}

// ---- order ----------------------------------------------------------------------------------------------------

export function compareDecimals(a: Decimal, b: Decimal): number {
  if (a.kind !== FINITE || b.kind !== FINITE) return rank(a) - rank(b);
  const scale = Math.max(a.scale, b.scale);
  const x = rescaled(a.unscaled, a.scale, scale);
  const y = rescaled(b.unscaled, b.scale, scale);
  return x < y ? -1 : x > y ? 1 : 0;
}

/** -Infinity < every number < Infinity < NaN = NaN. */
function rank(x: Decimal): number {
  return x.kind === FINITE ? INFINITY - 0.5 : x.kind;
}

// ---- arithmetic -----------------------------------------------------------------------------------------------

/** Within PostgreSQL's limits, or the error; surplus digits after the point are rounded away. */
export function checkedDecimal(unscaled: bigint, scale: number): Decimal {
  if (scale > SCALE_MAX) return checkedDecimal(rescaled(unscaled, scale, SCALE_MAX), SCALE_MAX);
  const size = magnitude(unscaled);
  // Only a value this long can be too long; the exact bound is expensive to make.
  if (size > powerOfTen(POWERS_KEPT) && size >= powerOfTen(WHOLE_DIGITS_MAX + scale))
    return fail(numericOverflow, ZERO);
  return new Decimal(FINITE, unscaled, scale);
}

export function addDecimals(a: Decimal, b: Decimal): Decimal {
  if (a.kind !== FINITE || b.kind !== FINITE) {
    if (a.kind === FINITE) return b;
    if (b.kind === FINITE || a.kind === b.kind) return a;
    return DECIMAL_NAN;
  }
  const scale = Math.max(a.scale, b.scale);
  return checkedDecimal(rescaled(a.unscaled, a.scale, scale) + rescaled(b.unscaled, b.scale, scale), scale);
}

export function subtractDecimals(a: Decimal, b: Decimal): Decimal {
  return addDecimals(a, negateDecimal(b));
}

export function multiplyDecimals(a: Decimal, b: Decimal): Decimal {
  if (a.kind !== FINITE || b.kind !== FINITE)
    return a.kind === NAN || b.kind === NAN ? DECIMAL_NAN : infinityOf(signOf(a) * signOf(b));
  return checkedDecimal(a.unscaled * b.unscaled, a.scale + b.scale);
}

function infinityOf(sign: number): Decimal {
  return sign > 0 ? DECIMAL_INFINITY : sign < 0 ? DECIMAL_NEGATIVE_INFINITY : DECIMAL_NAN;
}

export function divideDecimals(a: Decimal, b: Decimal): Decimal {
  if (a.kind === NAN || b.kind === NAN) return DECIMAL_NAN;
  if (a.kind !== FINITE) {
    if (b.kind !== FINITE) return DECIMAL_NAN;
    return b.unscaled === 0n ? fail(divisionByZero, ZERO) : infinityOf(signOf(a) * signOf(b));
  }
  if (b.kind !== FINITE) return ZERO;
  if (b.unscaled === 0n) return fail(divisionByZero, ZERO);
  return divideToScale(a, b, selectDivisionScale(a, b));
}

/** a / b, both finite and b not zero, rounded to `scale` digits. */
export function divideToScale(a: Decimal, b: Decimal, scale: number): Decimal {
  const shift = scale + b.scale - a.scale;
  const n = shift >= 0 ? a.unscaled * powerOfTen(shift) : a.unscaled;
  const d = shift >= 0 ? b.unscaled : b.unscaled * powerOfTen(-shift);
  return checkedDecimal(d < 0n ? divideRounded(-n, -d) : divideRounded(n, d), scale);
}

/** Leading digit group of PostgreSQL's base-10000 form: value ~ first * 10000^weight. */
export interface Leading {
  readonly weight: number;
  readonly first: number;
  /** Exponent of the leading decimal digit. */
  readonly exponent: number;
  /** All digits, without sign. */
  readonly digits: string;
}

export function leadingOf(x: Decimal): Leading {
  const digits = magnitude(x.unscaled).toString();
  if (x.unscaled === 0n) return { weight: 0, first: 0, exponent: 0, digits };
  const exponent = digits.length - 1 - x.scale;
  const weight = Math.floor(exponent / 4);
  const count = exponent - 4 * weight + 1;
  return { weight, first: Number(digits.slice(0, count).padEnd(count, "0")), exponent, digits };
}

function selectDivisionScale(a: Decimal, b: Decimal): number {
  const x = leadingOf(a);
  const y = leadingOf(b);
  let weight = x.weight - y.weight;
  if (x.first <= y.first) weight--;
  return displayScale(SIGNIFICANT_DIGITS_MIN - weight * 4, a.scale, b.scale);
}

/** Up to here integers lose nothing of their leading digits when they are divided as doubles. */
const QUICK_MAX = 2 ** 46;

/** The scale that selectDivisionScale() gives for two integers from 1 to QUICK_MAX, or 0 and one of these; NaN for others. */
export function quickDivisionScale(dividend: number, divisor: number): number {
  if (!(dividend <= QUICK_MAX && divisor >= 1 && divisor <= QUICK_MAX)) return Number.NaN;
  let weight = 0;
  let [x, y] = [dividend, divisor];
  for (; x >= 10_000; weight++) x = Math.floor(x / 10_000);
  for (; y >= 10_000; weight--) y = Math.floor(y / 10_000);
  if (x <= y) weight--;
  return displayScale(SIGNIFICANT_DIGITS_MIN - weight * 4, 0);
}

/** A wanted result scale, not below the arguments' and within bounds. */
export function displayScale(wanted: number, ...scales: number[]): number {
  return Math.min(Math.max(wanted, 0, ...scales), DISPLAY_SCALE_MAX);
}

export function remainderOfDecimals(a: Decimal, b: Decimal): Decimal {
  if (a.kind === NAN || b.kind === NAN) return DECIMAL_NAN;
  if (b.kind === FINITE && b.unscaled === 0n) return fail(divisionByZero, ZERO);
  if (a.kind !== FINITE) return DECIMAL_NAN;
  if (b.kind !== FINITE) return a;
  const scale = Math.max(a.scale, b.scale);
  return decimal(rescaled(a.unscaled, a.scale, scale) % rescaled(b.unscaled, b.scale, scale), scale);
}

export function negateDecimal(x: Decimal): Decimal {
  if (x.kind === FINITE) return decimal(-x.unscaled, x.scale);
  return x.kind === NAN ? x : x.kind === INFINITY ? DECIMAL_NEGATIVE_INFINITY : DECIMAL_INFINITY;
}

export function absDecimal(x: Decimal): Decimal {
  return signOf(x) < 0 ? negateDecimal(x) : x;
}

export function signDecimal(x: Decimal): Decimal {
  return x.kind === NAN ? x : decimal(BigInt(signOf(x)), 0);
}

/** round(x, digits); negative digits round to the left of the point. */
export function roundDecimal(x: Decimal, digits: number): Decimal {
  if (x.kind !== FINITE) return x;
  const to = clampScale(digits);
  const unscaled = rescaled(x.unscaled, x.scale, to);
  return to < 0 ? checkedDecimal(unscaled * powerOfTen(-to), 0) : checkedDecimal(unscaled, to);
}

export function truncateDecimal(x: Decimal, digits: number): Decimal {
  if (x.kind !== FINITE) return x;
  const to = clampScale(digits);
  if (to >= x.scale) return decimal(rescaled(x.unscaled, x.scale, to), to);
  const unscaled = x.unscaled / powerOfTen(x.scale - to);
  return to < 0 ? decimal(unscaled * powerOfTen(-to), 0) : decimal(unscaled, to);
}

function clampScale(digits: number): number {
  return Math.max(-WHOLE_DIGITS_MAX - 1, Math.min(SCALE_MAX, digits));
}

export function floorDecimal(x: Decimal): Decimal {
  if (x.kind !== FINITE) return x;
  const power = powerOfTen(x.scale);
  const q = x.unscaled / power;
  return decimal(x.unscaled < 0n && q * power !== x.unscaled ? q - 1n : q, 0);
}

export function ceilDecimal(x: Decimal): Decimal {
  return negateDecimal(floorDecimal(negateDecimal(x)));
}
