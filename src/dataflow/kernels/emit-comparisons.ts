/**
 * = <> < <= > >= of every type, and the code of an ordering.
 *
 * Text and integers are equal when their codes are (wide references are canonical). NaN is equal to itself and above all other
 * doubles, so each comparison of doubles has two forms; a side that is known to be no NaN needs the short one only.
 */
import type { SqlType } from "../../batch/types.ts";
import type { Comparable, FunctionId } from "../../plan/functions.ts";
import { WIDE } from "../../state/dictionary.ts";
import { compareDecimals } from "./decimal.ts";
import { BOOL, DECIMAL, NUMERIC, type Operand, SAFE_DIGITS } from "./operand.ts";
import { type Emitter, type OperandWriter, timesPower } from "./operand-writer.ts";

type Operator = "===" | "<";

/** Code of a = b or a < b; the other four are made of these. */
type Primitive = (to: OperandWriter, operator: Operator, a: Operand, b: Operand, type: SqlType) => string;

const plain: Primitive = (_, operator, a, b) => `${a.code} ${operator} ${b.code}`;

const integers: Primitive = (to, operator, a, b) => {
  const wide = [a, b].filter((x) => !(x.form.kind === "int8" && x.form.safe));
  if (operator === "===" || wide.length === 0) return `${a.code} ${operator} ${b.code}`;
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

/** By the order keys of the values, which the dictionary keeps beside them. */
const keyed: Primitive = (to, operator, a, b, type) => {
  const kind = to.runtime.dictionary.kindOf(type);
  if (operator === "<") return `${to.dictionary}.compareKeyed(${a.code}, ${b.code}, ${kind}) < 0`;
  const key = (x: Operand) => `${to.dictionary}.keyed(${x.code}, ${kind})`;
  return `(${a.code} === ${b.code} || ${key(a)} === ${key(b)})`;
};

const numerics: Primitive = (to, operator, a, b, type) => {
  if (a.form.kind === "scaled" && b.form.kind === "scaled") {
    const scale = Math.max(a.form.scale, b.form.scale);
    const [growA, growB] = [scale - a.form.scale, scale - b.form.scale];
    if (Math.max(a.form.digits + growA, b.form.digits + growB) <= SAFE_DIGITS) {
      return `${timesPower(a.code, growA)} ${operator} ${timesPower(b.code, growB)}`;
    }
    // Of one scale, though perhaps wide: the same as integers.
    if (growA === growB) return integers(to, operator, a, b, type);
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

const primitives = {
  int2: plain,
  int4: plain,
  date: plain,
  enum: plain,
  int8: integers,
  time: integers,
  timestamp: integers,
  timestamptz: integers,
  float4: floats,
  float8: floats,
  bool: bools,
  text: texts,
  bytea: texts,
  uuid: texts,
  bpchar: keyed,
  interval: keyed,
  jsonb: keyed,
  array: keyed,
  record: keyed,
  numeric: numerics,
} satisfies Record<Comparable, Primitive>;

function comparisonsOf<N extends Comparable>(name: N) {
  const primitive: Primitive = primitives[name];
  const made = (code: (to: OperandWriter, a: Operand, b: Operand, type: SqlType) => string): Emitter => {
    return (to, [a, b], _, [type]) => ({ code: code(to, a!, b!, type!), form: BOOL });
  };
  const all = {
    eq: made((to, a, b, type) => primitive(to, "===", a, b, type)),
    ne: made((to, a, b, type) => `!(${primitive(to, "===", a, b, type)})`),
    lt: made((to, a, b, type) => primitive(to, "<", a, b, type)),
    ge: made((to, a, b, type) => `!(${primitive(to, "<", a, b, type)})`),
    gt: made((to, a, b, type) => primitive(to, "<", b, a, type)),
    le: made((to, a, b, type) => `!(${primitive(to, "<", b, a, type)})`),
  };
  return Object.fromEntries(
    Object.entries(all).map(([suffix, emitter]) => [`${name}_${suffix}`, emitter]),
  ) as {
    [K in keyof typeof all as `${N}_${K}`]: Emitter;
  };
}

export const comparisonEmitters = {
  ...comparisonsOf("int2"),
  ...comparisonsOf("int4"),
  ...comparisonsOf("int8"),
  ...comparisonsOf("float4"),
  ...comparisonsOf("float8"),
  ...comparisonsOf("numeric"),
  ...comparisonsOf("bool"),
  ...comparisonsOf("text"),
  ...comparisonsOf("bpchar"),
  ...comparisonsOf("bytea"),
  ...comparisonsOf("uuid"),
  ...comparisonsOf("date"),
  ...comparisonsOf("time"),
  ...comparisonsOf("timestamp"),
  ...comparisonsOf("timestamptz"),
  ...comparisonsOf("interval"),
  ...comparisonsOf("jsonb"),
  ...comparisonsOf("enum"),
  ...comparisonsOf("array"),
  ...comparisonsOf("record"),
} satisfies Partial<Record<FunctionId, Emitter>>;
