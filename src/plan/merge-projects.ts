/** Adjacent projects become one, and one that changes nothing goes away. */
import * as build from "./build.ts";
import type { ColumnExpr, Expr } from "./expression.ts";
import { columnsOf, eachColumn, hasUserFunction, isFallible, substitute } from "./inspect.ts";
import type { Plan, ProjectPlan } from "./plan.ts";

/** A project over `input`, as one node with a project that stands there when that is safe, and no node when it changes nothing. */
export function mergedProject(input: Plan, exprs: readonly Expr[], names: readonly string[]): Plan {
  if (isIdentity(input, exprs, names)) return input;
  // The project of plain columns directly above a source stays its own node: it says what the source delivers.
  if (input.kind !== "project" || !canMerge(exprs, input)) return build.project(input, exprs, names);
  const inner = input.exprs;
  const merged = exprs.map((e) => substitute(e, (c) => inner[c.index]!));
  return mergedProject(input.input, merged, names);
}

function isIdentity(input: Plan, exprs: readonly Expr[], names: readonly string[]): boolean {
  const fields = input.schema.fields;
  if (exprs.length !== fields.length) return false;
  return exprs.every((e, i) => e.kind === "column" && e.index === i && names[i] === fields[i]!.name);
}

/**
 * Whether the outer expressions may take in the inner ones: nothing costly is computed twice, nothing fallible ends where it
 * may not be evaluated, and functions of the user still read columns.
 */
function canMerge(outer: readonly Expr[], input: ProjectPlan): boolean {
  const isFree = (e: Expr) => e.kind === "column" || e.kind === "const";
  if (input.input.kind === "source" && input.exprs.every((e) => e.kind === "column"))
    return outer.every(isPlainColumn);
  const uses = input.exprs.map(() => 0);
  for (const e of outer) eachColumn(e, (i) => uses[i]!++);
  if (input.exprs.some((e, i) => !isFree(e) && uses[i]! > 1)) return false;
  if (!outer.every((e) => canReplace(e, input.exprs))) return false;
  // A fallible inner expression may only come to stand as a column of its own.
  return input.exprs.every(
    (e, i) => !isFallible(e) || outer.every((o) => isPlainColumn(o) || !columnsOf(o).has(i)),
  );
}

function isPlainColumn(expr: Expr): expr is ColumnExpr {
  return expr.kind === "column";
}

/** A function of the user reads columns, not expressions. */
export function canReplace(expr: Expr, replacements: readonly Expr[]): boolean {
  return !hasUserFunction(expr) || [...columnsOf(expr)].every((i) => replacements[i]!.kind === "column");
}
