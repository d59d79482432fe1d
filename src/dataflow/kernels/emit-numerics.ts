/**
 * numeric in scaled form: as long as 15 digits are enough for every possible result, a sum or product is one of doubles, and its
 * display scale comes out as PostgreSQL's: the larger of the two for + and -, the sum for *.
 *
 * Where they might not be, as in price * (1 - discount) over columns of 15 digits, the result is loose: one of doubles whenever it and what it is
 * made of are safe, which is asked at each row, and else one of bigints (loose-numbers.ts). Everything else is left to Decimals.
 */
import type { FunctionId } from "../../plan/functions.ts";
import { int4OutOfRange } from "./errors.ts";
import { looseDifference, looseProduct, looseSum } from "./loose-numbers.ts";
import {
  INT4,
  INT8,
  looseForm,
  NUMERIC,
  type Operand,
  PLAIN_FLOAT8,
  SAFE_DIGITS,
  SAFE_INT8,
  scaledForm,
  TEXT,
} from "./operand.ts";
import { type Emitter, type OperandWriter, timesPower } from "./operand-writer.ts";

/** Powers of ten up to this are exact doubles. */
const EXACT_POWER_MAX = 22;
/** Beyond, PostgreSQL's limit of digits may come in sight. */
const LOOSE_SCALE_MAX = 1000;
/** Any integer of this many digits is an int4, or an int8. */
const INT4_DIGITS = 9;
const INT8_DIGITS = 18;

function sum(operator: "+" | "-"): Emitter {
  return (to, [a, b]) => {
    const [scaleA, scaleB] = [fixedScale(a!), fixedScale(b!)];
    if (scaleA === undefined || scaleB === undefined) return undefined;
    const scale = Math.max(scaleA, scaleB);
    const [growA, growB] = [scale - scaleA, scale - scaleB];
    const digits = Math.max(digitsOf(a!) + growA, digitsOf(b!) + growB) + 1;
    if (digits <= SAFE_DIGITS) {
      const code = `(${timesPower(a!.code, growA)} ${operator} ${timesPower(b!.code, growB)})`;
      return { code, form: scaledForm(scale, digits) };
    }
    if (growA > EXACT_POWER_MAX || growB > EXACT_POWER_MAX) return undefined;
    const [x, y] = [loose(to, a!, scaleA), loose(to, b!, scaleB)];
    const slow = to.writer.parameter(operator === "+" ? looseSum : looseDifference, "looseSum");
    // Grown terms are asked, too: what they lost beyond 2^53 could cancel out in the sum.
    const terms = [
      [a!, x, growA],
      [b!, y, growB],
    ] as const;
    const asked = terms.flatMap(([operand, code, grow]) =>
      grow === 0 || digitsOf(operand) + grow <= SAFE_DIGITS ? [] : [isSafe(timesPower(code, grow))],
    );
    const quick = `${timesPower(x, growA)} ${operator} ${timesPower(y, growB)}`;
    const code = quickOr(to, [a!, b!], [x, y], asked, quick, `${slow}(${x}, ${growA}, ${y}, ${growB})`);
    return { code, form: looseForm(scale) };
  };
}

const product: Emitter = (to, [a, b]) => {
  const [scaleA, scaleB] = [fixedScale(a!), fixedScale(b!)];
  if (scaleA === undefined || scaleB === undefined) return undefined;
  const digits = digitsOf(a!) + digitsOf(b!);
  if (digits <= SAFE_DIGITS)
    return { code: `(${a!.code} * ${b!.code} + 0)`, form: scaledForm(scaleA + scaleB, digits) };
  if (scaleA + scaleB > LOOSE_SCALE_MAX) return undefined;
  const [x, y] = [loose(to, a!, scaleA), loose(to, b!, scaleB)];
  const slow = to.writer.parameter(looseProduct, "looseProduct");
  const code = quickOr(to, [a!, b!], [x, y], [], `${x} * ${y} + 0`, `${slow}(${x}, ${y})`);
  return { code, form: looseForm(scaleA + scaleB) };
};

/** The scale of every value this operand can have, where that is known. */
function fixedScale({ form }: Operand): number | undefined {
  return form.kind === "scaled" || form.kind === "loose" ? form.scale : undefined;
}

function digitsOf({ form }: Operand): number {
  return form.kind === "scaled" ? form.digits : Number.POSITIVE_INFINITY;
}

function loose(to: OperandWriter, operand: Operand, scale: number): string {
  return to.inForm(operand, looseForm(scale)).code;
}

/** `quick`, of numbers, where they and what `asked` says are safe and the result is, too; else `slow`. */
function quickOr(
  to: OperandWriter,
  operands: readonly Operand[],
  codes: readonly string[],
  asked: readonly string[],
  quick: string,
  slow: string,
): string {
  const numbers = codes
    .filter((_, i) => digitsOf(operands[i]!) > SAFE_DIGITS)
    .map((code) => `typeof ${code} === "number"`);
  const conditions = [...numbers, ...asked].join(" && ");
  const result = to.writer.name("v");
  to.writer.line(`let ${result} = ${conditions === "" ? quick : `${conditions} ? ${quick} : NaN`};`);
  to.writer.line(`if (!(${isSafe(result)})) ${result} = ${slow};`);
  return result;
}

function isSafe(code: string): string {
  return `${code} <= ${Number.MAX_SAFE_INTEGER} && ${code} >= ${Number.MIN_SAFE_INTEGER}`;
}

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
