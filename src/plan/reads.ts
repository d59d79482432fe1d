/** Which columns of which topics a plan reads: the others are neither decoded nor, where a segment is sealed, read. */
import type { Expr } from "./expression.ts";
import { inputsOf } from "./inspect.ts";
import type { Plan } from "./plan.ts";

/** Topic id -> columns read; null: all of them. */
export type Reads = Map<number, Set<number> | null>;

/** Adds what the plan reads. A source below a projection is read in the columns that the projection names. */
export function addReads(plan: Plan, reads: Reads, seen: Set<Plan> = new Set()): void {
  if (seen.has(plan)) return;
  seen.add(plan);
  if (plan.kind === "source") {
    reads.set(plan.id, null);
    return;
  }
  if (plan.kind !== "project" || plan.input.kind !== "source") {
    for (const input of inputsOf(plan)) addReads(input, reads, seen);
    return;
  }
  const { id } = plan.input;
  const columns = reads.has(id) ? reads.get(id) : new Set<number>();
  if (columns == null) return;
  reads.set(id, plan.exprs.every((e) => addColumns(e, columns)) ? columns : null);
}

/** False for anything but plain columns: an expression is not taken apart here. */
function addColumns(expr: Expr, columns: Set<number>): boolean {
  if (expr.kind !== "column") return false;
  columns.add(expr.index);
  return true;
}

export function wantsOf(reads: Reads, id: number): (column: number) => boolean {
  if (!reads.has(id)) return () => false;
  const columns = reads.get(id);
  return columns == null ? () => true : (column) => columns.has(column);
}

/** The same as a set; null: all of them. */
export function columnsRead(reads: Reads, id: number): ReadonlySet<number> | null {
  if (!reads.has(id)) return NONE;
  return reads.get(id) ?? null;
}

const NONE: ReadonlySet<number> = new Set();
