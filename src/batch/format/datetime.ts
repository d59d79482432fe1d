/**
 * date and time in PostgreSQL's text forms: days since 1970-01-01, microseconds since midnight.
 *
 * A date lies between 4714-11-24 BC and 5874897-12-31; int32's extremes are the infinities. A time ends at 24:00:00, inclusive.
 */
import { EvertError } from "../../base/errors.ts";
import { dateParts, FIRST_DAY, timeText, US_PER_SECOND } from "./calendar.ts";
import { badDateTime, fieldOutOfRange, readDateTime, timeOfDay } from "./datetime-input.ts";
import { trimSpace } from "./integer.ts";

export const DATE_INFINITY = 2 ** 31 - 1;
export const DATE_MINUS_INFINITY = -(2 ** 31);
/** 5874897-12-31. */
export const LAST_DAY = 2_145_042_905;

export function parseDate(text: string): number {
  const read = readDateTime(text, "date");
  if (read === "epoch") return 0;
  if (read === "infinity") return DATE_INFINITY;
  if (read === "-infinity") return DATE_MINUS_INFINITY;
  if (read.days >= FIRST_DAY && read.days <= LAST_DAY) return read.days;
  throw new EvertError("datetime_overflow", `date out of range: "${text}"`);
}

/** From elsewhere: handed back when it is a date or an infinity. @throws datetime_overflow */
export function checkedDay(days: number): number {
  const isInfinite = days === DATE_INFINITY || days === DATE_MINUS_INFINITY;
  if (isInfinite || (days >= FIRST_DAY && days <= LAST_DAY)) return days;
  throw new EvertError("datetime_overflow", `date out of range: ${days} days`);
}

export function formatDate(days: number): string {
  if (days === DATE_INFINITY) return "infinity";
  if (days === DATE_MINUS_INFINITY) return "-infinity";
  const { text, isBc } = dateParts(days);
  return isBc ? `${text} BC` : text;
}

const timeForm =
  /^T?(?:(\d{1,3}):(\d{1,2})(?::(\d{1,2})(\.\d*)?)?|(\d{2})(\d{2})(\d{2})(\.\d*)?|(\d{2})(\d{2}))(?:\s*([AP]M))?(?:\s*(?:Z|UTC|GMT|[+-]\d{1,2}(?::?\d{2}){0,2}))?$/i;

/** A zone, and a date before the time, are read and passed over, as PostgreSQL does. */
export function parseTime(text: string): number {
  const match = timeForm.exec(trimSpace(text));
  if (match === null) {
    if (!/\d-\d/.test(text)) throw badDateTime(text, "time");
    const read = readDateTime(text, "time");
    if (typeof read === "string" || !text.includes(":")) throw badDateTime(text, "time");
    return read.us;
  }
  const [, h, m, s, f, h2, m2, s2, f2, h3, m3, half] = match;
  const hour = Number(h ?? h2 ?? h3);
  if (half === undefined) return timeOfDay(text, String(hour), m ?? m2 ?? m3, s ?? s2, f ?? f2);
  if (hour > 12) throw fieldOutOfRange(text);
  const from = (hour % 12) + (half.toUpperCase() === "PM" ? 12 : 0);
  return timeOfDay(text, String(from), m ?? m2 ?? m3, s ?? s2, f ?? f2);
}

export function formatTime(us: number | bigint): string {
  return timeText(Number(us));
}

/** From elsewhere: handed back when it is a time of day. @throws datetime_overflow */
export function checkTime(us: number): number {
  if (us >= 0 && us <= 24 * 3600 * US_PER_SECOND) return us;
  throw new EvertError("datetime_overflow", `time out of range: ${us} us`);
}
