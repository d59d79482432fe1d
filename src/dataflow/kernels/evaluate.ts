/**
 * The slow, obvious interpreter of expressions over one row: the oracle the compiled loops are tested against, and
 * what evaluates constants of a statement (VALUES, INSERT). Shares only the exact functions with the compiler.
 */
import { assert } from "../../base/assert.ts";
import { notSupported } from "../../base/errors.ts";
import { bool, isSmallNumeric, type SqlType } from "../../batch/types.ts";
import type { Datum, Expr, RoutineExpr } from "../../plan/expression.ts";
import { functionInfo } from "../../plan/functions.ts";
import { typeOf } from "../../plan/inspect.ts";
import { Decimal, decimal, decimalFromText, decimalToText } from "./decimal.ts";
import { takeFault, toThrowable } from "./errors.ts";
import { type Guard, statementGuard } from "./guard.ts";
import { functionOf } from "./library.ts";
import { calleeOf, callUser, datumFromJs, gaveNull, jsRow, ofView, toJs } from "./user-function.ts";
import { constrainDecimal, type ScalarFunction, type Value } from "./value.ts";

export interface EvaluationContext {
  /** What now() answers, in microseconds. Without it now() is an error. */
  readonly now?: bigint;
  /** Types of the row's columns; only functions of the user need them. */
  readonly columns?: readonly SqlType[];
  /** Watches over functions of the user; without it one with the usual limit does. */
  readonly guard?: Guard;
}

/** @throws the EvertError of the expression */
export function evaluateExpr(expr: Expr, row: readonly Datum[], context: EvaluationContext = {}): Datum {
  const evaluated = evaluate(expr, row, context);
  return toDatum(constrained(evaluated, typeOf(expr)), typeOf(expr));
}

function evaluate(expr: Expr, row: readonly Datum[], context: EvaluationContext): Value {
  switch (expr.kind) {
    case "column":
      return fromDatum(row[expr.index]!, expr.type);
    case "outer":
      throw new Error("an outer column is none once the plan is decorrelated");
    case "const":
      return fromDatum(expr.value, expr.type);
    case "call":
      return evaluateCall(expr, row, context);
    case "and":
      return evaluateLogic(expr.args, false, row, context);
    case "or":
      return evaluateLogic(expr.args, true, row, context);
    case "not": {
      const value = evaluate(expr.arg, row, context);
      return value === null ? null : !value;
    }
    case "isNull":
      return evaluate(expr.arg, row, context) === null;
    case "isDistinct": {
      const left = evaluate(expr.left, row, context);
      const right = evaluate(expr.right, row, context);
      if (left === null || right === null) return left !== right;
      const types = [typeOf(expr.left), typeOf(expr.right)];
      return !checked(applied(functionOf(expr.equal, types, bool), [left, right]));
    }
    case "case":
      for (const branch of expr.branches) {
        if (evaluate(branch.when, row, context) === true)
          return constrained(evaluate(branch.then, row, context), expr.type);
      }
      return constrained(evaluate(expr.otherwise, row, context), expr.type);
    case "coalesce":
      for (const arg of expr.args) {
        const value = evaluate(arg, row, context);
        if (value !== null) return constrained(value, expr.type);
      }
      return null;
    case "routine":
      return evaluateRoutine(expr, row, context);
    case "js": {
      const { columns } = context;
      assert(columns !== undefined, "whoever evaluates functions of the user gives the columns' types");
      const rows = expr.fn.rows.map((shape) => jsRow(shape, row, columns));
      const { guard = statementGuard } = context;
      const returned = checked(guard.run(() => callUser(guard, ofView, expr.fn.call, rows)));
      return fromDatum(checked(datumFromJs(returned, expr.type)), expr.type);
    }
  }
}

function evaluateRoutine(expr: RoutineExpr, row: readonly Datum[], context: EvaluationContext): Value {
  const { fn, type } = expr;
  const args = expr.args.map((arg, i) => toDatum(evaluate(arg, row, context), fn.args[i]!.type));
  if (args.some((arg, i) => arg === null && !fn.args[i]!.nullable)) return null;
  const values = args.map((arg, i) => toJs(arg, fn.args[i]!.type));
  const callee = calleeOf(fn);
  const { guard = statementGuard } = context;
  const returned = guard.run(() => {
    const given = callUser(guard, callee, fn.call, values);
    return datumFromJs(given, type, callee);
  });
  const datum = checked(returned);
  if (datum === null && !fn.returns.nullable) throw toThrowable(gaveNull(callee, type));
  return fromDatum(datum, type);
}

function evaluateCall(
  expr: Expr & { kind: "call" },
  row: readonly Datum[],
  context: EvaluationContext,
): Value {
  if (expr.fn === "timestamptz_now") {
    if (context.now === undefined) throw notSupported("now() here");
    return context.now;
  }
  const args = expr.args.map((arg) => evaluate(arg, row, context));
  if (functionInfo(expr.fn).strict && args.includes(null)) return null;
  const fn = functionOf(expr.fn, expr.args.map(typeOf), expr.type);
  return constrained(checked(applied(fn, args)), expr.type);
}

function applied(fn: ScalarFunction, args: readonly Value[]): Value {
  return (fn as (...args: readonly Value[]) => Value)(...args);
}

/** AND stops at false, OR at true; a null on the way makes the answer null otherwise. */
function evaluateLogic(
  args: readonly Expr[],
  decisive: boolean,
  row: readonly Datum[],
  context: EvaluationContext,
): Value {
  let unknown = false;
  for (const arg of args) {
    const value = evaluate(arg, row, context);
    if (value === decisive) return decisive;
    if (value === null) unknown = true;
  }
  return unknown ? null : !decisive;
}

function constrained(value: Value, type: SqlType): Value {
  return value instanceof Decimal ? checked(constrainDecimal(value, type)) : value;
}

function checked<T>(value: T): T {
  const error = takeFault();
  if (error !== null) throw toThrowable(error);
  return value;
}

export function fromDatum(value: Datum, type: SqlType): Value {
  if (value === null || type.name !== "numeric") return value;
  if (typeof value === "bigint") return decimal(value, type.scale ?? 0);
  assert(typeof value === "string", "an unconstrained numeric constant is text");
  return decimalFromText(value);
}

export function toDatum(value: Value, type: SqlType): Datum {
  if (!(value instanceof Decimal)) return value;
  return isSmallNumeric(type) ? value.unscaled : decimalToText(value);
}
