/**
 * Rows of expressions (VALUES) as a plan. Constants are rows of a values node. Rows that compute something are told apart from their
 * constants: neighbours that compute the same from different constants share one project over one values node, so ten
 * thousand rows of `(1 + 1, lower('A'))` are two nodes.
 */
import { assert } from "../base/assert.ts";
import type { SqlType } from "../batch/types.ts";
import * as build from "../plan/build.ts";
import type { ConstExpr, Expr } from "../plan/expression.ts";
import { exprKey } from "../plan/fingerprint.ts";
import { mapChildren, typeOf } from "../plan/inspect.ts";
import type { Plan } from "../plan/plan.ts";

/** A row with a column in place of each constant, and those constants. */
interface Pattern {
  readonly exprs: readonly Expr[];
  readonly key: string;
  readonly constants: readonly ConstExpr[];
}

export function rowsPlan(
  rows: readonly (readonly Expr[])[],
  types: readonly SqlType[],
  names: readonly string[],
): Plan {
  const runs: { pattern: Pattern; rows: ConstExpr[][] }[] = [];
  for (const row of rows) {
    assert(row.length === types.length, "each row has one expression per column");
    const pattern = patternOf(row);
    const last = runs.at(-1);
    if (last !== undefined && last.pattern.key === pattern.key) last.rows.push([...pattern.constants]);
    else runs.push({ pattern, rows: [[...pattern.constants]] });
  }
  if (runs.length === 0) return emptyRows(types, names);
  const plans = runs.map((run) => runPlan(run.pattern, run.rows, names));
  return plans.length === 1 ? plans[0]! : build.union(plans);
}

function emptyRows(types: readonly SqlType[], names: readonly string[]): Plan {
  return build.values(
    types.map((type, i) => ({ name: names[i]!, type })),
    [],
  );
}

function patternOf(row: readonly Expr[]): Pattern {
  const constants: ConstExpr[] = [];
  const replace = (expr: Expr): Expr => {
    if (expr.kind !== "const") return mapChildren(expr, replace);
    const index = constants.push(expr) - 1;
    return { kind: "column", index, type: expr.type, nullable: true };
  };
  const exprs = row.map(replace);
  const types = constants.map((c) => typeOf(c));
  return { exprs, key: JSON.stringify([exprs.map(exprKey), types]), constants };
}

function runPlan(pattern: Pattern, rows: readonly (readonly ConstExpr[])[], names: readonly string[]): Plan {
  const plain = pattern.exprs.every((e, i) => e.kind === "column" && e.index === i);
  const fields = pattern.constants.map((c, i) => ({ name: plain ? names[i]! : "?column?", type: c.type }));
  const constants = build.values(
    fields,
    rows.map((row) => row.map((c) => c.value)),
  );
  if (plain) return constants;
  const place = (expr: Expr): Expr =>
    expr.kind === "column" ? build.column(constants, expr.index) : mapChildren(expr, place);
  return build.project(constants, pattern.exprs.map(place), names);
}
