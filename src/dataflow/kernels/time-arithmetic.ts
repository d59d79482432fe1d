/**
 * + - * / of dates, times and intervals, and the casts between them, as PostgreSQL computes them in the time zone UTC.
 *
 * An interval comes and goes as its text. To add one to a time: the months first (the day is cut to the length of the month it lands in), then
 * the days, then the microseconds. The infinities absorb what is finite; what two of them leave open is an error.
 */
import {
  civilFromDays,
  daysFromCivil,
  daysInMonth,
  FIRST_DAY,
  US_PER_DAY_BIG,
} from "../../batch/format/calendar.ts";
import { DATE_INFINITY, DATE_MINUS_INFINITY, LAST_DAY } from "../../batch/format/datetime.ts";
import {
  fitsInterval,
  formatInterval,
  INTERVAL_INFINITY,
  INTERVAL_MINUS_INFINITY,
  type Interval,
  intervalInfinity,
  intervalSpan,
  parseInterval,
} from "../../batch/format/interval.ts";
import { TIMESTAMP_INFINITY, TIMESTAMP_MINUS_INFINITY } from "../../batch/format/timestamptz.ts";
import { isInfiniteTime } from "./datetime.ts";
import { divisionByZero, fail, scalarError, timestampOutOfRange } from "./errors.ts";
import { roundHalfEven } from "./rounding.ts";

const dateOutOfRange = scalarError("datetime_overflow", "date out of range");
const infiniteDates = scalarError("datetime_overflow", "cannot subtract infinite dates");
const dateTooLate = scalarError("datetime_overflow", "date out of range for timestamp");
const intervalOutOfRange = scalarError("datetime_overflow", "interval out of range");
const infiniteToTime = scalarError("datetime_overflow", "cannot convert infinite interval to time");
const addInfinite = scalarError("datetime_overflow", "cannot add infinite interval to time");
const subtractInfinite = scalarError("datetime_overflow", "cannot subtract infinite interval from time");

const ZERO_INTERVAL = "00:00:00";
const FIRST_US = BigInt(FIRST_DAY) * US_PER_DAY_BIG;

function isInfiniteDate(days: number): boolean {
  return days === DATE_INFINITY || days === DATE_MINUS_INFINITY;
}

function floorDays(us: bigint): bigint {
  const days = us / US_PER_DAY_BIG;
  return days * US_PER_DAY_BIG > us ? days - 1n : days;
}

// ---- dates ------------------------------------------------------------------------------------------------------

export function addDays(day: number, days: number): number {
  if (isInfiniteDate(day)) return day;
  const sum = day + days;
  return sum >= FIRST_DAY && sum <= LAST_DAY ? sum : fail(dateOutOfRange, 0);
}

export function daysBetween(a: number, b: number): number {
  return isInfiniteDate(a) || isInfiniteDate(b) ? fail(infiniteDates, 0) : a - b;
}

export function timestampOfDate(day: number): bigint {
  if (day === DATE_INFINITY) return TIMESTAMP_INFINITY;
  if (day === DATE_MINUS_INFINITY) return TIMESTAMP_MINUS_INFINITY;
  const us = BigInt(day) * US_PER_DAY_BIG;
  return us < TIMESTAMP_INFINITY ? us : fail(dateTooLate, 0n);
}

/** For a comparison with timestamps: a date too late for one is later than every finite one. */
export function timestampBesideDate(day: number): bigint {
  if (day === DATE_INFINITY) return TIMESTAMP_INFINITY;
  if (day === DATE_MINUS_INFINITY) return TIMESTAMP_MINUS_INFINITY;
  const us = BigInt(day) * US_PER_DAY_BIG;
  return us < TIMESTAMP_INFINITY ? us : TIMESTAMP_INFINITY - 1n;
}

export function dateOfTimestamp(us: bigint): number {
  if (us === TIMESTAMP_INFINITY) return DATE_INFINITY;
  return us === TIMESTAMP_MINUS_INFINITY ? DATE_MINUS_INFINITY : Number(floorDays(us));
}

export function timeOfTimestamp(us: bigint): bigint | null {
  return isInfiniteTime(us) ? null : us - floorDays(us) * US_PER_DAY_BIG;
}

export function addTimeToDate(day: number, time: bigint): bigint {
  const start = timestampOfDate(day);
  return isInfiniteTime(start) ? start : checked(start + time);
}

function checked(us: bigint): bigint {
  return isInRange(us) ? us : fail(timestampOutOfRange, 0n);
}

function isInRange(us: bigint): boolean {
  return us >= FIRST_US && us < TIMESTAMP_INFINITY;
}

// ---- timestamps -------------------------------------------------------------------------------------------------

/** The microseconds of an interval that has no months, as far as they are a safe integer; else NaN. */
export function spanMicroseconds(written: string): number {
  const span = parseInterval(written);
  if (span.months !== 0 || intervalInfinity(span) !== 0) return Number.NaN;
  const us = Number(intervalSpan(span));
  return Number.isSafeInteger(us) ? us : Number.NaN;
}

export function addInterval(us: bigint, written: string): bigint {
  return shifted(us, parseInterval(written));
}

/** The time after an interval without months; what is beyond all times is infinitely far. */
export function boundAfter(us: bigint, written: string): bigint {
  if (isInfiniteTime(us)) return us;
  const moved = us + intervalSpan(parseInterval(written));
  if (isInRange(moved)) return moved;
  return moved < 0n ? TIMESTAMP_MINUS_INFINITY : TIMESTAMP_INFINITY;
}

export function subtractInterval(us: bigint, written: string): bigint {
  const span = parseInterval(written);
  const infinite = intervalInfinity(span);
  if (infinite !== 0) return shifted(us, infinite > 0 ? INTERVAL_MINUS_INFINITY : INTERVAL_INFINITY);
  const { months, days, us: rest } = span;
  return shifted(us, { months: -months, days: -days, us: -rest });
}

function shifted(us: bigint, span: Interval): bigint {
  const infinite = intervalInfinity(span);
  if (infinite !== 0) {
    const [same, other] =
      infinite > 0
        ? [TIMESTAMP_INFINITY, TIMESTAMP_MINUS_INFINITY]
        : [TIMESTAMP_MINUS_INFINITY, TIMESTAMP_INFINITY];
    return us === other ? fail(timestampOutOfRange, 0n) : same;
  }
  if (isInfiniteTime(us)) return us;
  let days = floorDays(us);
  const time = us - days * US_PER_DAY_BIG;
  if (span.months !== 0) {
    const { year, month, day } = civilFromDays(Number(days));
    const months = year * 12 + (month - 1) + span.months;
    const [y, m] = [Math.floor(months / 12), (((months % 12) + 12) % 12) + 1];
    days = BigInt(daysFromCivil(y, m, Math.min(day, daysInMonth(y, m))));
    // Every step must land on a time, even if a later one would lead back.
    if (!isInRange(days * US_PER_DAY_BIG + time)) return fail(timestampOutOfRange, 0n);
  }
  days += BigInt(span.days);
  const midnight = days * US_PER_DAY_BIG + time;
  return isInRange(midnight) ? checked(midnight + span.us) : fail(timestampOutOfRange, 0n);
}

export function timestampsApart(a: bigint, b: bigint): string {
  if (isInfiniteTime(a) || isInfiniteTime(b)) {
    if (a === b) return fail(intervalOutOfRange, ZERO_INTERVAL);
    const positive = a === TIMESTAMP_INFINITY || b === TIMESTAMP_MINUS_INFINITY;
    return positive ? "infinity" : "-infinity";
  }
  const apart = a - b;
  if (BigInt.asIntN(64, apart) !== apart) return fail(intervalOutOfRange, ZERO_INTERVAL);
  const days = apart / US_PER_DAY_BIG;
  return made({ months: 0, days: Number(days), us: apart - days * US_PER_DAY_BIG });
}

// ---- times of day -----------------------------------------------------------------------------------------------

function aroundTheClock(us: bigint): bigint {
  const rest = us % US_PER_DAY_BIG;
  return rest < 0n ? rest + US_PER_DAY_BIG : rest;
}

export function addToTime(time: bigint, written: string): bigint {
  const span = parseInterval(written);
  return intervalInfinity(span) !== 0 ? fail(addInfinite, 0n) : aroundTheClock(time + span.us);
}

export function subtractFromTime(time: bigint, written: string): bigint {
  const span = parseInterval(written);
  return intervalInfinity(span) !== 0 ? fail(subtractInfinite, 0n) : aroundTheClock(time - span.us);
}

export function timesApart(a: bigint, b: bigint): string {
  return made({ months: 0, days: 0, us: a - b });
}

export function intervalOfTime(time: bigint): string {
  return made({ months: 0, days: 0, us: time });
}

export function timeOfInterval(written: string): bigint {
  const span = parseInterval(written);
  return intervalInfinity(span) !== 0 ? fail(infiniteToTime, 0n) : aroundTheClock(span.us);
}

// ---- intervals --------------------------------------------------------------------------------------------------

function made(value: Interval): string {
  if (!fitsInterval(value) || intervalInfinity(value) !== 0) return fail(intervalOutOfRange, ZERO_INTERVAL);
  return formatInterval(value);
}

export function addIntervals(a: string, b: string): string {
  return combined(parseInterval(a), parseInterval(b), 1);
}

export function subtractIntervals(a: string, b: string): string {
  return combined(parseInterval(a), parseInterval(b), -1);
}

function combined(a: Interval, b: Interval, sign: 1 | -1): string {
  const left = intervalInfinity(a);
  const right = intervalInfinity(b) * sign;
  if (left !== 0 || right !== 0) {
    if (left !== 0 && right !== 0 && left !== right) return fail(intervalOutOfRange, ZERO_INTERVAL);
    return infinity(left + right);
  }
  const by = BigInt(sign);
  return made({ months: a.months + b.months * sign, days: a.days + b.days * sign, us: a.us + b.us * by });
}

function infinity(sign: number): string {
  return sign > 0 ? "infinity" : "-infinity";
}

export function negateInterval(written: string): string {
  const { months, days, us } = parseInterval(written);
  const infinite = intervalInfinity({ months, days, us });
  return infinite !== 0 ? infinity(-infinite) : made({ months: 0 - months, days: 0 - days, us: -us });
}

export function multiplyInterval(written: string, factor: number): string {
  const span = parseInterval(written);
  const infinite = intervalInfinity(span);
  if (infinite !== 0 || !Number.isFinite(factor)) {
    const sign = Math.sign(infinite !== 0 ? infinite : Number(intervalSpan(span))) * Math.sign(factor);
    return sign > 0 || sign < 0 ? infinity(sign) : fail(intervalOutOfRange, ZERO_INTERVAL);
  }
  return scaled(span, (x) => x * factor);
}

export function divideInterval(written: string, divisor: number): string {
  if (divisor === 0) return fail(divisionByZero, ZERO_INTERVAL);
  const span = parseInterval(written);
  const infinite = intervalInfinity(span);
  if (Number.isNaN(divisor) || (infinite !== 0 && !Number.isFinite(divisor)))
    return fail(intervalOutOfRange, ZERO_INTERVAL);
  if (infinite !== 0) return infinity(infinite * Math.sign(divisor));
  return scaled(span, (x) => x / divisor);
}

/** What is left of months goes on as days (30 each), what is left of days as seconds, both rounded to six digits. */
function scaled({ months, days, us }: Interval, by: (x: number) => number): string {
  const wholeMonths = Math.trunc(by(months));
  let wholeDays = Math.trunc(by(days));
  if (!fitsInt4(by(months)) || !fitsInt4(by(days))) return fail(intervalOutOfRange, ZERO_INTERVAL);
  const daysLeft = sixDigits((by(months) - wholeMonths) * 30);
  let seconds = sixDigits((by(days) - wholeDays + daysLeft - Math.trunc(daysLeft)) * 86_400);
  if (Math.abs(seconds) >= 86_400) {
    const more = Math.trunc(seconds / 86_400);
    wholeDays += more;
    seconds -= more * 86_400;
  }
  wholeDays += Math.trunc(daysLeft);
  const rest = roundHalfEven(by(Number(us)) + seconds * 1e6);
  if (!(rest >= -(2 ** 63) && rest < 2 ** 63)) return fail(intervalOutOfRange, ZERO_INTERVAL);
  return made({ months: wholeMonths + 0, days: wholeDays + 0, us: BigInt(rest) });
}

function fitsInt4(x: number): boolean {
  return x >= -2147483648 && x < 2147483648;
}

function sixDigits(x: number): number {
  return roundHalfEven(x * 1e6) / 1e6;
}
