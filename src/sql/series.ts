/** generate_series(start, stop[, step]) in FROM: alone, or counting for each row of what stands left of it. */
import type { Node, RangeFunction } from "libpg-query";
import { EvertError, notSupported } from "../base/errors.ts";
import * as build from "../plan/build.ts";
import { commonType, isFunctionName, sqlTypeName } from "../plan/functions.ts";
import { columnsOf } from "../plan/inspect.ts";
import { type Bound, boundType, coerce } from "./bound.ts";
import type { BindContext } from "./context.ts";
import { bindExpr, plainPlace } from "./expression.ts";
import { besides, checkDuplicateTable, emptyScope, type Scope, tableScope } from "./scope.ts";
import { as, type NodeOf, stringOf } from "./tree.ts";

/** The call of a function in FROM, if it is just that. */
export function functionCall(item: Node | undefined): NodeOf<"FuncCall"> | undefined {
  const node = as(item, "RangeFunction");
  return as(as(node?.functions?.[0], "List")?.items?.[0], "FuncCall");
}

export function isSeries(item: Node): boolean {
  return stringOf(functionCall(item)?.funcname?.at(-1) ?? { String: {} }) === "generate_series";
}

/** Left's rows, each times the series' values; without left, or without need of it, the series beside it. */
export function bindSeries(node: RangeFunction, left: Scope | undefined, ctx: BindContext): Scope {
  const call = functionCall({ RangeFunction: node });
  const position = ctx.position(call?.location);
  checkForm(node, call, position);
  const args = (call!.args ?? []).map((a) =>
    bindExpr(a, plainPlace(ctx, left ?? emptyScope(), "functions in FROM")),
  );
  const [start, stop, step] = seriesArguments(args, ctx, position);
  const table = node.alias?.aliasname ?? "generate_series";
  const column = node.alias?.colnames?.[0] === undefined ? table : stringOf(node.alias.colnames[0]);
  const reads = [start!, stop!, step!].some((e) => columnsOf(e).size > 0);
  const input = reads ? left!.plan : build.oneRow();
  const plan = build.series(input, start!, stop!, step!, column);
  const last = plan.schema.fields.length - 1;
  const own = tableScope(table, plan, [{ name: column, expr: build.column(plan, last) }]);
  if (left === undefined) return own;
  checkDuplicateTable(left, own, position);
  if (!reads) {
    const crossed = build.join({ type: "inner", left: left.plan, right: plan, leftKeys: [], rightKeys: [] });
    return besides(left, own, crossed);
  }
  return { plan, tables: [...left.tables, ...own.tables], columns: [...left.columns, ...own.columns] };
}

function checkForm(
  node: RangeFunction,
  call: NodeOf<"FuncCall"> | undefined,
  position: number | undefined,
): void {
  const name = stringOf(call?.funcname?.at(-1) ?? { String: {} });
  if (call === undefined || node.is_rowsfrom)
    throw notSupported("this kind of function call in FROM", position);
  if (name === "as_of") {
    const hint = "Write: FROM events JOIN as_of(table) AS t ON t.id = events.id.";
    throw notSupported("as_of() elsewhere than right of JOIN or LEFT JOIN", position, hint);
  }
  if (name !== "generate_series") throw refuseFunction(name, position);
  if (node.ordinality) throw notSupported("WITH ORDINALITY", position);
  if ((node.alias?.colnames?.length ?? 0) > 1) {
    const given = node.alias!.colnames!.length;
    const message = `table "${node.alias!.aliasname}" has 1 columns available but ${given} columns specified`;
    throw new EvertError("invalid_column_reference", message, { position });
  }
}

/** Set-returning functions that are no scalar functions, by what their names begin with. */
const setReturning = /^(json|unnest|regexp_|string_to_|pg_|ts_|xml|generate_)/;

function refuseFunction(name: string, position: number | undefined): EvertError {
  if (isFunctionName(name) || setReturning.test(name))
    return notSupported(`function ${name} in FROM`, position);
  return new EvertError("undefined_function", `function ${name} does not exist`, { position });
}

function seriesArguments(args: readonly Bound[], ctx: BindContext, position: number | undefined) {
  const said = `generate_series(${args.map((a) => sqlTypeName(boundType(a))).join(", ")})`;
  if (args.length < 2 || args.length > 3) {
    throw new EvertError("undefined_function", `function ${said} does not exist`, { position });
  }
  if (args.every((a) => a.kind === "literal")) {
    throw new EvertError("ambiguous_function", `function ${said} is not unique`, { position });
  }
  const type = commonType(args.map(boundType));
  if (type === undefined || type.name === "text" || type.name === "bool" || type.name === "float8") {
    throw new EvertError("undefined_function", `function ${said} does not exist`, { position });
  }
  if (type.name !== "int4" && type.name !== "int8") throw notSupported(said, position);
  const one = build.constant(type.name === "int4" ? 1 : 1n, type);
  return [...args.map((a) => coerce(a, type, "implicit", ctx)!), ...(args.length === 2 ? [one] : [])];
}
