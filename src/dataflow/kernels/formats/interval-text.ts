/** to_char(interval, pattern): fields as they stand in the interval; what only a day of the calendar has is refused. */
import { daysFromCivil, FIRST_DAY } from "../../../batch/format/calendar.ts";
import { intervalInfinity, parseInterval } from "../../../batch/format/interval.ts";
import { partOf } from "../datetime.ts";
import { fail, scalarError } from "../errors.ts";
import { patternOf, writePattern } from "../to-char-pattern.ts";

const romans = "I II III IV V VI VII VIII IX X XI XII".split(" ");
const notInAnInterval = scalarError(
  "invalid_datetime",
  "invalid format specification for an interval value",
  { hint: "Intervals are not tied to specific calendar dates." },
);

interface Fields {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hour: bigint;
  readonly minute: number;
  readonly second: number;
  readonly us: number;
}

function fieldsOf(text: string): Fields | null {
  const span = parseInterval(text);
  if (intervalInfinity(span) !== 0) return null;
  const rest = span.us % 3_600_000_000n;
  const inMinute = Number(rest % 60_000_000n);
  return {
    year: Math.trunc(span.months / 12),
    month: span.months % 12,
    day: span.days,
    hour: span.us / 3_600_000_000n,
    minute: Number(rest / 60_000_000n),
    second: Math.trunc(inMinute / 1e6),
    us: inMinute % 1e6,
  };
}

/** Padded with zeros; a sign counts as a place, as in C. */
function padded(n: number | bigint, width: number): string {
  return n < 0 ? `-${String(-n).padStart(width - 1, "0")}` : String(n).padStart(width, "0");
}

function shownAs(keyword: string, of: Fields, bare: boolean): string {
  const signed = (n: number | bigint, width: number) =>
    bare ? String(n) : padded(n, n < 0 ? width + 1 : width);
  const plain = (n: number, width: number) => (bare ? String(n) : padded(n, width));
  const dayOfYear = (of.year * 12 + of.month) * 30 + of.day;
  const days = () => daysFromCivil(of.year, of.month, of.day);
  // Years before 1 are counted on below zero here.
  const isoYear = () => partOf("isoyear", days(), 0) + (partOf("isoyear", days(), 0) < 0 ? 1 : 0);
  const year = /^I/i.test(keyword) ? isoYear : () => of.year;
  const cased = (text: string) => (keyword === keyword.toLowerCase() ? text.toLowerCase() : text);
  switch (keyword.toUpperCase()) {
    case "AM":
    case "PM":
      return cased(of.hour % 24n >= 12n ? "PM" : "AM");
    case "A.M.":
    case "P.M.":
      return cased(of.hour % 24n >= 12n ? "P.M." : "A.M.");
    case "HH":
    case "HH12": {
      const shown = of.hour % 12n === 0n ? 12n : of.hour % 12n;
      return bare ? String(shown) : padded(shown, of.hour < 0n ? 3 : 2);
    }
    case "HH24":
      return signed(of.hour, 2);
    case "MI":
      return signed(of.minute, 2);
    case "SS":
      return signed(of.second, 2);
    case "MS":
      return padded(Math.trunc(of.us / 1000), 3);
    case "US":
      return padded(of.us, 6);
    case "FF1":
    case "FF2":
    case "FF3":
    case "FF4":
    case "FF5":
    case "FF6": {
      const digits = Number(keyword[2]);
      return padded(Math.trunc(of.us / 10 ** (6 - digits)), digits);
    }
    case "SSSS":
    case "SSSSS":
      return String(of.hour * 3600n + BigInt(of.minute * 60 + of.second));
    case "MM":
      return signed(of.month, 2);
    case "DDD":
      return plain(dayOfYear, 3);
    case "IDDD":
      return plain((partOf("week", days(), 0) - 1) * 7 + partOf("isodow", days(), 0), 3);
    case "DD":
      return plain(of.day, 2);
    case "WW":
      return plain(Math.trunc((dayOfYear - 1) / 7) + 1, 2);
    case "IW":
      return plain(partOf("week", days(), 0), 2);
    case "Q":
      return of.month === 0 ? "" : String(Math.trunc((of.month - 1) / 3) + 1);
    case "CC": {
      const century = Math.trunc(of.year / 100);
      return Math.abs(century) <= 99 ? signed(century, 2) : String(century);
    }
    case "Y,YYY": {
      const thousands = Math.trunc(of.year / 1000);
      return `${thousands},${padded(of.year - thousands * 1000, 3)}`;
    }
    case "YYYY":
    case "IYYY":
      return bare ? String(year()) : padded(year(), of.year < 0 ? 5 : 4);
    case "YYY":
    case "IYY":
      return signed(year() % 1000, 3);
    case "YY":
    case "IY":
      return signed(year() % 100, 2);
    case "Y":
    case "I":
      return String(year() % 10);
    case "RM": {
      if (of.month === 0 && of.year === 0) return "";
      const month = of.month === 0 ? (of.year >= 0 ? 11 : 0) : of.month < 0 ? 12 + of.month : of.month - 1;
      const roman = cased(romans[month]!);
      return bare ? roman : roman.padEnd(4);
    }
    case "W":
      return String(Math.trunc((of.day - 1) / 7) + 1);
    case "J":
      return String(days() - FIRST_DAY);
    default:
      return fail(notInAnInterval, "");
  }
}

export const intervalTextLibrary = {
  interval_to_char: (span: string, pattern: string): string | null => {
    if (pattern === "") return null;
    const fields = fieldsOf(span);
    return fields === null
      ? null
      : writePattern(patternOf(pattern), (keyword, bare) => shownAs(keyword, fields, bare));
  },
};
