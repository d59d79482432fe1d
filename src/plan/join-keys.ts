/** Join keys are columns: expressions that are none are computed below the join. */
import { isSmallNumeric, numeric } from "../batch/types.ts";
import * as build from "./build.ts";
import type { Expr } from "./expression.ts";
import { typeOf } from "./inspect.ts";
import type { Plan } from "./plan.ts";

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
