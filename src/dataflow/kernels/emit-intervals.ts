/**
 * Timestamps moved by intervals, and put into bins.
 *
 * Most times are safe integers and most intervals have no months: then a sum is a sum of two doubles, and a bin a remainder, both exact. `spanUs` is
 * not a number for every other interval, so that one comparison, which NaN fails, sends the row to the general functions: months, infinities, what
 * leaves the range. A safe result is always a timestamp: they reach a thousand times as far.
 */
import type { FunctionId } from "../../plan/functions.ts";
import { WIDE } from "../../state/dictionary.ts";
import { INT8, type Operand } from "./operand.ts";
import type { Computed, Emitter, OperandWriter } from "./operand-writer.ts";
import { spanMicroseconds } from "./time-arithmetic.ts";

const isSafe = (code: string) =>
  `(${code} <= ${Number.MAX_SAFE_INTEGER} && ${code} >= ${Number.MIN_SAFE_INTEGER})`;

/** The interval's microseconds, or NaN. */
function spanUs(to: OperandWriter, span: Operand): string {
  if (typeof span.constant !== "string") return to.writer.bind(`${to.rt}.spanUs(${span.code})`, "s");
  const us = spanMicroseconds(span.constant);
  return Number.isNaN(us) ? "NaN" : us < 0 ? `(${us})` : String(us);
}

function moved(to: OperandWriter, time: Operand, span: Operand, sign: "+" | "-"): Computed {
  const { writer } = to;
  const result = writer.name("v");
  writer.line(`let ${result} = ${time.code} ${sign} ${spanUs(to, span)};`);
  writer.block(`if (!(${time.code} < ${WIDE} && ${isSafe(result)}))`, () => {
    writer.line(
      `${result} = ${to.rt}.${sign === "+" ? "addSpan" : "subtractSpan"}(${time.code}, ${span.code});`,
    );
    to.checkFault();
  });
  return { code: result, form: INT8 };
}

const bound: Emitter = (to, [time, span]) => {
  const { writer } = to;
  const result = writer.name("v");
  writer.line(`let ${result} = ${time!.code} + ${spanUs(to, span!)};`);
  writer.block(`if (!(${time!.code} < ${WIDE} && ${isSafe(result)}))`, () => {
    writer.line(`${result} = ${to.rt}.boundAfter(${time!.code}, ${span!.code});`);
  });
  return { code: result, form: INT8 };
};

const add: Emitter = (to, [time, span]) => moved(to, time!, span!, "+");
const addTo: Emitter = (to, [span, time]) => moved(to, time!, span!, "+");
const subtract: Emitter = (to, [time, span]) => moved(to, time!, span!, "-");

const bin: Emitter = (to, [stride, time, origin]) => {
  const { writer } = to;
  const [us, from] = [time!.code, origin!.code];
  const width = writer.bind(spanUs(to, stride!), "s");
  const apart = writer.bind(`${us} - ${from}`, "d");
  const rest = writer.bind(`${apart} % ${width}`, "r");
  const result = writer.name("v");
  writer.line(`let ${result} = ${us} - (${rest} < 0 ? ${rest} + ${width} : ${rest});`);
  const safe = `${us} < ${WIDE} && ${from} < ${WIDE} && ${width} > 0 && ${isSafe(apart)} && ${isSafe(result)}`;
  writer.block(`if (!(${safe}))`, () => {
    writer.line(`${result} = ${to.rt}.bin(${stride!.code}, ${us}, ${from});`);
    to.checkFault();
  });
  return { code: result, form: INT8 };
};

export const intervalEmitters = {
  timestamp_add_interval: add,
  timestamptz_add_interval: add,
  interval_add_timestamp: addTo,
  interval_add_timestamptz: addTo,
  timestamp_sub_interval: subtract,
  timestamptz_sub_interval: subtract,
  timestamptz_bound: bound,
  timestamp_bin: bin,
  timestamptz_bin: bin,
} satisfies Partial<Record<FunctionId, Emitter>>;
