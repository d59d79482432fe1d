/** to_char(time, pattern): what each keyword of a pattern (to-char-pattern.ts) shows of a time. */
import { civilFromDays, daysFromCivil } from "../../batch/format/calendar.ts";
import { isInfiniteTime, partOf, spanOf, splitTime, US_PER_DAY } from "./datetime.ts";
import { type Pattern, patternOf, writePattern } from "./to-char-pattern.ts";

const months = "January February March April May June July August September October November December".split(
  " ",
);
const weekdays = "Sunday Monday Tuesday Wednesday Thursday Friday Saturday".split(" ");
const romans = "I II III IV V VI VII VIII IX X XI XII".split(" ");
const JULIAN_DAY_OF_1970 = 2_440_588;

interface Moment {
  readonly days: number;
  readonly rest: number;
  readonly year: number;
  readonly month: number;
  readonly day: number;
  /** null: without a time zone. */
  readonly zone: string | null;
}

/** Null for an infinite time, and for an empty pattern. */
function toChar(us: bigint, pattern: string, zone: string | null): string | null {
  if (pattern === "" || isInfiniteTime(us)) return null;
  const { days, rest } = splitTime(us);
  return timeText(days, rest, patternOf(pattern), zone);
}

/** The time `rest` microseconds into a day, as the pattern shows it. */
export function timeText(days: number, rest: number, pattern: Pattern, zone: string | null): string {
  const moment: Moment = { days, rest, ...civilFromDays(days), zone };
  return writePattern(pattern, (keyword, bare, local) => shownAs(keyword, moment, bare, local));
}

/** Microseconds of the longest stretches in which every time has the same text: from a day down to a microsecond. */
export function textSpan(pattern: Pattern): number {
  let span = US_PER_DAY;
  for (const part of pattern) {
    if (typeof part !== "string") span = Math.min(span, keywordSpan(part.keyword.toUpperCase()));
  }
  return span;
}

function keywordSpan(keyword: string): number {
  switch (keyword) {
    case "A.M.":
    case "P.M.":
    case "AM":
    case "PM":
    case "HH":
    case "HH12":
    case "HH24":
      return spanOf.hour!;
    case "MI":
      return spanOf.minute!;
    case "SS":
    case "SSSS":
    case "SSSSS":
      return spanOf.second!;
    case "MS":
      return spanOf.milliseconds!;
    default:
      return keyword === "US" || keyword.startsWith("FF") ? 1 : US_PER_DAY;
  }
}

/** A name in the case the keyword is written in, padded. */
function name(word: string, keyword: string, width: number): string {
  const cased =
    keyword === keyword.toUpperCase()
      ? word.toUpperCase()
      : keyword === keyword.toLowerCase()
        ? word.toLowerCase()
        : word;
  return cased.padEnd(width);
}

function shownAs(keyword: string, moment: Moment, bare: boolean, local: boolean): string {
  const { days, rest, month, day } = moment;
  const number = (n: number, width: number) =>
    bare ? String(n) : n < 0 ? `-${String(-n).padStart(width - 1, "0")}` : String(n).padStart(width, "0");
  const seconds = Math.floor(rest / 1e6);
  const us = rest % 1e6;
  const hour = Math.floor(seconds / 3600);
  const year = moment.year > 0 ? moment.year : 1 - moment.year;
  const isoYear = Math.abs(partOf("isoyear", days, 0));
  const tail = (y: number, digits: number) => number(y % 10 ** digits, digits);
  const dotted = (word: string) => (keyword.includes(".") ? `${word[0]}.${word[1]}.` : word);
  const lowered = (word: string) => (keyword === keyword.toLowerCase() ? word.toLowerCase() : word);
  switch (keyword.toUpperCase()) {
    case "A.M.":
    case "P.M.":
    case "AM":
    case "PM":
      return lowered(dotted(hour >= 12 ? "PM" : "AM"));
    case "A.D.":
    case "B.C.":
    case "AD":
    case "BC":
      return lowered(dotted(moment.year <= 0 ? "BC" : "AD"));
    case "HH":
    case "HH12":
      return number(hour % 12 === 0 ? 12 : hour % 12, 2);
    case "HH24":
      return number(hour, 2);
    case "MI":
      return number(Math.floor(seconds / 60) % 60, 2);
    case "SS":
      return number(seconds % 60, 2);
    case "MS":
      return String(Math.floor(us / 1000)).padStart(3, "0");
    case "US":
      return String(us).padStart(6, "0");
    case "SSSS":
    case "SSSSS":
      return String(seconds);
    case "TZ":
      return moment.zone === null ? "" : lowered(moment.zone);
    case "TZH":
    case "OF":
      return "+00";
    case "TZM":
      return "00";
    case "MONTH":
      return name(months[month - 1]!, keyword, bare || local ? 0 : 9);
    case "MON":
      return name(months[month - 1]!.slice(0, 3), keyword, 0);
    case "MM":
      return number(month, 2);
    case "DAY":
      return name(weekdays[partOf("dow", days, 0)]!, keyword, bare || local ? 0 : 9);
    case "DY":
      return name(weekdays[partOf("dow", days, 0)]!.slice(0, 3), keyword, 0);
    case "DDD":
      return number(partOf("doy", days, 0), 3);
    case "IDDD":
      return number((partOf("week", days, 0) - 1) * 7 + partOf("isodow", days, 0), 3);
    case "DD":
      return number(day, 2);
    case "D":
      return String(partOf("dow", days, 0) + 1);
    case "ID":
      return String(partOf("isodow", days, 0));
    case "WW":
      return number(Math.floor((days - daysFromCivil(moment.year, 1, 1)) / 7) + 1, 2);
    case "IW":
      return number(partOf("week", days, 0), 2);
    case "W":
      return String(Math.floor((day - 1) / 7) + 1);
    case "Q":
      return String(Math.floor((month - 1) / 3) + 1);
    case "CC": {
      const century = partOf("century", days, 0);
      return Math.abs(century) <= 99 ? number(century, century < 0 ? 3 : 2) : String(century);
    }
    case "Y,YYY":
      return `${Math.floor(year / 1000)},${String(year % 1000).padStart(3, "0")}`;
    case "YYYY":
      return number(year, 4);
    case "YYY":
      return tail(year, 3);
    case "YY":
      return tail(year, 2);
    case "Y":
      return tail(year, 1);
    case "IYYY":
      return number(isoYear, 4);
    case "IYY":
      return tail(isoYear, 3);
    case "IY":
      return tail(isoYear, 2);
    case "I":
      return tail(isoYear, 1);
    case "RM":
      return name(romans[month - 1]!, keyword, bare ? 0 : 4);
    case "J":
      return String(days + JULIAN_DAY_OF_1970);
    default:
      // FF1 .. FF6: so many digits of the second's fraction.
      return String(us).padStart(6, "0").slice(0, Number(keyword[2]));
  }
}

export const toCharLibrary = {
  timestamp_to_char: (us: bigint, pattern: string) => toChar(us, pattern, null),
  timestamptz_to_char: (us: bigint, pattern: string) => toChar(us, pattern, "UTC"),
};
