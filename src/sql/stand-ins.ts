/**
 * Columns that stand for what no plan computes yet: an aggregate and a GROUPING() before the rows are grouped, a window function before its window is, a
 * function that gives rows before it is called, a subquery before it is applied. Their numbers are more than any plan has columns.
 */
import type { ColumnExpr } from "../plan/expression.ts";

export const AGGREGATES = 1_000_000;
/** GROUPING(...) */
export const GROUPINGS = 1_500_000;
export const WINDOWS = 2_000_000;
export const ROW_FUNCTIONS = 2_500_000;
export const SUBQUERIES = 3_000_000;

/** Whether a column of this number stands for a subquery's value. */
export function isSubquery(index: number): boolean {
  return index >= SUBQUERIES;
}

/** Whether the column stands for a window function's value. */
export function isWindow(expr: ColumnExpr): boolean {
  return expr.index >= WINDOWS && expr.index < ROW_FUNCTIONS;
}

/** Whether the column stands for what a function that gives rows gives. */
export function isRowFunctionValue(expr: ColumnExpr): boolean {
  return expr.index >= ROW_FUNCTIONS && expr.index < SUBQUERIES;
}
