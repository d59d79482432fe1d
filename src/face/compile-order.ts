/** An order of rows: its expressions, and the columns they become. */
import { jsonb } from "../batch/types.ts";
import type { Expr } from "../plan/expression.ts";
import type { OrderItem, Plan } from "../plan/plan.ts";
import type { OrderSpec } from "./chain.ts";
import { checkOrdered, scalarExpr } from "./columns-of.ts";
import { shorten } from "./function-source.ts";

export function orderExprs(input: Plan, order: readonly OrderSpec[]): Expr[] {
  return order.map(({ by }) => {
    const what = typeof by === "string" ? `column "${by}"` : shorten(Function.prototype.toString.call(by));
    const expr = scalarExpr(input, by, jsonb);
    checkOrdered(expr, what);
    return expr;
  });
}

/** PostgreSQL's order: nulls last, and first when descending. */
export function orderItems(order: readonly OrderSpec[], columns: readonly number[]): OrderItem[] {
  return order.map(({ descending }, i) => ({ column: columns[i]!, descending, nullsFirst: descending }));
}
