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
import { isSmallNumeric, numeric } from "../batch/types.ts";
import * as build from "./build.ts";
import { estimateJoin, estimateRows } from "./estimate.ts";
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
  typeOf,
} from "./inspect.ts";
import type { JoinPlan, Plan } from "./plan.ts";

type PushDown = (plan: Plan, moving: readonly Expr[]) => Plan;

interface Pair {
  readonly left: Expr;
  readonly right: Expr;
  /** The equality it was written as; null for the keys of a join, which are single columns. */
  readonly equality: Expr | null;
  /** Whether null meets null: IS NOT DISTINCT FROM. */
  readonly nullSafe: boolean;
}

/** Inputs in written order, and what is asked of their rows. */
interface JoinSet {
  readonly inputs: Plan[];
  readonly pairs: Pair[];
  readonly predicates: Expr[];
}

/** Some of the inputs, joined. */
interface Part {
  readonly plan: Plan;
  /** Column in written order -> column of plan. */
  readonly at: ReadonlyMap<number, number>;
}

export function orderJoins(plan: JoinPlan, moving: readonly Expr[], pushDown: PushDown): Plan {
  const set: JoinSet = { inputs: [], pairs: [], predicates: [] };
  takeApart(plan, 0, set);
  addConjuncts(set, moving);
  const { early, late } = splitPredicates(set.predicates);
  let parts = set.inputs.map((_, i) => inputPart(set, i, early, pushDown));
  const waiting = early.filter((p) => columnsOf(p).size === 0 || !parts.some((part) => reads(p, part)));
  let pairs = unique(set.pairs);
  while (parts.length > 1) {
    const [i, j] = nextTwo(parts, pairs);
    const [first, second] = [parts[i]!, parts[j]!];
    const [now, later] = connecting(pairs, first, second);
    pairs = later;
    const joined = withFilters(joinParts(first, second, now), waiting);
    parts = parts.flatMap((part, k) => (k === i ? [joined] : k === j ? [] : [part]));
  }
  const whole = parts[0]!;
  const rest = conjunction([...waiting, ...pairs.map(equalityOf), ...late].map((e) => inPart(e, whole)));
  return inWrittenOrder(
    rest === undefined ? whole : { ...whole, plan: build.filter(whole.plan, rest) },
    plan,
  );
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

function takeApart(plan: Plan, offset: number, set: JoinSet): void {
  if (plan.kind === "join" && plan.type === "inner") {
    const right = offset + plan.left.schema.fields.length;
    takeApart(plan.left, offset, set);
    takeApart(plan.right, right, set);
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
    takeApart(plan.input, offset, set);
    addConjuncts(
      set,
      conjuncts(plan.predicate).map((c) => moveColumns(c, (i) => i + offset)),
    );
    return;
  }
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
  const read = new Set<number>();
  for (const column of columnsOf(expr)) {
    let start = 0;
    set.inputs.forEach((input, i) => {
      const end = start + input.schema.fields.length;
      if (column >= start && column < end) read.add(i);
      start = end;
    });
  }
  return read;
}

/** Up to the first fallible one predicates may move; from there on they keep their order above everything. */
function splitPredicates(predicates: readonly Expr[]): { early: Expr[]; late: Expr[] } {
  const first = predicates.findIndex(isFallible);
  return first < 0
    ? { early: [...predicates], late: [] }
    : { early: predicates.slice(0, first), late: predicates.slice(first) };
}

// ---- putting together -------------------------------------------------------------------------------------------

function inputPart(set: JoinSet, index: number, early: readonly Expr[], pushDown: PushDown): Part {
  const input = set.inputs[index]!;
  let start = 0;
  for (const before of set.inputs.slice(0, index)) start += before.schema.fields.length;
  const at = new Map(input.schema.fields.map((_, i) => [start + i, i]));
  const part: Part = { plan: input, at };
  const own = early.filter((e) => columnsOf(e).size > 0 && reads(e, part)).map((e) => inPart(e, part));
  return { plan: pushDown(input, own), at };
}

/** Places of the two parts to be joined next, the first of them first. */
function nextTwo(parts: readonly Part[], pairs: readonly Pair[]): [number, number] {
  let best: Candidate | null = null;
  for (const candidate of candidates(parts, pairs)) {
    if (best === null || isBefore(candidate, best)) best = candidate;
  }
  return best === null ? [0, 1] : [best.i, best.j];
}

interface Candidate {
  readonly i: number;
  readonly j: number;
  /** How many rows the two give; 0 where that is not known of all. */
  readonly rows: number;
}

/** Every two parts that a pair connects. */
function candidates(parts: readonly Part[], pairs: readonly Pair[]): Candidate[] {
  const partOf = new Map<number, number>();
  parts.forEach((part, i) => {
    for (const column of part.at.keys()) partOf.set(column, i);
  });
  const found = new Map<number, { i: number; j: number; pairs: Pair[] }>();
  for (const pair of pairs) {
    const [a, b] = [onlyPart(pair.left, partOf), onlyPart(pair.right, partOf)];
    if (a === undefined || b === undefined || a === b) continue;
    const [i, j] = [Math.min(a, b), Math.max(a, b)];
    const known = found.get(i * parts.length + j);
    if (known === undefined) found.set(i * parts.length + j, { i, j, pairs: [pair] });
    else known.pairs.push(pair);
  }
  const all = [...found.values()];
  const isCounted = parts.every((part) => estimateRows(part.plan) !== null);
  return all.map(({ i, j, pairs }) => ({ i, j, rows: isCounted ? rowsOf(parts[i]!, parts[j]!, pairs) : 0 }));
}

function isBefore(a: Candidate, b: Candidate): boolean {
  return a.rows !== b.rows ? a.rows < b.rows : a.i !== b.i ? a.i < b.i : a.j < b.j;
}

function rowsOf(first: Part, second: Part, pairs: readonly Pair[]): number {
  const columns = (part: Part): number[] =>
    pairs.flatMap(({ left, right }) => {
      const side = reads(left, part) ? left : right;
      return side.kind === "column" ? [part.at.get(side.index)!] : [];
    });
  return estimateJoin(first.plan, columns(first), second.plan, columns(second)) ?? 0;
}

/** The part that has all columns of the expression. */
function onlyPart(expr: Expr, partOf: ReadonlyMap<number, number>): number | undefined {
  const read = new Set([...columnsOf(expr)].map((c) => partOf.get(c)));
  return read.size === 1 ? read.values().next().value : undefined;
}

function connects(pair: Pair, a: Part, b: Part): boolean {
  return (reads(pair.left, a) && reads(pair.right, b)) || (reads(pair.left, b) && reads(pair.right, a));
}

/** Pairs between the two parts, turned so that `left` is the first part's; and the others. */
function connecting(pairs: readonly Pair[], first: Part, second: Part): [Pair[], Pair[]] {
  const now: Pair[] = [];
  const later: Pair[] = [];
  for (const pair of pairs) {
    if (!connects(pair, first, second)) later.push(pair);
    else now.push(reads(pair.left, first) ? pair : { ...pair, left: pair.right, right: pair.left });
  }
  return [now, later];
}

function joinParts(first: Part, second: Part, pairs: readonly Pair[]): Part {
  if (pairs.length === 0) {
    const lateral = crossSeries(first, second) ?? crossSeries(second, first);
    if (lateral !== undefined) return lateral;
  }
  const sides = pairs.map(({ left, right }) => comparable(inPart(left, first), inPart(right, second)));
  const left = withColumns(
    first.plan,
    sides.map((s) => s.left),
  );
  const right = withColumns(
    second.plan,
    sides.map((s) => s.right),
  );
  const joined = build.join({
    type: "inner",
    left: left.plan,
    right: right.plan,
    leftKeys: left.columns,
    rightKeys: right.columns,
    nullSafe: pairs.map((p) => p.nullSafe),
  });
  const width = left.plan.schema.fields.length;
  const shifted = [...second.at].map(([column, at]) => [column, at + width] as const);
  return { plan: joined, at: new Map([...first.at, ...shifted]) };
}

/** Crossing with a series of constants needs no join: each row is counted out. */
function crossSeries(part: Part, other: Part): Part | undefined {
  if (other.plan.kind === "filter") {
    const below = crossSeries(part, { ...other, plan: other.plan.input });
    if (below === undefined) return undefined;
    const counted = below.plan.schema.fields.length - 1;
    return {
      ...below,
      plan: build.filter(
        below.plan,
        moveColumns(other.plan.predicate, () => counted),
      ),
    };
  }
  const { plan } = other;
  if (plan.kind !== "series" || plan.input.kind !== "values" || plan.input.schema.fields.length > 0)
    return undefined;
  if (plan.input.rows.length !== 1) return undefined;
  const made = build.series(part.plan, plan.start, plan.stop, plan.step, plan.schema.fields[0]!.name);
  const last = made.schema.fields.length - 1;
  return { plan: made, at: new Map([...part.at, ...[...other.at.keys()].map((c) => [c, last] as const)]) };
}

function withFilters(part: Part, waiting: Expr[]): Part {
  const ready = waiting.filter((e) => columnsOf(e).size > 0 && reads(e, part));
  for (const e of ready) waiting.splice(waiting.indexOf(e), 1);
  const predicate = conjunction(ready.map((e) => inPart(e, part)));
  return predicate === undefined ? part : { ...part, plan: build.filter(part.plan, predicate) };
}

function inWrittenOrder(part: Part, like: Plan): Plan {
  const columns = like.schema.fields.map((_, i) => part.at.get(i)!);
  if (columns.length === part.plan.schema.fields.length && columns.every((c, i) => c === i)) return part.plan;
  const names = like.schema.fields.map((f) => f.name);
  return build.project(
    part.plan,
    columns.map((c) => build.column(part.plan, c)),
    names,
  );
}

function reads(expr: Expr, part: Part): boolean {
  return [...columnsOf(expr)].every((c) => part.at.has(c));
}

function inPart(expr: Expr, part: Part): Expr {
  return moveColumns(expr, (c) => part.at.get(c)!);
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

// ---- keys -------------------------------------------------------------------------------------------------------

/** Columns holding the expressions' values: columns of the plan itself, or appended to it. */
export function withColumns(plan: Plan, exprs: readonly Expr[]): { plan: Plan; columns: number[] } {
  const all = plan.schema.fields.map((_, i): Expr => build.column(plan, i));
  const columns = exprs.map((e) => (e.kind === "column" ? e.index : all.push(e) - 1));
  if (all.length === plan.schema.fields.length) return { plan, columns };
  const names = all.map((_, i) => plan.schema.fields[i]?.name ?? "?column?");
  return { plan: build.project(plan, all, names), columns };
}

/** Two numerics stored in different ways do not meet in a join: both are then joined without their scale. */
export function comparable(left: Expr, right: Expr): { left: Expr; right: Expr } {
  const [a, b] = [typeOf(left), typeOf(right)];
  const alike = isSmallNumeric(a) === isSmallNumeric(b) && (!isSmallNumeric(a) || a.scale === b.scale);
  return alike ? { left, right } : { left: unscaled(left), right: unscaled(right) };
}

function unscaled(expr: Expr): Expr {
  return isSmallNumeric(typeOf(expr))
    ? { kind: "call", fn: "numeric_to_numeric", args: [expr], type: numeric }
    : expr;
}
