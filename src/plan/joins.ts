/**
 * Inner joins as a set: inputs and conjuncts, put together so that equalities become join keys.
 *
 * 1. Take the tree of inner joins (and the filters between them) apart into its inputs, the pairs of expressions that must be
 *    equal, and the other conjuncts. All of them read columns of the inputs side by side, in their written order.
 * 2. A conjunct that reads one input moves down into it, unless it is fallible.
 * 3. While two parts are connected by a pair whose one side reads only the first and whose other side only the second,
 *    join the two that give the fewest rows by estimate (estimate.ts; of equals, and where nobody has counted rows, the first in
 *    written order) on all pairs that connect them. A side that is no plain column is computed in a project below. With
 *    nothing connected, the first two parts are crossed.
 *    After each join, the conjuncts that read only what is there by now become filters.
 * 4. What is left, fallible conjuncts in their order, filters the whole. A project gives the columns their written order.
 *
 * A join key is computed on its own side, for each of its rows, as the equality is the join's definition and not a
 * filter after it: so a pair counts as a pair even when a side is fallible.
 */
import { assert } from "../base/assert.ts";
import * as build from "./build.ts";
import type { Expr } from "./expression.ts";
import { exprKey } from "./fingerprint.ts";
import {
  columnsOf,
  conjunction,
  conjuncts,
  hasUserFunction,
  isFallible,
  moveColumns,
  sidesOf,
} from "./inspect.ts";
import { JoinParts, type Pair, type PushDown } from "./join-parts.ts";
import type { JoinPlan, Plan } from "./plan.ts";

/** Inputs in written order, and what is asked of their rows. */
interface JoinSet {
  readonly inputs: Plan[];
  /** By column: its input. */
  readonly inputOf: number[];
  readonly pairs: Pair[];
  readonly predicates: Expr[];
}

export function orderJoins(plan: JoinPlan, moving: readonly Expr[], pushDown: PushDown): Plan {
  const set: JoinSet = { inputs: [], inputOf: [], pairs: [], predicates: [] };
  takeApart(plan, set);
  addConjuncts(set, moving);
  const { early, late } = splitPredicates(set.predicates);
  const parts = new JoinParts(set.inputOf, unique(set.pairs), early);
  for (const input of set.inputs) parts.add(input, pushDown);
  while (parts.count > 1) parts.joinTwo();
  const left = [...parts.predicates(), ...parts.pairs().map(equalityOf), ...late];
  const rest = conjunction(left.map((e) => parts.moved(e)));
  const whole = parts.whole();
  return parts.inWrittenOrder(rest === undefined ? whole : build.filter(whole, rest), plan);
}

/** Whether `expr` is an equality that can be a join's key: it reads something on both its sides, and nothing twice. */
export function isJoinEquality(expr: Expr): boolean {
  const sides = sidesOf(expr);
  if (sides === undefined || hasUserFunction(sides.left) || hasUserFunction(sides.right)) return false;
  const [a, b] = [columnsOf(sides.left), columnsOf(sides.right)];
  return a.size > 0 && b.size > 0 && disjoint(a, b);
}

function disjoint(a: ReadonlySet<number>, b: ReadonlySet<number>): boolean {
  return [...a].every((x) => !b.has(x));
}

// ---- taking apart -----------------------------------------------------------------------------------------------

function takeApart(plan: Plan, set: JoinSet): void {
  const offset = set.inputOf.length;
  if (plan.kind === "join" && plan.type === "inner") {
    takeApart(plan.left, set);
    const right = set.inputOf.length;
    takeApart(plan.right, set);
    plan.leftKeys.forEach((l, i) => {
      const r = plan.rightKeys[i]!;
      set.pairs.push({
        left: moveColumns(build.column(plan.left, l), (c) => c + offset),
        right: moveColumns(build.column(plan.right, r), (c) => c + right),
        equality: null,
        nullSafe: plan.nullSafe[i]!,
      });
    });
    return;
  }
  if (plan.kind === "filter" && mayOpen(plan)) {
    takeApart(plan.input, set);
    addConjuncts(
      set,
      conjuncts(plan.predicate).map((c) => moveColumns(c, (i) => i + offset)),
    );
    return;
  }
  for (let i = 0; i < plan.schema.fields.length; i++) set.inputOf.push(set.inputs.length);
  set.inputs.push(plan);
}

/** A filter over inner joins that can be taken apart with them: nothing in it depends on where it stands. */
function mayOpen(plan: Plan & { kind: "filter" }): boolean {
  const movable = conjuncts(plan.predicate).every((c) => !isFallible(c) || isJoinEquality(c));
  const input = plan.input;
  return (
    movable &&
    ((input.kind === "join" && input.type === "inner") || (input.kind === "filter" && mayOpen(input)))
  );
}

function addConjuncts(set: JoinSet, exprs: readonly Expr[]): void {
  for (const expr of exprs) {
    const pair = isJoinEquality(expr) ? pairOf(expr, set) : undefined;
    if (pair === undefined) set.predicates.push(expr);
    else set.pairs.push(pair);
  }
}

/** The equality's sides, if they read different inputs. */
function pairOf(expr: Expr, set: JoinSet): Pair | undefined {
  const { left, right, nullSafe } = sidesOf(expr)!;
  const [a, b] = [inputsRead(left, set), inputsRead(right, set)];
  return disjoint(a, b) ? { left, right, equality: expr, nullSafe } : undefined;
}

function inputsRead(expr: Expr, set: JoinSet): Set<number> {
  return new Set([...columnsOf(expr)].map((column) => set.inputOf[column]!));
}

/** Up to the first fallible one predicates may move; from there on they keep their order above everything. */
function splitPredicates(predicates: readonly Expr[]): { early: Expr[]; late: Expr[] } {
  const first = predicates.findIndex(isFallible);
  return first < 0
    ? { early: [...predicates], late: [] }
    : { early: predicates.slice(0, first), late: predicates.slice(first) };
}

function unique(pairs: readonly Pair[]): Pair[] {
  const seen = new Set<string>();
  return pairs.filter((p) => {
    const key = [exprKey(p.left), exprKey(p.right)].sort().join(p.nullSafe ? " is " : "=");
    return seen.has(key) ? false : seen.add(key);
  });
}

/** Sides of single columns always meet when their parts do; what is left was written as an expression. */
function equalityOf(pair: Pair): Expr {
  assert(pair.equality !== null, "every pair of columns becomes a join key");
  return pair.equality;
}
