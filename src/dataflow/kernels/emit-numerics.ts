/**
 * numeric in scaled form: as long as 15 digits are enough for every possible result, a sum or product is one of doubles, and its
 * display scale comes out as PostgreSQL's: the larger of the two for + and -, the sum for *. Everything else is left to Decimals.
 */
import type { FunctionId } from "../../plan/functions.ts";
import { int4OutOfRange } from "./errors.ts";
import {
  INT4,
  INT8,
  NUMERIC,
  type Operand,
  PLAIN_FLOAT8,
  SAFE_DIGITS,
  SAFE_INT8,
  scaledForm,
  TEXT,
} from "./operand.ts";
import { type Emitter, timesPower } from "./operand-writer.ts";

/** Powers of ten up to this are exact doubles. */
const EXACT_POWER_MAX = 22;
/** Any integer of this many digits is an int4, or an int8. */
const INT4_DIGITS = 9;
const INT8_DIGITS = 18;

function sum(operator: "+" | "-"): Emitter {
  return (_, [a, b]) => {
    if (a!.form.kind !== "scaled" || b!.form.kind !== "scaled") return undefined;
    const scale = Math.max(a!.form.scale, b!.form.scale);
    const [growA, growB] = [scale - a!.form.scale, scale - b!.form.scale];
    const digits = Math.max(a!.form.digits + growA, b!.form.digits + growB) + 1;
    if (digits > SAFE_DIGITS) return undefined;
    const code = `(${timesPower(a!.code, growA)} ${operator} ${timesPower(b!.code, growB)})`;
    return { code, form: scaledForm(scale, digits) };
  };
}

const product: Emitter = (_, [a, b]) => {
  if (a!.form.kind !== "scaled" || b!.form.kind !== "scaled") return undefined;
  const digits = a!.form.digits + b!.form.digits;
  if (digits > SAFE_DIGITS) return undefined;
  return { code: `(${a!.code} * ${b!.code} + 0)`, form: scaledForm(a!.form.scale + b!.form.scale, digits) };
};

function unary(code: (a: string) => string): Emitter {
  return (_, [a]) => {
    if (a!.form.kind !== "scaled" || a!.form.digits > SAFE_DIGITS) return undefined;
    return { code: code(a!.code), form: a!.form };
  };
}

const same: Emitter = (_, [a]) => ({ code: a!.code, form: a!.form });

function isWhole(a: Operand, digits: number): boolean {
  return a.form.kind === "scaled" && a.form.scale === 0 && a.form.digits <= digits;
}

export const numericEmitters = {
  numeric_add: sum("+"),
  numeric_sub: sum("-"),
  numeric_mul: product,
  numeric_neg: unary((a) => `(0 - ${a})`),
  numeric_abs: unary((a) => `Math.abs(${a})`),
  numeric_plus: same,
  numeric_to_numeric: same,
  numeric_to_int4: (to, [a]) => {
    if (!isWhole(a!, SAFE_DIGITS)) return undefined;
    if (!isWhole(a!, INT4_DIGITS)) to.failIf(`${a!.code} !== (${a!.code} | 0)`, int4OutOfRange);
    return { code: a!.code, form: INT4 };
  },
  numeric_to_int8: (_, [a]) => {
    if (!isWhole(a!, INT8_DIGITS)) return undefined;
    return { code: a!.code, form: isWhole(a!, SAFE_DIGITS) ? SAFE_INT8 : INT8 };
  },
  numeric_to_float8: (_, [a]) => {
    const { form } = a!;
    if (form.kind !== "scaled" || form.digits > SAFE_DIGITS || form.scale > EXACT_POWER_MAX) return undefined;
    // Both exact, so the quotient is the double nearest to the decimal.
    return { code: form.scale === 0 ? a!.code : `${a!.code} / ${10 ** form.scale}`, form: PLAIN_FLOAT8 };
  },
  // A numeric's reference is that of its text.
  numeric_to_text: (to, [a]) => ({ code: to.inForm(a!, NUMERIC).code, form: TEXT }),
} satisfies Partial<Record<FunctionId, Emitter>>;
