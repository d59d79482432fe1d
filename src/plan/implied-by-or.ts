/**
 * What an OR over a join says of one column alone, asked beside it: of (n1 = 'FRANCE' AND n2 = 'GERMANY') OR (n1 = 'GERMANY' AND n2 = 'FRANCE') both
 * n1 = 'FRANCE' OR n1 = 'GERMANY', and the same of n2, as PostgreSQL's planner does it (extract_restriction_or_clauses). These go down to their
 * sources, where the OR itself has to wait for the join.
 *
 * A row for which the OR is true fulfils one of its branches, and so what that branch says of the column: nothing is lost. Errors: neither the OR nor
 * what is taken out of it may fail.
 */
import type { Expr } from "./expression.ts";
import { exprKey } from "./fingerprint.ts";
import { columnsOf, conjunction, conjuncts, isFallible } from "./inspect.ts";

/** Each OR behind what it implies of single columns. */
export function withImplied(parts: readonly Expr[]): Expr[] {
  const known = new Set(parts.map(exprKey));
  return parts.flatMap((part) => [...implied(part).filter((expr) => !known.has(exprKey(expr))), part]);
}

function implied(expr: Expr): Expr[] {
  if (expr.kind !== "or" || columnsOf(expr).size < 2 || isFallible(expr)) return [];
  const branches = expr.args.map(byColumn);
  const columns = [...branches[0]!.keys()].filter((column) => branches.every((of) => of.has(column)));
  return columns.map((column) => ({
    kind: "or",
    args: branches.map((of) => conjunction(of.get(column)!)!),
  }));
}

/** A branch's conjuncts that read one column, by that column. */
function byColumn(branch: Expr): Map<number, Expr[]> {
  const found = new Map<number, Expr[]>();
  for (const part of conjuncts(branch)) {
    const [column, ...others] = columnsOf(part);
    if (column === undefined || others.length > 0) continue;
    const list = found.get(column);
    if (list === undefined) found.set(column, [part]);
    else list.push(part);
  }
  return found;
}
