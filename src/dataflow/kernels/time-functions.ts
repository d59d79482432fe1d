/** Functions of times that are no arithmetic: truncating, binning, ages, times made of their parts, intervals set right. */
import {
  civilFromDays,
  daysFromCivil,
  daysInMonth,
  FIRST_DAY,
  US_PER_DAY_BIG,
} from "../../batch/format/calendar.ts";
import { DATE_INFINITY, DATE_MINUS_INFINITY, LAST_DAY } from "../../batch/format/datetime.ts";
import {
  fitsInterval,
  formatInterval,
  type Interval,
  intervalInfinity,
  parseInterval,
} from "../../batch/format/interval.ts";
import { TIMESTAMP_INFINITY } from "../../batch/format/timestamptz.ts";
import { isInfiniteTime, splitTime, type TimeField, timeField, truncateTime } from "./datetime.ts";
import { fail, fault, scalarError, timestampOutOfRange } from "./errors.ts";
import { roundHalfEven } from "./rounding.ts";
import { isFiniteTime, timeParts } from "./time-parts.ts";
import { toInstant, toLocal, zoneLibrary } from "./time-zones.ts";

const ZERO_INTERVAL = "00:00:00";
const intervalOutOfRange = scalarError("datetime_overflow", "interval out of range");

function made(span: Interval): string {
  if (!fitsInterval(span) || intervalInfinity(span) !== 0) return fail(intervalOutOfRange, ZERO_INTERVAL);
  return formatInterval(span);
}

// ---- truncating -------------------------------------------------------------------------------------------------

/** The messages of the function below name timestamptz; those of the others name theirs. */
function renamed<T>(type: string, run: () => T): T {
  const value = run();
  const { error } = fault;
  if (error !== null)
    fault.error = { ...error, message: error.message.replace("timestamp with time zone", type) };
  return value;
}

function truncateTimestamp(unit: string, us: bigint): bigint {
  return renamed("timestamp without time zone", () => truncateTime(unit, us));
}

function truncateInZone(unit: string, us: bigint, zone: string): bigint {
  const local = toLocal(zone, us);
  if (fault.error !== null) return 0n;
  const start = truncateTime(unit, local);
  return fault.error === null ? toInstant(zone, start) : 0n;
}

const monthsOf: Partial<Record<TimeField, number>> = {
  month: 1,
  quarter: 3,
  year: 12,
  decade: 120,
  century: 1200,
  millennium: 12_000,
};
const microsecondsOf: Partial<Record<TimeField, bigint>> = {
  microseconds: 1n,
  milliseconds: 1000n,
  second: 1_000_000n,
  minute: 60_000_000n,
  hour: 3_600_000_000n,
};

function truncateInterval(unit: string, written: string): string {
  const field = timeField(unit);
  const said = unit.toLowerCase();
  const months = field === undefined ? undefined : monthsOf[field];
  const us = field === undefined ? undefined : microsecondsOf[field];
  const known = months !== undefined || us !== undefined || field === "day";
  if (!known) {
    const isUnit = field === "week" || /^timezone/.test(field ?? "");
    const detail = field === "week" ? { detail: "Months usually have fractional weeks." } : {};
    const error = isUnit
      ? scalarError("feature_not_supported", `unit "${said}" not supported for type interval`, detail)
      : scalarError("invalid_argument", `unit "${said}" not recognized for type interval`);
    return fail(error, ZERO_INTERVAL);
  }
  const span = parseInterval(written);
  if (intervalInfinity(span) !== 0) return written;
  if (months !== undefined) {
    return made({ months: span.months - (span.months % months), days: 0, us: 0n });
  }
  return made({ ...span, us: us === undefined ? 0n : span.us - (span.us % us) });
}

// ---- binning ----------------------------------------------------------------------------------------------------

export function bin(stride: string, us: bigint, origin: bigint): bigint {
  if (isInfiniteTime(us)) return us;
  if (isInfiniteTime(origin)) return fail(scalarError("datetime_overflow", "origin out of range"), 0n);
  const span = parseInterval(stride);
  if (intervalInfinity(span) !== 0) {
    return fail(scalarError("datetime_overflow", "timestamps cannot be binned into infinite intervals"), 0n);
  }
  if (span.months !== 0) {
    const message = "timestamps cannot be binned into intervals containing months or years";
    return fail(scalarError("feature_not_supported", message), 0n);
  }
  const width = BigInt(span.days) * US_PER_DAY_BIG + span.us;
  if (width <= 0n) return fail(scalarError("datetime_overflow", "stride must be greater than zero"), 0n);
  const apart = us - origin;
  const rest = apart % width;
  const start = us - (rest < 0n ? rest + width : rest);
  return start >= BigInt(FIRST_DAY) * US_PER_DAY_BIG ? start : fail(timestampOutOfRange, 0n);
}

// ---- ages -------------------------------------------------------------------------------------------------------

/** From b to a in years, months, days and time: fields are borrowed from the next larger ones, days from the earlier time's month. */
function age(a: bigint, b: bigint): string {
  if (isInfiniteTime(a) || isInfiniteTime(b)) {
    if (a === b) return fail(intervalOutOfRange, ZERO_INTERVAL);
    const forward = isInfiniteTime(a) ? a > 0n : b < 0n;
    return forward ? "infinity" : "-infinity";
  }
  const [late, early] = a >= b ? [a, b] : [b, a];
  const [x, y] = [splitTime(late), splitTime(early)];
  const [d1, d2] = [civilFromDays(x.days), civilFromDays(y.days)];
  let us = x.rest - y.rest;
  let days = d1.day - d2.day;
  let months = (d1.year - d2.year) * 12 + d1.month - d2.month;
  if (us < 0) {
    us += Number(US_PER_DAY_BIG);
    days--;
  }
  if (days < 0) {
    days += daysInMonth(d2.year, d2.month);
    months--;
  }
  const sign = a >= b ? 1 : -1;
  return made({ months: sign * months, days: sign * days, us: BigInt(sign * us) });
}

// ---- times made of parts ----------------------------------------------------------------------------------------

function outOfRange(what: string, said: string) {
  return scalarError("datetime_overflow", `${what} field value out of range: ${said}`);
}

/** A negative year is one BC. */
function dayOf(year: number, month: number, day: number): number | null {
  const astronomical = year < 0 ? year + 1 : year;
  const valid =
    year !== 0 && month >= 1 && month <= 12 && day >= 1 && day <= daysInMonth(astronomical, month);
  return valid ? daysFromCivil(astronomical, month, day) : null;
}

function padded(n: number, width: number): string {
  return n < 0 ? `-${String(-n).padStart(width - 1, "0")}` : String(n).padStart(width, "0");
}

function makeDate(year: number, month: number, day: number): number {
  const said = `${year}-${padded(month, 2)}-${padded(day, 2)}`;
  const days = dayOf(year, month, day);
  if (days === null) return fail(outOfRange("date", said), 0);
  if (days >= FIRST_DAY && days <= LAST_DAY) return days;
  return fail(scalarError("datetime_overflow", `date out of range: ${said}`), 0);
}

function timeOf(hour: number, minute: number, second: number): bigint | null {
  const us = roundHalfEven(second * 1e6);
  const valid =
    hour >= 0 && minute >= 0 && minute <= 59 && second >= 0 && us <= 60_000_000 && !Number.isNaN(second);
  if (!valid || hour > 24 || (hour === 24 && (minute > 0 || us > 0))) return null;
  return BigInt(hour * 3600 + minute * 60) * 1_000_000n + BigInt(us);
}

function secondsText(second: number): string {
  return Number.isInteger(second) ? padded(second, 2) : String(second).padStart(2, "0");
}

function makeTime(hour: number, minute: number, second: number): bigint {
  const us = timeOf(hour, minute, second);
  const said = `${hour}:${padded(minute, 2)}:${secondsText(second)}`;
  return us ?? fail(outOfRange("time", said), 0n);
}

function makeTimestamp(y: number, mo: number, d: number, h: number, mi: number, s: number): bigint {
  const days = dayOf(y, mo, d);
  const date = `${y}-${padded(mo, 2)}-${padded(d, 2)}`;
  if (days === null) return fail(outOfRange("date", date), 0n);
  const us = timeOf(h, mi, s);
  const time = `${padded(h, 2)}:${padded(mi, 2)}:${secondsText(s)}`;
  if (us === null) return fail(outOfRange("time", time), 0n);
  const at = BigInt(days) * US_PER_DAY_BIG + us;
  if (days >= FIRST_DAY && at < TIMESTAMP_INFINITY) return at;
  return fail(scalarError("datetime_overflow", `timestamp out of range: ${date} ${time}`), 0n);
}

function makeInterval(
  years: number,
  months: number,
  weeks: number,
  days: number,
  hours: number,
  minutes: number,
  seconds: number,
): string {
  if (!Number.isFinite(seconds)) return fail(intervalOutOfRange, ZERO_INTERVAL);
  const us = roundHalfEven(seconds * 1e6);
  if (Math.abs(us) >= 2 ** 63) return fail(intervalOutOfRange, ZERO_INTERVAL);
  return made({
    months: years * 12 + months,
    days: weeks * 7 + days,
    us: BigInt(hours) * 3_600_000_000n + BigInt(minutes) * 60_000_000n + BigInt(us),
  });
}

// ---- intervals set right ----------------------------------------------------------------------------------------

/** Moves whole units up, then makes the signs of both agree. */
function carried(small: bigint, large: bigint, size: bigint): [bigint, bigint] {
  let [s, l] = [small % size, large + small / size];
  if (l > 0n && s < 0n) [s, l] = [s + size, l - 1n];
  else if (l < 0n && s > 0n) [s, l] = [s - size, l + 1n];
  return [s, l];
}

function justify(written: string, hours: boolean, days: boolean): string {
  const span = parseInterval(written);
  if (intervalInfinity(span) !== 0) return written;
  let [us, d, m] = [span.us, BigInt(span.days), BigInt(span.months)];
  if (hours && days) {
    // All three fields get one sign in the end.
    d += us / US_PER_DAY_BIG;
    us %= US_PER_DAY_BIG;
    m += d / 30n;
    d %= 30n;
    if (m > 0n && (d < 0n || (d === 0n && us < 0n))) [d, m] = [d + 30n, m - 1n];
    else if (m < 0n && (d > 0n || (d === 0n && us > 0n))) [d, m] = [d - 30n, m + 1n];
    if (d > 0n && us < 0n) [us, d] = [us + US_PER_DAY_BIG, d - 1n];
    else if (d < 0n && us > 0n) [us, d] = [us - US_PER_DAY_BIG, d + 1n];
  } else if (hours) [us, d] = carried(us, d, US_PER_DAY_BIG);
  else [d, m] = carried(d, m, 30n);
  return made({ months: Number(m), days: Number(d), us });
}

export const timeLibrary = {
  ...timeParts,
  ...zoneLibrary,
  timestamp_trunc: truncateTimestamp,
  interval_trunc: truncateInterval,
  timestamptz_trunc_zone: truncateInZone,
  timestamp_bin: bin,
  timestamptz_bin: bin,
  timestamp_age: age,
  timestamptz_age: age,
  make_date: makeDate,
  make_time: makeTime,
  make_timestamp: makeTimestamp,
  make_timestamptz: makeTimestamp,
  make_timestamptz_zone: (
    y: number,
    mo: number,
    d: number,
    h: number,
    mi: number,
    s: number,
    zone: string,
  ) => {
    const local = makeTimestamp(y, mo, d, h, mi, s);
    return fault.error === null ? toInstant(zone, local) : 0n;
  },
  make_interval: makeInterval,
  interval_justify_days: (span: string) => justify(span, false, true),
  interval_justify_hours: (span: string) => justify(span, true, false),
  interval_justify: (span: string) => justify(span, true, true),
  date_is_finite: (day: number) => day !== DATE_INFINITY && day !== DATE_MINUS_INFINITY,
  timestamp_is_finite: isFiniteTime,
  timestamptz_is_finite: isFiniteTime,
  interval_is_finite: (span: string) => intervalInfinity(parseInterval(span)) === 0,
};
