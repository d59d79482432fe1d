/**
 * A temporal filter goes down to where its rows come from: what is above it then keeps no rows whose time is over.
 *
 * - Through a projection and a filter whose expressions cannot fail, through DISTINCT, and through a grouping whose keys it reads alone.
 * - To the side of a join whose columns it reads. The right side of a left join stays: its rows being there or not decides more than themselves.
 *
 * A bound that may fail stays where it is, but for the left side of a left join, whose rows are all looked at anyway.
 */
import * as build from "./build.ts";
import type { Expr } from "./expression.ts";
import {
  aggregateExprs,
  columnsOf,
  hasUserFunction,
  isFallible,
  moveColumns,
  substitute,
} from "./inspect.ts";
import type { Plan, TemporalPlan } from "./plan.ts";

/** The filter one operator further down; undefined where it stays. */
export function temporalBelow({ input, from, until }: TemporalPlan): Plan | undefined {
  const bounds = [from, until].filter((bound) => bound !== null);
  const over = (plan: Plan, write: (bound: Expr) => Expr = (bound) => bound): Plan =>
    build.temporal(plan, from === null ? null : write(from), until === null ? null : write(until));
  const fallible = bounds.some(isFallible);
  const reads = bounds.flatMap((bound) => [...columnsOf(bound)]);
  // A function of the user is given whole rows.
  const named = bounds.some(hasUserFunction);
  switch (input.kind) {
    case "project": {
      const { exprs, schema } = input;
      if (fallible || named || exprs.some(isFallible)) return undefined;
      const below = over(input.input, (bound) => substitute(bound, (column) => exprs[column.index]!));
      const names = schema.fields.map((field) => field.name);
      return build.project(below, exprs, names);
    }
    case "filter":
      if (fallible || isFallible(input.predicate)) return undefined;
      return build.filter(over(input.input), input.predicate);
    case "distinct":
      return fallible ? undefined : build.distinct(over(input.input));
    case "group": {
      const { keys, aggregates } = input;
      const all = [...keys, ...aggregates.flatMap(aggregateExprs)];
      if (fallible || named || keys.length === 0 || all.some(isFallible)) return undefined;
      if (reads.some((c) => c >= keys.length) || aggregates.some((a) => a.reducer !== null)) return undefined;
      const below = over(input.input, (bound) => substitute(bound, (column) => keys[column.index]!));
      const names = input.schema.fields.map((field) => field.name);
      return build.group(below, keys, aggregates, names, input.key ?? undefined);
    }
    case "join": {
      const width = input.left.schema.fields.length;
      if (input.type === "full" || (fallible && input.type === "inner")) return undefined;
      if (reads.every((c) => c < width)) return build.join({ ...input, left: over(input.left) });
      if (input.type !== "inner" || reads.some((c) => c < width)) return undefined;
      const right = over(input.right, (bound) => moveColumns(bound, (c) => c - width));
      return build.join({ ...input, right });
    }
    case "source":
    case "values":
    case "mapFunction":
    case "series":
    case "tableFunction":
    case "apply":
    case "asOfJoin":
    case "union":
    case "setOperation":
    case "topK":
    case "window":
    case "recursive":
    case "recursiveRef":
    case "temporal":
      return undefined;
  }
}
