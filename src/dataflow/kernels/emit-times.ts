/**
 * extract, date_part and date_trunc with a unit known beforehand, to_char with a pattern known beforehand.
 *
 * A time is microseconds in a double; what lies beyond +-285 years of 1970, the infinities among them, is a wide reference and goes to the
 * runtime. Whole quotients of safe integers are exact, so floor() of a division splits a time.
 */
import { TIMESTAMP_INFINITY, TIMESTAMP_MINUS_INFINITY } from "../../batch/format/timestamptz.ts";
import type { FunctionId } from "../../plan/functions.ts";
import { WIDE } from "../../state/dictionary.ts";
import {
  fieldGrows,
  fieldScale,
  fieldTruncates,
  spanOf,
  type TimeField,
  timeField,
  US_PER_DAY,
} from "./datetime.ts";
import { INT8, NUMERIC, type Operand, PLAIN_FLOAT8, scaledForm, TEXT } from "./operand.ts";
import type { Computed, Emitter, OperandWriter } from "./operand-writer.ts";
import { timestampBesideDate, timestampOfDate } from "./time-arithmetic.ts";
import { TimeTexts } from "./time-texts.ts";
import { parsePattern } from "./to-char-pattern.ts";

/** Digits that hold every integer part: a day's microseconds, a year. */
const PART_DIGITS = 10;
/** Their microseconds are safe integers. */
const SAFE_DAYS = Math.floor(Number.MAX_SAFE_INTEGER / US_PER_DAY);
/** Times above this truncate to a safe integer. */
const TRUNCATES_SAFELY = -9e15;

function constantField(unit: Operand): TimeField | undefined {
  return typeof unit.constant === "string" ? timeField(unit.constant) : undefined;
}

function isInfinite(to: OperandWriter, us: string): string {
  const infinite = [TIMESTAMP_INFINITY, TIMESTAMP_MINUS_INFINITY].map(
    (t) => `${us} === ${to.wideConstant(t)}`,
  );
  return to.writer.bind(`${us} >= ${WIDE} && (${infinite.join(" || ")})`, "n");
}

/** A part that goes round: null for an infinite time. */
function roundPart(to: OperandWriter, field: TimeField, us: string): { code: string; isNull: string } {
  const { writer } = to;
  const isNull = isInfinite(to, us);
  const slow = `${isNull} ? 0 : ${to.rt}.part("${field}", ${us})`;
  const fast = fastPart(field, us);
  return { code: writer.bind(fast === undefined ? slow : `${us} < ${WIDE} ? ${fast} : ${slow}`), isNull };
}

/** Code of the part of a safe time, for the parts that are plain remainders. */
function fastPart(field: TimeField, us: string): string | undefined {
  const within = (unit: number, span: number) =>
    `Math.floor(${us} / ${unit}) - ${span / unit} * Math.floor(${us} / ${span})`;
  switch (field) {
    case "hour":
      return within(spanOf.hour!, US_PER_DAY);
    case "minute":
      return within(spanOf.minute!, spanOf.hour!);
    case "second":
    case "milliseconds":
    case "microseconds":
      return `${us} - ${spanOf.minute} * Math.floor(${us} / ${spanOf.minute})`;
    default:
      return undefined;
  }
}

const extract: Emitter = (to, [unit, time]): Computed | undefined => {
  const field = constantField(unit!);
  if (field === undefined) return undefined;
  if (fieldGrows(field)) return { code: `${to.rt}.growingPart("${field}", ${time!.code})`, form: NUMERIC };
  return { ...roundPart(to, field, time!.code), form: scaledForm(fieldScale(field), PART_DIGITS) };
};

const datePart: Emitter = (to, [unit, time]): Computed | undefined => {
  const field = constantField(unit!);
  if (field === undefined || fieldGrows(field) || fieldScale(field) > 0) return undefined;
  return { ...roundPart(to, field, time!.code), form: PLAIN_FLOAT8 };
};

const truncate: Emitter = (to, [unit, time]): Computed | undefined => {
  const field = constantField(unit!);
  if (field === undefined || !fieldTruncates(field)) return undefined;
  const us = time!.code;
  const { writer } = to;
  const span = spanOf[field];
  const result = writer.name("v");
  if (span === undefined) {
    writer.line(`const ${result} = ${to.rt}.truncate("${field}", ${us});`);
    to.checkFault();
    return { code: result, form: INT8 };
  }
  writer.line(`let ${result} = Math.floor(${us} / ${span}) * ${span};`);
  writer.block(`if (!(${us} > ${TRUNCATES_SAFELY} && ${us} < ${WIDE}))`, () => {
    writer.line(`${result} = ${to.rt}.truncateWide("${field}", ${us});`);
    to.checkFault();
  });
  return { code: result, form: INT8 };
};

function toChar(zone: string | null): Emitter {
  return (to, [time, pattern]) => {
    if (typeof pattern!.constant !== "string" || pattern!.constant === "") return undefined;
    const parsed = parsePattern(pattern!.constant);
    const { writer } = to;
    const us = time!.code;
    const texts = to.held(new TimeTexts(to.runtime.dictionary, parsed, zone), "texts");
    const isNull = isInfinite(to, us);
    const result = writer.name("v");
    writer.line(`let ${result} = 0;`);
    writer.line(`if (${us} < ${WIDE}) ${result} = ${texts}.of(${us});`);
    writer.line(`else if (!${isNull}) ${result} = ${texts}.ofWide(${to.rt}.big(${us}));`);
    return { code: result, form: TEXT, isNull };
  };
}

/** A date's midnight: safe for the dates of 1684 to 2255. */
function midnight(beyond: (day: number) => bigint, fallible: boolean): Emitter {
  return (to, [day]) => {
    const { writer } = to;
    const result = writer.name("v");
    const slow = writer.parameter(beyond, "midnight");
    writer.line(`let ${result} = ${day!.code} * ${US_PER_DAY};`);
    writer.block(`if (${day!.code} > ${SAFE_DAYS} || ${day!.code} < ${-SAFE_DAYS})`, () => {
      const value = writer.bind(`${slow}(${day!.code})`);
      if (fallible) to.checkFault();
      writer.line(`${result} = ${to.rt}.code(${value});`);
    });
    return { code: result, form: INT8 };
  };
}

const midnightOrError = midnight(timestampOfDate, true);
const midnightBeside = midnight(timestampBesideDate, false);

export const timeEmitters = {
  date_to_timestamp: midnightOrError,
  date_to_timestamptz: midnightOrError,
  date_beside_timestamp: midnightBeside,
  date_beside_timestamptz: midnightBeside,
  timestamp_to_char: toChar(null),
  timestamptz_to_char: toChar("UTC"),
  timestamptz_extract: extract,
  timestamptz_date_part: datePart,
  timestamptz_trunc: truncate,
  // In the time zone UTC they are the same microseconds.
  timestamp_to_timestamptz: (_, [us]) => ({ code: us!.code, form: us!.form }),
  timestamptz_to_timestamp: (_, [us]) => ({ code: us!.code, form: us!.form }),
} satisfies Partial<Record<FunctionId, Emitter>>;
