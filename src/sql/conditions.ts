/** Conditions of a join: bound over both sides' names, and sorted by what they read. */
import type { Node } from "libpg-query";
import * as build from "../plan/build.ts";
import type { Expr } from "../plan/expression.ts";
import { branch, columnsOf, conjunction, moveColumns, sidesOf, typeOf } from "../plan/inspect.ts";
import { comparable } from "../plan/join-keys.ts";
import { isJoinEquality } from "../plan/joins.ts";
import { besides, type Scope } from "./scope.ts";
import { as } from "./tree.ts";

/** A conjunct of ON over the left side's columns, then the right side's. */
export interface Condition {
  readonly expr: Expr;
  readonly position: number | undefined;
}

/** Both sides' names over left's columns, then right's. */
export function sideBySide(left: Scope, right: Scope): Scope {
  const plan = build.join({ type: "inner", left: left.plan, right: right.plan, leftKeys: [], rightKeys: [] });
  return besides(left, right, plan);
}

/** `a AND b AND c` as [a, b, c]. */
export function splitAnd(node: Node | undefined): Node[] {
  if (node === undefined) return [];
  const logic = as(node, "BoolExpr");
  return logic?.boolop === "AND_EXPR" ? (logic.args ?? []).flatMap(splitAnd) : [node];
}

/** Null instead of the first key where a condition on the left row alone is not true. */
export function guarded(keys: readonly Expr[], conditions: readonly Expr[]): Expr[] {
  const condition = conjunction(conditions);
  const [first, ...others] = keys as [Expr, ...Expr[]];
  if (condition === undefined) return [...keys];
  const type = typeOf(first);
  const otherwise: Expr = { kind: "const", value: null, type };
  return [{ kind: "case", branches: [branch(condition, first)], otherwise, type }, ...others];
}

/** Conditions by what they read; keys and one-sided conditions in terms of their own side's columns. */
export function splitConditions(conditions: readonly Condition[], width: number) {
  const leftKeys: Expr[] = [];
  const rightKeys: Expr[] = [];
  const nullSafe: boolean[] = [];
  const leftOnly: Expr[] = [];
  const rightOnly: Expr[] = [];
  const other: Condition[] = [];
  const toRight = (e: Expr) => moveColumns(e, (i) => i - width);
  const isLeft = (e: Expr) => [...columnsOf(e)].every((i) => i < width);
  const isRight = (e: Expr) => [...columnsOf(e)].every((i) => i >= width);
  for (const condition of conditions) {
    const { expr } = condition;
    const equal = isJoinEquality(expr) ? sidesOf(expr) : undefined;
    const [a, b] = [equal?.left, equal?.right];
    if (isRight(expr)) rightOnly.push(toRight(expr));
    else if (isLeft(expr)) leftOnly.push(expr);
    else if (a !== undefined && b !== undefined && (isLeft(a) ? isRight(b) : isRight(a) && isLeft(b))) {
      const sides = isLeft(a) ? comparable(a, toRight(b)) : comparable(b, toRight(a));
      leftKeys.push(sides.left);
      rightKeys.push(sides.right);
      nullSafe.push(equal!.nullSafe);
    } else other.push(condition);
  }
  return { leftKeys, rightKeys, nullSafe, leftOnly, rightOnly, other };
}
