/**
 * Rewrites a plan into one that computes the same rows with less work.
 *
 * 0. What constants decide is decided (fold.ts), what every branch of an OR asks is asked once (factor-or.ts), and subqueries become joins (before-apply.ts, decorrelate.ts).
 * 1. Predicates move toward the sources. WHERE is a list of conjuncts; each moves down by itself, through projects (with
 *    columns replaced by what they stand for), joins (to the side it reads), groups (when it reads keys only), distinct,
 *    union and top-k (when it reads the partition only). On the way, equalities between the two sides of an inner join
 *    become its join keys (joins.ts). A left join whose null rows a predicate refuses is an inner one.
 * 2. Columns nobody reads are dropped, from the top down. Above each source stands a project of just the columns that are
 *    read, so that it delivers no others; joins, which store their inputs, get no column that only a filter read.
 *    A window of which only the first ranks are kept stands on a top-k (prune-window.ts).
 * 3. Adjacent projects and adjacent filters become one.
 *
 * Errors are data: which rows raise an error must not depend on the optimizer's mood. So no fallible expression
 * (isFallible) crosses a filter, CASE or join, in either direction:
 * - a fallible conjunct stays where it is, and so do the conjuncts after it, which it may guard or be guarded by;
 * - no predicate passes a node that computes something fallible from each row (project, group, series, map);
 * - a fallible column is not merged into an expression that may leave it unevaluated, nor into two places.
 * A column nobody reads is dropped even if computing it might fail, as PostgreSQL does.
 *
 * A top-k settles ties by its remaining columns, so all of its input's columns count as read.
 */
import { unreachable } from "../base/assert.ts";
import { filtersBeforeApplies } from "./before-apply.ts";
import * as build from "./build.ts";
import { decorrelate } from "./decorrelate.ts";
import type { ColumnExpr, Expr } from "./expression.ts";
import { factorDisjunctions } from "./factor-or.ts";
import { foldConstants } from "./fold.ts";
import { functionInfo } from "./functions.ts";
import {
  columnsOf,
  conjunction,
  conjuncts,
  eachColumn,
  functionColumns,
  hasUserFunction,
  isFallible,
  mapAggregate,
  moveColumns,
  moveFunction,
  nullableOf,
  aggregateExprs as plainExprs,
  sourceIds,
  substitute,
} from "./inspect.ts";
import { isJoinEquality, orderJoins } from "./joins.ts";
import type { Aggregate, OptimizedQuery, Plan, ProjectPlan, Query, WindowFunction } from "./plan.ts";
import { pruneWindow } from "./prune-window.ts";
import { temporalBelow } from "./push-temporal.ts";

export function optimizeQuery(query: Query): OptimizedQuery {
  return Object.freeze({ ...query, plan: optimize(query.plan), names: sourceIds(query.plan) });
}

function notDecorrelated(): Error {
  return new Error("decorrelation leaves no apply behind");
}

/** The same columns, in the same order, computed with less work. */
export function optimize(plan: Plan): Plan {
  const simpler = factorDisjunctions(foldConstants(plan));
  const pushed = pushDown(decorrelate(filtersBeforeApplies(simpler)), []);
  const all = pushed.schema.fields.map((_, i) => i);
  const pruned = exactly(prune(pushed, new Set(all)), all);
  return rename(pruned, plan);
}

/** Pruning goes by position, merging may take an inner name: the outermost names are the plan's own. */
function rename(plan: Plan, like: Plan): Plan {
  const names = like.schema.fields.map((f) => f.name);
  if (plan.schema.fields.every((f, i) => f.name === names[i])) return plan;
  const exprs = plan.schema.fields.map((_, i) => build.column(plan, i));
  return mergedProject(plan, exprs, names);
}

// ---- 1. predicates ----------------------------------------------------------------------------------------------

/** `plan` under a filter of these conjuncts, which may all move (none is fallible). */
function pushDown(plan: Plan, moving: readonly Expr[]): Plan {
  switch (plan.kind) {
    case "source":
    case "values":
      return filtered(plan, moving);
    case "filter":
      return pushFilter(plan, moving);
    case "project": {
      if (plan.exprs.some(isFallible)) return filtered(rebuildProject(plan, []), moving);
      const [down, stay] = split(moving, (c) => canReplace(c, plan.exprs));
      const replaced = down.map((c) => substitute(c, (col) => plan.exprs[col.index]!));
      return filtered(rebuildProject(plan, replaced), stay);
    }
    case "mapFunction":
      return filtered(
        build.mapFunction(pushDown(plan.input, []), plan.fn, plan.flat, plan.schema.fields),
        moving,
      );
    case "series": {
      const own = [plan.start, plan.stop, plan.step].some(isFallible);
      const last = plan.schema.fields.length - 1;
      const [down, stay] = split(moving, (c) => !own && !columnsOf(c).has(last));
      const input = pushDown(plan.input, down);
      const name = plan.schema.fields[last]!.name;
      return filtered(build.series(input, plan.start, plan.stop, plan.step, name), stay);
    }
    case "tableFunction":
      // It may refuse its arguments, for any row.
      return filtered(rebuildTableFunction(plan, pushDown(plan.input, []), plan.args), moving);
    case "join":
      if (plan.type === "inner") return orderJoins(plan, moving, pushDown);
      if (plan.type === "left" && moving.some((c) => refusesNulls(c, plan.left.schema.fields.length)))
        return orderJoins(build.join({ ...plan, type: "inner" }), moving, pushDown);
      return pushOuter(plan, moving, { left: plan.type === "left", right: false });
    case "apply":
      throw notDecorrelated();
    case "asOfJoin":
      return pushOuter(plan, moving, { left: true, right: plan.type === "inner" });
    case "group": {
      const fallible = [...plan.keys, ...plan.aggregates.flatMap(aggregateExprs)].some(isFallible);
      const [down, stay] = split(
        moving,
        (c) =>
          !fallible &&
          plan.keys.length > 0 &&
          [...columnsOf(c)].every((i) => i < plan.keys.length) &&
          canReplace(c, plan.keys),
      );
      const replaced = down.map((c) => substitute(c, (col) => plan.keys[col.index]!));
      const names = plan.schema.fields.map((f) => f.name);
      return filtered(
        build.group(pushDown(plan.input, replaced), plan.keys, plan.aggregates, names, plan.key ?? undefined),
        stay,
      );
    }
    case "distinct":
      return deduplicated(pushDown(plan.input, moving));
    case "union":
      return build.union(plan.inputs.map((input) => pushDown(input, moving)));
    case "setOperation":
      // What it lets through is of the left input; equal rows may look different, so only that one is filtered early.
      return build.setOperation({
        ...plan,
        left: pushDown(plan.left, moving),
        right: pushDown(plan.right, []),
      });
    case "topK": {
      const [down, stay] = split(
        moving,
        (c) => plan.partition.length > 0 && [...columnsOf(c)].every((i) => plan.partition.includes(i)),
      );
      return filtered(build.topK(pushDown(plan.input, down), plan), stay);
    }
    case "window": {
      const own = plan.functions.some((f) => windowExprs(f).some(isFallible) || f.aggregate !== null);
      const [down, stay] = split(
        moving,
        (c) => !own && columnsOf(c).size > 0 && [...columnsOf(c)].every((i) => plan.partition.includes(i)),
      );
      return filtered(build.window(pushDown(plan.input, down), plan, windowNames(plan)), stay);
    }
    case "recursive":
      return filtered(
        build.recursive({ ...plan, base: pushDown(plan.base, []), step: pushDown(plan.step, []) }),
        moving,
      );
    case "recursiveRef":
      return filtered(plan, moving);
    case "temporal": {
      const below = temporalBelow(plan);
      if (below !== undefined) return pushDown(below, moving);
      const own = [plan.from, plan.until].some((e) => e !== null && isFallible(e));
      const input = pushDown(plan.input, own ? [] : moving);
      return filtered(build.temporal(input, plan.from, plan.until), own ? moving : []);
    }
    default:
      return unreachable(plan);
  }
}

/**
 * A filter's own conjuncts come first, then those that arrived from above. Up to its first fallible one they may move on;
 * from there on they stay, in their order, and so do those that arrived: they were to see no more rows than these let through.
 * Equalities between the sides of inner joins below are not held back: they become the joins' keys.
 */
function pushFilter(plan: Plan & { kind: "filter" }, arriving: readonly Expr[]): Plan {
  const own = conjuncts(plan.predicate);
  const [keys, others] = split(own, (c) => overInnerJoin(plan.input) && isJoinEquality(c));
  const firstFallible = others.findIndex(isFallible);
  if (firstFallible < 0) return pushDown(plan.input, [...keys, ...others, ...arriving]);
  const input = pushDown(plan.input, [...keys, ...others.slice(0, firstFallible)]);
  return filtered(input, [...others.slice(firstFallible), ...arriving]);
}

function overInnerJoin(plan: Plan): boolean {
  return plan.kind === "join" && plan.type === "inner";
}

/** Rows with a key are distinct already. */
function deduplicated(plan: Plan): Plan {
  return plan.key === null ? build.distinct(plan) : plan;
}

/** Whether the conjunct is true for no row that a left join gives with nulls in place of the right side, from column `width` on. */
function refusesNulls(conjunct: Expr, width: number): boolean {
  if (conjunct.kind === "not" && conjunct.arg.kind === "isNull") return isNullWith(conjunct.arg.arg, width);
  return isNullWith(conjunct, width);
}

/** Whether the expression is null where the right side is. */
function isNullWith(expr: Expr, width: number): boolean {
  if (expr.kind === "column") return expr.index >= width;
  return expr.kind === "call" && functionInfo(expr.fn).strict && expr.args.some((a) => isNullWith(a, width));
}

/** Joins of which only some sides may be filtered from above. */
function pushOuter(
  plan: Plan & { kind: "join" | "asOfJoin" },
  moving: readonly Expr[],
  may: { readonly left: boolean; readonly right: boolean },
): Plan {
  const width = plan.left.schema.fields.length;
  const [toLeft, rest] = split(moving, (c) => may.left && [...columnsOf(c)].every((i) => i < width));
  const [toRight, stay] = split(rest, (c) => may.right && [...columnsOf(c)].every((i) => i >= width));
  const left = pushDown(plan.left, toLeft);
  const right = pushDown(
    plan.right,
    toRight.map((c) => moveColumns(c, (i) => i - width)),
  );
  return filtered(
    plan.kind === "join" ? build.join({ ...plan, left, right }) : build.asOfJoin({ ...plan, left, right }),
    stay,
  );
}

function rebuildTableFunction(
  plan: Plan & { kind: "tableFunction" },
  input: Plan,
  args: readonly Expr[],
): Plan {
  const ordinality = plan.ordinality ? plan.schema.fields.at(-1)!.name : null;
  return build.tableFunction(input, { ...plan, args, ordinality });
}

function windowExprs(f: WindowFunction): Expr[] {
  return [...f.args, ...(f.aggregate === null ? [] : aggregateExprs(f.aggregate))];
}

function windowNames(plan: Plan & { kind: "window" }): string[] {
  return plan.schema.fields.slice(plan.input.schema.fields.length).map((f) => f.name);
}

function rebuildProject(plan: ProjectPlan, moving: readonly Expr[]): Plan {
  const names = plan.schema.fields.map((f) => f.name);
  return build.project(pushDown(plan.input, moving), plan.exprs, names);
}

/** A function of the user reads columns, not expressions. */
function canReplace(expr: Expr, replacements: readonly Expr[]): boolean {
  return !hasUserFunction(expr) || [...columnsOf(expr)].every((i) => replacements[i]!.kind === "column");
}

function split<T>(items: readonly T[], goes: (item: T) => boolean): [T[], T[]] {
  const yes: T[] = [];
  const no: T[] = [];
  for (const item of items) (goes(item) ? yes : no).push(item);
  return [yes, no];
}

/**
 * Filters of these conjuncts on top, with those of a filter that stands there. A row leaves at the first conjunct that is not
 * true. AND goes on after null, which shows when a later conjunct is fallible: that one then gets a filter of its own.
 */
function filtered(plan: Plan, predicates: readonly Expr[]): Plan {
  if (predicates.length === 0) return plan;
  const over = plan.kind === "filter" ? plan.input : plan;
  const all = [
    ...(plan.kind === "filter" ? conjuncts(plan.predicate) : []),
    ...predicates.flatMap(conjuncts),
  ];
  let current: Plan = over;
  let together: Expr[] = [];
  for (const c of all) {
    if (isFallible(c) && together.some(nullableOf)) {
      current = build.filter(current, conjunction(together)!);
      together = [];
    }
    together.push(c);
  }
  return build.filter(current, conjunction(together)!);
}

// ---- 2. columns -------------------------------------------------------------------------------------------------

/** A plan that delivers at least the needed columns, and where each column of the original is in it (-1: gone). */
interface Pruned {
  readonly plan: Plan;
  readonly at: readonly number[];
}

function prune(plan: Plan, needed: ReadonlySet<number>): Pruned {
  switch (plan.kind) {
    case "source":
      return kept(plan, needed);
    case "values": {
      const columns = ascending(needed);
      const rows = plan.rows.map((row) => columns.map((c) => row[c]!));
      const fields = columns.map((c) => plan.schema.fields[c]!);
      return { plan: build.values(fields, rows), at: positions(plan, columns) };
    }
    case "filter": {
      if (plan.input.kind === "window")
        return pruneWindow(plan.input, conjuncts(plan.predicate), needed, pruning);
      const input = prune(plan.input, union(needed, columnsOf(plan.predicate)));
      return { plan: filtered(input.plan, [moved(plan.predicate, input)]), at: input.at };
    }
    case "project":
      return pruneProject(plan, needed);
    case "mapFunction": {
      const input = prune(plan.input, new Set(functionColumns(plan.fn)));
      const fn = moveFunction(plan.fn, (i) => input.at[i]!);
      return whole(build.mapFunction(input.plan, fn, plan.flat, plan.schema.fields));
    }
    case "series":
      return pruneSeries(plan, needed);
    case "apply":
      throw notDecorrelated();
    case "join":
    case "asOfJoin":
      return pruneJoin(plan, needed);
    case "group":
      return pruneGroup(plan, needed);
    case "distinct":
      return whole(deduplicated(pruneAll(plan.input)));
    case "union": {
      const columns = ascending(needed);
      const inputs = plan.inputs.map((input) => exactly(prune(input, needed), columns));
      return { plan: build.union(inputs), at: positions(plan, columns) };
    }
    case "setOperation":
      return whole(build.setOperation({ ...plan, left: pruneAll(plan.left), right: pruneAll(plan.right) }));
    case "topK":
      return whole(build.topK(pruneAll(plan.input), plan));
    case "tableFunction":
      return pruneTableFunction(plan, needed);
    case "window":
      return pruneWindow(plan, [], needed, pruning);
    case "recursive":
      return whole(build.recursive({ ...plan, base: pruneAll(plan.base), step: pruneAll(plan.step) }));
    case "recursiveRef":
      return kept(plan, needed);
    case "temporal": {
      const reads = new Set(needed);
      for (const e of [plan.from, plan.until]) if (e !== null) eachColumn(e, (i) => reads.add(i));
      const input = prune(plan.input, reads);
      const [from, until] = [plan.from, plan.until].map((e) => (e === null ? null : moved(e, input)));
      return { plan: build.temporal(input.plan, from!, until!), at: input.at };
    }
    default:
      return unreachable(plan);
  }
}

/** All columns are read above; below there may still be some that are not. */
function pruneAll(plan: Plan): Plan {
  const all = plan.schema.fields.map((_, i) => i);
  return exactly(prune(plan, new Set(all)), all);
}

const pruning = {
  to: (plan: Plan, columns: readonly number[]): Plan => exactly(prune(plan, new Set(columns)), columns),
  filtered,
};

function whole(plan: Plan): Pruned {
  return { plan, at: plan.schema.fields.map((_, i) => i) };
}

/** Exactly these columns of the original plan, in this order. */
function exactly(pruned: Pruned, columns: readonly number[]): Plan {
  const { plan, at } = pruned;
  const wanted = columns.map((c) => at[c]!);
  if (wanted.length === plan.schema.fields.length && wanted.every((c, i) => c === i)) return plan;
  const exprs = wanted.map((c) => build.column(plan, c));
  return mergedProject(
    plan,
    exprs,
    wanted.map((c) => plan.schema.fields[c]!.name),
  );
}

function kept(plan: Plan, needed: ReadonlySet<number>): Pruned {
  const columns = ascending(needed);
  if (columns.length === plan.schema.fields.length) return whole(plan);
  return { plan: build.projectColumns(plan, columns), at: positions(plan, columns) };
}

function pruneProject(plan: ProjectPlan, needed: ReadonlySet<number>): Pruned {
  const columns = ascending(needed);
  const reads = new Set<number>();
  for (const c of columns) eachColumn(plan.exprs[c]!, (i) => reads.add(i));
  const input = prune(plan.input, reads);
  const exprs = columns.map((c) => moved(plan.exprs[c]!, input));
  const names = columns.map((c) => plan.schema.fields[c]!.name);
  return { plan: mergedProject(input.plan, exprs, names), at: positions(plan, columns) };
}

function pruneSeries(plan: Plan & { kind: "series" }, needed: ReadonlySet<number>): Pruned {
  const last = plan.schema.fields.length - 1;
  const reads = new Set([...needed].filter((c) => c !== last));
  for (const e of [plan.start, plan.stop, plan.step]) eachColumn(e, (i) => reads.add(i));
  const input = prune(plan.input, reads);
  const [start, stop, step] = [plan.start, plan.stop, plan.step].map((e) => moved(e, input));
  const made = build.series(input.plan, start!, stop!, step!, plan.schema.fields[last]!.name);
  return { plan: made, at: [...input.at, made.schema.fields.length - 1] };
}

function pruneTableFunction(plan: Plan & { kind: "tableFunction" }, needed: ReadonlySet<number>): Pruned {
  const width = plan.input.schema.fields.length;
  const reads = new Set([...needed].filter((c) => c < width));
  for (const e of plan.args) eachColumn(e, (i) => reads.add(i));
  const input = prune(plan.input, reads);
  const made = rebuildTableFunction(
    plan,
    input.plan,
    plan.args.map((e) => moved(e, input)),
  );
  const narrow = input.plan.schema.fields.length;
  const own = plan.schema.fields.slice(width).map((_, i) => narrow + i);
  return { plan: made, at: [...input.at, ...own] };
}

function pruneJoin(plan: Plan & { kind: "join" | "asOfJoin" }, needed: ReadonlySet<number>): Pruned {
  const width = plan.left.schema.fields.length;
  const reads = ascending(needed);
  // What an as-of join looks up is the table's key, whoever reads it.
  const extra = plan.kind === "asOfJoin" ? (plan.right.key ?? []) : [];
  const leftColumns = ascending(new Set([...reads.filter((c) => c < width), ...plan.leftKeys]));
  const rightReads = reads.filter((c) => c >= width).map((c) => c - width);
  const rightColumns = ascending(new Set([...rightReads, ...plan.rightKeys, ...extra]));
  const sides = {
    left: exactly(prune(plan.left, new Set(leftColumns)), leftColumns),
    right: exactly(prune(plan.right, new Set(rightColumns)), rightColumns),
    leftKeys: plan.leftKeys.map((k) => leftColumns.indexOf(k)),
    rightKeys: plan.rightKeys.map((k) => rightColumns.indexOf(k)),
  };
  const columns = [...leftColumns, ...rightColumns.map((c) => c + width)];
  const at = positions(plan, columns);
  if (plan.kind === "asOfJoin") return { plan: build.asOfJoin({ type: plan.type, ...sides }), at };
  const { type, nullSafe } = plan;
  return { plan: build.join({ type, ...sides, nullSafe }), at };
}

function pruneGroup(plan: Plan & { kind: "group" }, needed: ReadonlySet<number>): Pruned {
  const keyCount = plan.keys.length;
  const aggregates = plan.aggregates.map((_, i) => i).filter((i) => needed.has(keyCount + i));
  const reads = new Set<number>();
  const read = (e: Expr) => eachColumn(e, (i) => reads.add(i));
  plan.keys.forEach(read);
  for (const i of aggregates) aggregateExprs(plan.aggregates[i]!).forEach(read);
  const input = prune(plan.input, reads);
  const columns = [...plan.keys.map((_, i) => i), ...aggregates.map((i) => keyCount + i)];
  const made = build.group(
    input.plan,
    plan.keys.map((k) => moved(k, input)),
    aggregates.map((i) => movedAggregate(plan.aggregates[i]!, input)),
    columns.map((c) => plan.schema.fields[c]!.name),
    plan.key ?? undefined,
  );
  return { plan: made, at: positions(plan, columns) };
}

function aggregateExprs(a: Aggregate): Expr[] {
  return [...plainExprs(a), ...reducerExprs(a)];
}

/** What a reducer's functions read, as an expression that reads the same. */
function reducerExprs(a: Aggregate): Expr[] {
  if (a.reducer === null || a.reducer.routine !== null) return [];
  return [a.reducer.add, a.reducer.remove].map((fn) => ({ kind: "js", fn, type: a.type }));
}

function movedAggregate(a: Aggregate, input: Pruned): Aggregate {
  const move = (i: number) => input.at[i]!;
  return {
    ...mapAggregate(a, (expr) => moved(expr, input)),
    reducer:
      a.reducer === null
        ? null
        : {
            ...a.reducer,
            add: moveFunction(a.reducer.add, move),
            remove: moveFunction(a.reducer.remove, move),
          },
  };
}

function moved(expr: Expr, input: Pruned): Expr {
  return moveColumns(expr, (i) => input.at[i]!);
}

function positions(plan: Plan, columns: readonly number[]): number[] {
  const at = plan.schema.fields.map(() => -1);
  columns.forEach((c, i) => {
    at[c] = i;
  });
  return at;
}

function ascending(columns: ReadonlySet<number>): number[] {
  return [...columns].sort((a, b) => a - b);
}

function union<T>(a: ReadonlySet<T>, b: ReadonlySet<T>): Set<T> {
  return new Set([...a, ...b]);
}

// ---- 3. adjacent projects ---------------------------------------------------------------------------------------

/** A project over `input`, as one node with a project that stands there when that is safe, and no node when it changes nothing. */
function mergedProject(input: Plan, exprs: readonly Expr[], names: readonly string[]): Plan {
  if (isIdentity(input, exprs, names)) return input;
  // The project of plain columns directly above a source stays its own node: it says what the source delivers.
  if (input.kind !== "project" || !canMerge(exprs, input)) return build.project(input, exprs, names);
  const inner = input.exprs;
  const merged = exprs.map((e) => substitute(e, (c) => inner[c.index]!));
  return mergedProject(input.input, merged, names);
}

function isIdentity(input: Plan, exprs: readonly Expr[], names: readonly string[]): boolean {
  const fields = input.schema.fields;
  if (exprs.length !== fields.length) return false;
  return exprs.every((e, i) => e.kind === "column" && e.index === i && names[i] === fields[i]!.name);
}

/**
 * Whether the outer expressions may take in the inner ones: nothing costly is computed twice, nothing fallible ends where it
 * may not be evaluated, and functions of the user still read columns.
 */
function canMerge(outer: readonly Expr[], input: ProjectPlan): boolean {
  const isFree = (e: Expr) => e.kind === "column" || e.kind === "const";
  if (input.input.kind === "source" && input.exprs.every((e) => e.kind === "column"))
    return outer.every(isPlainColumn);
  const uses = input.exprs.map(() => 0);
  for (const e of outer) eachColumn(e, (i) => uses[i]!++);
  if (input.exprs.some((e, i) => !isFree(e) && uses[i]! > 1)) return false;
  if (!outer.every((e) => canReplace(e, input.exprs))) return false;
  // A fallible inner expression may only come to stand as a column of its own.
  return input.exprs.every(
    (e, i) => !isFallible(e) || outer.every((o) => isPlainColumn(o) || !columnsOf(o).has(i)),
  );
}

function isPlainColumn(expr: Expr): expr is ColumnExpr {
  return expr.kind === "column";
}
