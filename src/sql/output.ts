/** The select list, and what ORDER BY, GROUP BY and DISTINCT ON mean by an item of theirs. */
import type { Node } from "libpg-query";
import { EvertError } from "../base/errors.ts";
import type { Expr } from "../plan/expression.ts";
import { exprKey } from "../plan/fingerprint.ts";
import { type LiteralBound, settled } from "./bound.ts";
import { type BindContext, checkColumnCount } from "./context.ts";
import { outputName } from "./output-names.ts";
import type { ExprPlace } from "./place.ts";
import { starValues } from "./records.ts";
import { columnsOfTable, type ScopeColumn } from "./scope.ts";
import { as, startOf, stringOf } from "./tree.ts";

export interface Output {
  readonly name: string;
  /** An open literal as text. */
  readonly expr: Expr;
  readonly literal: LiteralBound | null;
  readonly position: number | undefined;
}

/** The select list, stars written out. */
export function bindTargets(targets: readonly Node[], place: ExprPlace): Output[] {
  const { ctx } = place;
  const outputs: Output[] = [];
  checkColumnCount(targets.length);
  for (const node of targets) {
    const target = as(node, "ResTarget")!;
    const position = ctx.position(startOf(target.val!));
    const star = starColumns(target.val!, place, position);
    const fields = as(target.val, "A_Indirection") === undefined ? undefined : starValues(target.val!, place);
    if (star !== undefined) outputs.push(...star.map((c) => starOutput(c, position, ctx)));
    else if (fields !== undefined)
      outputs.push(...fields.map(({ name, expr }) => ({ name, expr, literal: null, position })));
    else {
      const bound = place.bind(target.val!, place);
      const literal = bound.kind === "literal" ? bound : null;
      outputs.push({
        name: target.name ?? outputName(target.val!),
        expr: settledLater(bound, ctx),
        literal,
        position,
      });
    }
    checkColumnCount(outputs.length);
  }
  return outputs;
}

/** A parameter's type must not be fixed to text before its surroundings have spoken. */
function settledLater(bound: Parameters<typeof settled>[0], ctx: BindContext): Expr {
  if (bound.kind === "literal" && bound.param !== null) {
    return { kind: "const", value: bound.text, type: { name: "text" } };
  }
  return settled(bound, ctx);
}

function starColumns(
  node: Node,
  { scope, ctx }: ExprPlace,
  position: number | undefined,
): readonly ScopeColumn[] | undefined {
  const fields = as(node, "ColumnRef")?.fields;
  if (fields === undefined || as(fields.at(-1), "A_Star") === undefined) return undefined;
  if (fields.length > 1) return columnsOfTable(scope, fields.slice(0, -1).map(stringOf), ctx.outer, position);
  if (scope.tables.length > 0) return scope.columns;
  throw new EvertError("syntax_error", "SELECT * with no tables specified is not valid", { position });
}

function starOutput(column: ScopeColumn, position: number | undefined, ctx: BindContext): Output {
  const expr: Expr = { ...column.expr };
  ctx.mentions.set(expr, { name: `${column.table}.${column.name}`, position });
  return { name: column.name, expr, literal: null, position };
}

export type Clause = "ORDER BY" | "GROUP BY" | "DISTINCT ON";

/**
 * The output an item names by ordinal or by name, or undefined if it is an expression of its own. ORDER BY and DISTINCT ON look for a name
 * among the outputs first, GROUP BY among the input's columns.
 */
export function namedOutput(
  node: Node,
  outputs: readonly Output[],
  clause: Clause,
  place: ExprPlace,
): Output | undefined {
  const { ctx } = place;
  const position = ctx.position(startOf(node));
  const fields = as(node, "ColumnRef")?.fields;
  if (fields?.length === 1 && as(fields[0], "String") !== undefined) {
    const name = stringOf(fields[0]);
    if (clause === "GROUP BY" && place.scope.columns.some((c) => c.name === name)) return undefined;
    return outputByName(name, outputs, clause, position);
  }
  const constant = as(node, "A_Const");
  if (constant === undefined) return undefined;
  if (constant.ival === undefined) {
    throw new EvertError("syntax_error", `non-integer constant in ${clause}`, { position });
  }
  const ordinal = constant.ival.ival ?? 0;
  const output = outputs[ordinal - 1];
  if (output !== undefined) return output;
  throw new EvertError("invalid_column_reference", `${clause} position ${ordinal} is not in select list`, {
    position,
  });
}

function outputByName(
  name: string,
  outputs: readonly Output[],
  clause: Clause,
  position: number | undefined,
): Output | undefined {
  const found = outputs.filter((o) => o.name === name);
  const different = new Set(found.map((o) => exprKey(o.expr)));
  if (different.size > 1)
    throw new EvertError("ambiguous_column", `${clause} "${name}" is ambiguous`, { position });
  return found[0];
}
