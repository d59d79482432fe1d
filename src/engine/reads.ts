/** Which columns of which topics a plan reads: the others are not decoded. */
import type { Expr } from "../plan/expression.ts";
import type { Plan } from "../plan/plan.ts";

/** Topic id -> columns read; null: all of them. */
export type Reads = Map<number, Set<number> | null>;

/** Adds what the plan reads. A source below a projection is read in the columns that the projection names. */
export function addReads(plan: Plan, reads: Reads): void {
  switch (plan.kind) {
    case "source":
      reads.set(plan.id, null);
      return;
    case "project":
      if (plan.input.kind === "source") {
        const { id } = plan.input;
        const columns = reads.has(id) ? reads.get(id) : new Set<number>();
        if (columns == null) return;
        if (plan.exprs.every((e) => addColumns(e, columns))) reads.set(id, columns);
        else reads.set(id, null);
        return;
      }
      addReads(plan.input, reads);
      return;
    case "filter":
    case "mapFunction":
    case "series":
    case "group":
    case "distinct":
    case "topK":
      addReads(plan.input, reads);
      return;
    case "join":
    case "asOfJoin":
      addReads(plan.left, reads);
      addReads(plan.right, reads);
      return;
    case "union":
      for (const input of plan.inputs) addReads(input, reads);
      return;
    case "values":
  }
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
