/** Questions about plans and expressions, and rewriting of their columns. */
import { assert, unreachable } from "../base/assert.ts";
import { bool, type SqlType } from "../batch/types.ts";
import type { ColumnExpr, Expr, UserFunction } from "./expression.ts";
import { callIsFallible, functionInfo } from "./functions.ts";
import { patternFunctions } from "./functions-of/patterns.ts";
import type { Aggregate, Plan, SourcePlan } from "./plan.ts";
import { isSound } from "./sound-calls.ts";

export function typeOf(expr: Expr): SqlType {
  switch (expr.kind) {
    case "and":
    case "or":
    case "not":
    case "isNull":
    case "isDistinct":
      return bool;
    case "column":
    case "outer":
    case "const":
    case "call":
    case "case":
    case "coalesce":
    case "js":
    case "routine":
      return expr.type;
    default:
      return unreachable(expr);
  }
}

/** False only if the expression can give null for no row. */
export function nullableOf(expr: Expr): boolean {
  switch (expr.kind) {
    case "column":
    case "outer":
      return expr.nullable;
    case "const":
      return expr.value === null;
    case "call":
      return callNullable(expr);
    case "and":
    case "or":
      return expr.args.some(nullableOf);
    case "not":
      return nullableOf(expr.arg);
    case "isNull":
    case "isDistinct":
      return false;
    case "case":
      return expr.branches.some((b) => nullableOf(b.then)) || nullableOf(expr.otherwise);
    case "coalesce":
      return expr.args.every(nullableOf);
    case "js":
      return true;
    case "routine":
      return (
        expr.fn.returns.nullable || expr.args.some((arg, i) => !expr.fn.args[i]!.nullable && nullableOf(arg))
      );
    default:
      return unreachable(expr);
  }
}

function callNullable(expr: Expr & { kind: "call" }): boolean {
  const info = functionInfo(expr.fn);
  return !info.strict || info.nullable || expr.args.some(nullableOf);
}

/** The direct subexpressions, in order of evaluation. */
export function childrenOf(expr: Expr): readonly Expr[] {
  switch (expr.kind) {
    case "column":
    case "outer":
    case "const":
    case "js":
      return [];
    case "call":
    case "routine":
    case "and":
    case "or":
    case "coalesce":
      return expr.args;
    case "not":
    case "isNull":
      return [expr.arg];
    case "isDistinct":
      return [expr.left, expr.right];
    case "case":
      return [...expr.branches.flatMap((b) => [b.when, b.then]), expr.otherwise];
    default:
      return unreachable(expr);
  }
}

const sizes = new WeakMap<Expr, number>();

/** Nodes of the expression as a tree, which is how all who work on it see it: a part that stands in it n times, as what NULLIF is made of, counts n times. */
export function sizeOf(expr: Expr): number {
  const known = sizes.get(expr);
  if (known !== undefined) return known;
  const children = childrenOf(expr);
  if (children.length === 0) return 1;
  let size = 1;
  for (const child of children) size += sizeOf(child);
  sizes.set(expr, size);
  return size;
}

/** Whether evaluating it may raise an error: such an expression never crosses a filter, CASE or join. */
export function isFallible(expr: Expr): boolean {
  if (expr.kind === "js" || expr.kind === "routine") return true;
  if (expr.kind === "call" && callIsFallible(expr.fn, expr.type) && !isSound(expr)) return true;
  return childrenOf(expr).some(isFallible);
}

/** Columns that a function of the user reads from its input. */
export function functionColumns(fn: UserFunction): number[] {
  return fn.rows.flatMap((shape) => [
    ...shape.fields.map((f) => f.column),
    ...(shape.presentColumn === null ? [] : [shape.presentColumn]),
  ]);
}

/** Calls `visit` for each column the expression reads, as often as it reads it. */
export function eachColumn(expr: Expr, visit: (index: number) => void): void {
  if (expr.kind === "column") visit(expr.index);
  else if (expr.kind === "js") functionColumns(expr.fn).forEach(visit);
  else for (const child of childrenOf(expr)) eachColumn(child, visit);
}

export function columnsOf(expr: Expr): Set<number> {
  const columns = new Set<number>();
  eachColumn(expr, (index) => columns.add(index));
  return columns;
}

/** The same function reading other columns. */
export function moveFunction(fn: UserFunction, move: (index: number) => number): UserFunction {
  return {
    ...fn,
    rows: fn.rows.map((shape) => ({
      fields: shape.fields.map((f) => ({ name: f.name, column: move(f.column) })),
      presentColumn: shape.presentColumn === null ? null : move(shape.presentColumn),
    })),
  };
}

/** The expression with its direct subexpressions replaced. */
export function mapChildren(expr: Expr, map: (child: Expr) => Expr): Expr {
  switch (expr.kind) {
    case "column":
    case "outer":
    case "const":
    case "js":
      return expr;
    case "call":
    case "routine":
    case "and":
    case "or":
    case "coalesce":
      return { ...expr, args: expr.args.map(map) };
    case "not":
    case "isNull":
      return { ...expr, arg: map(expr.arg) };
    case "isDistinct":
      return { ...expr, left: map(expr.left), right: map(expr.right) };
    case "case":
      return {
        ...expr,
        branches: expr.branches.map((b) => branch(map(b.when), map(b.then))),
        otherwise: map(expr.otherwise),
      };
    default:
      return unreachable(expr);
  }
}

/** Replaces each column by an expression. A function of the user reads columns, so for it the replacement must be one. */
export function substitute(expr: Expr, replace: (column: ColumnExpr) => Expr): Expr {
  if (expr.kind === "column") return replace(expr);
  if (expr.kind !== "js") return mapChildren(expr, (child) => substitute(child, replace));
  return { ...expr, fn: moveFunction(expr.fn, (index) => movedColumn(index, replace)) };
}

function movedColumn(index: number, replace: (column: ColumnExpr) => Expr): number {
  // Only the index matters for a column a function of the user reads; its type stands in the row's conversion.
  const moved = replace({ kind: "column", index, type: bool, nullable: true });
  assert(moved.kind === "column", "a function of the user reads plain columns");
  return moved.index;
}

/** Moves each column; types and nullability stay. */
export function moveColumns(expr: Expr, move: (index: number) => number): Expr {
  return substitute(expr, (c) => ({ ...c, index: move(c.index) }));
}

/** Whether a function of the user that reads columns stands anywhere in it. */
export function hasUserFunction(expr: Expr): boolean {
  return expr.kind === "js" || childrenOf(expr).some(hasUserFunction);
}

/** Whether evaluating it calls a function of the user that may never return. */
export function mayHang(expr: Expr): boolean {
  const calls = expr.kind === "js" || expr.kind === "routine";
  return (calls && expr.fn.bounded !== true) || childrenOf(expr).some(mayHang);
}

/** Whether a single row may take milliseconds: a regular expression tries up to a limit. */
export function mayTakeLong(expr: Expr): boolean {
  return (
    (expr.kind === "call" && Object.hasOwn(patternFunctions, expr.fn)) || childrenOf(expr).some(mayTakeLong)
  );
}

/** `a AND b AND c` as [a, b, c]; anything else as itself. */
export function conjuncts(expr: Expr): readonly Expr[] {
  return expr.kind === "and" ? expr.args.flatMap(conjuncts) : [expr];
}

/** The inverse of conjuncts; undefined for none. */
export function conjunction(parts: readonly Expr[]): Expr | undefined {
  const flat = parts.flatMap(conjuncts);
  return flat.length === 0 ? undefined : flat.length === 1 ? flat[0] : { kind: "and", args: flat };
}

/** A branch of CASE. */
export function branch(when: Expr, result: Expr): { readonly when: Expr; readonly then: Expr } {
  // biome-ignore lint/suspicious/noThenProperty: PostgreSQL's word; nobody awaits a branch.
  return { when, then: result };
}

/** What `a = b` or `a IS NOT DISTINCT FROM b` compares. */
export function sidesOf(
  expr: Expr,
): { readonly left: Expr; readonly right: Expr; readonly nullSafe: boolean } | undefined {
  if (expr.kind === "call" && functionInfo(expr.fn).op === "=")
    return { left: expr.args[0]!, right: expr.args[1]!, nullSafe: false };
  if (expr.kind === "not" && expr.arg.kind === "isDistinct")
    return { left: expr.arg.left, right: expr.arg.right, nullSafe: true };
  return undefined;
}

/** The node's inputs, in order. */
export function inputsOf(plan: Plan): readonly Plan[] {
  switch (plan.kind) {
    case "source":
    case "values":
    case "recursiveRef":
      return [];
    case "filter":
    case "project":
    case "mapFunction":
    case "series":
    case "tableFunction":
    case "group":
    case "distinct":
    case "topK":
    case "window":
    case "temporal":
      return [plan.input];
    case "recursive":
      return [plan.base, plan.step];
    case "join":
    case "apply":
    case "asOfJoin":
    case "setOperation":
      return [plan.left, plan.right];
    case "union":
      return plan.inputs;
    default:
      return unreachable(plan);
  }
}

/** Whether the plan has exactly one row, always. */
export function isTotal(plan: Plan): boolean {
  if (plan.kind === "group") return plan.keys.length === 0;
  if (plan.kind === "values") return plan.rows.length === 1;
  return plan.kind === "project" && isTotal(plan.input);
}

/** Ids of the relations the plan reads. */
export function sourceIds(plan: Plan): Set<number> {
  return new Set(sourcesOf(plan).map(({ id }) => id));
}

/** What an aggregate evaluates on its rows, besides the functions of a reducer. */
export function aggregateExprs(a: Aggregate): Expr[] {
  return [a.filter, a.arg, ...(a.rest ?? []), ...(a.order ?? []).map((o) => o.expr)].filter(
    (e) => e !== null,
  );
}

/** All that an aggregate reads of its input: what a reducer's functions do, as expressions that read the same. */
export function aggregateReads(a: Aggregate): Expr[] {
  const { reducer } = a;
  if (reducer === null || reducer.routine !== null) return aggregateExprs(a);
  const functions = [reducer.add, reducer.remove].map((fn): Expr => ({ kind: "js", fn, type: a.type }));
  return [...aggregateExprs(a), ...functions];
}

/** The aggregate with each of its expressions replaced. */
export function mapAggregate(a: Aggregate, map: (expr: Expr) => Expr): Aggregate {
  return {
    ...a,
    filter: a.filter === null ? null : map(a.filter),
    arg: a.arg === null ? null : map(a.arg),
    ...(a.rest === undefined ? {} : { rest: a.rest.map(map) }),
    ...(a.order === undefined ? {} : { order: a.order.map((o) => ({ ...o, expr: map(o.expr) })) }),
  };
}

/** The sources that a plan reads, each node once: a plan may be a graph. */
export function sourcesOf(plan: Plan): SourcePlan[] {
  return nodesOf(plan).filter((node) => node.kind === "source");
}

/** Every node of the plan, once. */
export function nodesOf(plan: Plan): Plan[] {
  const seen = new Set<Plan>();
  const look = (node: Plan): void => {
    if (seen.has(node)) return;
    seen.add(node);
    inputsOf(node).forEach(look);
  };
  look(plan);
  return [...seen];
}
