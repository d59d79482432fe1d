/**
 * int4 and int8.
 *
 * int4: the exact result is computed in a double, and is right if it is its own int32. int8: of two doubles below 2^53 the
 * result is exact if it is below 2^53 too; a wide reference is at least 2^62 and so shows in a sum or product, but in a difference two
 * of them might cancel out, so there one side is looked at. Everything else goes to exact integers. `+ 0` and `| 0` remove a
 * negative zero.
 */
import type { FunctionId } from "../../plan/functions.ts";
import { WIDE } from "../../state/dictionary.ts";
import { divisionByZero, int4OutOfRange } from "./errors.ts";
import { BOOL, type Form, INT4, INT8, type Operand, PLAIN_FLOAT8, SAFE_INT8, scaledForm } from "./operand.ts";
import type { Computed, Emitter, OperandWriter } from "./operand-writer.ts";

const SAFE = Number.MAX_SAFE_INTEGER;
const INT4_MIN = -2147483648;
/** Digits of the largest int4 and int8. */
const INT4_DIGITS = 10;
const INT8_DIGITS = 19;

export function isSafe(arg: Operand): boolean {
  return arg.form.kind === "int8" && arg.form.safe;
}

function sum(operator: "+" | "-"): Emitter {
  return (to, [a, b]) => {
    const r = to.writer.bind(`${a!.code} ${operator} ${b!.code}`);
    to.failIf(`${r} !== (${r} | 0)`, int4OutOfRange);
    return { code: r, form: INT4 };
  };
}

const product: Emitter = (to, [a, b]) => {
  const r = to.writer.bind(`${a!.code} * ${b!.code}`);
  to.failIf(`${r} !== (${r} | 0)`, int4OutOfRange);
  return { code: `(${r} | 0)`, form: INT4 };
};

/** The divisor's zero and, for int4's one overflow, its -1; a constant divisor is neither known. */
function checkDivisor(to: OperandWriter, b: Operand): void {
  if (b.constant === undefined || Number(b.constant) === 0) to.failIf(`${b.code} === 0`, divisionByZero);
}

const quotient: Emitter = (to, [a, b]) => {
  checkDivisor(to, b!);
  if (b!.constant === undefined || b!.constant === -1) {
    to.failIf(`${b!.code} === -1 && ${a!.code} === ${INT4_MIN}`, int4OutOfRange);
  }
  return { code: `(${a!.code} / ${b!.code} | 0)`, form: INT4 };
};

const remainder: Emitter = (to, [a, b]) => {
  checkDivisor(to, b!);
  return { code: `(${a!.code} % ${b!.code} | 0)`, form: INT4 };
};

/** `fast`, which is right when `test` holds; else the exact method of the runtime. */
function guarded(
  to: OperandWriter,
  fast: string,
  test: (r: string) => string,
  exact: string,
  fallible: boolean,
): Computed {
  const { writer } = to;
  const r = writer.name("v");
  writer.line(`let ${r} = ${fast};`);
  writer.block(`if (!(${test(r)}))`, () => {
    writer.line(`${r} = ${exact};`);
    if (fallible) to.checkFault();
  });
  return { code: r, form: INT8 };
}

function inSafeRange(r: string): string {
  return `${r} >= ${-SAFE} && ${r} <= ${SAFE}`;
}

function notWide(...args: Operand[]): string {
  return args
    .filter((a) => !isSafe(a))
    .map((a) => `${a.code} < ${WIDE}`)
    .join(" && ");
}

const wideSum: Emitter = (to, [a, b]) =>
  guarded(to, `${a!.code} + ${b!.code}`, inSafeRange, `${to.rt}.addWide(${a!.code}, ${b!.code})`, true);

const wideDifference: Emitter = (to, [a, b]) => {
  const oneSafe = isSafe(a!) || isSafe(b!);
  const test = (r: string) => (oneSafe ? inSafeRange(r) : `${inSafeRange(r)} && ${notWide(a!)}`);
  return guarded(to, `${a!.code} - ${b!.code}`, test, `${to.rt}.subtractWide(${a!.code}, ${b!.code})`, true);
};

const wideProduct: Emitter = (to, [a, b]) =>
  guarded(
    to,
    `${a!.code} * ${b!.code} + 0`,
    inSafeRange,
    `${to.rt}.multiplyWide(${a!.code}, ${b!.code})`,
    true,
  );

function wideDivision(fast: (a: string, b: string) => string, method: string): Emitter {
  return (to, [a, b]) => {
    checkDivisor(to, b!);
    // Rounding a quotient of safe integers never reaches the next integer, so its whole part is exact.
    const test = notWide(a!, b!);
    if (test === "") return { code: fast(a!.code, b!.code), form: SAFE_INT8 };
    return guarded(
      to,
      fast(a!.code, b!.code),
      () => test,
      `${to.rt}.${method}(${a!.code}, ${b!.code})`,
      true,
    );
  };
}

function unary(
  int4Code: (a: string) => string,
  int8Code: (a: string) => string,
  method: string,
): { int4: Emitter; int8: Emitter } {
  return {
    int4: (to, [a]) => {
      to.failIf(`${a!.code} === ${INT4_MIN}`, int4OutOfRange);
      return { code: int4Code(a!.code), form: INT4 };
    },
    int8: (to, [a]) => {
      if (isSafe(a!)) return { code: int8Code(a!.code), form: SAFE_INT8 };
      return guarded(to, int8Code(a!.code), () => notWide(a!), `${to.rt}.${method}(${a!.code})`, true);
    },
  };
}

const negate = unary(
  (a) => `(0 - ${a})`,
  (a) => `(0 - ${a})`,
  "negateWide",
);
const absolute = unary(
  (a) => `Math.abs(${a})`,
  (a) => `Math.abs(${a})`,
  "absWide",
);

/** The same code, read in another form. */
function as(form: Form): Emitter {
  return (_, [a]) => ({ code: a!.code, form });
}

const same: Emitter = (_, [a]) => ({ code: a!.code, form: a!.form });

export const integerEmitters = {
  int4_add: sum("+"),
  int4_sub: sum("-"),
  int4_mul: product,
  int4_div: quotient,
  int4_mod: remainder,
  int4_neg: negate.int4,
  int4_abs: absolute.int4,
  int4_plus: same,
  int8_add: wideSum,
  int8_sub: wideDifference,
  int8_mul: wideProduct,
  int8_div: wideDivision((a, b) => `(Math.trunc(${a} / ${b}) + 0)`, "divideWide"),
  int8_mod: wideDivision((a, b) => `(${a} % ${b} + 0)`, "remainderWide"),
  int8_neg: negate.int8,
  int8_abs: absolute.int8,
  int8_plus: same,
  int2_to_int4: same,
  int2_to_int8: as(SAFE_INT8),
  int2_to_float4: as(PLAIN_FLOAT8),
  int2_to_float8: as(PLAIN_FLOAT8),
  int4_to_int8: as(SAFE_INT8),
  int4_to_float8: as(PLAIN_FLOAT8),
  int4_to_numeric: as(scaledForm(0, INT4_DIGITS)),
  int4_to_bool: (_, [a]) => ({ code: `${a!.code} !== 0`, form: BOOL }),
  bool_to_int4: (_, [a]) => ({ code: `(${a!.code} ? 1 : 0)`, form: INT4 }),
  int8_to_int4: (to, [a]) => {
    to.failIf(`${a!.code} !== (${a!.code} | 0)`, int4OutOfRange);
    return { code: a!.code, form: INT4 };
  },
  int8_to_float8: (to, [a]) => ({
    code: isSafe(a!) ? a!.code : `(${notWide(a!)} ? ${a!.code} : ${to.rt}.floatOfWide(${a!.code}))`,
    form: PLAIN_FLOAT8,
  }),
  int8_to_numeric: as(scaledForm(0, INT8_DIGITS)),
} satisfies Partial<Record<FunctionId, Emitter>>;
