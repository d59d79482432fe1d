/**
 * timestamptz and timestamp: microseconds since 1970-01-01 00:00 (UTC), in PostgreSQL's text forms, in the time zone UTC.
 *
 * No zone means UTC; timestamp reads past a zone, as PostgreSQL does. What is read stands in datetime-input.ts. The range ends where int64
 * does, at 294247-01-10 (PostgreSQL counts from 2000 and gets 30 years further); it begins at 4714-11-24 BC.
 */
import { EvertError } from "../../base/errors.ts";
import {
  dateParts,
  daysFromCivil,
  daysInMonth,
  FIRST_DAY,
  timeText,
  US_PER_DAY,
  US_PER_DAY_BIG,
  US_PER_SECOND,
} from "./calendar.ts";
import { badDateTime, type DateTimeType, readDateTime } from "./datetime-input.ts";

export { type CivilDate, civilFromDays, daysFromCivil } from "./calendar.ts";

/** int64's extremes stand for the two infinities. */
export const TIMESTAMP_INFINITY = 2n ** 63n - 1n;
export const TIMESTAMP_MINUS_INFINITY = -(2n ** 63n);

/** Within this many days of 1970 microseconds are safe integers, with the rest of the day to spare. */
const SAFE_DAYS = 104_248;

/** `2024-05-06 07:08:09.1+00` */
export function formatTimestamptz(us: bigint | number): string {
  return format(us, " ", "+00");
}

/** `2024-05-06T07:08:09.1+00:00`, without quotes. */
export function formatTimestamptzJson(us: bigint | number): string {
  return format(us, "T", "+00:00");
}

/** `2024-05-06 07:08:09.1` */
export function formatTimestamp(us: bigint | number): string {
  return format(us, " ", "");
}

/** `2024-05-06T07:08:09.1`, without quotes. */
export function formatTimestampJson(us: bigint | number): string {
  return format(us, "T", "");
}

function format(us: bigint | number, separator: " " | "T", zone: "+00" | "+00:00" | ""): string {
  let days: number;
  let rest: number;
  if (typeof us === "number") {
    days = Math.floor(us / US_PER_DAY);
    rest = us - days * US_PER_DAY;
  } else if (us === TIMESTAMP_INFINITY) {
    return "infinity";
  } else if (us === TIMESTAMP_MINUS_INFINITY) {
    return "-infinity";
  } else {
    let wholeDays = us / US_PER_DAY_BIG;
    if (wholeDays * US_PER_DAY_BIG > us) wholeDays -= 1n; // BigInt division truncates
    days = Number(wholeDays);
    rest = Number(us - wholeDays * US_PER_DAY_BIG);
  }
  const { text, isBc } = dateParts(days);
  return text + separator + timeText(rest) + zone + (isBc ? " BC" : "");
}

export function parseTimestamptz(text: string): bigint {
  return BigInt(parseTimestamptzLoose(text));
}

/** As parseTimestamptz, but a number where that is safe (1684 to 2255): most values need no bigint. */
export function parseTimestamptzLoose(text: string): number | bigint {
  const common = parseCommonForm(text);
  return common === null ? parseGeneral(text, "timestamp with time zone") : common;
}

/** Milliseconds, as Date has them, in microseconds. @throws datetime_overflow */
export function timestamptzFromMillis(ms: number): number | bigint {
  const days = Math.floor(ms / 86_400_000);
  return instant(days, (ms - days * 86_400_000) * 1000, `${ms} ms`);
}

/** Microseconds from elsewhere: handed back when they are in range, or an infinity. @throws datetime_overflow */
export function checkTimestamptz(us: bigint): bigint {
  const isInfinite = us === TIMESTAMP_INFINITY || us === TIMESTAMP_MINUS_INFINITY;
  if (isInfinite || (us >= BigInt(FIRST_DAY) * US_PER_DAY_BIG && us < TIMESTAMP_INFINITY)) return us;
  throw timestampOutOfRange(`${us} us`);
}

/** Without a time zone: one that is written is passed over. */
export function parseTimestamp(text: string): bigint {
  return BigInt(parseTimestampLoose(text));
}

export function parseTimestampLoose(text: string): number | bigint {
  return parseGeneral(text, "timestamp");
}

/** `YYYY-MM-DDThh:mm:ss[.digits]Z` or with +00:00, read by place; null for every other form, and for what is out of range. */
function parseCommonForm(text: string): number | null {
  if (text.length < 20) return null;
  const separator = text.charCodeAt(10);
  if (separator !== 0x54 && separator !== 0x20) return null;
  if (text.charCodeAt(4) !== 0x2d || text.charCodeAt(7) !== 0x2d) return null;
  if (text.charCodeAt(13) !== 0x3a || text.charCodeAt(16) !== 0x3a) return null;
  const year = pair(text, 0) * 100 + pair(text, 2);
  const month = pair(text, 5);
  const day = pair(text, 8);
  const hour = pair(text, 11);
  const minute = pair(text, 14);
  const second = pair(text, 17);
  // a pair that is not two digits is NaN and fails its comparison
  if (!(year >= 1700 && year < 2200 && month >= 1 && month <= 12 && day >= 1)) return null;
  if (!(day <= daysInMonth(year, month) && hour < 24 && minute < 60 && second < 60)) return null;
  let at = 19;
  let fraction = 0;
  if (text.charCodeAt(at) === 0x2e) {
    let unit = 100_000;
    for (at = 20; ; at++) {
      const digit = text.charCodeAt(at) - 0x30;
      if (!(digit >= 0 && digit <= 9)) break;
      if (unit < 1) return null; // a seventh digit is rounded
      fraction += digit * unit;
      unit = unit === 1 ? 0 : unit / 10;
    }
    if (at === 20) return null;
  }
  const isUtc =
    text.charCodeAt(at) === 0x5a ? text.length === at + 1 : text.endsWith("+00:00") && text.length === at + 6;
  if (!isUtc) return null;
  const seconds = daysFromCivil(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
  return seconds * US_PER_SECOND + fraction;
}

function pair(text: string, at: number): number {
  const tens = text.charCodeAt(at) - 0x30;
  const ones = text.charCodeAt(at + 1) - 0x30;
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : Number.NaN;
}

function parseGeneral(text: string, type: DateTimeType): number | bigint {
  const read = readDateTime(text, type);
  if (read === "epoch") return 0;
  if (read === "infinity") return TIMESTAMP_INFINITY;
  if (read === "-infinity") return TIMESTAMP_MINUS_INFINITY;
  const east = type === "timestamp" ? 0 : (read.offset ?? 0);
  if (Number.isNaN(read.days)) throw badDateTime(text, type);
  return instant(read.days, read.us - east * US_PER_SECOND, text);
}

/** The day's start plus `rest` microseconds, which may reach into a neighbouring day. */
function instant(days: number, rest: number, text: string): number | bigint {
  const first = days + Math.floor(rest / US_PER_DAY);
  if (first < FIRST_DAY) throw timestampOutOfRange(text);
  if (Math.abs(days) < SAFE_DAYS) return days * US_PER_DAY + rest;
  if (days > 200_000_000) throw timestampOutOfRange(text);
  const us = BigInt(days) * US_PER_DAY_BIG + BigInt(rest);
  if (us >= TIMESTAMP_INFINITY) throw timestampOutOfRange(text);
  return us;
}

function timestampOutOfRange(text: string): EvertError {
  return new EvertError("datetime_overflow", `timestamp out of range: "${text}"`);
}
