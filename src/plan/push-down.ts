/**
 * Predicates move toward the sources; the rules are at the head of optimize.ts.
 *
 * Each node is rebuilt under the conjuncts that arrive from above: those that may pass go on to its inputs, the others become a filter on top of it.
 */
import { unreachable } from "../base/assert.ts";
import * as build from "./build.ts";
import type { Expr } from "./expression.ts";
import { functionInfo } from "./functions.ts";
import {
  aggregateReads,
  columnsOf,
  conjunction,
  conjuncts,
  isFallible,
  moveColumns,
  nullableOf,
  sizeOf,
  substitute,
} from "./inspect.ts";
import { isJoinEquality, orderJoins } from "./joins.ts";
import { canReplace } from "./merge-projects.ts";
import { withInputs } from "./nodes.ts";
import type { Plan, ProjectPlan, WindowFunction } from "./plan.ts";
import { temporalBelow } from "./push-temporal.ts";

/** A predicate that names a column twice doubles what stands for it, in each of the queries that it passes: from so many nodes on it stays above. */
const GROWN_MAX = 1000;

/** `plan` under a filter of these conjuncts, which may all move (none is fallible). */
export function pushDown(plan: Plan, moving: readonly Expr[]): Plan {
  switch (plan.kind) {
    case "source":
    case "values":
      return filtered(plan, moving);
    case "filter":
      return pushFilter(plan, moving);
    case "project": {
      if (plan.exprs.some(isFallible)) return filtered(rebuildProject(plan, []), moving);
      const replaced: Expr[] = [];
      const stay = moving.filter((c) => {
        if (!canReplace(c, plan.exprs)) return true;
        const below = substitute(c, (column) => plan.exprs[column.index]!);
        if (sizeOf(below) > Math.max(GROWN_MAX, 2 * sizeOf(c))) return true;
        replaced.push(below);
        return false;
      });
      return filtered(rebuildProject(plan, replaced), stay);
    }
    case "mapFunction":
      return filtered(
        build.mapFunction(pushDown(plan.input, []), plan.fn, plan.flat, plan.schema.fields),
        moving,
      );
    case "series": {
      const last = plan.schema.fields.length - 1;
      const [down, stay] = split(moving, (c) => !columnsOf(c).has(last));
      const input = pushDown(plan.input, down);
      const name = plan.schema.fields[last]!.name;
      return filtered(build.series(input, plan.start, plan.stop, plan.step, name), stay);
    }
    case "tableFunction": {
      // It may refuse its arguments, for any row: what is asked of the row before it keeps others from it.
      const width = plan.input.schema.fields.length;
      const [down, stay] = split(moving, (c) => [...columnsOf(c)].every((i) => i < width));
      return filtered(withInputs(plan, [pushDown(plan.input, down)]), stay);
    }
    case "join":
      if (plan.type === "inner") return orderJoins(plan, moving, pushDown);
      if (plan.type === "left" && moving.some((c) => refusesNulls(c, plan.left.schema.fields.length)))
        return orderJoins(build.join({ ...plan, type: "inner" }), moving, pushDown);
      return pushOuter(plan, moving, { left: plan.type === "left", right: false });
    case "apply":
      throw new Error("decorrelation leaves no apply behind");
    case "asOfJoin":
      return pushOuter(plan, moving, { left: true, right: plan.type === "inner" });
    case "group": {
      const fallible = [...plan.keys, ...plan.aggregates.flatMap(aggregateReads)].some(isFallible);
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
export function deduplicated(plan: Plan): Plan {
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

function windowExprs(f: WindowFunction): Expr[] {
  return [...f.args, ...(f.aggregate === null ? [] : aggregateReads(f.aggregate))];
}

function windowNames(plan: Plan & { kind: "window" }): string[] {
  return plan.schema.fields.slice(plan.input.schema.fields.length).map((f) => f.name);
}

function rebuildProject(plan: ProjectPlan, moving: readonly Expr[]): Plan {
  const names = plan.schema.fields.map((f) => f.name);
  return build.project(pushDown(plan.input, moving), plan.exprs, names);
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
export function filtered(plan: Plan, predicates: readonly Expr[]): Plan {
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
