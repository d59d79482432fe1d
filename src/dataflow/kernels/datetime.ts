/**
 * Parts of timestamps and truncation, in UTC.
 *
 * A time is split into whole days since 1970 and microseconds of its day; both are small numbers, so only the split itself needs
 * to know whether the time was a double or a bigint. A *part* is an integer with a fixed number of digits after the point
 * (second: 6), which is the display scale extract() shows.
 */
import {
  civilFromDays,
  daysFromCivil,
  TIMESTAMP_INFINITY,
  TIMESTAMP_MINUS_INFINITY,
} from "../../batch/format/timestamptz.ts";
import {
  addDecimals,
  DECIMAL_INFINITY,
  DECIMAL_NEGATIVE_INFINITY,
  type Decimal,
  decimal,
  divideDecimals,
  ZERO,
} from "./decimal.ts";
import { fail, type ScalarError, scalarError, timestampOutOfRange } from "./errors.ts";
import { roundHalfEven } from "./rounding.ts";

export const US_PER_DAY = 86_400_000_000;
const US_PER_HOUR = 3_600_000_000;
const US_PER_MINUTE = 60_000_000;
const US_PER_SECOND = 1_000_000;
const JULIAN_DAY_OF_1970 = 2_440_588;
const FIRST_DAY = -JULIAN_DAY_OF_1970;

/** Fields, and what of them extract and date_trunc take. `grows`: infinite for an infinite time; the others go round and are null. */
const fields = {
  microseconds: { scale: 0, grows: false, truncates: true },
  milliseconds: { scale: 3, grows: false, truncates: true },
  second: { scale: 6, grows: false, truncates: true },
  minute: { scale: 0, grows: false, truncates: true },
  hour: { scale: 0, grows: false, truncates: true },
  day: { scale: 0, grows: false, truncates: true },
  week: { scale: 0, grows: false, truncates: true },
  month: { scale: 0, grows: false, truncates: true },
  quarter: { scale: 0, grows: false, truncates: true },
  year: { scale: 0, grows: true, truncates: true },
  decade: { scale: 0, grows: true, truncates: true },
  century: { scale: 0, grows: true, truncates: true },
  millennium: { scale: 0, grows: true, truncates: true },
  isoyear: { scale: 0, grows: true, truncates: false },
  dow: { scale: 0, grows: false, truncates: false },
  isodow: { scale: 0, grows: false, truncates: false },
  doy: { scale: 0, grows: false, truncates: false },
  timezone: { scale: 0, grows: false, truncates: false },
  timezone_hour: { scale: 0, grows: false, truncates: false },
  timezone_minute: { scale: 0, grows: false, truncates: false },
  epoch: { scale: 6, grows: true, truncates: false },
  julian: { scale: 20, grows: true, truncates: false },
} as const;

export type TimeField = keyof typeof fields;

/** Fields of which PostgreSQL's date_trunc has never heard; the other ones it knows and refuses. */
const extractOnly: ReadonlySet<TimeField> = new Set(["isoyear", "dow", "isodow", "doy", "epoch", "julian"]);

/** PostgreSQL reads ten characters of a unit's name. */
const SIGNIFICANT_CHARACTERS = 10;

const spellings: Record<TimeField, string> = {
  microseconds: "microsecon us usec usecs usecond useconds",
  milliseconds: "millisecon ms msec msecs msecond mseconds",
  second: "s sec second seconds secs",
  minute: "m min mins minute minutes",
  hour: "h hour hours hr hrs",
  day: "d day days",
  week: "w week weeks",
  month: "mon mons month months",
  quarter: "qtr quarter",
  year: "y year years yr yrs",
  decade: "dec decade decades decs",
  century: "c cent centuries century",
  millennium: "mil millennia millennium mils",
  isoyear: "isoyear",
  dow: "dow",
  isodow: "isodow",
  doy: "doy",
  timezone: "timezone",
  timezone_hour: "timezone_h",
  timezone_minute: "timezone_m",
  epoch: "epoch",
  julian: "j jd julian",
};

const fieldBySpelling = new Map<string, TimeField>(
  (Object.keys(spellings) as TimeField[]).flatMap((field) =>
    spellings[field].split(" ").map((word): [string, TimeField] => [word, field]),
  ),
);

/** The field a unit names, or undefined. */
export function timeField(unit: string): TimeField | undefined {
  return fieldBySpelling.get(unit.toLowerCase().slice(0, SIGNIFICANT_CHARACTERS));
}

export function fieldScale(field: TimeField): number {
  return fields[field].scale;
}

export function fieldGrows(field: TimeField): boolean {
  return fields[field].grows;
}

export function fieldTruncates(field: TimeField): boolean {
  return fields[field].truncates;
}

function notRecognized(unit: string): ScalarError {
  return scalarError(
    "invalid_argument",
    `unit "${unit.toLowerCase()}" not recognized for type timestamp with time zone`,
  );
}

function notTruncatable(unit: string): ScalarError {
  return scalarError(
    "feature_not_supported",
    `unit "${unit.toLowerCase()}" not supported for type timestamp with time zone`,
  );
}

// ---- parts ----------------------------------------------------------------------------------------------------

/** Monday-based week count: the Thursday of a week decides its year. */
function isoWeek(days: number): { year: number; week: number } {
  const thursday = days - mondayOffset(days) + 3;
  const year = civilFromDays(thursday).year;
  return { year, week: Math.floor((thursday - daysFromCivil(year, 1, 1)) / 7) + 1 };
}

/** Days since Monday; 1970-01-01 was a Thursday. */
function mondayOffset(days: number): number {
  return (((days + 3) % 7) + 7) % 7;
}

/** There is no year 0: astronomical 0 is 1 BC, shown as -1. */
function shownYear(year: number): number {
  return year > 0 ? year : year - 1;
}

/**
 * An integer part of the time `days` and `rest` microseconds of the day; second and milliseconds are in microseconds. Not for epoch and
 * julian, which are no small integers.
 */
export function partOf(field: Exclude<TimeField, "epoch" | "julian">, days: number, rest: number): number {
  switch (field) {
    case "microseconds":
    case "milliseconds":
    case "second":
      return rest % US_PER_MINUTE;
    case "minute":
      return Math.floor(rest / US_PER_MINUTE) % 60;
    case "hour":
      return Math.floor(rest / US_PER_HOUR);
    case "day":
      return civilFromDays(days).day;
    case "week":
      return isoWeek(days).week;
    case "month":
      return civilFromDays(days).month;
    case "quarter":
      return Math.floor((civilFromDays(days).month - 1) / 3) + 1;
    case "year":
      return shownYear(civilFromDays(days).year);
    case "decade":
      return Math.floor(civilFromDays(days).year / 10);
    case "century":
      return groupOfYears(civilFromDays(days).year, 100);
    case "millennium":
      return groupOfYears(civilFromDays(days).year, 1000);
    case "isoyear":
      return shownYear(isoWeek(days).year);
    case "dow":
      return (mondayOffset(days) + 1) % 7;
    case "isodow":
      return mondayOffset(days) + 1;
    case "doy":
      return days - daysFromCivil(civilFromDays(days).year, 1, 1) + 1;
    case "timezone":
    case "timezone_hour":
    case "timezone_minute":
      return 0;
  }
}

/** The 1st century is the years 1 to 100, the one before it the years -100 to -1. */
function groupOfYears(year: number, size: number): number {
  const group = Math.floor((year - 1) / size) + 1;
  return group > 0 ? group : group - 1;
}

export interface Split {
  readonly days: number;
  readonly rest: number;
}

export function splitTime(us: bigint): Split {
  const day = BigInt(US_PER_DAY);
  const rest = ((us % day) + day) % day;
  return { days: Number((us - rest) / day), rest: Number(rest) };
}

export function isInfiniteTime(us: bigint): boolean {
  return us === TIMESTAMP_INFINITY || us === TIMESTAMP_MINUS_INFINITY;
}

/** extract(unit from us): null for a part that goes round, of an infinite time. */
export function extract(unit: string, us: bigint): Decimal | null {
  const field = timeField(unit);
  if (field === undefined) return fail(notRecognized(unit), ZERO);
  if (isInfiniteTime(us)) {
    if (!fields[field].grows) return null;
    return us > 0n ? DECIMAL_INFINITY : DECIMAL_NEGATIVE_INFINITY;
  }
  if (field === "epoch") return decimal(us, 6);
  const { days, rest } = splitTime(us);
  if (field === "julian") {
    const fraction = divideDecimals(decimal(BigInt(rest), 0), decimal(BigInt(US_PER_DAY), 0));
    return addDecimals(decimal(BigInt(days + JULIAN_DAY_OF_1970), 0), fraction);
  }
  return decimal(BigInt(partOf(field, days, rest)), fields[field].scale);
}

/** date_part(unit, us): the same in doubles. */
export function datePart(unit: string, us: bigint): number | null {
  const field = timeField(unit);
  if (field === undefined) return fail(notRecognized(unit), 0);
  if (isInfiniteTime(us)) {
    if (!fields[field].grows) return null;
    return us > 0n ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
  }
  if (field === "epoch") return Number(us) / US_PER_SECOND;
  const { days, rest } = splitTime(us);
  if (field === "julian") {
    const seconds = Math.floor(rest / US_PER_SECOND);
    return days + JULIAN_DAY_OF_1970 + (seconds + (rest % US_PER_SECOND) / US_PER_SECOND) / 86_400;
  }
  const part = partOf(field, days, rest);
  const whole = Math.floor(part / US_PER_SECOND);
  if (field === "second") return whole + (part - whole * US_PER_SECOND) / 1e6;
  if (field === "milliseconds") return whole * 1000 + (part - whole * US_PER_SECOND) / 1000;
  return part;
}

// ---- truncation -----------------------------------------------------------------------------------------------

/** Days of the start of the month, quarter, year or longer that holds `days`. */
export function truncateDays(
  field: "week" | "month" | "quarter" | "year" | "decade" | "century" | "millennium",
  days: number,
): number {
  if (field === "week") return days - mondayOffset(days);
  const { year, month } = civilFromDays(days);
  switch (field) {
    case "month":
      return daysFromCivil(year, month, 1);
    case "quarter":
      return daysFromCivil(year, month - ((month - 1) % 3), 1);
    case "year":
      return daysFromCivil(year, 1, 1);
    case "decade":
      return daysFromCivil(Math.floor(year / 10) * 10, 1, 1);
    case "century":
      return daysFromCivil(Math.floor((year - 1) / 100) * 100 + 1, 1, 1);
    case "millennium":
      return daysFromCivil(Math.floor((year - 1) / 1000) * 1000 + 1, 1, 1);
  }
}

/** Length of the truncated span for the fields of fixed length that divide a day. */
export const spanOf: Partial<Record<TimeField, number>> = {
  microseconds: 1,
  milliseconds: 1000,
  second: US_PER_SECOND,
  minute: US_PER_MINUTE,
  hour: US_PER_HOUR,
  day: US_PER_DAY,
};

export function truncateTime(unit: string, us: bigint): bigint {
  const field = timeField(unit);
  if (field === undefined || extractOnly.has(field)) return fail(notRecognized(unit), 0n);
  if (!fields[field].truncates) return fail(notTruncatable(unit), 0n);
  if (isInfiniteTime(us)) return us;
  const { days, rest } = splitTime(us);
  const span = spanOf[field];
  if (span !== undefined) return BigInt(days) * BigInt(US_PER_DAY) + BigInt(rest - (rest % span));
  const start = truncateDays(field as Parameters<typeof truncateDays>[0], days);
  if (start < FIRST_DAY) return fail(timestampOutOfRange, 0n);
  return BigInt(start) * BigInt(US_PER_DAY);
}

// ---- to_timestamp ---------------------------------------------------------------------------------------------

/** PostgreSQL counts from 2000, and rounds to microseconds there. */
const SECONDS_TO_2000 = 946_684_800;
const SECONDS_MIN = FIRST_DAY * 86_400;

const timestampNaN = scalarError("datetime_overflow", "timestamp cannot be NaN");

export function timestampFromSeconds(seconds: number): bigint {
  if (Number.isNaN(seconds)) return fail(timestampNaN, 0n);
  if (seconds === Number.POSITIVE_INFINITY) return TIMESTAMP_INFINITY;
  if (seconds === Number.NEGATIVE_INFINITY) return TIMESTAMP_MINUS_INFINITY;
  const since2000 = roundHalfEven((seconds - SECONDS_TO_2000) * US_PER_SECOND);
  if (seconds >= SECONDS_MIN && Math.abs(since2000) < 2 ** 63) {
    const us = BigInt(since2000) + BigInt(SECONDS_TO_2000) * 1_000_000n;
    if (us < TIMESTAMP_INFINITY) return us;
  }
  return fail(scalarError("datetime_overflow", `timestamp out of range: "${generalFormat(seconds)}"`), 0n);
}

/** C's %g: six significant digits, plain or with an exponent. */
function generalFormat(x: number): string {
  const [digits = "", power = "0"] = x.toExponential(5).split("e");
  const exponent = Number(power);
  if (exponent < -4 || exponent >= 6) {
    const shown = String(Math.abs(exponent)).padStart(2, "0");
    return `${trimZeros(digits)}e${exponent < 0 ? "-" : "+"}${shown}`;
  }
  return trimZeros(x.toFixed(5 - exponent));
}

function trimZeros(digits: string): string {
  return digits.includes(".") ? digits.replace(/\.?0+$/, "") : digits;
}
