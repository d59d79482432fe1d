/**
 * interval: months, days and microseconds, each with its own sign, in PostgreSQL's text forms (IntervalStyle postgres).
 *
 *   input = "@"? (number unit | [sign] h ":" m (":" s)? | years "-" months | number)+ "ago"?
 *         | "P" (number "YMWD")* ("T" (number "HMS")*)?   | "P" date ("T" time)?
 *         | "infinity" | "-infinity"
 *
 * A number without unit counts the unit that the words after it allow (days before a time), or the last field of a declaration such as
 * HOUR TO MINUTE, or seconds. A fraction goes on in the smaller units: half a month is 15 days, half a day 12 hours.
 * Two intervals are equal when their spans are, with 30 days to a month and 24 hours to a day; the fields are kept apart all the same.
 */
import { EvertError } from "../../base/errors.ts";
import { timeText, US_PER_DAY_BIG } from "./calendar.ts";
import { badDateTime } from "./datetime-input.ts";
import { trimSpace } from "./integer.ts";

export interface Interval {
  readonly months: number;
  readonly days: number;
  readonly us: bigint;
}

const INT4_MAX = 2 ** 31 - 1;
const INT4_MIN = -(2 ** 31);
const INT8_MAX = 2n ** 63n - 1n;
const INT8_MIN = -(2n ** 63n);

export const INTERVAL_INFINITY: Interval = { months: INT4_MAX, days: INT4_MAX, us: INT8_MAX };
export const INTERVAL_MINUS_INFINITY: Interval = { months: INT4_MIN, days: INT4_MIN, us: INT8_MIN };

/** 1, -1: an infinity. 0: finite. */
export function intervalInfinity({ months, days, us }: Interval): -1 | 0 | 1 {
  if (months === INT4_MAX && days === INT4_MAX && us === INT8_MAX) return 1;
  return months === INT4_MIN && days === INT4_MIN && us === INT8_MIN ? -1 : 0;
}

export function fitsInterval({ months, days, us }: Interval): boolean {
  return (
    months >= INT4_MIN &&
    months <= INT4_MAX &&
    days >= INT4_MIN &&
    days <= INT4_MAX &&
    us >= INT8_MIN &&
    us <= INT8_MAX
  );
}

/** The span in microseconds: what order and equality go by. */
export function intervalSpan({ months, days, us }: Interval): bigint {
  return (BigInt(months) * 30n + BigInt(days)) * US_PER_DAY_BIG + us;
}

// ---- output -----------------------------------------------------------------------------------------------------

/** `1 year 2 mons -3 days +04:05:06.7` */
export function formatInterval(value: Interval): string {
  const infinite = intervalInfinity(value);
  if (infinite !== 0) return infinite > 0 ? "infinity" : "-infinity";
  const { months, days, us } = value;
  let out = "";
  let afterNegative = false;
  const add = (n: number, unit: string) => {
    if (n === 0) return;
    out += `${out === "" ? "" : " "}${afterNegative && n > 0 ? "+" : ""}${n} ${unit}${n === 1 ? "" : "s"}`;
    afterNegative = n < 0;
  };
  add(Math.trunc(months / 12), "year");
  add(months % 12, "mon");
  add(days, "day");
  if (out !== "" && us === 0n) return out;
  const sign = us < 0n ? "-" : afterNegative ? "+" : "";
  return `${out === "" ? "" : `${out} `}${sign}${spanText(us < 0n ? -us : us)}`;
}

/** Hours may be more than two digits. */
function spanText(us: bigint): string {
  const hours = us / 3_600_000_000n;
  return String(hours).padStart(2, "0") + timeText(Number(us % 3_600_000_000n)).slice(2);
}

// ---- input ------------------------------------------------------------------------------------------------------

/** The fields of INTERVAL ... HOUR TO MINUTE, from the largest to the smallest. */
export type IntervalField = "year" | "month" | "day" | "hour" | "minute" | "second";
export interface IntervalRange {
  readonly from: IntervalField;
  readonly to: IntervalField;
}

export function parseInterval(text: string, range: IntervalRange | null = null): Interval {
  const plain = trimSpace(text);
  const word = plain.toLowerCase();
  if (word === "infinity" || word === "+infinity") return INTERVAL_INFINITY;
  if (word === "-infinity") return INTERVAL_MINUS_INFINITY;
  const sum = new Sum(text);
  if (/^P/i.test(plain)) readIso(plain, sum);
  else readPhrases(plain, sum, range);
  return truncated(sum.result(), range);
}

/** Fields being added up; checked at the end, and each number as it comes. */
class Sum {
  readonly text: string;
  years = 0;
  months = 0;
  days = 0;
  us = 0n;

  constructor(text: string) {
    this.text = text;
  }

  /** `value` of a unit: a whole part and what is left of it, of the same sign. */
  add(unit: Unit, value: string): void {
    const negative = value.startsWith("-");
    const [whole = "", digits = ""] = value.replace(/^[+-]/, "").split(".");
    if (whole.length > 19) throw outOfRange(this.text);
    const sign = negative ? -1 : 1;
    const n = BigInt(whole === "" ? 0 : whole) * BigInt(sign);
    const fraction = digits === "" ? 0 : Number(`0.${digits}`) * sign;
    const { months, days, us } = unit;
    if (months > 0) {
      if (months % 12 === 0) this.years += Number(n) * (months / 12);
      else this.months += Number(n);
      if (months === 1) this.#fractionOfDays(fraction * 30);
      else this.months += roundHalfEven(fraction * months);
    } else if (days > 0) {
      this.days += Number(n) * days;
      if (days === 1) this.us += microseconds(fraction, 86_400_000_000);
      else this.#fractionOfDays(fraction * days);
    } else {
      this.us += n * BigInt(us) + microseconds(fraction, us);
    }
  }

  #fractionOfDays(days: number): void {
    const whole = Math.trunc(days);
    this.days += whole;
    this.us += microseconds(days - whole, 86_400_000_000);
  }

  negate(): void {
    this.years = 0 - this.years;
    this.months = 0 - this.months;
    this.days = 0 - this.days;
    this.us = -this.us;
  }

  result(): Interval {
    const { months, days, us } = this;
    if (!fitsInterval({ months, days, us }) || Math.abs(this.years) > INT4_MAX) throw outOfRange(this.text);
    const value = { months: this.years * 12 + months + 0, days: days + 0, us };
    if (fitsInterval(value) && intervalInfinity(value) === 0) return value;
    throw new EvertError("datetime_overflow", "interval out of range");
  }
}

/** A fraction of a unit, rounded as PostgreSQL rounds it: whole microseconds first, then half to even. */
function microseconds(fraction: number, unit: number): bigint {
  if (fraction === 0) return 0n;
  return BigInt(roundHalfEven(fraction * unit));
}

function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  const above = x - floor;
  return above > 0.5 || (above === 0.5 && floor % 2 !== 0) ? floor + 1 : floor;
}

interface Unit {
  readonly field: IntervalField;
  readonly months: number;
  readonly days: number;
  readonly us: number;
}

const ofMonths = (months: number): Unit => ({
  field: months % 12 === 0 ? "year" : "month",
  months,
  days: 0,
  us: 0,
});
const ofDays = (days: number): Unit => ({ field: "day", months: 0, days, us: 0 });
const ofUs = (field: IntervalField, us: number): Unit => ({ field, months: 0, days: 0, us });

const HOUR = ofUs("hour", 3_600_000_000);
const MINUTE = ofUs("minute", 60_000_000);
const SECOND = ofUs("second", 1_000_000);
const DAY = ofDays(1);
const MONTH = ofMonths(1);
const YEAR = ofMonths(12);

const unitWords: ReadonlyMap<string, Unit> = new Map(
  (
    [
      ["us usec usecs usecond useconds microsecond microseconds", ofUs("second", 1)],
      ["ms msec msecs msecond mseconds millisecond milliseconds", ofUs("second", 1000)],
      ["s sec secs second seconds", SECOND],
      ["m min mins minute minutes", MINUTE],
      ["h hr hrs hour hours", HOUR],
      ["d day days", DAY],
      ["w week weeks", ofDays(7)],
      ["mon mons month months", MONTH],
      ["y yr yrs year years", YEAR],
      ["dec decs decade decades", ofMonths(120)],
      ["c cent century centuries", ofMonths(1200)],
      ["mil mils millennia millennium", ofMonths(12_000)],
    ] as const
  ).flatMap(([words, unit]) => words.split(" ").map((w) => [w, unit] as const)),
);

const fieldUnits: Readonly<Record<IntervalField, Unit>> = {
  year: YEAR,
  month: MONTH,
  day: DAY,
  hour: HOUR,
  minute: MINUTE,
  second: SECOND,
};

const token =
  /\s*(?:([+-]?)(\d+):(\d+)(?::(\d+))?(\.\d*)?|([+-]?)(\d+)-(\d+)(?![\d.+:-])|([+-]?\d*\.?\d+|[+-]?\d+\.)(?![\d.+:-])\s*([a-z]+)?|([a-z]+)|(@))\s*/giy;

function readPhrases(text: string, sum: Sum, range: IntervalRange | null): void {
  let ago = false;
  const seen = new Set<string>();
  const once = (unit: string) => {
    if (seen.has(unit)) throw badDateTime(sum.text, "interval");
    seen.add(unit);
  };
  let any = false;
  token.lastIndex = 0;
  while (token.lastIndex < text.length) {
    const at = token.lastIndex;
    const match = token.exec(text);
    if (match === null || ago) throw badDateTime(sum.text, "interval");
    const [, sign, h, m, s, f, ymSign, years, months, number, unit, word, mark] = match;
    if (mark !== undefined) {
      if (at !== 0) throw badDateTime(sum.text, "interval");
      continue;
    }
    if (word !== undefined) {
      if (word.toLowerCase() !== "ago" || !any) throw badDateTime(sum.text, "interval");
      ago = true;
      continue;
    }
    any = true;
    if (h !== undefined) {
      once("time");
      addTime(sum, sign === "-", h, m!, s, f, range);
    } else if (years !== undefined) {
      once("year");
      once("month");
      if (Number(months) > 11) throw outOfRange(sum.text);
      sum.add(YEAR, `${ymSign}${years}`);
      sum.add(MONTH, `${ymSign}${months}`);
    } else if (unit?.toLowerCase() === "ago") {
      sum.add(SECOND, number!);
      ago = true;
    } else if (unit !== undefined) {
      const known = unitWords.get(unit.toLowerCase());
      if (known === undefined) throw badDateTime(sum.text, "interval");
      once(unitKey(known));
      sum.add(known, number!);
    } else {
      const rest = text.slice(token.lastIndex);
      const beforeTime = /^[+-]?\d+:/.test(rest);
      const beforeHours = range?.to === "hour" && /^[+-]?[\d.]+\s*$/.test(rest);
      const implied = beforeTime || beforeHours ? DAY : range === null ? SECOND : fieldUnits[range.to];
      once(unitKey(implied));
      sum.add(implied, number!);
    }
  }
  if (!any) throw badDateTime(sum.text, "interval");
  if (ago) sum.negate();
}

function outOfRange(text: string): EvertError {
  return new EvertError("datetime_overflow", `interval field value out of range: "${text}"`, {
    sqlstate: "22015",
  });
}

/** Milliseconds and microseconds may stand beside seconds; weeks beside days. */
function unitKey({ field, months, days, us }: Unit): string {
  return `${field} ${months} ${days} ${us}`;
}

function addTime(
  sum: Sum,
  negative: boolean,
  a: string,
  b: string,
  c: string | undefined,
  fraction: string | undefined,
  range: IntervalRange | null,
): void {
  // Two numbers are hours and minutes, but minutes and seconds where seconds are the last field or have a fraction.
  const short =
    c === undefined && (fraction !== undefined || (range?.from === "minute" && range.to === "second"));
  const [h, m, s] = short ? ["0", a, b] : [a, b, c ?? "0"];
  if ((Number(m) > 59 && !short) || Number(s) > 60) throw outOfRange(sum.text);
  const sign = negative ? "-" : "";
  sum.add(HOUR, sign + h);
  sum.add(MINUTE, sign + m);
  sum.add(SECOND, `${sign}${s}${fraction ?? ""}`);
}

const isoDesignators = /^P(?:([+-]?\d*\.?\d+[YMWD])*)?(?:T([+-]?\d*\.?\d+[HMS])*)?$/i;
const isoForm = /([+-]?\d*\.?\d+)([YMWDHMS])/gi;
const isoAlternative = /^P(\d+)-(\d+)-(\d+)(?:T(\d+):(\d+):(\d+(?:\.\d+)?))?$/i;

function readIso(text: string, sum: Sum): void {
  const alternative = isoAlternative.exec(text);
  if (alternative !== null) {
    const [, years, months, days, h = "0", m = "0", s = "0"] = alternative;
    const parts = [years!, months!, days!, h, m, s];
    [YEAR, MONTH, DAY, HOUR, MINUTE, SECOND].forEach((unit, i) => {
      sum.add(unit, parts[i]!);
    });
    return;
  }
  if (!isoDesignators.test(text) || text.length === 1) throw badDateTime(sum.text, "interval");
  const t = text.toUpperCase().indexOf("T");
  for (const match of text.matchAll(isoForm)) {
    const inTime = t >= 0 && match.index > t;
    const unit = (inTime ? timeDesignators : dateDesignators)[match[2]!.toUpperCase()];
    if (unit === undefined) throw badDateTime(sum.text, "interval");
    sum.add(unit, match[1]!);
  }
}

const dateDesignators: Readonly<Record<string, Unit>> = { Y: YEAR, M: MONTH, W: ofDays(7), D: DAY };
const timeDesignators: Readonly<Record<string, Unit>> = { H: HOUR, M: MINUTE, S: SECOND };

/** What a declaration such as HOUR TO MINUTE leaves of it: nothing below its last field. */
export function truncated(value: Interval, range: IntervalRange | null): Interval {
  if (range === null || intervalInfinity(value) !== 0) return value;
  const { months, days, us } = value;
  switch (range.to) {
    case "year":
      return { months: Math.trunc(months / 12) * 12 + 0, days: 0, us: 0n };
    case "month":
      return { months, days: 0, us: 0n };
    case "day":
      return { months, days, us: 0n };
    case "hour":
      return { months, days, us: us - (us % 3_600_000_000n) };
    case "minute":
      return { months, days, us: us - (us % 60_000_000n) };
    case "second":
      return value;
  }
}
