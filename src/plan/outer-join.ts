/**
 * Outer joins on any condition, made of joins on keys:
 *
 *     L left join R on c  =  I  +  (rows of L that are in no row of I, with nulls),   I = L join R on c
 *
 * Which rows of L are in I is known by L's key or, where it has none, by all its columns: equal rows match alike. With keys alone
 * the join operator does it by itself.
 */
import { bool } from "../batch/types.ts";
import * as build from "./build.ts";
import type { Expr } from "./expression.ts";
import type { Plan } from "./plan.ts";

export interface OuterJoinSpec extends build.JoinSpec {
  readonly type: "left" | "full";
  /** Beside the keys; over left's columns, then right's. */
  readonly residual: Expr | null;
  /** Leaves of the pairs that match those that match in other ways too; the same plan where all do. */
  readonly restrict?: (pairs: Plan) => Plan;
}

/** Left's columns, then right's. */
export function outerJoin({ residual, restrict, ...spec }: OuterJoinSpec): Plan {
  const pairs = build.join({ ...spec, type: "inner" });
  const met = residual === null ? pairs : build.filter(pairs, residual);
  const matching = restrict?.(met) ?? met;
  if (matching === pairs) return build.join(spec);
  const { left, right, type } = spec;
  const width = left.schema.fields.length;
  const names = matching.schema.fields.map((f) => f.name);
  const nulls = (plan: Plan): Expr[] => plan.schema.fields.map((f) => build.constant(null, f.type));
  const columns = (plan: Plan): Expr[] => plan.schema.fields.map((_, i) => build.column(plan, i));
  const parts: Plan[] = [matching];
  const lefts = without(left, matching, 0);
  parts.push(build.project(lefts, [...columns(left), ...nulls(right)], names));
  if (type === "full") {
    const rights = without(right, matching, width);
    parts.push(build.project(rights, [...nulls(left), ...columns(right)], names));
  }
  return build.union(parts);
}

/** The side's rows that are in no matching row, where its columns stand from `at` on; then columns of no interest. */
function without(side: Plan, matching: Plan, at: number): Plan {
  const identity = side.key ?? side.schema.fields.map((_, i) => i);
  const found = build.project(
    matching,
    [...identity.map((c) => build.column(matching, at + c)), build.constant(true, bool)],
    [...identity.map((c) => side.schema.fields[c]!.name), "found"],
  );
  const joined = build.join({
    type: "left",
    left: side,
    right: build.distinct(found),
    leftKeys: identity,
    rightKeys: identity.map((_, i) => i),
    nullSafe: identity.map((c) => side.schema.fields[c]!.nullable),
  });
  const flag = side.schema.fields.length + identity.length;
  return build.filter(joined, { kind: "isNull", arg: build.column(joined, flag) });
}
