/**
 * RANGE with an offset: whether a value lies on the near side of another one moved by a distance, as PostgreSQL's in_range functions
 * have it. NaN equals itself and is beyond every number; an infinite distance reaches an infinity of its own sign.
 *
 * Values are codes of a column; sums that leave the type count as infinite.
 */
import { intervalInfinity, intervalSpan, parseInterval } from "../../batch/format.ts";
import { isSmallNumeric, type SqlType } from "../../batch/types.ts";
import type { ConstExpr } from "../../plan/expression.ts";
import { type Dictionary, WIDE } from "../../state/dictionary.ts";
import { isInfiniteTime, US_PER_DAY } from "./datetime.ts";
import {
  addDecimals,
  compareDecimals,
  DECIMAL_INFINITY,
  DECIMAL_NEGATIVE_INFINITY,
  type Decimal,
  decimalFromText,
  FINITE,
  INFINITY,
  NAN,
  NEGATIVE_INFINITY,
  subtractDecimals,
} from "./decimal.ts";
import { takeFault } from "./errors.ts";
import { runtimeOf } from "./runtime.ts";
import { addInterval, subtractInterval, timestampOfDate } from "./time-arithmetic.ts";

/** value <= base ± distance (`less`), or value >= base ± distance. `back`: minus. */
export type WithinRange = (value: number, base: number, back: boolean, less: boolean) => boolean;

export function withinRange(type: SqlType, offset: ConstExpr, dictionary: Dictionary): WithinRange {
  switch (type.name) {
    case "int2":
    case "int4":
    case "int8":
      return withinIntegers(BigInt(offset.value as bigint), dictionary);
    case "float4":
    case "float8":
      return withinFloats(Number(offset.value));
    case "numeric":
      return withinNumerics(type, String(offset.value), dictionary);
    case "date":
      return withinDates(String(offset.value));
    case "timestamp":
    case "timestamptz":
      return withinTimestamps(String(offset.value), dictionary);
    case "time":
      return withinIntegers(parseInterval(String(offset.value)).us, dictionary);
    case "interval":
      return withinIntervals(String(offset.value), dictionary);
    default:
      throw new Error(`${type.name} has no distances`);
  }
}

function withinIntegers(offset: bigint, dictionary: Dictionary): WithinRange {
  const near = offset < 4503599627370496n; // 2^52: sums with it are exact
  const distance = Number(offset);
  const big = (code: number) => (code >= WIDE ? dictionary.bigint(code) : BigInt(code));
  return (value, base, back, less) => {
    if (near && value < WIDE && base < 4503599627370496 && base > -4503599627370496) {
      const bound = back ? base - distance : base + distance;
      return less ? value <= bound : value >= bound;
    }
    const bound = back ? big(base) - offset : big(base) + offset;
    return less ? big(value) <= bound : big(value) >= bound;
  };
}

function withinFloats(offset: number): WithinRange {
  return (value, base, back, less) => {
    if (Number.isNaN(value)) return Number.isNaN(base) ? true : !less;
    if (Number.isNaN(base)) return less;
    if (
      offset === Number.POSITIVE_INFINITY &&
      base === (back ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY)
    )
      return true;
    const bound = back ? base - offset : base + offset;
    return less ? value <= bound : value >= bound;
  };
}

function withinNumerics(type: SqlType, written: string, dictionary: Dictionary): WithinRange {
  const runtime = runtimeOf(dictionary);
  const offset = decimalFromText(written);
  const small = isSmallNumeric(type);
  const scale = type.scale ?? 0;
  const read = (code: number): Decimal =>
    small ? runtime.decimalOfScaled(code, scale) : runtime.decimal(code);
  return (v, b, back, less) => {
    const value = read(v);
    const base = read(b);
    if (value.kind === NAN) return base.kind === NAN ? true : !less;
    if (base.kind === NAN) return less;
    if (offset.kind !== FINITE && base.kind === (back ? INFINITY : NEGATIVE_INFINITY)) return true;
    const bound =
      offset.kind !== FINITE
        ? infinite(base, back)
        : back
          ? subtractDecimals(base, offset)
          : addDecimals(base, offset);
    takeFault();
    const order = compareDecimals(value, bound);
    return less ? order <= 0 : order >= 0;
  };
}

function infinite(base: Decimal, back: boolean): Decimal {
  if (base.kind !== FINITE) return base;
  return back ? DECIMAL_NEGATIVE_INFINITY : DECIMAL_INFINITY;
}

function withinDates(written: string): WithinRange {
  const within = betweenTimes(written);
  return (value, base, back, less) => within(timestampOfDate(value), timestampOfDate(base), back, less);
}

function withinTimestamps(written: string, dictionary: Dictionary): WithinRange {
  const within = betweenTimes(written);
  const { months, days, us } = parseInterval(written);
  // Without months a distance is a number of microseconds, for the database's time zone is UTC.
  const distance = months === 0 && Math.abs(days) < 36_500 ? days * US_PER_DAY + Number(us) : Number.NaN;
  const big = (code: number) => (code >= WIDE ? dictionary.bigint(code) : BigInt(code));
  return (value, base, back, less) => {
    if (distance < 4503599627370496 && value < WIDE && Math.abs(base) < 4503599627370496) {
      const bound = back ? base - distance : base + distance;
      return less ? value <= bound : value >= bound;
    }
    return within(big(value), big(base), back, less);
  };
}

type WithinTimes = (value: bigint, base: bigint, back: boolean, less: boolean) => boolean;

function betweenTimes(written: string): WithinTimes {
  const endless = intervalInfinity(parseInterval(written)) !== 0;
  return (value, base, back, less) => {
    if (endless && isInfiniteTime(base) && (back ? base > 0n : base < 0n)) return true;
    const bound = back ? subtractInterval(base, written) : addInterval(base, written);
    // Beyond the last time there is: further than any value.
    if (takeFault() !== null) return back ? !less : less;
    return less ? value <= bound : value >= bound;
  };
}

function withinIntervals(written: string, dictionary: Dictionary): WithinRange {
  const distance = intervalSpan(parseInterval(written));
  const endless = intervalInfinity(parseInterval(written)) !== 0;
  return (v, b, back, less) => {
    const value = parseInterval(dictionary.string(v));
    const base = parseInterval(dictionary.string(b));
    if (endless && intervalInfinity(base) === (back ? 1 : -1)) return true;
    const span = intervalSpan(base);
    const isEndless = intervalInfinity(base) !== 0;
    const bound = isEndless ? span : back ? span - distance : span + distance;
    return less ? intervalSpan(value) <= bound : intervalSpan(value) >= bound;
  };
}
