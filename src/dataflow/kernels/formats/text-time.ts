/**
 * to_date and to_timestamp: a text read by a pattern.
 *
 * 1. The parts of the pattern are matched one after the other with the text. Without FX blanks in the text are passed over, a separator of
 *    the pattern matches any one blank or separator or none, any other character matches any one.
 * 2. What the fields say is put together: a year from YYYY, or from CC and YY; a day from J, else from an ISO week, else from month and day, or
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
import { fail, type ScalarError, scalarError, timestampOutOfRange } from "../errors.ts";
import { zoneOffset } from "../time-zones.ts";
import { endsDigits, isSeparator, type TimePart, timeParts } from "./time-input-pattern.ts";

const months = "january february march april may june july august september october november december".split(
  " ",
);
const weekdays = "sunday monday tuesday wednesday thursday friday saturday".split(" ");
const romans = "xii xi x ix viii vii vi v iv iii ii i".split(" ");
const short = (names: readonly string[]) => names.map((n) => n.slice(0, 3));

type FieldName =
  | "hh"
  | "pm"
  | "mi"
  | "ss"
  | "ssss"
  | "d"
  | "dd"
  | "ddd"
  | "mm"
  | "ms"
  | "us"
  | "year"
  | "bc"
  | "ww"
  | "w"
  | "cc"
  | "j"
  | "tzh"
  | "tzm";

interface Said {
  readonly days: number;
  /** Microseconds of the day. */
  readonly us: number;
  /** Seconds east of Greenwich. */
  readonly east: number;
}

function misread(message: string, detail?: string, hint?: string): ScalarError {
  return scalarError("invalid_datetime", message, {
    ...(detail === undefined ? {} : { detail }),
    ...(hint === undefined ? {} : { hint }),
  });
}

/** Thrown and caught here alone: a field may be wrong deep in a pattern. */
class Misread {
  readonly error: ScalarError;
  constructor(error: ScalarError) {
    this.error = error;
  }
}

const INT4_MAX = 2_147_483_647;
const fixedWidth = 'If your source string is not fixed-width, try using the "FM" modifier.';
const isBlank = (c: string | undefined) => c !== undefined && /[ \t-\r]/.test(c);

class Reader {
  private readonly text: string;
  private readonly parts: readonly TimePart[];
  readonly fields: Partial<Record<FieldName, number>> = {};
  /** Digits the year was written with in the pattern. */
  yearDigits = 0;
  twelveHours = false;
  convention: "gregorian" | "iso" | null = null;
  /** -1 west, 1 east of Greenwich; 0: no offset was read. */
  zoneSign = 0;
  /** Digits of a second that FF1 to FF6 leave. */
  precision = 6;
  /** Of a zone read by its name, seconds east. */
  zone: number | null = null;
  private at = 0;
  private fixed = false;
  /** Blanks in the text beyond those of the pattern. */
  private extra = 0;

  constructor(text: string, pattern: string) {
    this.text = text;
    this.parts = timeParts(pattern);
  }

  read(): void {
    for (const [i, part] of this.parts.entries()) {
      if (this.at >= this.text.length) return;
      const isFix = part.kind === "keyword" && /^fx$/i.test(part.text);
      if (!this.fixed && !isFix && (part.kind === "keyword" || i === 0)) this.extra += this.skipBlanks();
      if (part.kind !== "keyword") this.match(part);
      else if (isFix) this.fixed = true;
      else {
        this.readField(part.text, i);
        if (part.ordinal) this.at += 2;
        if (!this.fixed) this.extra = this.skipBlanks();
      }
    }
  }

  private skipBlanks(): number {
    const from = this.at;
    while (isBlank(this.text[this.at])) this.at++;
    return this.at - from;
  }

  private match({ kind }: TimePart): void {
    if (this.fixed) {
      this.at++;
      return;
    }
    if (kind === "character") {
      if (this.extra > 0) this.extra--;
      else this.at++;
      return;
    }
    this.extra--;
    const c = this.text[this.at];
    if (c !== undefined && (isBlank(c) || isSeparator(c))) {
      this.at++;
      this.extra++;
    }
  }

  // ---- fields -----------------------------------------------------------------------------------------------------

  private use(convention: "gregorian" | "iso"): void {
    this.convention ??= convention;
    if (this.convention === convention) return;
    const hint = "Do not mix Gregorian and ISO week date conventions in a formatting template.";
    throw new Misread(misread("invalid combination of date conventions", undefined, hint));
  }

  private set(field: FieldName, value: number, keyword: string): void {
    const before = this.fields[field] ?? 0;
    if (before !== 0 && before !== value) {
      const detail = "This value contradicts a previous setting for the same field type.";
      throw new Misread(misread(`conflicting values for "${keyword}" field in formatting string`, detail));
    }
    this.fields[field] = value;
  }

  private readField(keyword: string, i: number): void {
    const upper = keyword.toUpperCase();
    if (/^(MONTH|MON|MM|DDD|DD|D|RM|WW|W|Y,YYY|Y{1,4})$/.test(upper)) this.use("gregorian");
    if (/^(I|IY|IYY|IYYY|IW|ID|IDDD)$/.test(upper)) this.use("iso");
    const number = (field: FieldName | null, digits = keyword.length) =>
      this.number(field, digits, keyword, i);
    switch (upper) {
      case "A.M.":
      case "P.M.":
        this.set("pm", this.word(["a.m.", "p.m."], keyword), keyword);
        this.twelveHours = true;
        return;
      case "AM":
      case "PM":
        this.set("pm", this.word(["am", "pm"], keyword), keyword);
        this.twelveHours = true;
        return;
      case "HH":
      case "HH12":
        number("hh", 2);
        this.twelveHours = true;
        return;
      case "HH24":
        number("hh", 2);
        return;
      case "MI":
        number("mi");
        return;
      case "SS":
        number("ss");
        return;
      case "SSSS":
      case "SSSSS":
        number("ssss");
        return;
      case "MS": {
        const length = number("ms", 3);
        this.fields.ms! *= length === 1 ? 100 : length === 2 ? 10 : 1;
        return;
      }
      case "US":
      case "FF1":
      case "FF2":
      case "FF3":
      case "FF4":
      case "FF5":
      case "FF6": {
        const digits = upper === "US" ? 6 : Number(upper[2]);
        const length = number("us", digits);
        if (upper !== "US") this.precision = digits;
        this.fields.us! *= 10 ** Math.max(0, 6 - length);
        return;
      }
      case "TZ":
      case "OF":
        this.readZone(upper, i);
        return;
      case "TZH":
        this.readSign();
        number("tzh", 2);
        return;
      case "TZM":
        if (this.zoneSign === 0) this.zoneSign = 1;
        number("tzm", 2);
        return;
      case "A.D.":
      case "B.C.":
        this.set("bc", this.word(["a.d.", "b.c."], keyword), keyword);
        return;
      case "AD":
      case "BC":
        this.set("bc", this.word(["ad", "bc"], keyword), keyword);
        return;
      case "MONTH":
        this.set("mm", this.word(months, keyword) + 1, keyword);
        return;
      case "MON":
        this.set("mm", this.word(short(months), keyword) + 1, keyword);
        return;
      case "MM":
        number("mm");
        return;
      case "DAY":
        this.weekday(weekdays, keyword);
        return;
      case "DY":
        this.weekday(short(weekdays), keyword);
        return;
      case "DDD":
        number("ddd");
        return;
      case "IDDD":
        number("ddd", 3);
        return;
      case "DD":
        number("dd");
        return;
      case "D":
        number("d");
        return;
      case "ID":
        number("d", 1);
        // Sunday is 1, as elsewhere.
        this.fields.d = this.fields.d! + 1 > 7 ? 1 : this.fields.d! + 1;
        return;
      case "WW":
      case "IW":
        number("ww");
        return;
      case "W":
        number("w");
        return;
      case "Q":
        number(null);
        return;
      case "CC":
        number("cc");
        return;
      case "J":
        number("j");
        return;
      case "RM":
        this.set("mm", 12 - this.word(romans, keyword), keyword);
        return;
      case "Y,YYY":
        this.readThousands(keyword);
        return;
      default:
        this.readYear(upper.replace("I", "Y").length, keyword, i);
    }
  }

  private weekday(names: readonly string[], keyword: string): void {
    this.set("d", this.word(names, keyword), keyword);
    this.fields.d!++;
  }

  private readThousands(keyword: string): void {
    const [all, thousands, rest] = /^\s*([+-]?\d+),\s*([+-]?\d{1,3})/.exec(this.text.slice(this.at)) ?? [];
    if (all === undefined) throw new Misread(misread('invalid input string for "Y,YYY"'));
    this.set("year", Number(thousands) * 1000 + Number(rest), keyword);
    this.yearDigits = 4;
    this.at += all.length;
  }

  private readYear(digits: number, keyword: string, i: number): void {
    const length = this.number("year", digits, keyword, i);
    if (digits < 4 && length < 4) this.fields.year = nearYear(this.fields.year!);
    this.yearDigits = digits;
  }

  private readSign(): void {
    const c = this.text[this.at];
    if (c === "+" || c === "-" || c === " ") {
      this.zoneSign = c === "-" ? -1 : 1;
      this.at++;
    } else this.zoneSign = this.extra > 0 && this.text[this.at - 1] === "-" ? -1 : 1;
  }

  private readZone(keyword: string, i: number): void {
    const name = keyword === "TZ" ? /^[A-Za-z]+/.exec(this.text.slice(this.at))?.[0] : undefined;
    const east = name === undefined ? null : zoneOffset(name);
    if (name !== undefined && east === null) {
      const message = `invalid value "${this.text.slice(this.at)}" for "${keyword}"`;
      throw new Misread(misread(message, "Time zone abbreviation is not recognized."));
    }
    if (east !== null) {
      this.zone = east;
      this.zoneSign = 0;
      this.at += name!.length;
      return;
    }
    this.readSign();
    this.number("tzh", 2, keyword, i);
    if (this.text[this.at] === ":") {
      this.at++;
      this.number("tzm", 2, keyword, i);
    }
  }

  /** Reads digits into the field, and says how many characters they were. */
  private number(field: FieldName | null, digits: number, keyword: string, i: number): number {
    const from = this.at;
    this.skipBlanks();
    const start = this.at;
    const part = this.parts[i]!;
    let read: string;
    if (part.free || endsDigits(this.parts, i)) read = integerAt(this.text, start);
    else {
      const copy = this.text.slice(start, start + digits);
      const left = this.text.length - start;
      if (left < digits) {
        const detail = `Field requires ${digits} characters, but only ${left} remain.`;
        throw new Misread(
          misread(`source string too short for "${keyword}" formatting field`, detail, fixedWidth),
        );
      }
      read = integerAt(copy, 0);
      if (read.length > 0 && read.length < digits) {
        const detail = `Field requires ${digits} characters, but only ${read.length} could be parsed.`;
        throw new Misread(misread(`invalid value "${copy}" for "${keyword}"`, detail, fixedWidth));
      }
    }
    this.at += read.length;
    if (read.length === 0) {
      const copy = this.text.slice(start, start + digits);
      throw new Misread(misread(`invalid value "${copy}" for "${keyword}"`, "Value must be an integer."));
    }
    const value = Number(read);
    if (Math.abs(value) > INT4_MAX) {
      const detail = "Value must be in the range -2147483648 to 2147483647.";
      const message = `value for "${keyword}" in source string is out of range`;
      throw new Misread(scalarError("datetime_overflow", message, { detail }));
    }
    if (field !== null) this.set(field, value, keyword);
    return this.at - from;
  }

  /** Which of the words stands here. */
  private word(words: readonly string[], keyword: string): number {
    const here = this.text.slice(this.at).toLowerCase();
    const found = words.findIndex((word) => here.startsWith(word));
    if (found < 0) {
      const copy = /^[^ \t-\r]*/.exec(this.text.slice(this.at))![0];
      const detail = "The given value did not match any of the allowed values for this field.";
      throw new Misread(misread(`invalid value "${copy}" for "${keyword}"`, detail));
    }
    this.at += words[found]!.length;
    return found;
  }
}

function integerAt(text: string, from: number): string {
  const match = /^[ \t-\r]*[+-]?\d+/.exec(text.slice(from));
  return match === null ? "" : match[0];
}

/** The year of two or three digits that is nearest to 2020. */
function nearYear(year: number): number {
  if (year < 70) return year + 2000;
  if (year < 100) return year + 1900;
  if (year < 520) return year + 2000;
  return year < 1000 ? year + 1000 : year;
}

// ---- putting the fields together ----------------------------------------------------------------------------------

/** Day of the first Monday of an ISO year's weeks. */
function isoYearStart(year: number): number {
  const fourth = daysFromCivil(year, 1, 4);
  return fourth - ((((fourth + 3) % 7) + 7) % 7);
}

function together(reader: Reader, text: string): Said {
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

function eastOf({ fields, zoneSign, zone }: Reader, text: string): number {
  if (zoneSign === 0) return zone ?? 0;
  const [hours, minutes] = [fields.tzh ?? 0, fields.tzm ?? 0];
  if (hours < 0 || hours > 15 || minutes < 0 || minutes > 59) {
    const message = `time zone displacement out of range: "${text}"`;
    throw new Misread(scalarError("datetime_overflow", message, { sqlstate: "22009" }));
  }
  return zoneSign * (hours * 3600 + minutes * 60);
}

/** Astronomical; null where none was given. */
function yearOf({ fields, yearDigits }: Reader): number | null {
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

function dayOf(reader: Reader, said: number | null, outOfRange: () => Misread): number {
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
    const reader = new Reader(text, pattern);
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
