/**
 * LIMIT and OFFSET. Constants and parameters make a top-k. Anything else (an expression, a subquery) is computed as one row beside the
 * query's, and the rows whose number lies between the two remain; WITH TIES those whose rank does.
 */
import type { Node, SelectStmt } from "libpg-query";
import { EvertError } from "../base/errors.ts";
import { bool, int8 } from "../batch/types.ts";
import * as build from "../plan/build.ts";
import type { Expr } from "../plan/expression.ts";
import { columnsOf, conjunction } from "../plan/inspect.ts";
import type { Frame, OrderItem, Plan, WindowFunction } from "../plan/plan.ts";
import { coerce } from "./bound.ts";
import { bindExpr, plainPlace } from "./expression.ts";
import type { ExprPlace } from "./place.ts";
import type { QueryEnv } from "./query.ts";
import { emptyScope, type Scope } from "./scope.ts";
import { isSubquery } from "./stand-ins.ts";
import { Subqueries } from "./subqueries.ts";
import { startOf } from "./tree.ts";

/** What LIMIT and OFFSET leave of a plan's rows in this order. */
export type Limit = (plan: Plan, order: readonly OrderItem[]) => Plan;

const ALL_ROWS: Limit = (plan) => plan;

export function bindLimit(select: SelectStmt, scope: Scope, env: QueryEnv): Limit {
  const { ctx } = env;
  const ties = select.limitOption === "LIMIT_OPTION_WITH_TIES";
  if (ties && select.sortClause === undefined) {
    const message = "WITH TIES cannot be specified without ORDER BY clause";
    throw new EvertError("syntax_error", message, {
      position: ctx.position(select.limitCount && startOf(select.limitCount)),
    });
  }
  const subqueries = new Subqueries(env, emptyScope());
  const limit = bindCount(select.limitCount, "LIMIT", subqueries, scope, env);
  const offset = bindCount(select.limitOffset, "OFFSET", subqueries, scope, env);
  if (typeof limit === "object" && limit !== null) return computed(limit, offset, ties, subqueries);
  if (typeof offset === "object" && offset !== null) return computed(limit, offset, ties, subqueries);
  if (limit === null && (offset ?? 0) === 0) return ALL_ROWS;
  const spec = { partition: [], limit, offset: offset ?? 0, ties: ties && limit !== null };
  return (plan, order) => build.topK(plan, { ...spec, order });
}

/** A number, null for none, or what has to be computed first. */
type Count = number | null | Expr;

function bindCount(
  node: Node | undefined,
  clause: "LIMIT" | "OFFSET",
  subqueries: Subqueries,
  scope: Scope,
  { ctx }: QueryEnv,
): Count {
  if (node === undefined) return null;
  const position = ctx.position(startOf(node));
  const place: ExprPlace = { ...plainPlace(ctx, scope, clause), subqueries };
  const bound = bindExpr(node, place);
  const expr = coerce(bound, int8, "assignment", ctx);
  if (expr === undefined) {
    throw new EvertError("datatype_mismatch", `argument of ${clause} must be type bigint`, { position });
  }
  if ([...columnsOf(expr)].some((index) => !isSubquery(index))) {
    const message = `argument of ${clause} must not contain variables`;
    throw new EvertError("invalid_column_reference", message, { position });
  }
  if (expr.kind !== "const") return expr;
  if (expr.value === null) return null;
  const rows = Number(expr.value);
  if (rows < 0) {
    const sqlstate = clause === "LIMIT" ? "2201W" : "2201X";
    throw new EvertError("invalid_row_count", `${clause} must not be negative`, { sqlstate, position });
  }
  // No collection has that many rows: the same as a limit that lets all of them through.
  return Math.min(rows, Number.MAX_SAFE_INTEGER);
}

const WHOLE: Frame = {
  mode: "range",
  start: { kind: "unboundedPreceding" },
  end: { kind: "currentRow" },
  exclude: "none",
};

const NUMBERED = (fn: "row_number" | "rank"): WindowFunction => ({
  fn,
  args: [],
  aggregate: null,
  frame: WHOLE,
  type: int8,
});

function computed(limit: Count, offset: Count, ties: boolean, subqueries: Subqueries): Limit {
  const counts = [checked(limit, "limit_rows"), checked(offset, "offset_rows")];
  const rows = subqueries.attach(build.oneRow(), counts);
  const beside = build.project(
    rows,
    counts.map((e) => subqueries.resolve(e)),
    ["limit", "offset"],
  );
  return (plan, order) => {
    const crossed = build.join({ type: "inner", left: plan, right: beside, leftKeys: [], rightKeys: [] });
    const width = plan.schema.fields.length;
    const functions = ties ? [NUMBERED("row_number"), NUMBERED("rank")] : [NUMBERED("row_number")];
    const spec = { partition: [], order, functions };
    const numbered = build.window(
      crossed,
      spec,
      functions.map((f) => f.fn),
    );
    const column = (index: number): Expr => build.column(numbered, index);
    const [most, skipped, number, rank] = [width, width + 1, width + 2, ties ? width + 3 : width + 2].map(
      column,
    );
    const last: Expr = { kind: "call", fn: "last_row", args: [skipped!, most!], type: int8 };
    const within = conjunction([greater(number!, skipped!), { kind: "not", arg: greater(rank!, last) }])!;
    // With no row to be equal to there are none that are.
    const some = conjunction([greater(last, skipped!), within])!;
    const shown = plan.schema.fields.map((_, i) => column(i));
    const names = plan.schema.fields.map((f) => f.name);
    return build.project(build.filter(numbered, some), shown, names);
  };
}

function greater(a: Expr, b: Expr): Expr {
  return { kind: "call", fn: "int8_gt", args: [a, b], type: bool };
}

function checked(count: Count, fn: "limit_rows" | "offset_rows"): Expr {
  const expr: Expr =
    count !== null && typeof count === "object"
      ? count
      : { kind: "const", value: count === null ? null : BigInt(count), type: int8 };
  return { kind: "call", fn, args: [expr], type: int8 };
}
