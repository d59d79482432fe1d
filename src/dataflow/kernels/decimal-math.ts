/**
 * Roots, exponentials, logarithms and powers of numeric, to the result scale PostgreSQL shows.
 *
 * Everything is computed in integers as fixed-point with guard digits beyond the result scale, then rounded once:
 * - sqrt: integer square root with one digit more than shown, which decides the rounding.
 * - exp x: halve x until it is below 2^-8, add up the Taylor series, square as often as halved.
 * - ln x: x = y * 2^k with y near 1; ln y = 2 artanh((y-1)/(y+1)), and ln 2 = 2 artanh(1/3).
 * - x^n: repeated squaring on a mantissa cut to the digits needed; x^y = exp(y ln x).
 * The estimates that choose a result scale follow PostgreSQL's double arithmetic, since the scale is visible.
 */
import {
  checkedDecimal,
  compareDecimals,
  DECIMAL_INFINITY,
  DECIMAL_NAN,
  type Decimal,
  DISPLAY_SCALE_MAX,
  decimal,
  displayScale,
  divideRounded,
  divideToScale,
  FINITE,
  INFINITY,
  leadingOf,
  magnitude,
  NAN,
  NEGATIVE_INFINITY,
  negateDecimal,
  ONE,
  powerOfTen,
  rescaled,
  SIGNIFICANT_DIGITS_MIN,
  signOf,
  WHOLE_DIGITS_MAX,
  ZERO,
} from "./decimal.ts";
import {
  complexPower,
  divisionByZero,
  fail,
  logOfNegative,
  logOfZero,
  negativeRoot,
  numericOverflow,
  zeroToNegativePower,
} from "./errors.ts";

const LOG10_E = Math.LOG10E;
const LN_10 = Math.LN10;
/** PostgreSQL's bound on the argument of exp, and where the scale estimate is cut off. */
const RESULT_SCALE_MAX = 2000;
const EXP_LIMIT = RESULT_SCALE_MAX * 3;
const GUARD = 20;

export function sqrtDecimal(x: Decimal): Decimal {
  if (x.kind !== FINITE) return x.kind === NEGATIVE_INFINITY ? fail(negativeRoot, ZERO) : x;
  if (x.unscaled < 0n) return fail(negativeRoot, ZERO);
  const scale = displayScale(SIGNIFICANT_DIGITS_MIN - (leadingOf(x).weight * 2 + 1), x.scale);
  return rootToScale(x, scale);
}

/** The root of a finite number that is not negative, rounded to `scale` digits. REQUIRES 2 * scale + 2 >= x.scale */
export function rootToScale(x: Decimal, scale: number): Decimal {
  const root = integerRoot(x.unscaled * powerOfTen(2 * (scale + 1) - x.scale));
  return decimal((root + 5n) / 10n, scale);
}

function integerRoot(n: bigint): bigint {
  if (n < 2n) return n;
  let x = 1n << BigInt((n.toString(16).length * 4 + 1) >> 1);
  for (;;) {
    const next = (x + n / x) >> 1n;
    if (next >= x) return x;
    x = next;
  }
}

export function expDecimal(x: Decimal): Decimal {
  if (x.kind !== FINITE) return x.kind === NEGATIVE_INFINITY ? ZERO : x;
  const weight = Math.max(-RESULT_SCALE_MAX, Math.min(RESULT_SCALE_MAX, toDouble(x) * LOG10_E));
  return expToScale(x, displayScale(SIGNIFICANT_DIGITS_MIN - Math.trunc(weight), x.scale));
}

function expToScale(x: Decimal, scale: number): Decimal {
  const estimate = toDouble(x);
  if (Math.abs(estimate) >= EXP_LIMIT) return estimate > 0 ? fail(numericOverflow, ZERO) : decimal(0n, scale);
  const whole = Math.max(0, Math.ceil(estimate * LOG10_E));
  const digits = scale + whole + GUARD;
  return checkedDecimal(
    rescaled(expFixed(rescaled(x.unscaled, x.scale, digits), digits), digits, scale),
    scale,
  );
}

/** e^(x / 10^digits) * 10^digits. */
function expFixed(x: bigint, digits: number): bigint {
  const one = powerOfTen(digits);
  const bits = Math.max(0, (magnitude(x) / one).toString(2).length) + 8;
  // Each squaring doubles the relative error: as many digits more.
  const extra = powerOfTen(Math.ceil(bits / 3) + 2);
  const unit = one * extra;
  const reduced = (x * extra) >> BigInt(bits);
  let sum = unit;
  let term = unit;
  for (let k = 1n; term !== 0n; k++) {
    term = (term * reduced) / unit / k;
    sum += term;
  }
  for (let i = 0; i < bits; i++) sum = (sum * sum) / unit;
  return sum / extra;
}

/** ln(x) * 10^digits for x > 0. */
function lnFixed(x: Decimal, digits: number): bigint {
  const guarded = digits + 10;
  const one = powerOfTen(guarded);
  const numerator = x.unscaled;
  const denominator = powerOfTen(x.scale);
  let k = numerator.toString(2).length - denominator.toString(2).length;
  let y =
    k >= 0 ? (numerator * one) / (denominator << BigInt(k)) : ((numerator << BigInt(-k)) * one) / denominator;
  // y is within (1/2, 2); nearer to 1 the series is shorter.
  if (y * 4n > one * 5n) {
    y >>= 1n;
    k++;
  }
  if (y * 8n < one * 5n) {
    y <<= 1n;
    k--;
  }
  const result = 2n * artanhFixed(((y - one) * one) / (y + one), one) + BigInt(k) * lnTwo(one);
  return divideRounded(result, powerOfTen(10));
}

function artanhFixed(z: bigint, one: bigint): bigint {
  const square = (z * z) / one;
  let sum = z;
  let power = z;
  for (let k = 3n; power !== 0n; k += 2n) {
    power = (power * square) / one;
    sum += power / k;
  }
  return sum;
}

let knownLnTwo = { one: 0n, value: 0n };

function lnTwo(one: bigint): bigint {
  if (knownLnTwo.one !== one) knownLnTwo = { one, value: 2n * artanhFixed(one / 3n, one) };
  return knownLnTwo.value;
}

/** Exponent of the leading digit of ln(x), estimated as PostgreSQL does; x > 0. */
function lnWeight(x: Decimal): number {
  if (compareDecimals(x, decimal(9n, 1)) >= 0 && compareDecimals(x, decimal(11n, 1)) <= 0) {
    const off = decimal(x.unscaled - powerOfTen(x.scale), x.scale);
    return off.unscaled === 0n ? 0 : leadingOf(off).exponent;
  }
  const { digits, exponent, weight } = leadingOf(x);
  // The first two groups of four, as far as there are digits.
  const count = exponent - 4 * weight + 1 + (digits.length > exponent - 4 * weight + 1 ? 4 : 0);
  const head = Number(digits.slice(0, count).padEnd(count, "0"));
  const ln = Math.log(head) + (exponent - count + 1) * LN_10;
  return Math.trunc(Math.log10(Math.abs(ln)));
}

function checkLogArgument(x: Decimal): boolean {
  const sign = signOf(x);
  if (sign > 0) return true;
  return fail(sign === 0 ? logOfZero : logOfNegative, false);
}

export function lnDecimal(x: Decimal): Decimal {
  if (!checkLogArgument(x)) return ZERO;
  if (x.kind !== FINITE) return x;
  const scale = displayScale(SIGNIFICANT_DIGITS_MIN - lnWeight(x), x.scale);
  return decimal(rescaled(lnFixed(x, scale + GUARD), scale + GUARD, scale), scale);
}

export function log10Decimal(x: Decimal): Decimal {
  return logDecimal(decimal(10n, 0), x);
}

/** log(base, x). */
export function logDecimal(base: Decimal, x: Decimal): Decimal {
  if (base.kind === NAN || x.kind === NAN) return DECIMAL_NAN;
  if (!checkLogArgument(base) || !checkLogArgument(x)) return ZERO;
  if (base.kind === INFINITY) return x.kind === INFINITY ? DECIMAL_NAN : ZERO;
  if (x.kind === INFINITY) return DECIMAL_INFINITY;
  const weight = lnWeight(x) - lnWeight(base);
  const scale = displayScale(SIGNIFICANT_DIGITS_MIN - weight, base.scale, x.scale);
  const digits = scale + Math.abs(lnWeight(x)) + Math.abs(lnWeight(base)) + GUARD;
  const divisor = lnFixed(base, digits);
  if (divisor === 0n) return fail(divisionByZero, ZERO);
  return divideToScale(decimal(lnFixed(x, digits), digits), decimal(divisor, digits), scale);
}

export function powerDecimals(base: Decimal, exponent: Decimal): Decimal {
  if (base.kind !== FINITE || exponent.kind !== FINITE) return specialPower(base, exponent);
  if (base.unscaled === 0n && exponent.unscaled < 0n) return fail(zeroToNegativePower, ZERO);
  const whole = integerOf(exponent);
  if (whole === undefined) {
    if (base.unscaled < 0n) return fail(complexPower, ZERO);
  } else if (whole >= -(2n ** 31n) && whole < 2n ** 31n) {
    return integerPower(base, Number(whole), exponent.scale);
  }
  if (base.unscaled === 0n) return decimal(0n, SIGNIFICANT_DIGITS_MIN);
  if (base.unscaled > 0n) return realPower(base, exponent);
  const result = realPower(negateDecimal(base), exponent);
  return whole! % 2n === 0n ? result : negateDecimal(result);
}

/** The integer a decimal is, if it is one. */
function integerOf(x: Decimal): bigint | undefined {
  const power = powerOfTen(x.scale);
  const whole = x.unscaled / power;
  return whole * power === x.unscaled ? whole : undefined;
}

/** POSIX pow() on NaN and the infinities. */
function specialPower(base: Decimal, exponent: Decimal): Decimal {
  if (exponent.kind === FINITE && exponent.unscaled === 0n) return ONE;
  if (base.kind === FINITE && compareDecimals(base, ONE) === 0) return ONE;
  if (base.kind === NAN || exponent.kind === NAN) return DECIMAL_NAN;
  const rising = signOf(exponent) > 0;
  if (signOf(base) === 0) return rising ? ZERO : fail(zeroToNegativePower, ZERO);
  const whole = exponent.kind === FINITE ? integerOf(exponent) : 0n;
  if (signOf(base) < 0 && whole === undefined) return fail(complexPower, ZERO);
  if (exponent.kind !== FINITE) {
    const size =
      base.kind === FINITE ? compareDecimals(decimal(magnitude(base.unscaled), base.scale), ONE) : 1;
    if (size === 0) return ONE;
    return size > 0 === rising ? DECIMAL_INFINITY : ZERO;
  }
  if (!rising) return ZERO;
  return base.kind === NEGATIVE_INFINITY && whole! % 2n !== 0n ? base : DECIMAL_INFINITY;
}

function integerPower(base: Decimal, exponent: number, exponentScale: number): Decimal {
  const { digits, exponent: lead } = leadingOf(base);
  const head = Number(`${digits[0]}.${digits.slice(1, 17)}`);
  const weight = base.unscaled === 0n ? 0 : exponent * (Math.log10(head) + lead);
  if (weight > WHOLE_DIGITS_MAX) return fail(numericOverflow, ZERO);
  if (weight + 1 < -DISPLAY_SCALE_MAX) return decimal(0n, DISPLAY_SCALE_MAX);
  const scale = displayScale(SIGNIFICANT_DIGITS_MIN - Math.trunc(weight), base.scale, exponentScale);
  if (exponent === 0) return decimal(powerOfTen(scale), scale);
  if (base.unscaled === 0n) return decimal(0n, scale);
  const keep = Math.max(0, Math.ceil(weight)) + scale + GUARD + String(Math.abs(exponent)).length;
  const { mantissa, power } = mantissaPower(base, Math.abs(exponent), keep);
  if (exponent > 0) {
    return checkedDecimal(
      power >= -scale
        ? mantissa * powerOfTen(power + scale)
        : divideRounded(mantissa, powerOfTen(-power - scale)),
      scale,
    );
  }
  // 1 / (mantissa * 10^power), with power <= 0 moved up and power > 0 moved down.
  return divideToScale(
    ONE,
    power > 0 ? decimal(mantissa * powerOfTen(power), 0) : decimal(mantissa, -power),
    scale,
  );
}

/** base^n as mantissa * 10^power, cut to `keep` digits while squaring; n > 0. */
function mantissaPower(base: Decimal, n: number, keep: number): { mantissa: bigint; power: number } {
  let mantissa = 1n;
  let power = 0;
  let square = base.unscaled;
  let squarePower = -base.scale;
  for (let left = n; ; ) {
    if (left % 2 === 1) {
      mantissa *= square;
      power += squarePower;
      const surplus = surplusDigits(mantissa, keep);
      mantissa /= powerOfTen(surplus);
      power += surplus;
    }
    left = Math.floor(left / 2);
    if (left === 0) return { mantissa, power };
    square *= square;
    squarePower *= 2;
    const surplus = surplusDigits(square, keep);
    square /= powerOfTen(surplus);
    squarePower += surplus;
  }
}

/** How many digits more than `keep` a number has, never too many. */
function surplusDigits(x: bigint, keep: number): number {
  const hex = magnitude(x).toString(16).length;
  return Math.max(0, Math.floor((hex - 1) * 1.2041) - keep);
}

function realPower(base: Decimal, exponent: Decimal): Decimal {
  const rough = 8 + Math.max(0, -lnWeight(base)) + GUARD;
  const estimate = toDouble(decimal(lnFixed(base, rough), rough)) * toDouble(exponent);
  if (Math.abs(estimate) > RESULT_SCALE_MAX * 3.01) {
    return estimate > 0 ? fail(numericOverflow, ZERO) : decimal(0n, DISPLAY_SCALE_MAX);
  }
  const weight = estimate * LOG10_E;
  const scale = displayScale(SIGNIFICANT_DIGITS_MIN - Math.trunc(weight), base.scale, exponent.scale);
  const digits = scale + Math.max(0, Math.ceil(weight)) + Math.max(0, leadingOf(exponent).exponent) + GUARD;
  const product = decimal(lnFixed(base, digits) * exponent.unscaled, digits + exponent.scale);
  return expToScale(product, scale);
}

/** Nearest double; infinite or zero where it does not fit. */
function toDouble(x: Decimal): number {
  const { digits, exponent } = leadingOf(x);
  const size = Number(`${digits[0]}.${digits.slice(1, 20)}e${exponent}`);
  return x.unscaled < 0n ? -size : size;
}
