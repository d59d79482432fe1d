/**
 * Dates as people write them, DateStyle "ISO, MDY": fields in any order, apart by blanks, commas or one of - / . between them.
 *
 *   Jan 5 2024 · 5 January 2024 10:30 PM · Monday, 5-Jan-24 · 1/5/2024 · 2024/01/05 · 2024 Jan 5 BC
 *
 * A field with a colon is the time of day. A month by name may stand anywhere; then a number of three digits or more is the year, the first
 * shorter one the day. Without a name three numbers are month, day, year, or year, month, day where the first has three digits or more.
 * Years of two digits are 1970 to 2069, but for those before Christ.
 */
import { daysFromCivil, daysInMonth } from "./calendar.ts";

export interface WrittenDate {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  /** Digits of the time of day, as they are written; null without one. */
  readonly time: {
    readonly h: string;
    readonly m: string;
    readonly s: string | undefined;
    readonly f: string | undefined;
  } | null;
  readonly half: "AM" | "PM" | null;
  /** "Z" or such as "+02"; null without one. */
  readonly zone: string | null;
}

const months = "jan feb mar apr may jun jul aug sep oct nov dec".split(" ");
const fullMonths =
  "january february march april may june july august september october november december".split(" ");
const weekdays =
  /^(sun|mon|tue|tues|wed|weds|thu|thur|thurs|fri|sat|sunday|monday|tuesday|wednesday|thursday|friday|saturday)$/;

function monthNumber(word: string): number | null {
  const at = word === "sept" ? 8 : Math.max(months.indexOf(word), fullMonths.indexOf(word));
  return at < 0 ? null : at + 1;
}

interface Draft {
  month: number | null;
  numbers: string[];
  bc: boolean;
  half: "AM" | "PM" | null;
  zone: string | null;
  time: WrittenDate["time"];
}

/** Null: it is none of these. "range": it is one, of a day that there is not. */
export function readWrittenDate(text: string): WrittenDate | "range" | null {
  const draft: Draft = { month: null, numbers: [], bc: false, half: null, zone: null, time: null };
  for (const token of text.trim().split(/[\s,]+/)) if (!take(token.toLowerCase(), draft)) return null;
  const { month, numbers } = draft;
  if (numbers.length !== (month === null ? 3 : 2)) return null;
  const fields = month === null ? ordered(numbers) : named(month, numbers);
  if (fields === null) return null;
  const year = draft.bc ? Number(fields.year) : yearOf(fields.year);
  if (year === 0 || fields.month < 1 || fields.month > 12 || fields.day < 1) return "range";
  const astronomical = draft.bc ? 1 - year : year;
  if (fields.day > daysInMonth(astronomical, fields.month)) return "range";
  const { time, half, zone } = draft;
  if (half !== null && time === null) return null;
  if (half !== null && Number(time!.h) > 12) return "range";
  return { year: astronomical, month: fields.month, day: fields.day, time, half, zone };
}

function take(token: string, draft: Draft): boolean {
  const clock =
    /^t?(\d{1,2}):(\d{1,2})(?::(\d{1,2})(\.\d*)?)?(am|pm)?(z|utc|gmt|[+-]\d{1,2}(?::?\d{2})?)?$/.exec(token);
  if (clock !== null) {
    const [, h, m, s, f, half, zone] = clock;
    if (draft.time !== null) return false;
    draft.time = { h: h!, m: m!, s, f };
    if (half !== undefined) draft.half = half.toUpperCase() as "AM" | "PM";
    if (zone !== undefined) draft.zone = zone.toUpperCase();
    return true;
  }
  if (token === "am" || token === "pm") {
    draft.half = token.toUpperCase() as "AM" | "PM";
    return true;
  }
  if (token === "bc" || token === "ad") {
    draft.bc = token === "bc";
    return true;
  }
  if (/^(z|utc|gmt|zulu)$/.test(token) || (draft.time !== null && /^[+-]\d{1,2}(:?\d{2})?$/.test(token))) {
    draft.zone = /^[+-]/.test(token) ? token : "Z";
    return true;
  }
  if (weekdays.test(token)) return true;
  const parts = token.split(/[-/.]/);
  return parts.every((part) => takePart(part, draft));
}

function takePart(part: string, draft: Draft): boolean {
  if (/^\d{1,6}$/.test(part)) return draft.numbers.push(part) <= 3;
  const month = monthNumber(part);
  if (month === null || draft.month !== null) return false;
  draft.month = month;
  return true;
}

interface Fields {
  readonly year: string;
  readonly month: number;
  readonly day: number;
}

function named(month: number, [a, b]: readonly string[]): Fields | null {
  const [year, day] = a!.length >= 3 ? [a!, b!] : [b!, a!];
  return day.length > 2 ? null : { year, month, day: Number(day) };
}

function ordered([a, b, c]: readonly string[]): Fields | null {
  const [year, month, day] = a!.length >= 3 ? [a!, b!, c!] : [c!, a!, b!];
  return month.length > 2 || day.length > 2 ? null : { year, month: Number(month), day: Number(day) };
}

function yearOf(digits: string): number {
  const year = Number(digits);
  if (digits.length > 2) return year;
  return year < 70 ? year + 2000 : year + 1900;
}

export function daysOf({ year, month, day }: WrittenDate): number {
  return daysFromCivil(year, month, day);
}
