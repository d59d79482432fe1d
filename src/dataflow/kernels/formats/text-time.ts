/**
 * to_date and to_timestamp: a text read by a pattern.
 *
 * 1. The fields are read (time-reader.ts).
 * 2. What they say is put together: a year from YYYY, or from CC and YY; a day from J, else from an ISO week, else from month and day, or
 *    from the day of the year, or from a week. What is missing is 1, the year 1 BC.
 */
import {
  civilFromDays,
  daysFromCivil,
  daysInMonth,
  FIRST_DAY,
  US_PER_DAY_BIG,
} from "../../../batch/format/calendar.ts";
import { LAST_DAY } from "../../../batch/format/datetime.ts";
import { TIMESTAMP_INFINITY } from "../../../batch/format/timestamptz.ts";
import { fail, scalarError, timestampOutOfRange } from "../errors.ts";
import { INT4_MAX, Misread, misread, TimeReader } from "./time-reader.ts";

interface Said {
  readonly days: number;
  /** Microseconds of the day. */
  readonly us: number;
  /** Seconds east of Greenwich. */
  readonly east: number;
}

/** Day of the first Monday of an ISO year's weeks. */
function isoYearStart(year: number): number {
  const fourth = daysFromCivil(year, 1, 4);
  return fourth - ((((fourth + 3) % 7) + 7) % 7);
}

function together(reader: TimeReader, text: string): Said {
  const { fields } = reader;
  const outOfRange = () =>
    new Misread(scalarError("datetime_overflow", `date/time field value out of range: "${text}"`));
  const seconds = fields.ssss ?? 0;
  let hour = fields.hh ?? Math.trunc(seconds / 3600);
  const minute = fields.mi ?? Math.trunc(seconds / 60) % 60;
  const second = fields.ss ?? seconds % 60;
  if (reader.twelveHours) {
    if (hour < 1 || hour > 12) {
      const hint = "Use the 24-hour clock, or give an hour between 1 and 12.";
      throw new Misread(misread(`hour "${hour}" is invalid for the 12-hour clock`, undefined, hint));
    }
    if (fields.pm === 1 && hour < 12) hour += 12;
    else if (fields.pm !== 1 && hour === 12) hour = 0;
  }
  const fraction = (fields.ms ?? 0) * 1000 + (fields.us ?? 0);
  const year = yearOf(reader);
  if (Math.abs(year ?? 0) > INT4_MAX) throw outOfRange();
  const days = dayOf(reader, year, outOfRange);
  const inDay = hour >= 0 && hour < 24 && minute >= 0 && minute < 60 && second >= 0 && second < 60;
  if (!inDay || fraction < 0 || fraction >= 1e6) throw outOfRange();
  const unit = 10 ** (6 - reader.precision);
  const us = (hour * 3600 + minute * 60 + second) * 1e6 + Math.round(fraction / unit) * unit;
  return { days, us, east: eastOf(reader, text) };
}

function eastOf({ fields, zoneSign, zone }: TimeReader, text: string): number {
  if (zoneSign === 0) return zone ?? 0;
  const [hours, minutes] = [fields.tzh ?? 0, fields.tzm ?? 0];
  if (hours < 0 || hours > 15 || minutes < 0 || minutes > 59) {
    const message = `time zone displacement out of range: "${text}"`;
    throw new Misread(scalarError("datetime_overflow", message, { sqlstate: "22009" }));
  }
  return zoneSign * (hours * 3600 + minutes * 60);
}

/** Astronomical; null where none was given. */
function yearOf({ fields, yearDigits }: TimeReader): number | null {
  const cc = (fields.cc ?? 0) * (fields.bc === 1 ? -1 : 1);
  const { year = 0 } = fields;
  if (year !== 0) {
    if (cc !== 0 && yearDigits <= 2) {
      const short = year % 100;
      if (short === 0) return cc * 100 + (cc >= 0 ? 0 : 1);
      return cc >= 0 ? short + (cc - 1) * 100 : (cc + 1) * 100 - short + 1;
    }
    const signed = fields.bc === 1 ? -year : year;
    return signed < 0 ? signed + 1 : signed;
  }
  if (cc === 0) return null;
  return cc > 0 ? (cc - 1) * 100 + 1 : cc * 100 + 1;
}

function dayOf(reader: TimeReader, said: number | null, outOfRange: () => Misread): number {
  const { fields, convention } = reader;
  const { j = 0, ww = 0, w = 0, d = 0 } = fields;
  let { dd = 0, mm = 0, ddd = 0 } = fields;
  let date = { year: said ?? 0, month: 1, day: 1 };
  let known = false;
  if (j !== 0) {
    date = { ...civilFromDays(j + FIRST_DAY) };
    known = true;
  }
  if (ww !== 0) {
    if (convention === "iso") {
      // Monday begins a week, Sunday ends it.
      const weekday = d === 0 ? 0 : d === 1 ? 6 : d - 2;
      date = { ...civilFromDays(isoYearStart(date.year) + (ww - 1) * 7 + weekday) };
      known = true;
    } else ddd = (ww - 1) * 7 + 1;
  }
  if (w !== 0) dd = (w - 1) * 7 + 1;
  const hasDay = dd !== 0;
  const hasMonth = mm !== 0;
  if (hasDay) date.day = dd;
  if (hasMonth) date.month = mm;
  if (ddd !== 0 && (date.month <= 1 || date.day <= 1)) {
    if (date.year === 0 && fields.bc !== 1)
      throw new Misread(misread("cannot calculate day of year without year information"));
    if (convention === "iso") date = { ...civilFromDays(isoYearStart(date.year) + ddd - 1) };
    else {
      const first = daysFromCivil(date.year, 1, 1);
      const inYear = civilFromDays(first + ddd - 1);
      if (ddd < 1 || inYear.year !== date.year) throw outOfRange();
      if (date.month <= 1) date.month = inYear.month;
      if (date.day <= 1) date.day = inYear.day;
    }
    known = true;
  }
  [mm, dd] = [date.month, date.day];
  if (mm < 1 || mm > 12 || dd < 1 || dd > 31) throw outOfRange();
  const whole = known || (said !== null && hasDay && hasMonth);
  if (whole && dd > daysInMonth(date.year, mm)) throw outOfRange();
  return daysFromCivil(date.year, mm, dd);
}

function readBy<T>(text: string, pattern: string, made: (said: Said) => T, otherwise: T): T {
  try {
    const reader = new TimeReader(text, pattern);
    reader.read();
    return made(together(reader, text));
  } catch (thrown) {
    if (thrown instanceof Misread) return fail(thrown.error, otherwise);
    throw thrown;
  }
}

function toDate(text: string, pattern: string): number {
  return readBy(
    text,
    pattern,
    ({ days }) => {
      if (days >= FIRST_DAY && days <= LAST_DAY) return days;
      return fail(scalarError("datetime_overflow", `date out of range: "${text}"`), 0);
    },
    0,
  );
}

function toTimestamp(text: string, pattern: string): bigint {
  return readBy(
    text,
    pattern,
    ({ days, us, east }) => {
      const at = BigInt(days) * US_PER_DAY_BIG + BigInt(us - east * 1e6);
      if (days >= FIRST_DAY && at < TIMESTAMP_INFINITY) return at;
      return fail(timestampOutOfRange, 0n);
    },
    0n,
  );
}

export const textTimeLibrary = { text_to_date_by: toDate, text_to_timestamptz_by: toTimestamp };
