/** float8 functions with PostgreSQL's errors: a finite argument never gives an infinite result, nor a nonzero product zero. */

import {
  complexPower,
  divisionByZero,
  fail,
  floatOverflow,
  floatUnderflow,
  int4OutOfRange,
  int8OutOfRange,
  logOfNegative,
  logOfZero,
  negativeRoot,
  zeroToNegativePower,
} from "./errors.ts";
import { roundHalfEven } from "./rounding.ts";

export function addFloats(a: number, b: number): number {
  return checkSum(a + b, a, b);
}

export function subtractFloats(a: number, b: number): number {
  return checkSum(a - b, a, b);
}

/** The slow path of + and -: called when the result is not finite. */
export function checkSum(r: number, a: number, b: number): number {
  return isInfinite(r) && !isInfinite(a) && !isInfinite(b) ? fail(floatOverflow, 0) : r;
}

export function multiplyFloats(a: number, b: number): number {
  return checkProduct(a * b, a, b);
}

export function checkProduct(r: number, a: number, b: number): number {
  if (isInfinite(r) && !isInfinite(a) && !isInfinite(b)) return fail(floatOverflow, 0);
  return r === 0 && a !== 0 && b !== 0 ? fail(floatUnderflow, 0) : r;
}

export function divideFloats(a: number, b: number): number {
  if (b === 0 && !Number.isNaN(a)) return fail(divisionByZero, 0);
  const r = a / b;
  if (isInfinite(r) && !isInfinite(a)) return fail(floatOverflow, 0);
  return r === 0 && a !== 0 && !isInfinite(b) ? fail(floatUnderflow, 0) : r;
}

export function isInfinite(x: number): boolean {
  return x === Number.POSITIVE_INFINITY || x === Number.NEGATIVE_INFINITY;
}

/** -Infinity < numbers < Infinity < NaN = NaN; -0 = 0. */
export function compareFloats(a: number, b: number): number {
  if (a < b) return -1;
  if (a > b) return 1;
  if (a === b) return 0;
  return Number.isNaN(a) ? (Number.isNaN(b) ? 0 : 1) : -1;
}

export function sqrtFloat(x: number): number {
  return x < 0 ? fail(negativeRoot, 0) : Math.sqrt(x);
}

export function expFloat(x: number): number {
  const r = Math.exp(x);
  if (isInfinite(r) && !isInfinite(x)) return fail(floatOverflow, 0);
  return r === 0 && !isInfinite(x) ? fail(floatUnderflow, 0) : r;
}

export function lnFloat(x: number): number {
  if (x === 0) return fail(logOfZero, 0);
  return x < 0 ? fail(logOfNegative, 0) : Math.log(x);
}

export function log10Float(x: number): number {
  if (x === 0) return fail(logOfZero, 0);
  return x < 0 ? fail(logOfNegative, 0) : Math.log10(x);
}

export function powerFloats(x: number, y: number): number {
  // C, unlike JavaScript: 1 to any power is 1, also to NaN, and (-1) to an infinite one.
  if (x === 1 || y === 0) return 1;
  if (Number.isNaN(x) || Number.isNaN(y)) return Number.NaN;
  if (x === 0 && y < 0) return fail(zeroToNegativePower, 0);
  if (x < 0 && !isInfinite(y) && Math.floor(y) !== y) return fail(complexPower, 0);
  if (x === -1 && isInfinite(y)) return 1;
  const r = x ** y;
  if (isInfinite(x) || isInfinite(y)) return r;
  if (isInfinite(r)) return fail(floatOverflow, 0);
  return r === 0 && x !== 0 ? fail(floatUnderflow, 0) : r;
}

export function signFloat(x: number): number {
  return x > 0 ? 1 : x < 0 ? -1 : 0; // as in PostgreSQL, NaN has no sign either
}

export function floatToInt4(x: number): number {
  const r = roundHalfEven(x);
  return r >= -2147483648 && r <= 2147483647 ? r | 0 : fail(int4OutOfRange, 0);
}

export function floatToInt8(x: number): bigint {
  const r = roundHalfEven(x);
  return r >= -(2 ** 63) && r < 2 ** 63 ? BigInt(r) : fail(int8OutOfRange, 0n);
}
