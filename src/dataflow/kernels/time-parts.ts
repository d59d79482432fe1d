/** extract() and date_part() of dates, times of day, timestamps and intervals. What a type does not have is refused, what nobody knows too. */

import { DATE_INFINITY, DATE_MINUS_INFINITY } from "../../batch/format/datetime.ts";
import { intervalInfinity, parseInterval } from "../../batch/format/interval.ts";
import {
  datePart as datePartInstant,
  extract as extractInstant,
  fieldGrows,
  isInfiniteTime,
  partOf,
  type TimeField,
  timeField,
} from "./datetime.ts";
import {
  DECIMAL_INFINITY,
  DECIMAL_NEGATIVE_INFINITY,
  type Decimal,
  decimal,
  decimalToText,
  ZERO,
} from "./decimal.ts";
import { fail, fault, type ScalarError, scalarError } from "./errors.ts";
import { timestampOfDate } from "./time-arithmetic.ts";

const JULIAN_DAY_OF_1970 = 2_440_588;

function notRecognized(unit: string, type: string): ScalarError {
  return scalarError("invalid_argument", `unit "${unit.toLowerCase()}" not recognized for type ${type}`);
}

function notSupported(unit: string, type: string): ScalarError {
  return scalarError("feature_not_supported", `unit "${unit.toLowerCase()}" not supported for type ${type}`);
}

const zoneFields: ReadonlySet<TimeField> = new Set(["timezone", "timezone_hour", "timezone_minute"]);

function refuse(unit: string, field: TimeField | undefined, type: string): Decimal {
  return fail(field === undefined ? notRecognized(unit, type) : notSupported(unit, type), ZERO);
}

// ---- timestamps -------------------------------------------------------------------------------------------------

const TIMESTAMP = "timestamp without time zone";

function isOfTimestamp(unit: string): boolean {
  const field = timeField(unit);
  if (field !== undefined && !zoneFields.has(field)) return true;
  refuse(unit, field, TIMESTAMP);
  return false;
}

function ofTimestamp(unit: string, us: bigint): Decimal | null {
  return isOfTimestamp(unit) ? extractInstant(unit, us) : ZERO;
}

function partOfTimestamp(unit: string, us: bigint): number | null {
  return isOfTimestamp(unit) ? datePartInstant(unit, us) : 0;
}

// ---- dates ------------------------------------------------------------------------------------------------------

const withinDays: ReadonlySet<TimeField> = new Set([
  "microseconds",
  "milliseconds",
  "second",
  "minute",
  "hour",
]);

function ofDate(unit: string, day: number): Decimal | null {
  const field = timeField(unit);
  if (field === undefined || withinDays.has(field) || zoneFields.has(field))
    return refuse(unit, field, "date");
  if (day === DATE_INFINITY || day === DATE_MINUS_INFINITY) {
    if (!fieldGrows(field)) return null;
    return day > 0 ? DECIMAL_INFINITY : DECIMAL_NEGATIVE_INFINITY;
  }
  if (field === "epoch") return decimal(BigInt(day) * 86_400n, 0);
  if (field === "julian") return decimal(BigInt(day + JULIAN_DAY_OF_1970), 0);
  return decimal(BigInt(partOf(field, day, 0)), 0);
}

// ---- times of day -----------------------------------------------------------------------------------------------

function ofTime(unit: string, us: bigint): Decimal {
  const field = timeField(unit);
  if (field === "epoch") return decimal(us, 6);
  if (field === undefined || !withinDays.has(field)) return refuse(unit, field, "time without time zone");
  const part = BigInt(partOf(field as "hour", 0, Number(us)));
  return decimal(part, field === "second" ? 6 : field === "milliseconds" ? 3 : 0);
}

// ---- intervals --------------------------------------------------------------------------------------------------

const growing: ReadonlySet<TimeField> = new Set([
  "hour",
  "day",
  "year",
  "decade",
  "century",
  "millennium",
  "epoch",
]);
const wheeling: ReadonlySet<TimeField> = new Set([
  "microseconds",
  "milliseconds",
  "second",
  "minute",
  "week",
  "month",
  "quarter",
]);

function ofInterval(unit: string, written: string): Decimal | null {
  const field = timeField(unit);
  if (field === undefined || !(growing.has(field) || wheeling.has(field)))
    return refuse(unit, field, "interval");
  const span = parseInterval(written);
  const infinite = intervalInfinity(span);
  if (infinite !== 0) {
    if (wheeling.has(field)) return null;
    return infinite > 0 ? DECIMAL_INFINITY : DECIMAL_NEGATIVE_INFINITY;
  }
  const { months, days, us } = span;
  const whole = (x: number) => decimal(BigInt(Math.trunc(x)), 0);
  switch (field) {
    case "microseconds":
      return decimal(us % 60_000_000n, 0);
    case "milliseconds":
      return decimal(us % 60_000_000n, 3);
    case "second":
      return decimal(us % 60_000_000n, 6);
    case "minute":
      return decimal((us / 60_000_000n) % 60n, 0);
    case "hour":
      return decimal(us / 3_600_000_000n, 0);
    case "day":
      return whole(days);
    case "week":
      return whole(days / 7);
    case "month":
      return whole(months % 12);
    case "quarter":
      // Counted from 1 forwards, and from -1 backwards.
      return whole(months >= 0 ? Math.trunc((months % 12) / 3) + 1 : -(Math.trunc((-months % 12) / 3) + 1));
    case "year":
      return whole(months / 12);
    case "decade":
      return whole(months / 120);
    case "century":
      return whole(months / 1200);
    case "millennium":
      return whole(months / 12_000);
    default:
      return epochOf(months, days, us);
  }
}

/** A year has 365.25 days here, what is left of it months of 30. */
function epochOf(months: number, days: number, us: bigint): Decimal {
  const years = BigInt(Math.trunc(months / 12));
  const rest = BigInt(months % 12);
  const seconds = years * 31_557_600n + rest * 2_592_000n + BigInt(days) * 86_400n;
  return decimal(seconds * 1_000_000n + us, 6);
}

/** A numeric part in doubles. */
function asFloat(part: Decimal | null): number | null {
  return part === null || fault.error !== null ? null : Number(decimalToText(part));
}

export function isFiniteTime(us: bigint): boolean {
  return !isInfiniteTime(us);
}

export const timeParts = {
  timestamp_extract: ofTimestamp,
  timestamp_date_part: partOfTimestamp,
  date_extract: ofDate,
  // Not of dates, in PostgreSQL: of the timestamp at which the day begins.
  date_date_part: (unit: string, day: number) => {
    const us = timestampOfDate(day);
    return fault.error === null ? partOfTimestamp(unit, us) : null;
  },
  time_extract: ofTime,
  time_date_part: (unit: string, us: bigint) => asFloat(ofTime(unit, us)),
  interval_extract: ofInterval,
  interval_date_part: (unit: string, span: string) => asFloat(ofInterval(unit, span)),
};
