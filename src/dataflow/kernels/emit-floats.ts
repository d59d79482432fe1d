/** float8: the operation itself, and a look at results that are not finite or that vanished. */
import type { FunctionId } from "../../plan/functions.ts";
import { divisionByZero, logOfNegative, logOfZero, negativeRoot } from "./errors.ts";
import { checkProduct, checkSum, divideFloats } from "./float.ts";
import { FLOAT8, INT4, INT8 } from "./operand.ts";
import type { Emitter, OperandWriter } from "./operand-writer.ts";
import { roundHalfEven } from "./rounding.ts";

/** Calls what finds out whether the result is an error. x - x is not 0 for infinities and NaN only. */
function checkResult(to: OperandWriter, suspicious: string, call: string): void {
  to.writer.block(`if (${suspicious})`, () => {
    to.writer.line(`${call};`);
    to.checkFault();
  });
}

function sum(operator: "+" | "-"): Emitter {
  return (to, [a, b]) => {
    const r = to.writer.bind(`${a!.code} ${operator} ${b!.code}`);
    checkResult(
      to,
      `${r} - ${r} !== 0`,
      `${to.writer.parameter(checkSum, "checkSum")}(${r}, ${a!.code}, ${b!.code})`,
    );
    return { code: r, form: FLOAT8 };
  };
}

const product: Emitter = (to, [a, b]) => {
  const r = to.writer.bind(`${a!.code} * ${b!.code}`);
  const check = `${to.writer.parameter(checkProduct, "checkProduct")}(${r}, ${a!.code}, ${b!.code})`;
  checkResult(to, `${r} - ${r} !== 0 || (${r} === 0 && ${a!.code} !== 0 && ${b!.code} !== 0)`, check);
  return { code: r, form: FLOAT8 };
};

const quotient: Emitter = (to, [a, b]) => {
  if (b!.constant === undefined || b!.constant === 0) {
    to.failIf(`${b!.code} === 0 && ${a!.code} === ${a!.code}`, divisionByZero);
  }
  const r = to.writer.bind(`${a!.code} / ${b!.code}`);
  const check = `${to.writer.parameter(divideFloats, "divideFloats")}(${a!.code}, ${b!.code})`;
  checkResult(to, `${r} - ${r} !== 0 || (${r} === 0 && ${a!.code} !== 0)`, check);
  return { code: r, form: FLOAT8 };
};

function plain(code: (a: string) => string): Emitter {
  return (_, [a]) => ({ code: code(a!.code), form: a!.form });
}

function logarithm(method: string): Emitter {
  return (to, [a]) => {
    to.failIf(`${a!.code} === 0`, logOfZero);
    to.failIf(`${a!.code} < 0`, logOfNegative);
    return { code: `Math.${method}(${a!.code})`, form: FLOAT8 };
  };
}

export const floatEmitters = {
  float8_add: sum("+"),
  float8_sub: sum("-"),
  float8_mul: product,
  float8_div: quotient,
  float8_neg: plain((a) => `(-${a})`),
  float8_plus: plain((a) => a),
  float8_abs: plain((a) => `Math.abs(${a})`),
  float8_ceil: plain((a) => `Math.ceil(${a})`),
  float8_floor: plain((a) => `Math.floor(${a})`),
  float8_trunc: plain((a) => `Math.trunc(${a})`),
  float8_round: (to, [a]) => ({
    code: `${to.writer.parameter(roundHalfEven, "roundHalfEven")}(${a!.code})`,
    form: a!.form,
  }),
  float8_sqrt: (to, [a]) => {
    to.failIf(`${a!.code} < 0`, negativeRoot);
    return { code: `Math.sqrt(${a!.code})`, form: FLOAT8 };
  },
  float8_ln: logarithm("log"),
  float8_log: logarithm("log10"),
  float8_to_int4: (to, [a]) => {
    const r = to.writer.bind(
      `${a!.code} === (${a!.code} | 0) ? ${a!.code} | 0 : ${to.rt}.int4OfFloat(${a!.code})`,
    );
    to.checkFault();
    return { code: r, form: INT4 };
  },
  float8_to_int8: (to, [a]) => {
    const r = to.writer.bind(`${to.rt}.int8OfFloat(${a!.code})`);
    to.checkFault();
    return { code: r, form: INT8 };
  },
} satisfies Partial<Record<FunctionId, Emitter>>;
