/** Bits, divisors, factorials, buckets and the scale of numerics. */
import { angles } from "./angles.ts";
import {
  checkedDecimal,
  compareDecimals,
  DECIMAL_NAN,
  type Decimal,
  decimal,
  divideDecimals,
  FINITE,
  magnitude,
  multiplyDecimals,
  NAN,
  powerOfTen,
  rescaled,
  subtractDecimals,
  truncateDecimal,
  ZERO,
} from "./decimal.ts";

import {
  divisionByZero,
  fail,
  int4OutOfRange,
  int8OutOfRange,
  numericOverflow,
  scalarError,
} from "./errors.ts";

// ---- bits -------------------------------------------------------------------------------------------------------

/** Shift counts are taken modulo the width, as the processor does; an int2 is shifted as an int4 and cut off. */
const int2Bits = {
  int2_and: (a: number, b: number) => a & b,
  int2_or: (a: number, b: number) => a | b,
  int2_xor: (a: number, b: number) => a ^ b,
  int2_not: (a: number) => ~a,
  int2_shift_left: (a: number, n: number) => ((a << n) << 16) >> 16,
  int2_shift_right: (a: number, n: number) => ((a >> n) << 16) >> 16,
};

const int4Bits = {
  int4_and: (a: number, b: number) => a & b,
  int4_or: (a: number, b: number) => a | b,
  int4_xor: (a: number, b: number) => a ^ b,
  int4_not: (a: number) => ~a,
  int4_shift_left: (a: number, n: number) => a << n,
  int4_shift_right: (a: number, n: number) => a >> n,
};

const int8Bits = {
  int8_and: (a: bigint, b: bigint) => a & b,
  int8_or: (a: bigint, b: bigint) => a | b,
  int8_xor: (a: bigint, b: bigint) => a ^ b,
  int8_not: (a: bigint) => ~a,
  int8_shift_left: (a: bigint, n: number) => BigInt.asIntN(64, a << BigInt(n & 63)),
  int8_shift_right: (a: bigint, n: number) => a >> BigInt(n & 63),
};

// ---- divisors ---------------------------------------------------------------------------------------------------

function divisor(a: bigint, b: bigint): bigint {
  let [x, y] = [magnitude(a), magnitude(b)];
  while (y !== 0n) [x, y] = [y, x % y];
  return x;
}

function multiple(a: bigint, b: bigint): bigint {
  return a === 0n || b === 0n ? 0n : magnitude((a / divisor(a, b)) * b);
}

function asInt4(x: bigint): number {
  return x < 2n ** 31n ? Number(x) : fail(int4OutOfRange, 0);
}

function asInt8(x: bigint): bigint {
  return x < 2n ** 63n ? x : fail(int8OutOfRange, 0n);
}

function onCommonScale(a: Decimal, b: Decimal, of: (a: bigint, b: bigint) => bigint): Decimal {
  if (a.kind !== FINITE || b.kind !== FINITE) return DECIMAL_NAN;
  const scale = Math.max(a.scale, b.scale);
  return checkedDecimal(
    of(rescaled(a.unscaled, a.scale, scale), rescaled(b.unscaled, b.scale, scale)),
    scale,
  );
}

const FACTORIAL_MAX = 32177n;

function factorial(n: bigint): Decimal {
  if (n < 0n) {
    return fail(
      scalarError("numeric_value_out_of_range", "factorial of a negative number is undefined"),
      ZERO,
    );
  }
  if (n > FACTORIAL_MAX) return fail(numericOverflow, ZERO);
  return checkedDecimal(product(1n, n), 0);
}

/** from * ... * to, halves first: factors of like size multiply fastest. */
function product(from: bigint, to: bigint): bigint {
  if (to < from) return 1n;
  if (to - from < 8n) {
    let out = from;
    for (let i = from + 1n; i <= to; i++) out *= i;
    return out;
  }
  const middle = (from + to) / 2n;
  return product(from, middle) * product(middle + 1n, to);
}

/** div(a, b): the quotient without its fraction. */
function quotient(a: Decimal, b: Decimal): Decimal {
  if (a.kind === FINITE && b.kind === FINITE) {
    if (b.unscaled === 0n) return fail(divisionByZero, ZERO);
    const scale = Math.max(a.scale, b.scale);
    return checkedDecimal(rescaled(a.unscaled, a.scale, scale) / rescaled(b.unscaled, b.scale, scale), 0);
  }
  return truncateDecimal(divideDecimals(a, b), 0);
}

// ---- scale ------------------------------------------------------------------------------------------------------

function minScale(x: Decimal): number {
  let { unscaled, scale } = x;
  while (scale > 0 && unscaled % 10n === 0n) {
    unscaled /= 10n;
    scale--;
  }
  return scale;
}

function trimScale(x: Decimal): Decimal {
  if (x.kind !== FINITE) return x;
  const scale = minScale(x);
  return decimal(x.unscaled / powerOfTen(x.scale - scale), scale);
}

// ---- buckets ----------------------------------------------------------------------------------------------------

function bucketError(message: string) {
  return scalarError("invalid_argument", message, { sqlstate: "2201G" });
}

const noCount = bucketError("count must be greater than zero");
const bucketNaN = bucketError("operand, lower bound, and upper bound cannot be NaN");
const bucketInfinite = bucketError("lower and upper bounds must be finite");
const bucketEmpty = bucketError("lower bound cannot equal upper bound");

function floatBucket(x: number, low: number, high: number, count: number): number {
  if (count <= 0) return fail(noCount, 0);
  if (Number.isNaN(x) || Number.isNaN(low) || Number.isNaN(high)) return fail(bucketNaN, 0);
  if (!Number.isFinite(low) || !Number.isFinite(high)) return fail(bucketInfinite, 0);
  if (low === high) return fail(bucketEmpty, 0);
  const rising = low < high;
  if (rising ? x < low : x > low) return 0;
  if (rising ? x >= high : x <= high) return count === 2147483647 ? fail(int4OutOfRange, 0) : count + 1;
  // Halved where the width itself would overflow.
  const width = Number.isFinite(high - low)
    ? (x - low) / (high - low)
    : (x / 2 - low / 2) / (high / 2 - low / 2);
  return Math.min(Math.floor(count * width), count - 1) + 1;
}

function numericBucket(x: Decimal, low: Decimal, high: Decimal, count: number): number {
  if (count <= 0) return fail(noCount, 0);
  if (x.kind === NAN || low.kind === NAN || high.kind === NAN) return fail(bucketNaN, 0);
  if (low.kind !== FINITE || high.kind !== FINITE) return fail(bucketInfinite, 0);
  const order = compareDecimals(low, high);
  if (order === 0) return fail(bucketEmpty, 0);
  const rising = order < 0;
  const side = compareDecimals(x, low);
  if (rising ? side < 0 : side > 0) return 0;
  const end = compareDecimals(x, high);
  if (rising ? end >= 0 : end <= 0) return count === 2147483647 ? fail(int4OutOfRange, 0) : count + 1;
  const part = multiplyDecimals(subtractDecimals(x, low), decimal(BigInt(count), 0));
  const width = subtractDecimals(high, low);
  const scale = Math.max(part.scale, width.scale);
  const whole = rescaled(part.unscaled, part.scale, scale) / rescaled(width.unscaled, width.scale, scale);
  return Number(whole) + 1;
}

export const mathLibrary = {
  ...int2Bits,
  ...int4Bits,
  ...int8Bits,
  ...angles,
  int4_gcd: (a: number, b: number) => asInt4(divisor(BigInt(a), BigInt(b))),
  int8_gcd: (a: bigint, b: bigint) => asInt8(divisor(a, b)),
  numeric_gcd: (a: Decimal, b: Decimal) => onCommonScale(a, b, divisor),
  int4_lcm: (a: number, b: number) => asInt4(multiple(BigInt(a), BigInt(b))),
  int8_lcm: (a: bigint, b: bigint) => asInt8(multiple(a, b)),
  numeric_lcm: (a: Decimal, b: Decimal) => onCommonScale(a, b, multiple),
  int8_factorial: factorial,
  numeric_quotient: quotient,
  numeric_scale: (x: Decimal) => (x.kind === FINITE ? x.scale : null),
  numeric_min_scale: (x: Decimal) => (x.kind === FINITE ? minScale(x) : null),
  numeric_trim_scale: trimScale,
  numeric_width_bucket: numericBucket,
  float8_width_bucket: floatBucket,
  float8_cbrt: Math.cbrt,
};
