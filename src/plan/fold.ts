/**
 * What constants decide before a row is looked at, as PostgreSQL's planner does it (eval_const_expressions, canonicalize_qual).
 *
 * - A strict function of a constant NULL is NULL; its other arguments are not evaluated, so `a / 0 = NULL` raises nothing.
 * - AND drops TRUE and ends at FALSE; OR the other way around. NOT, IS NULL and IS DISTINCT FROM of constants are constants.
 * - CASE drops branches that are never taken and ends at one that always is; COALESCE drops NULLs and ends at a constant.
 * - In WHERE, HAVING and ON, NULL counts as FALSE, and NOT goes inside AND and OR. A filter that lets nothing through reads nothing.
 * - A condition of a WHERE that reads no row and does not fail is computed now, if the caller knows how: where it is false, nothing below it runs.
 *
 * PostgreSQL would also compute `1 / 0` now. Here it is computed for each row; so nothing is dropped that needs no row and may fail.
 */
import { bool } from "../batch/types.ts";
import * as build from "./build.ts";
import type { Catalog } from "./catalog.ts";
import { constantInteger } from "./constant-integers.ts";
import { withDatesBeside } from "./date-comparisons.ts";
import type { ConstExpr, Expr } from "./expression.ts";
import { callIsFallible, functionInfo } from "./functions.ts";
import { branch, childrenOf, eachColumn, inputsOf, mapChildren, typeOf } from "./inspect.ts";
import { withInputs } from "./nodes.ts";
import type { Plan } from "./plan.ts";

/** The same rows; a plan that stands in several places is rewritten once. */
export function foldConstants(plan: Plan, constant?: Catalog["constant"]): Plan {
  const done = new Map<Plan, Plan>();
  const visit = (at: Plan): Plan => {
    let made = done.get(at);
    if (made === undefined) done.set(at, (made = foldNode(rebuilt(at, inputsOf(at).map(visit)), constant)));
    return made;
  };
  return visit(plan);
}

function rebuilt(plan: Plan, inputs: readonly Plan[]): Plan {
  let changed = inputsOf(plan).some((input, i) => input !== inputs[i]);
  const made = withInputs(plan, inputs, (expr) => {
    const folded = fold(expr);
    changed ||= folded !== expr;
    return folded;
  });
  return changed ? made : plan;
}

function foldNode(plan: Plan, constant: Catalog["constant"]): Plan {
  if (plan.kind !== "filter") return plan;
  const decided = constant === undefined ? plan.predicate : computed(plan.predicate, constant);
  const predicate = foldCondition(decided);
  if (isConst(predicate, true)) return plan.input;
  if (isConst(predicate, false) && !readsRecursion(plan.input)) return build.values(plan.schema.fields, []);
  return predicate === plan.predicate ? plan : build.filter(plan.input, predicate);
}

/** A recursion's step reads what it steps from, if only to say that it gives nothing. */
function readsRecursion(plan: Plan): boolean {
  return plan.kind === "recursiveRef" || inputsOf(plan).some(readsRecursion);
}

/** Where only TRUE counts. */
function foldCondition(expr: Expr): Expr {
  if (isConst(expr, null)) return truth(false);
  if (expr.kind === "not" && expr.arg.kind === "not") return foldCondition(expr.arg.arg);
  // NOT goes inside, where it may meet a NULL, and what it leaves are conjuncts that can move by themselves.
  if (expr.kind === "not" && (expr.arg.kind === "and" || expr.arg.kind === "or")) {
    const kind = expr.arg.kind === "and" ? "or" : "and";
    return foldCondition({ kind, args: expr.arg.args.map(negated) });
  }
  if (expr.kind !== "and" && expr.kind !== "or") return expr;
  const args = expr.args.map(foldCondition);
  return args.every((a, i) => a === expr.args[i]) ? expr : logic(expr.kind, args);
}

/** With what reads no row in place of it; what fails stays, for the row that comes to it. */
function computed(expr: Expr, constant: NonNullable<Catalog["constant"]>): Expr {
  if (expr.kind === "const") return expr;
  if (isComputable(expr)) {
    const value = constant(expr);
    if (value !== undefined) return { kind: "const", value, type: bool };
  }
  if (expr.kind !== "and" && expr.kind !== "or" && expr.kind !== "not") return expr;
  return mapped(expr, (child) => computed(child, constant));
}

/** Reads no row, and comes to the same at any time. */
function isComputable(expr: Expr): boolean {
  if (expr.kind === "column" || expr.kind === "outer" || expr.kind === "js" || expr.kind === "routine")
    return false;
  return !(expr.kind === "call" && functionInfo(expr.fn).volatile) && childrenOf(expr).every(isComputable);
}

function negated(expr: Expr): Expr {
  return expr.kind === "not" ? expr.arg : foldOperator({ kind: "not", arg: expr });
}

function fold(expr: Expr): Expr {
  switch (expr.kind) {
    case "column":
    case "outer":
    case "const":
    case "js":
      return expr;
    case "and":
    case "or":
      return foldLogic(expr);
    case "case":
      return foldCase(expr);
    case "coalesce":
      return foldCoalesce(expr);
    case "routine":
      return mapped(expr);
    case "call":
    case "not":
    case "isNull":
    case "isDistinct":
      return foldOperator(mapped(expr));
  }
}

/** The same object where nothing in it changes: most expressions have no constants to fold. */
function mapped<E extends Expr>(expr: E, change: (child: Expr) => Expr = fold): E {
  let changed = false;
  const made = mapChildren(expr, (child) => {
    const folded = change(child);
    changed ||= folded !== child;
    return folded;
  });
  return changed ? (made as E) : expr;
}

function foldOperator(expr: Expr): Expr {
  switch (expr.kind) {
    case "call": {
      const decided = functionInfo(expr.fn).strict && expr.args.some((a) => isConst(a, null));
      if (decided && !expr.args.some(failsAlone)) return { kind: "const", value: null, type: expr.type };
      return withDatesBeside(expr);
    }
    case "not":
      if (expr.arg.kind !== "const") return expr;
      return expr.arg.value === null ? expr.arg : truth(expr.arg.value === false);
    case "isNull":
      return expr.arg.kind === "const" ? truth(expr.arg.value === null) : expr;
    case "isDistinct": {
      const nulls = [expr.left, expr.right].filter((e) => isConst(e, null)).length;
      if (nulls === 2) return truth(false);
      return nulls === 1 && [expr.left, expr.right].every((e) => e.kind === "const") ? truth(true) : expr;
    }
    default:
      return expr;
  }
}

/** Arguments behind the one that decides are not looked at. */
function foldLogic(expr: Expr & { kind: "and" | "or" }): Expr {
  const decides = expr.kind === "or";
  const args: Expr[] = [];
  for (const arg of expr.args) {
    args.push(fold(arg));
    if (isConst(args.at(-1)!, decides)) break;
  }
  const same = args.length === expr.args.length && args.every((a, i) => a === expr.args[i]);
  return same && !args.some((a) => a.kind === "const") ? expr : logic(expr.kind, args);
}

function logic(kind: "and" | "or", args: readonly Expr[]): Expr {
  const decides = kind === "or";
  if (args.some((a) => isConst(a, decides)) && !args.some(failsAlone)) return truth(decides);
  const kept = args.filter((a) => !isConst(a, !decides) && !isConst(a, null));
  // NULL decides nothing, and is asked last.
  const unknown = args.find((a) => isConst(a, null));
  if (unknown !== undefined) kept.push(unknown);
  if (kept.length === 0) return truth(!decides);
  return kept.length === 1 ? kept[0]! : { kind, args: kept };
}

function foldCase(expr: Expr & { kind: "case" }): Expr {
  const branches: { readonly when: Expr; readonly then: Expr }[] = [];
  let otherwise: Expr | null = null;
  for (const b of expr.branches) {
    const when = fold(b.when);
    if (isConst(when, false) || isConst(when, null)) continue;
    const then = fold(b.then);
    if (isConst(when, true)) {
      otherwise = then;
      break;
    }
    branches.push(branch(when, then));
  }
  otherwise ??= fold(expr.otherwise);
  return branches.length === 0 ? typed(otherwise, expr) : { ...expr, branches, otherwise };
}

function foldCoalesce(expr: Expr & { kind: "coalesce" }): Expr {
  const args: Expr[] = [];
  for (const arg of expr.args) {
    const made = fold(arg);
    if (isConst(made, null)) continue;
    args.push(made);
    if (made.kind === "const") break;
  }
  if (args.length === 0) return { kind: "const", value: null, type: expr.type };
  return args.length === 1 ? typed(args[0]!, expr) : { ...expr, args };
}

/** In place of an expression of its own type; a value of another (a numeric of another scale) stays what it was made into. */
function typed(value: Expr, like: Expr & { kind: "case" | "coalesce" }): Expr {
  if (JSON.stringify(typeOf(value)) === JSON.stringify(like.type)) return value;
  if (isConst(value, null)) return { kind: "const", value: null, type: like.type };
  return { kind: "coalesce", args: [value], type: like.type };
}

function truth(value: boolean): ConstExpr {
  return { kind: "const", value, type: bool };
}

function isConst(expr: Expr, value: boolean | null): boolean {
  return expr.kind === "const" && expr.value === value;
}

/** Whether something in it may fail and needs no row to do so. */
function failsAlone(expr: Expr): boolean {
  if (constantInteger(expr) !== null) return false;
  const mayFail = expr.kind === "routine" || (expr.kind === "call" && callIsFallible(expr.fn, expr.type));
  if (mayFail && readsNothing(expr)) return true;
  return childrenOf(expr).some(failsAlone);
}

function readsNothing(expr: Expr): boolean {
  if (expr.kind === "outer" || expr.kind === "js") return false;
  let reads = false;
  eachColumn(expr, () => {
    reads = true;
  });
  return !reads && childrenOf(expr).every(readsNothing);
}
