/**
 * timestamptz: microseconds since 1970-01-01 00:00 UTC, in PostgreSQL's text forms, in the time zone UTC.
 *
 * The calendar is proleptic Gregorian. Days and civil dates convert by counting years from March, so that the leap day is the
 * last of its year: a 400-year era has 146,097 days, and the day of the year follows from the month by (153 m + 2) / 5.
 *
 *   input = space* (date ((space+ | "T") time)? space* zone? space* era? | special) space*
 *   date  = year "-" month "-" day | YYYYMMDD        year: three digits or more
 *   time  = h ":" m (":" s ("." digits)?)? | hhmmss ("." digits)?
 *   zone  = "Z" | "UTC" | "GMT" | sign h (":" m (":" s)?)? | sign hhmm
 *   era   = "BC" | "AD"
 *   special = "infinity" | "-infinity" | "epoch"
 *
 * No zone means UTC. What else PostgreSQL reads (names of months, of zones, AM and PM) is refused. The range ends where int64 does, at
 * 294247-01-10 (PostgreSQL counts from 2000 and gets 30 years further); it begins at 4714-11-24 BC.
 */
import { EvertError, notSupported } from "../../base/errors.ts";
import { isSpace } from "./integer.ts";

/** int64's extremes stand for the two infinities. */
export const TIMESTAMP_INFINITY = 2n ** 63n - 1n;
export const TIMESTAMP_MINUS_INFINITY = -(2n ** 63n);

const US_PER_SECOND = 1_000_000;
const US_PER_DAY = 86_400_000_000;
const US_PER_DAY_BIG = 86_400_000_000n;
/** Within this many days of 1970 microseconds are safe integers, with the rest of the day to spare. */
const SAFE_DAYS = 104_248;
/** 4714-11-24 BC, Julian day 0. */
const FIRST_DAY = -2_440_588;

/** `2024-05-06 07:08:09.1+00` */
export function formatTimestamptz(us: bigint | number): string {
  return format(us, " ", "+00");
}

/** `2024-05-06T07:08:09.1+00:00`, without quotes. */
export function formatTimestamptzJson(us: bigint | number): string {
  return format(us, "T", "+00:00");
}

function format(us: bigint | number, separator: " " | "T", zone: "+00" | "+00:00"): string {
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
  const date = civilFromDays(days);
  const seconds = Math.floor(rest / US_PER_SECOND);
  const fraction = rest - seconds * US_PER_SECOND;
  const hour = Math.floor(seconds / 3600);
  const minute = Math.floor(seconds / 60) % 60;
  const isBc = date.year <= 0;
  const year = isBc ? 1 - date.year : date.year;
  const yearText = year > 9999 ? String(year) : twoDigits(Math.floor(year / 100)) + twoDigits(year % 100);
  return (
    yearText +
    "-" +
    twoDigits(date.month) +
    "-" +
    twoDigits(date.day) +
    separator +
    twoDigits(hour) +
    ":" +
    twoDigits(minute) +
    ":" +
    twoDigits(seconds % 60) +
    (fraction === 0 ? "" : fractionText(fraction)) +
    zone +
    (isBc ? " BC" : "")
  );
}

const pairs = Array.from({ length: 100 }, (_, n) => String(n).padStart(2, "0"));

function twoDigits(n: number): string {
  return pairs[n] as string;
}

/** Microseconds without trailing zeros. */
function fractionText(us: number): string {
  let digits = 6;
  while (us % 10 === 0) {
    us /= 10;
    digits--;
  }
  let text = String(us);
  while (text.length < digits) text = "0" + text;
  return "." + text;
}

export interface CivilDate {
  /** Astronomical: 0 is 1 BC. */
  readonly year: number;
  readonly month: number;
  readonly day: number;
}

/** Days since 1970-01-01 of a proleptic Gregorian date. */
export function daysFromCivil(year: number, month: number, day: number): number {
  const marchYear = month <= 2 ? year - 1 : year;
  const era = Math.floor(marchYear / 400);
  const yearOfEra = marchYear - era * 400;
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468; // 0000-03-01 is day -719,468
}

export function civilFromDays(days: number): CivilDate {
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const marchMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  return { year, month, day: dayOfYear - Math.floor((153 * marchMonth + 2) / 5) + 1 };
}

export function parseTimestamptz(text: string): bigint {
  return BigInt(parseTimestamptzLoose(text));
}

/** As parseTimestamptz, but a number where that is safe (1684 to 2255): most values need no bigint. */
export function parseTimestamptzLoose(text: string): number | bigint {
  const common = parseCommonForm(text);
  return common === null ? parseGeneral(text) : common;
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

const space = "[ \\t-\\r]";
const generalForm = new RegExp(
  `^${space}*(?:(\\d{3,})-(\\d{1,2})-(\\d{1,2})|(\\d{4})(\\d{2})(\\d{2}))` +
    `(?:(?:${space}+|${space}*T)(?:(\\d{1,3}):(\\d{1,2})(?::(\\d{1,2})(\\.\\d*)?)?|(\\d{2})(\\d{2})(\\d{2})(\\.\\d*)?))?` +
    `(?:${space}*(Z|ZULU|UTC|UT|GMT)|${space}*([+-]\\d{1,}(?::\\d{1,2}){0,2}))?` +
    `(?:${space}*(BC|AD))?${space}*$`,
  "i",
);
const namedZone = new RegExp(`^${space}*\\d{3,}-\\d.*${space}[A-Za-z]+(?:/[A-Za-z_/]+)?${space}*$`);

function parseGeneral(text: string): number | bigint {
  const match = generalForm.exec(text);
  if (match === null) return parseSpecial(text);
  const [, y, mo, d, y2, mo2, d2, h, mi, s, f, h2, mi2, s2, f2, , offset, era] = match;
  // PostgreSQL reads 2024-05-06-02 as no date at all
  if (
    offset !== undefined &&
    h === undefined &&
    h2 === undefined &&
    /\d-\d+$/.test(text.replace(/^.*?-.*?-/, ""))
  ) {
    throw badTimestamp(text);
  }
  const eraYear = Number(y ?? y2);
  const month = Number(mo ?? mo2);
  const day = Number(d ?? d2);
  if (eraYear === 0) throw fieldOutOfRange(text);
  const year = era?.toUpperCase() === "BC" ? 1 - eraYear : eraYear;
  if (month < 1 || month > 12 || day < 1 || day > 31) throw fieldOutOfRange(text, dateStyleHint);
  if (day > daysInMonth(year, month)) throw fieldOutOfRange(text);

  const hour = Number(h ?? h2 ?? 0);
  const minute = Number(mi ?? mi2 ?? 0);
  const second = Number(s ?? s2 ?? 0);
  const fraction = fractionUs(f ?? f2);
  // 24:00:00 and a leap second's :60 stand for the next second's start, and only for that
  const isPastMidnight = hour > 24 || (hour === 24 && (minute > 0 || second > 0 || fraction > 0));
  if (minute > 59 || second > 60 || (second === 60 && fraction > 0) || isPastMidnight)
    throw fieldOutOfRange(text);

  const seconds = hour * 3600 + minute * 60 + second - offsetSeconds(offset, text);
  return instant(daysFromCivil(year, month, day), seconds * US_PER_SECOND + fraction, text);
}

/** As PostgreSQL: the fraction as a double, times a million, rounded half to even. */
function fractionUs(digits: string | undefined): number {
  if (digits === undefined || digits === ".") return 0;
  const us = Number(digits) * US_PER_SECOND;
  const floor = Math.floor(us);
  const above = us - floor;
  return above > 0.5 || (above === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}

function offsetSeconds(offset: string | undefined, text: string): number {
  if (offset === undefined) return 0;
  const [first = "", minutes = "0", seconds = "0"] = offset.slice(1).split(":");
  let hour = Number(first);
  let minute = Number(minutes);
  if (first.length > 2) {
    if (first.length > 4 || offset.includes(":")) throw displacementOutOfRange(text);
    minute = hour % 100;
    hour = Math.floor(hour / 100);
  }
  const second = Number(seconds);
  if (hour > 15 || minute > 59 || second > 59) throw displacementOutOfRange(text);
  const total = hour * 3600 + minute * 60 + second;
  return offset.startsWith("-") ? -total : total;
}

/** The day's start plus `rest` microseconds, which may reach into a neighbouring day. */
function instant(days: number, rest: number, text: string): number | bigint {
  const first = days + Math.floor(rest / US_PER_DAY);
  if (Number.isNaN(first)) throw badTimestamp(text);
  if (first < FIRST_DAY) throw timestampOutOfRange(text);
  if (Math.abs(days) < SAFE_DAYS) return days * US_PER_DAY + rest;
  if (days > 200_000_000) throw timestampOutOfRange(text);
  const us = BigInt(days) * US_PER_DAY_BIG + BigInt(rest);
  if (us >= TIMESTAMP_INFINITY) throw timestampOutOfRange(text);
  return us;
}

function parseSpecial(text: string): number | bigint {
  let from = 0;
  let to = text.length;
  while (isSpace(text.charCodeAt(from))) from++;
  while (to > from && isSpace(text.charCodeAt(to - 1))) to--;
  const word = text.slice(from, to).toLowerCase();
  switch (word) {
    case "infinity":
    case "+infinity":
      return TIMESTAMP_INFINITY;
    case "-infinity":
      return TIMESTAMP_MINUS_INFINITY;
    case "epoch":
      return 0;
    case "now":
    case "today":
    case "tomorrow":
    case "yesterday":
      throw notSupported(
        `the timestamp "${word}"`,
        undefined,
        "Write the time out: a replay must read the same value.",
      );
  }
  if (namedZone.test(text)) {
    throw notSupported(`the form of timestamp "${text}"`, undefined, isoHint);
  }
  throw badTimestamp(text);
}

function daysInMonth(year: number, month: number): number {
  if (month !== 2) return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
}

const isoHint = "Write it as ISO 8601, such as 2024-05-06T07:08:09Z.";
const dateStyleHint = 'Perhaps you need a different "DateStyle" setting.';

function badTimestamp(text: string): EvertError {
  return new EvertError(
    "invalid_datetime",
    `invalid input syntax for type timestamp with time zone: "${text}"`,
    { hint: isoHint },
  );
}

function fieldOutOfRange(text: string, hint?: string): EvertError {
  return new EvertError("datetime_overflow", `date/time field value out of range: "${text}"`, { hint });
}

function displacementOutOfRange(text: string): EvertError {
  return new EvertError("datetime_overflow", `time zone displacement out of range: "${text}"`, {
    sqlstate: "22009",
  });
}

function timestampOutOfRange(text: string): EvertError {
  return new EvertError("datetime_overflow", `timestamp out of range: "${text}"`);
}
