/**
 * Sums of doubles without rounding, so that a sum does not depend on the order of its rows and taking a row away is exact.
 *
 * 1. A sum is four doubles that do not overlap, least first, zeros at the small end (an expansion, Shewchuk 1997): 212 bits
 *    that may lie far apart, which holds what data of one kind sums to. Adding is four two-sums; a sum that fits one double costs one.
 * 2. What four doubles cannot hold (wilder ranges, values near overflow, NaN, infinities) goes to an overflow: a big integer in
 *    units of 2^-1074, the least double, and counts of the special values. Rare, slow, exact.
 * 3. The result is rounded once, to nearest even.
 */

/** Doubles of an expansion. */
export const EXPANSION = 4;
/** From here on a sum of doubles might overflow on the way. */
const HUGE = 2 ** 960;
const UNIT_BITS = 1074n;

/** Adds x to the expansion at F[at .. at + 3]. False: it does not fit and nothing was changed. */
export function addExact(F: Float64Array, at: number, x: number): boolean {
  if (!(x < HUGE && x > -HUGE)) return false;
  const e0 = F[at] as number;
  const e1 = F[at + 1] as number;
  const e2 = F[at + 2] as number;
  const e3 = F[at + 3] as number;
  if (e2 === 0) {
    const sum = x + e3;
    const bb = sum - x;
    const error = x - (sum - bb) + (e3 - bb);
    if (error === 0) {
      F[at + 3] = sum + 0;
      return true;
    }
  }
  let q = x;
  let s = q + e0;
  let bb = s - q;
  const h0 = q - (s - bb) + (e0 - bb);
  q = s;
  s = q + e1;
  bb = s - q;
  const h1 = q - (s - bb) + (e1 - bb);
  q = s;
  s = q + e2;
  bb = s - q;
  const h2 = q - (s - bb) + (e2 - bb);
  q = s;
  s = q + e3;
  bb = s - q;
  const h3 = q - (s - bb) + (e3 - bb);
  q = s;
  if (h0 !== 0 && h1 !== 0 && h2 !== 0 && h3 !== 0 && q !== 0) return false;
  if (!(q < HUGE && q > -HUGE)) return false;
  let k = at + 3;
  if (q !== 0) F[k--] = q;
  if (h3 !== 0) F[k--] = h3;
  if (h2 !== 0) F[k--] = h2;
  if (h1 !== 0) F[k--] = h1;
  if (h0 !== 0) F[k--] = h0;
  while (k >= at) F[k--] = 0;
  return true;
}

/** The expansion as the nearest double. */
export function roundExpansion(F: Float64Array, at: number): number {
  let i = at + 3;
  let hi = F[i] as number;
  let lo = 0;
  while (i > at && F[i - 1] !== 0) {
    const x = hi;
    const y = F[--i] as number;
    hi = x + y;
    lo = y - (hi - x);
    if (lo !== 0) break;
  }
  // Exactly between two doubles as far as lo tells: the next part decides.
  if (lo !== 0 && i > at) {
    const next = F[i - 1] as number;
    if ((lo < 0 && next < 0) || (lo > 0 && next > 0)) {
      const y = lo * 2;
      const x = hi + y;
      if (y === x - hi) hi = x;
    }
  }
  return hi;
}

/** Whether the expansion is one double. */
export function isSingle(F: Float64Array, at: number): boolean {
  return F[at + 2] === 0;
}

/** What does not fit an expansion. */
export interface Overflow {
  /** In units of 2^-1074. */
  units: bigint;
  nan: number;
  positive: number;
  negative: number;
}

export function noOverflow(): Overflow {
  return { units: 0n, nan: 0, positive: 0, negative: 0 };
}

export function isNothing(o: Overflow): boolean {
  return o.units === 0n && o.nan === 0 && o.positive === 0 && o.negative === 0;
}

export function encodeOverflow(o: Overflow): string {
  return [o.units.toString(36), o.nan, o.positive, o.negative].join(" ");
}

export function decodeOverflow(text: string): Overflow {
  const [units, nan, positive, negative] = text.split(" ") as [string, string, string, string];
  return {
    units: parseBase36(units),
    nan: Number(nan),
    positive: Number(positive),
    negative: Number(negative),
  };
}

/** Adds x times weight, and the whole expansion, which becomes zero. */
export function addToOverflow(o: Overflow, F: Float64Array, at: number, x: number, weight: number): void {
  if (Number.isNaN(x)) o.nan += weight;
  else if (x === Number.POSITIVE_INFINITY) o.positive += weight;
  else if (x === Number.NEGATIVE_INFINITY) o.negative += weight;
  else {
    o.units += unitsOf(x) * BigInt(weight);
    for (let i = at; i < at + EXPANSION; i++) {
      o.units += unitsOf(F[i] as number);
      F[i] = 0;
    }
  }
}

/** Moves the units back into the expansion (which is zero) if they fit: sums are back on the quick way. */
export function drain(o: Overflow, F: Float64Array, at: number): void {
  let rest = o.units;
  const parts: number[] = [];
  while (rest !== 0n) {
    const part = ratioToDouble(rest, 1n << UNIT_BITS);
    if (parts.length === EXPANSION || !(part < HUGE && part > -HUGE)) return;
    parts.push(part);
    rest -= unitsOf(part);
  }
  parts.forEach((part, i) => {
    F[at + EXPANSION - 1 - i] = part;
  });
  o.units = 0n;
}

/** NaN or an infinity if the special values make the sum one; undefined when it is finite. */
export function specialSum(o: Overflow): number | undefined {
  if (o.nan > 0 || (o.positive > 0 && o.negative > 0)) return Number.NaN;
  if (o.positive > 0) return Number.POSITIVE_INFINITY;
  if (o.negative > 0) return Number.NEGATIVE_INFINITY;
  return undefined;
}

/** The exact sum of overflow and expansion divided by `divisor`, as the nearest double; infinite when out of range. */
export function quotient(units: bigint, F: Float64Array, at: number, divisor: bigint): number {
  for (let i = at; i < at + EXPANSION; i++) units += unitsOf(F[i] as number);
  return ratioToDouble(units, divisor << UNIT_BITS);
}

const bits = new DataView(new ArrayBuffer(8));

/** A finite double in units of 2^-1074. */
export function unitsOf(x: number): bigint {
  if (x === 0) return 0n;
  bits.setFloat64(0, x);
  const raw = bits.getBigUint64(0);
  const exponent = (raw >> 52n) & 0x7ffn;
  const fraction = raw & 0xfffffffffffffn;
  const magnitude = exponent === 0n ? fraction : (fraction | 0x10000000000000n) << (exponent - 1n);
  return x < 0 ? -magnitude : magnitude;
}

/** n / d (d > 0) as the nearest double, ties to even. */
export function ratioToDouble(n: bigint, d: bigint): number {
  if (n === 0n) return 0;
  if (n < 0n) return -ratioToDouble(-n, d);
  const exponent = bitLength(n) - bitLength(d);
  if (exponent > 1025) return Number.POSITIVE_INFINITY;
  if (exponent <= -1022) {
    // Among the subnormals the last bit has a fixed place.
    const shifted = n << UNIT_BITS;
    let q = shifted / d;
    const twice = (shifted - q * d) * 2n;
    if (twice > d || (twice === d && (q & 1n) === 1n)) q += 1n;
    return Number(q) * Number.MIN_VALUE;
  }
  // 66 bits or so of quotient; a last bit set for any remainder makes Number() round as if it had seen all of them.
  const shift = 66 - exponent;
  const a = shift > 0 ? n << BigInt(shift) : n;
  const b = shift > 0 ? d : d << BigInt(-shift);
  let q = a / b;
  if (q * b !== a) q |= 1n;
  const half = Math.trunc(shift / 2);
  return Number(q) * 2 ** -half * 2 ** -(shift - half);
}

function bitLength(x: bigint): number {
  const hex = x.toString(16);
  return (hex.length - 1) * 4 + (32 - Math.clz32(Number.parseInt(hex[0] as string, 16)));
}

function parseBase36(text: string): bigint {
  const negative = text.startsWith("-");
  let value = 0n;
  // Ten digits of base 36 fit a double.
  for (let i = negative ? 1 : 0; i < text.length; i += 10) {
    const piece = text.slice(i, i + 10);
    value = value * 36n ** BigInt(piece.length) + BigInt(Number.parseInt(piece, 36));
  }
  return negative ? -value : value;
}
