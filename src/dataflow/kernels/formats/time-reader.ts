/**
 * What a text says, read by a pattern of to_date or to_timestamp: the fields (an hour, a month, a week, an offset from Greenwich), each as it was
 * written. What they mean together is text-time.ts's.
 *
 * The parts of the pattern are matched one after the other with the text, until it ends. Without FX blanks in the text are passed over, a separator
 * of the pattern matches any one blank or separator or none, any other character matches any one. A number is as long as its keyword, or goes on to
 * where the digits end, where the pattern goes on with no digit.
 */
import { type ScalarError, scalarError } from "../errors.ts";
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

export function misread(message: string, detail?: string, hint?: string): ScalarError {
  return scalarError("invalid_datetime", message, {
    ...(detail === undefined ? {} : { detail }),
    ...(hint === undefined ? {} : { hint }),
  });
}

/** Thrown by who reads and caught by who asked: a field may be wrong deep in a pattern. */
export class Misread {
  readonly error: ScalarError;
  constructor(error: ScalarError) {
    this.error = error;
  }
}

export const INT4_MAX = 2_147_483_647;
const fixedWidth = 'If your source string is not fixed-width, try using the "FM" modifier.';
const isBlank = (c: string | undefined) => c !== undefined && /[ \t-\r]/.test(c);

export class TimeReader {
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
