/**
 * Columns that stand for what no plan computes yet: an aggregate and a GROUPING() before the rows are grouped, a row number, a subquery before it is
 * applied. Their numbers are more than any plan has columns.
 */
import type { ColumnExpr } from "../plan/expression.ts";

export const AGGREGATES = 1_000_000;
/** GROUPING(...) */
export const GROUPINGS = 1_500_000;
export const ROW_NUMBER = 2_000_000;
export const SUBQUERIES = 3_000_000;

/** Whether the column stands for a subquery's value. */
export function isSubquery(expr: ColumnExpr): boolean {
  return expr.index >= SUBQUERIES;
}
