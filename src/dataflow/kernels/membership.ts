/**
 * x IN (constants), x = ANY (constant array), x <> ALL (constant array): one lookup in a set instead of a comparison with each constant.
 *
 * IN is bound to x = c1 OR x = c2 OR ...; neighbours that compare the same with constants are found again here. The set holds what two equal
 * values have in common, and is made once per generated function:
 *
 * - integers, times, text, bytea, uuid: their codes, which are equal when the values are;
 * - doubles: the doubles (a Set takes NaN for equal to itself and -0 for 0, as SQL does);
 * - numerics of a scale: the integer at that scale, and constants that need more digits equal nothing; other numerics, and what lies in several
 *   forms (interval, jsonb, arrays): the id of the canonical form. A numeric that was just computed has no id; it is searched for in a
 *   sorted list.
 *
 * A NULL among the constants makes the answer null where it would be false. x is evaluated once: it cannot fail the second time if
 * it did not the first.
 */
import { parseArray } from "../../batch/format/array.ts";
import { carrierOf, type SqlType } from "../../batch/types.ts";
import type { CallExpr, Expr } from "../../plan/expression.ts";
import { exprKey } from "../../plan/fingerprint.ts";
import { typeOf } from "../../plan/inspect.ts";
import { compareDecimals, type Decimal, FINITE, powerOfTen } from "./decimal.ts";
import { fromDatum } from "./evaluate.ts";
import { BOOL, DECIMAL, type Operand } from "./operand.ts";
import type { OperandWriter } from "./operand-writer.ts";
import { valueOfText } from "./typed-text.ts";
import type { Value } from "./value.ts";

/** Fewer are compared one by one: that is as fast. */
const CONSTANTS_MIN = 8;

export interface Membership {
  readonly kind: "membership";
  readonly value: Expr;
  readonly constants: readonly Value[];
}

/** The arguments of an OR, with runs of comparisons of one value put together. */
export function withMemberships(args: readonly Expr[]): readonly (Expr | Membership)[] {
  if (args.length < CONSTANTS_MIN) return args;
  const made: (Expr | Membership)[] = [];
  for (let i = 0; i < args.length; ) {
    const first = comparison(args[i]!);
    let end = i + 1;
    if (first !== null) while (end < args.length && comparesSame(args[end]!, first)) end++;
    if (first === null || end - i < CONSTANTS_MIN) made.push(...args.slice(i, end));
    else {
      const constants = args.slice(i, end).map((arg) => constantOf((arg as CallExpr).args[1]!));
      made.push({ kind: "membership", value: first.args[0]!, constants });
    }
    i = end;
  }
  return made;
}

/** What `x = ANY (constants)` asks, and `x <> ALL (constants)` the reverse of; null when it is something else, or too little. */
export function quantifiedMembership({ fn, args }: CallExpr): Membership | null {
  if (fn !== "any_eq" && fn !== "all_ne") return null;
  const [value, array] = args as readonly [Expr, Expr];
  if (array.kind !== "const" || array.value === null || !hasSet(typeOf(value))) return null;
  const type = typeOf(array).element!;
  const { items } = parseArray(array.value as string);
  if (items.length < CONSTANTS_MIN) return null;
  const constants = items.map((item) => (item === null ? null : valueOfText(type, item)));
  return { kind: "membership", value, constants };
}

/** `arg` as an equality with a constant. */
function comparison(arg: Expr): CallExpr | null {
  if (arg.kind !== "call" || !arg.fn.endsWith("_eq") || arg.args.length !== 2) return null;
  const [value, constant] = arg.args as readonly [Expr, Expr];
  if (constant.kind !== "const" || value.kind === "const") return null;
  const type = typeOf(value);
  return type.name === typeOf(constant).name && `${type.name}_eq` === arg.fn && hasSet(type) ? arg : null;
}

function comparesSame(arg: Expr, first: CallExpr): boolean {
  const other = comparison(arg);
  if (other === null || other.fn !== first.fn) return false;
  const [a, b] = [first.args[0]!, other.args[0]!];
  if (a === b) return true;
  if (a.kind === "column" && b.kind === "column") return a.index === b.index;
  return exprKey(a) === exprKey(b);
}

function hasSet(type: SqlType): boolean {
  return carrierOf(type) !== "bool";
}

function constantOf(expr: Expr): Value {
  return expr.kind === "const" ? fromDatum(expr.value, expr.type) : null;
}

/** Code of "x is one of them". Null where x is, and where it is none of them and a null is among them. */
export function writeMembership(
  to: OperandWriter,
  x: Operand,
  type: SqlType,
  constants: readonly Value[],
): Operand {
  const { writer } = to;
  const known = constants.filter((c) => c !== null);
  const found =
    type.name === "numeric"
      ? foundNumeric(to, x, known as readonly Decimal[])
      : foundCode(to, x, type, known);
  const code = writer.bind(x.isNull === "false" ? found : `!${x.isNull} && ${found}`);
  return { code, isNull: constants.includes(null) ? writer.bind(`!${code}`, "n") : x.isNull, form: BOOL };
}

function foundCode(
  to: OperandWriter,
  x: Operand,
  type: SqlType,
  constants: readonly Exclude<Value, null>[],
): string {
  const { dictionary } = to.runtime;
  const codes = constants.map((c) => to.retainedCode(c, type));
  const kind = dictionary.kindOf(type);
  if (kind === 0) return has(to, codes, x.code);
  const keys = codes.map((code) => dictionary.keyed(code, kind));
  return has(to, keys, `${to.dictionary}.keyed(${x.code}, ${kind})`);
}

function foundNumeric(to: OperandWriter, x: Operand, constants: readonly Decimal[]): string {
  const { dictionary } = to.runtime;
  if (x.form.kind === "scaled") {
    const { scale } = x.form;
    const whole = constants.map((c) => unscaledAt(c, scale)).filter((u) => u !== null);
    return has(
      to,
      whole.map((u) => to.wideConstant(u)),
      x.code,
    );
  }
  if (x.form.kind === "numeric") {
    const ids = constants.map((c) => dictionary.canonicalNumeric(to.retainedNumeric(c)));
    return has(to, ids, `${to.dictionary}.canonicalNumeric(${x.code})`);
  }
  const sorted = to.writer.parameter([...constants].sort(compareDecimals), "sorted");
  return `${to.writer.parameter(isAmong, "isAmong")}(${sorted}, ${to.inForm(x, DECIMAL).code})`;
}

function has(to: OperandWriter, members: readonly number[], code: string): string {
  return `${to.writer.parameter(new Set(members), "members")}.has(${code})`;
}

function isAmong(sorted: readonly Decimal[], x: Decimal): boolean {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const order = compareDecimals(sorted[middle]!, x);
    if (order === 0) return true;
    if (order < 0) low = middle + 1;
    else high = middle;
  }
  return false;
}

/** The numeric as an integer at this scale; null when it has digits behind it, or is no number. */
function unscaledAt(x: Decimal, scale: number): bigint | null {
  if (x.kind !== FINITE) return null;
  if (scale >= x.scale) return x.unscaled * powerOfTen(scale - x.scale);
  const power = powerOfTen(x.scale - scale);
  return x.unscaled % power === 0n ? x.unscaled / power : null;
}
