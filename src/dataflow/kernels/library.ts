/**
 * What every function of the registry computes, exactly, on plain values: the definition the compiled loops must agree with, and what
 * they call for the cases and functions they have no short code for. All functions but the non-strict ones (greatest, least, concat)
 * are only called with values that are not null; a fallible one leaves its error in `fault`.
 */
import { withoutPadding } from "../../batch/format/characters.ts";
import { formatFloat8, parseFloat8 } from "../../batch/format/float8.ts";
import { parseBool, parseInt4, parseInt8 } from "../../batch/format/integer.ts";
import { parseNumeric } from "../../batch/format/numeric.ts";
import { formatTimestamptz, parseTimestamptz } from "../../batch/format/timestamptz.ts";
import type { SqlType } from "../../batch/types.ts";
import { type FunctionId, isTyped, type TypedFunctionId } from "../../plan/functions.ts";
import { byteLibrary } from "./bytes.ts";
import * as time from "./datetime.ts";
import * as dec from "./decimal.ts";
import * as math from "./decimal-math.ts";
import {
  attempt,
  divisionByZero,
  fail,
  fault,
  int4OutOfRange,
  int8OutOfRange,
  scalarError,
} from "./errors.ts";
import * as float from "./float.ts";
import { intervalTextLibrary } from "./formats/interval-text.ts";
import { numberTextLibrary } from "./formats/number-text.ts";
import { toNumber } from "./formats/text-number.ts";
import { textTimeLibrary } from "./formats/text-time.ts";
import { jsonLibrary } from "./json.ts";
import { jsonPathLibrary } from "./jsonpath/functions.ts";
import { like, likeEscape } from "./like.ts";
import { mathLibrary } from "./math.ts";
import { overlapLibrary } from "./overlaps.ts";
import { patternLibrary } from "./regex/functions.ts";
import { roundHalfEven } from "./rounding.ts";
import { int2, smallNumbers } from "./small-numbers.ts";
import * as txt from "./text.ts";
import { textForms } from "./text-forms.ts";
import { compareText } from "./text-order.ts";
import * as spans from "./time-arithmetic.ts";
import { timeLibrary } from "./time-functions.ts";
import { toCharLibrary } from "./to-char.ts";
import { typedLibrary } from "./typed-library.ts";
import type { ScalarFunction } from "./value.ts";

const manyRows = scalarError(
  "cardinality_violation",
  "more than one row returned by a subquery used as an expression",
);

const negativeLimit = scalarError("invalid_row_count", "LIMIT must not be negative", { sqlstate: "2201W" });
const negativeOffset = scalarError("invalid_row_count", "OFFSET must not be negative", { sqlstate: "2201X" });

function rowCount(rows: bigint | null, otherwise: bigint, negative: typeof manyRows): bigint {
  if (rows === null) return otherwise;
  return rows < 0n ? fail(negative, 0n) : rows;
}

// ---- order ----------------------------------------------------------------------------------------------------

function compareScalars<T extends number | bigint | boolean>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

type Compare<T> = (a: T, b: T) => number;

function comparisons<N extends string, T>(name: N, compare: Compare<T>) {
  const made = {
    eq: (a: T, b: T) => compare(a, b) === 0,
    ne: (a: T, b: T) => compare(a, b) !== 0,
    lt: (a: T, b: T) => compare(a, b) < 0,
    le: (a: T, b: T) => compare(a, b) <= 0,
    gt: (a: T, b: T) => compare(a, b) > 0,
    ge: (a: T, b: T) => compare(a, b) >= 0,
    greatest: (...all: (T | null)[]) => extreme(all, compare, 1),
    least: (...all: (T | null)[]) => extreme(all, compare, -1),
  };
  const out: Record<string, unknown> = {};
  for (const [suffix, f] of Object.entries(made)) out[`${name}_${suffix}`] = f;
  return out as { [K in keyof typeof made as `${N}_${K}`]: (typeof made)[K] };
}

/** The first of the greatest (sign 1) or least (-1) that are not null. */
function extreme<T>(all: readonly (T | null)[], compare: Compare<T>, sign: number): T | null {
  let best: T | null = null;
  for (const x of all) {
    if (x !== null && (best === null || compare(x, best) * sign > 0)) best = x;
  }
  return best;
}

// ---- integers -------------------------------------------------------------------------------------------------

function int4(r: number): number {
  return r >= -2147483648 && r <= 2147483647 ? r | 0 : fail(int4OutOfRange, 0);
}

export const INT8_MIN = -(2n ** 63n);
export const INT8_MAX = 2n ** 63n - 1n;

export function int8(r: bigint): bigint {
  return r >= INT8_MIN && r <= INT8_MAX ? r : fail(int8OutOfRange, 0n);
}

export function divideInt8(a: bigint, b: bigint): bigint {
  return b === 0n ? fail(divisionByZero, 0n) : int8(a / b);
}

export function remainderInt8(a: bigint, b: bigint): bigint {
  return b === 0n ? fail(divisionByZero, 0n) : a % b;
}

// ---- numeric casts --------------------------------------------------------------------------------------------

function wholeOf(x: dec.Decimal, typeName: string): bigint {
  if (x.kind === dec.NAN)
    return fail(scalarError("feature_not_supported", `cannot convert NaN to ${typeName}`), 0n);
  if (x.kind !== dec.FINITE) {
    return fail(scalarError("feature_not_supported", `cannot convert infinity to ${typeName}`), 0n);
  }
  return dec.rescaled(x.unscaled, x.scale, 0);
}

function decimalToInt2(x: dec.Decimal): number {
  const whole = wholeOf(x, "smallint");
  return int2(whole >= -32768n && whole <= 32767n ? Number(whole) : 1e9);
}

/** What is done to a date's midnight, unless the date has none. */
function onDate(day: number, then: (us: bigint) => bigint): bigint {
  const us = spans.timestampOfDate(day);
  return fault.error === null ? then(us) : us;
}

function decimalToInt4(x: dec.Decimal): number {
  const whole = wholeOf(x, "integer");
  return whole >= -2147483648n && whole <= 2147483647n ? Number(whole) : fail(int4OutOfRange, 0);
}

export function decimalToInt8(x: dec.Decimal): bigint {
  return int8(wholeOf(x, "bigint"));
}

function decimalToFloat(x: dec.Decimal): number {
  return attempt(parseFloat8, dec.decimalToText(x), 0);
}

/** By the 15 digits that every double holds, as PostgreSQL does: 0.1 + 0.2 is 0.3. */
function floatToDecimal(x: number): dec.Decimal {
  return dec.decimalFromText(
    parseNumeric(Number.isFinite(x) ? x.toPrecision(15).replace(/(\.\d*?)0+(?=e|$)/, "$1") : String(x)),
  );
}

const readDecimal = (s: string) => dec.decimalFromText(parseNumeric(s));

const clockless = scalarError("feature_not_supported", "the current time is not known here", {
  hint: "A view must give the same rows on every replay: take the time from a column.",
});

// ---- the table ------------------------------------------------------------------------------------------------

export const library = {
  ...comparisons("int4", compareScalars<number>),
  ...comparisons("int8", compareScalars<bigint>),
  ...comparisons("float8", float.compareFloats),
  ...comparisons("numeric", dec.compareDecimals),
  ...comparisons("bool", compareScalars<boolean>),
  ...comparisons("text", compareText),
  ...comparisons("timestamptz", compareScalars<bigint>),
  ...comparisons("timestamp", compareScalars<bigint>),
  ...comparisons("time", compareScalars<bigint>),
  ...comparisons("date", compareScalars<number>),
  ...comparisons("int2", compareScalars<number>),
  ...comparisons("float4", float.compareFloats),
  ...comparisons("bytea", compareText),
  ...comparisons("uuid", compareText),
  ...smallNumbers,
  ...mathLibrary,
  ...byteLibrary,
  ...jsonLibrary,
  ...timeLibrary,
  ...toCharLibrary,
  ...numberTextLibrary,
  ...textTimeLibrary,
  ...intervalTextLibrary,
  ...overlapLibrary,
  ...jsonPathLibrary,
  text_to_number: toNumber,
  ...patternLibrary,
  ...textForms(compareText),

  int4_add: (a: number, b: number) => int4(a + b),
  int4_sub: (a: number, b: number) => int4(a - b),
  int4_mul: (a: number, b: number) => int4(a * b),
  int4_div: (a: number, b: number) => (b === 0 ? fail(divisionByZero, 0) : int4(Math.trunc(a / b))),
  int4_mod: (a: number, b: number) => (b === 0 ? fail(divisionByZero, 0) : int4(a % b)),
  int4_neg: (a: number) => int4(-a),
  int4_plus: (a: number) => a,
  int4_abs: (a: number) => int4(Math.abs(a)),

  int8_add: (a: bigint, b: bigint) => int8(a + b),
  int8_sub: (a: bigint, b: bigint) => int8(a - b),
  int8_mul: (a: bigint, b: bigint) => int8(a * b),
  int8_div: divideInt8,
  int8_mod: remainderInt8,
  int8_neg: (a: bigint) => int8(-a),
  int8_plus: (a: bigint) => a,
  int8_abs: (a: bigint) => int8(a < 0n ? -a : a),

  float8_add: float.addFloats,
  float8_sub: float.subtractFloats,
  float8_mul: float.multiplyFloats,
  float8_div: float.divideFloats,
  float8_pow: float.powerFloats,
  float8_neg: (a: number) => -a,
  float8_plus: (a: number) => a,
  float8_abs: (a: number) => Math.abs(a),
  float8_ceil: (a: number) => Math.ceil(a),
  float8_floor: (a: number) => Math.floor(a),
  float8_round: roundHalfEven,
  float8_trunc: (a: number) => Math.trunc(a),
  float8_sign: float.signFloat,
  float8_sqrt: float.sqrtFloat,
  float8_exp: float.expFloat,
  float8_ln: float.lnFloat,
  float8_log: float.log10Float,

  numeric_add: dec.addDecimals,
  numeric_sub: dec.subtractDecimals,
  numeric_mul: dec.multiplyDecimals,
  numeric_div: dec.divideDecimals,
  numeric_mod: dec.remainderOfDecimals,
  numeric_pow: math.powerDecimals,
  numeric_neg: dec.negateDecimal,
  numeric_plus: (a: dec.Decimal) => a,
  numeric_abs: dec.absDecimal,
  numeric_ceil: dec.ceilDecimal,
  numeric_floor: dec.floorDecimal,
  numeric_round: (a: dec.Decimal) => dec.roundDecimal(a, 0),
  numeric_round_to: dec.roundDecimal,
  numeric_trunc: (a: dec.Decimal) => dec.truncateDecimal(a, 0),
  numeric_trunc_to: dec.truncateDecimal,
  numeric_sign: dec.signDecimal,
  numeric_sqrt: math.sqrtDecimal,
  numeric_exp: math.expDecimal,
  numeric_ln: math.lnDecimal,
  numeric_log: math.log10Decimal,
  numeric_log_base: math.logDecimal,

  limit_rows: (rows: bigint | null) => rowCount(rows, INT8_MAX, negativeLimit),
  offset_rows: (rows: bigint | null) => rowCount(rows, 0n, negativeOffset),
  last_row: (skipped: bigint, rows: bigint) => (skipped + rows > INT8_MAX ? INT8_MAX : skipped + rows),
  at_most_one_row: (rows: bigint) => rows <= 1n || fail(manyRows, true),

  domain_holds: (ok: boolean | null, message: string, code: string) =>
    ok !== false || fail(scalarError(code as "check_violation" | "not_null_violation", message), true),

  text_concat: txt.concat,
  text_length: txt.charLength,
  text_octet_length: txt.octetLength,
  text_lower: txt.lower,
  text_upper: txt.upper,
  text_initcap: txt.initcap,
  text_btrim: (s: string) => txt.btrim(s, " "),
  text_btrim_of: txt.btrim,
  text_ltrim: (s: string) => txt.ltrim(s, " "),
  text_ltrim_of: txt.ltrim,
  text_rtrim: (s: string) => txt.rtrim(s, " "),
  text_rtrim_of: txt.rtrim,
  text_substring: txt.substring,
  text_substring_for: txt.substringFor,
  text_left: txt.left,
  text_right: txt.right,
  text_replace: txt.replace,
  text_position: txt.position,
  text_starts_with: (s: string, prefix: string) => s.startsWith(prefix),
  text_split_part: txt.splitPart,
  text_repeat: txt.repeat,
  text_reverse: txt.reverse,
  text_lpad: (s: string, n: number) => txt.lpad(s, n, " "),
  text_lpad_with: txt.lpad,
  text_rpad: (s: string, n: number) => txt.rpad(s, n, " "),
  text_rpad_with: txt.rpad,
  text_concat_all: txt.concatAll,
  text_concat_ws: txt.concatWithSeparator,
  text_like: like,
  text_not_like: (s: string, pattern: string) => !like(s, pattern),
  text_ilike: (s: string, pattern: string) => like(txt.lower(s), txt.lower(pattern)),
  text_not_ilike: (s: string, pattern: string) => !like(txt.lower(s), txt.lower(pattern)),
  text_like_escape: likeEscape,

  timestamptz_extract: time.extract,
  timestamptz_date_part: time.datePart,
  timestamptz_trunc: time.truncateTime,
  float8_to_timestamptz: time.timestampFromSeconds,
  timestamptz_now: () => fail(clockless, 0n),

  date_add_days: spans.addDays,
  days_add_date: (days: number, day: number) => spans.addDays(day, days),
  date_sub_days: (day: number, days: number) => spans.addDays(day, -days),
  date_sub: spans.daysBetween,
  date_add_time: spans.addTimeToDate,
  time_add_date: (t: bigint, day: number) => spans.addTimeToDate(day, t),
  date_add_interval: (day: number, span: string) => onDate(day, (us) => spans.addInterval(us, span)),
  interval_add_date: (span: string, day: number) => onDate(day, (us) => spans.addInterval(us, span)),
  date_sub_interval: (day: number, span: string) => onDate(day, (us) => spans.subtractInterval(us, span)),
  timestamp_add_interval: spans.addInterval,
  interval_add_timestamp: (span: string, us: bigint) => spans.addInterval(us, span),
  timestamp_sub_interval: spans.subtractInterval,
  timestamp_sub: spans.timestampsApart,
  timestamptz_add_interval: spans.addInterval,
  interval_add_timestamptz: (span: string, us: bigint) => spans.addInterval(us, span),
  timestamptz_sub_interval: spans.subtractInterval,
  timestamptz_sub: spans.timestampsApart,
  timestamptz_bound: spans.boundAfter,
  time_add_interval: spans.addToTime,
  interval_add_time: (span: string, t: bigint) => spans.addToTime(t, span),
  time_sub_interval: spans.subtractFromTime,
  time_sub: spans.timesApart,
  interval_add: spans.addIntervals,
  interval_sub: spans.subtractIntervals,
  interval_neg: spans.negateInterval,
  interval_mul: spans.multiplyInterval,
  mul_interval: (factor: number, span: string) => spans.multiplyInterval(span, factor),
  interval_div: spans.divideInterval,
  date_to_timestamp: spans.timestampOfDate,
  date_beside_timestamp: spans.timestampBesideDate,
  date_beside_timestamptz: spans.timestampBesideDate,
  date_to_timestamptz: spans.timestampOfDate,
  time_to_interval: spans.intervalOfTime,
  timestamp_to_date: spans.dateOfTimestamp,
  timestamp_to_time: spans.timeOfTimestamp,
  timestamp_to_timestamptz: (us: bigint) => us,
  timestamptz_to_timestamp: (us: bigint) => us,
  timestamptz_to_date: spans.dateOfTimestamp,
  timestamptz_to_time: spans.timeOfTimestamp,
  interval_to_time: spans.timeOfInterval,
  varchar_to_text: (s: string) => s,
  bpchar_to_text: withoutPadding,
  bpchar_out: (a: string) => a,

  numeric_to_int2: decimalToInt2,
  int4_to_int8: (a: number) => BigInt(a),
  int4_to_float8: (a: number) => a,
  int4_to_numeric: (a: number) => dec.decimal(BigInt(a), 0),
  int4_to_bool: (a: number) => a !== 0,
  int4_to_text: (a: number) => String(a),
  int8_to_int4: (a: bigint) => (a >= -2147483648n && a <= 2147483647n ? Number(a) : fail(int4OutOfRange, 0)),
  int8_to_float8: (a: bigint) => Number(a),
  int8_to_numeric: (a: bigint) => dec.decimal(a, 0),
  int8_to_text: (a: bigint) => String(a),
  float8_to_int4: float.floatToInt4,
  float8_to_int8: float.floatToInt8,
  float8_to_numeric: floatToDecimal,
  float8_to_text: formatFloat8,
  numeric_to_int4: decimalToInt4,
  numeric_to_int8: decimalToInt8,
  numeric_to_float8: decimalToFloat,
  numeric_to_numeric: (a: dec.Decimal) => a,
  numeric_to_text: dec.decimalToText,
  bool_to_int4: (a: boolean) => (a ? 1 : 0),
  bool_to_text: (a: boolean) => String(a),
  bool_out: (a: boolean) => (a ? "t" : "f"),
  timestamptz_to_text: formatTimestamptz,
  jsonb_to_text: (a: string) => a,
  text_to_int4: (s: string) => attempt(parseInt4, s, 0),
  text_to_int8: (s: string) => attempt(parseInt8, s, 0n),
  text_to_float8: (s: string) => attempt(parseFloat8, s, 0),
  text_to_numeric: (s: string) => attempt(readDecimal, s, dec.ZERO),
  text_to_bool: (s: string) => attempt(parseBool, s, false),
  text_to_timestamptz: (s: string) => attempt(parseTimestamptz, s, 0n),
} satisfies Record<Exclude<FunctionId, TypedFunctionId>, ScalarFunction>;

/** The function for a call with arguments of these types. */
export function functionOf(fn: FunctionId, args: readonly SqlType[], result: SqlType): ScalarFunction {
  return isTyped(fn) ? typedLibrary[fn](args, result, functionOf) : library[fn];
}
