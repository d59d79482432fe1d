/**
 * = <> < <= > >= of every type, and the code of an ordering.
 *
 * Text, jsonb and integers are equal when their codes are (wide references are canonical). NaN is equal to itself and above all other
 * doubles, so each comparison of doubles has two forms; a side that is known to be no NaN needs the short one only.
 */
import type { TypeName } from "../../batch/types.ts";
import type { FunctionId } from "../../plan/functions.ts";
import { WIDE } from "../../state/dictionary.ts";
import { compareDecimals } from "./decimal.ts";
import { BOOL, DECIMAL, NUMERIC, type Operand, SAFE_DIGITS } from "./operand.ts";
import { type Emitter, type OperandWriter, timesPower } from "./operand-writer.ts";

type Operator = "===" | "<";

/** Code of a = b or a < b; the other four are made of these. */
type Primitive = (to: OperandWriter, operator: Operator, a: Operand, b: Operand) => string;

const plain: Primitive = (_, operator, a, b) => `${a.code} ${operator} ${b.code}`;

const integers: Primitive = (to, operator, a, b) => {
  const wide = [a, b].filter((x) => !(x.form.kind === "int8" && x.form.safe));
  if (operator === "===" || wide.length === 0) return plain(to, operator, a, b);
  const narrow = wide.map((x) => `${x.code} < ${WIDE}`).join(" && ");
  return `(${narrow} ? ${a.code} < ${b.code} : ${to.rt}.compareWide(${a.code}, ${b.code}) < 0)`;
};

const floats: Primitive = (_, operator, a, b) => {
  const aPlain = a.form.kind === "float8" && a.form.notNaN;
  const bPlain = b.form.kind === "float8" && b.form.notNaN;
  if (operator === "===") {
    if (aPlain || bPlain) return `${a.code} === ${b.code}`;
    return `(${a.code} === ${b.code} || (${a.code} !== ${a.code} && ${b.code} !== ${b.code}))`;
  }
  if (bPlain) return `${a.code} < ${b.code}`;
  if (aPlain) return `!(${a.code} >= ${b.code})`;
  return `(${a.code} < ${b.code} || (${b.code} !== ${b.code} && ${a.code} === ${a.code}))`;
};

const bools: Primitive = (_, operator, a, b) =>
  operator === "===" ? `${a.code} === ${b.code}` : `(!${a.code} && ${b.code})`;

const texts: Primitive = (to, operator, a, b) =>
  operator === "===" ? `${a.code} === ${b.code}` : `${to.dictionary}.compare(${a.code}, ${b.code}) < 0`;

const numerics: Primitive = (to, operator, a, b) => {
  if (a.form.kind === "scaled" && b.form.kind === "scaled") {
    const scale = Math.max(a.form.scale, b.form.scale);
    const [growA, growB] = [scale - a.form.scale, scale - b.form.scale];
    if (Math.max(a.form.digits + growA, b.form.digits + growB) <= SAFE_DIGITS) {
      return `${timesPower(a.code, growA)} ${operator} ${timesPower(b.code, growB)}`;
    }
    // Of one scale, though perhaps wide: the same as integers.
    if (growA === growB) return integers(to, operator, a, b);
  }
  const byReference = (x: Operand) => x.form.kind === "numeric" || x.constant !== undefined;
  if (byReference(a) && byReference(b)) {
    const [x, y] = [to.inForm(a, NUMERIC), to.inForm(b, NUMERIC)];
    const method = operator === "===" ? "equalNumerics" : "compareNumerics";
    return `${to.rt}.${method}(${x.code}, ${y.code})${operator === "===" ? "" : " < 0"}`;
  }
  const [x, y] = [to.inForm(a, DECIMAL), to.inForm(b, DECIMAL)];
  return `${to.writer.parameter(compareDecimals, "compareDecimals")}(${x.code}, ${y.code}) ${operator} 0`;
};

const primitives: Record<TypeName, Primitive> = {
  int4: plain,
  int8: integers,
  timestamptz: integers,
  float8: floats,
  bool: bools,
  text: texts,
  jsonb: texts,
  numeric: numerics,
};

function comparisonsOf<N extends TypeName>(name: N) {
  const primitive = primitives[name];
  const made = (code: (to: OperandWriter, a: Operand, b: Operand) => string): Emitter => {
    return (to, [a, b]) => ({ code: code(to, a!, b!), form: BOOL });
  };
  const all = {
    eq: made((to, a, b) => primitive(to, "===", a, b)),
    ne: made((to, a, b) => `!(${primitive(to, "===", a, b)})`),
    lt: made((to, a, b) => primitive(to, "<", a, b)),
    ge: made((to, a, b) => `!(${primitive(to, "<", a, b)})`),
    gt: made((to, a, b) => primitive(to, "<", b, a)),
    le: made((to, a, b) => `!(${primitive(to, "<", b, a)})`),
  };
  return Object.fromEntries(
    Object.entries(all).map(([suffix, emitter]) => [`${name}_${suffix}`, emitter]),
  ) as {
    [K in keyof typeof all as `${N}_${K}`]: Emitter;
  };
}

const ofJsonb = comparisonsOf("jsonb");

export const comparisonEmitters = {
  ...comparisonsOf("int4"),
  ...comparisonsOf("int8"),
  ...comparisonsOf("float8"),
  ...comparisonsOf("numeric"),
  ...comparisonsOf("bool"),
  ...comparisonsOf("text"),
  ...comparisonsOf("timestamptz"),
  jsonb_eq: ofJsonb.jsonb_eq,
  jsonb_ne: ofJsonb.jsonb_ne,
} satisfies Partial<Record<FunctionId, Emitter>>;
