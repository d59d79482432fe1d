/**
 * What PostgreSQL reads as a date and a time of day, ISO 8601 and its neighbours:
 *
 *   input = space* (date ((space+ | "T") time)? space* zone? space* era? | special) space*
 *   date  = year "-" month "-" day | YYYYMMDD        year: three digits or more
 *   time  = h ":" m (":" s ("." digits)?)? | hhmmss ("." digits)?
 *   zone  = "Z" | "UTC" | "GMT" | sign h (":" m (":" s)?)? | sign hhmm
 *   era   = "BC" | "AD"
 *   special = "infinity" | "-infinity" | "epoch"
 *
 * Names of months, and slashes: datetime-words.ts. Names of zones are refused.
 */
import { EvertError, notSupported } from "../../base/errors.ts";
import { daysFromCivil, daysInMonth, US_PER_SECOND } from "./calendar.ts";
import { daysOf, readWrittenDate } from "./datetime-words.ts";
import { trimSpace } from "./integer.ts";

/** As PostgreSQL's messages call the type that is read. */
export type DateTimeType = "timestamp with time zone" | "timestamp" | "date" | "time" | "interval";

export interface DateTimeFields {
  readonly days: number;
  /** Microseconds of the day: 24:00:00 is the most. */
  readonly us: number;
  /** Seconds east of Greenwich; null without a zone. */
  readonly offset: number | null;
}

export type Special = "infinity" | "-infinity" | "epoch";

const space = "[ \\t-\\r]";
const generalForm = new RegExp(
  `^${space}*(?:(\\d{3,})-(\\d{1,2})-(\\d{1,2})|(\\d{4})(\\d{2})(\\d{2}))` +
    `(?:(?:${space}+|${space}*T)(?:(\\d{1,3}):(\\d{1,2})(?::(\\d{1,2})(\\.\\d*)?)?|(\\d{2})(\\d{2})(\\d{2})(\\.\\d*)?))?` +
    `(?:${space}*(Z|ZULU|UTC|UT|GMT)|${space}*([+-]\\d{1,}(?::\\d{1,2}){0,2}))?` +
    `(?:${space}*(BC|AD))?${space}*$`,
  "i",
);
const namedZone = new RegExp(`^${space}*\\d{3,}-\\d.*${space}[A-Za-z]+(?:/[A-Za-z_/]+)?${space}*$`);

/** @throws invalid_datetime, datetime_overflow */
export function readDateTime(text: string, type: DateTimeType): DateTimeFields | Special {
  const match = generalForm.exec(text);
  if (match === null) return readWritten(text) ?? readSpecial(text, type);
  const [, y, mo, d, y2, mo2, d2, h, mi, s, f, h2, mi2, s2, f2, zone, offset, era] = match;
  // PostgreSQL reads 2024-05-06-02 as no date at all
  if (
    offset !== undefined &&
    h === undefined &&
    h2 === undefined &&
    /\d-\d+$/.test(text.replace(/^.*?-.*?-/, ""))
  ) {
    throw badDateTime(text, type);
  }
  const eraYear = Number(y ?? y2);
  const month = Number(mo ?? mo2);
  const day = Number(d ?? d2);
  if (eraYear === 0) throw fieldOutOfRange(text);
  const year = era?.toUpperCase() === "BC" ? 1 - eraYear : eraYear;
  if (month < 1 || month > 12 || day < 1 || day > 31) throw fieldOutOfRange(text, dateStyleHint);
  if (day > daysInMonth(year, month)) throw fieldOutOfRange(text);
  const us = timeOfDay(text, h ?? h2, mi ?? mi2, s ?? s2, f ?? f2);
  return {
    days: daysFromCivil(year, month, day),
    us,
    offset: offset === undefined ? (zone === undefined ? null : 0) : offsetSeconds(offset, text),
  };
}

/** Microseconds of h:m:s.f; 24:00:00 and a leap second's :60 stand for the next second's start, and only for that. */
export function timeOfDay(
  text: string,
  h: string | undefined,
  m: string | undefined,
  s: string | undefined,
  f: string | undefined,
): number {
  const hour = Number(h ?? 0);
  const minute = Number(m ?? 0);
  const second = Number(s ?? 0);
  const fraction = fractionUs(f);
  const isPastMidnight = hour > 24 || (hour === 24 && (minute > 0 || second > 0 || fraction > 0));
  if (minute > 59 || second > 60 || (second === 60 && fraction > 0) || isPastMidnight)
    throw fieldOutOfRange(text);
  return (hour * 3600 + minute * 60 + second) * US_PER_SECOND + fraction;
}

/** As PostgreSQL: the fraction as a double, times a million, rounded half to even. */
export function fractionUs(digits: string | undefined): number {
  if (digits === undefined || digits === ".") return 0;
  const us = Number(digits) * US_PER_SECOND;
  const floor = Math.floor(us);
  const above = us - floor;
  return above > 0.5 || (above === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}

export function offsetSeconds(offset: string | undefined, text: string): number {
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

/** A date in words, or with slashes; null where it is none. */
function readWritten(text: string): DateTimeFields | null {
  const read = readWrittenDate(text);
  if (read === null) return null;
  if (read === "range") throw fieldOutOfRange(text, dateStyleHint);
  const { time, half, zone } = read;
  let us = time === null ? 0 : timeOfDay(text, time.h, time.m, time.s, time.f);
  const noon = 12 * 3600 * US_PER_SECOND;
  if (half === "PM" && us < noon) us += noon;
  else if (half === "AM" && us >= noon) us -= noon;
  const offset = zone === null ? null : /^[+-]/.test(zone) ? offsetSeconds(zone, text) : 0;
  return { days: daysOf(read), us, offset };
}

function readSpecial(text: string, type: DateTimeType): Special {
  const word = trimSpace(text).toLowerCase();
  switch (word) {
    case "infinity":
    case "+infinity":
      return "infinity";
    case "-infinity":
      return "-infinity";
    case "epoch":
      return "epoch";
    case "now":
    case "today":
    case "tomorrow":
    case "yesterday":
      throw notSupported(
        `the ${type === "date" ? "date" : "timestamp"} "${word}"`,
        undefined,
        "Write the time out: a replay must read the same value.",
      );
  }
  if (namedZone.test(text)) {
    throw notSupported(`the form of timestamp "${text}"`, undefined, isoHint);
  }
  throw badDateTime(text, type);
}

const isoHint = "Write it as ISO 8601, such as 2024-05-06T07:08:09Z.";
const dateStyleHint = "Write it as ISO 8601, such as 2024-05-06; of 1/5/2024 the month is the first number.";

export function badDateTime(text: string, type: DateTimeType): EvertError {
  const hint = type === "timestamp with time zone" || type === "timestamp" ? isoHint : undefined;
  return new EvertError("invalid_datetime", `invalid input syntax for type ${type}: "${text}"`, { hint });
}

export function fieldOutOfRange(text: string, hint?: string): EvertError {
  return new EvertError("datetime_overflow", `date/time field value out of range: "${text}"`, { hint });
}

function displacementOutOfRange(text: string): EvertError {
  return new EvertError("datetime_overflow", `time zone displacement out of range: "${text}"`, {
    sqlstate: "22009",
  });
}
