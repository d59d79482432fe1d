/** Functions in FROM that give rows: alone, or for each row of what stands left of them. */
import type { Node, RangeFunction } from "libpg-query";
import { EvertError, notSupported } from "../base/errors.ts";
import { isAggregate } from "../plan/aggregate-functions.ts";
import * as build from "../plan/build.ts";
import type { Expr } from "../plan/expression.ts";
import { isFunctionName } from "../plan/functions.ts";
import { columnsOf } from "../plan/inspect.ts";
import type { Plan } from "../plan/plan.ts";
import type { Routine, RowsRoutine } from "../plan/routines.ts";
import {
  fieldsOf,
  isDefinedByQuery,
  isTableFunction,
  type TableResolution,
} from "../plan/table-functions.ts";
import { functionName, IN_FROM } from "./calls.ts";
import type { BindContext } from "./context.ts";
import { bindDefined, needlessDefinitions } from "./defined-columns.ts";
import { bindExpr, plainPlace } from "./expression.ts";
import type { ExprPlace } from "./place.ts";
import { routineArguments } from "./routines.ts";
import { besides, checkDuplicateTable, emptyScope, type Scope, tableScope } from "./scope.ts";
import { argument, planOf, resolved } from "./table-calls.ts";
import { as, type NodeOf, stringOf } from "./tree.ts";

/** The call of a function in FROM, if it is just that. */
export function functionCall(item: Node | undefined): NodeOf<"FuncCall"> | undefined {
  const node = as(item, "RangeFunction");
  return as(as(node?.functions?.[0], "List")?.items?.[0], "FuncCall");
}

export function isRowFunction(item: Node, { catalog }: BindContext): boolean {
  const name = nameOf(functionCall(item));
  return isTableFunction(name) || catalog.routine?.(name)?.kind === "rows";
}

function nameOf(call: NodeOf<"FuncCall"> | undefined): string {
  return stringOf(call?.funcname?.at(-1) ?? { String: {} });
}

/** Left's rows, each times the function's; without left, or without need of it, the function's rows beside it. */
export function bindRowFunction(node: RangeFunction, left: Scope | undefined, ctx: BindContext): Scope {
  const place = plainPlace(ctx, left ?? emptyScope(), IN_FROM);
  const position = ctx.position(functionCall({ RangeFunction: node })?.location);
  const definitions = node.coldeflist ?? [];
  if (definitions.length > 0 && node.ordinality) {
    const message = "WITH ORDINALITY cannot be used with a column definition list";
    const hint = "Put the column definition list inside ROWS FROM().";
    throw new EvertError("syntax_error", message, { hint, position });
  }
  const calls = (node.functions ?? []).map((item) => {
    const [call, own] = as(item, "List")?.items ?? [];
    return bindPart(call, as(own, "List")?.items ?? definitions, place, position);
  });
  const table = node.alias?.aliasname ?? calls[0]!.name;
  const own = calls.flatMap(({ name, resolution }) =>
    // Of one function alone the column is called like the table.
    resolution.columns.map((c) => c.name ?? (calls.length === 1 ? table : name)),
  );
  const names = columnNames(node, own, table, position);
  const reads = calls.some((c) => c.exprs.some((e) => columnsOf(e).size > 0));
  const input = reads ? left!.plan : build.oneRow();
  const plan = partsPlan(input, calls, names, node.ordinality === true);
  const width = input.schema.fields.length;
  const columns = names.map((column, i) => ({ name: column, expr: build.column(plan, width + i) }));
  const rows = tableScope(table, plan, columns);
  const isValue = own.length === 1;
  const scope = isValue ? { ...rows, tables: rows.tables.map((t) => ({ ...t, isValue })) } : rows;
  if (left === undefined) return scope;
  checkDuplicateTable(left, scope, position);
  if (!reads) {
    const crossed = build.join({ type: "inner", left: left.plan, right: plan, leftKeys: [], rightKeys: [] });
    return besides(left, scope, crossed);
  }
  return { plan, tables: [...left.tables, ...scope.tables], columns: [...left.columns, ...scope.columns] };
}

/** A function of the item: itself, or one of ROWS FROM (...). */
interface Part {
  readonly name: string;
  readonly resolution: TableResolution;
  readonly exprs: readonly Expr[];
}

function bindPart(
  item: Node | undefined,
  definitions: readonly Node[],
  place: ExprPlace,
  first: number | undefined,
): Part {
  const { ctx } = place;
  const call = as(item, "FuncCall");
  const position = ctx.position(call?.location) ?? first;
  const name = nameOf(call);
  const routine = ctx.catalog.routine?.(name);
  checkForm(call, position);
  const args = (call!.args ?? []).map((a) => bindExpr(a, place));
  checkKind(call!, routine, position);
  if (isDefinedByQuery(name)) return { name, ...bindDefined(name, args, definitions, ctx, position) };
  if (definitions.length > 0) throw needlessDefinitions(routine, name, position);
  if (routine?.kind === "rows") {
    const exprs = routineArguments(routine, args, ctx, position);
    return { name, resolution: resolutionOf(routine), exprs };
  }
  const resolution = resolved(name, args, position);
  return { name, resolution, exprs: args.map((arg, i) => argument(arg, resolution, i, ctx)) };
}

/** Several are made side by side, the shorter ones filled up with nulls. */
function partsPlan(input: Plan, calls: readonly Part[], names: readonly string[], ordinality: boolean): Plan {
  const [only] = calls;
  if (calls.length === 1) return planOf(input, only!.resolution, only!.exprs, names, ordinality);
  const parts = calls.map(({ resolution, exprs }) => {
    const { fn, columns } = resolution;
    if (typeof fn !== "string") throw notSupported("a function of one's own in ROWS FROM");
    return { fn, args: exprs.length, columns: columns.length };
  });
  let at = 0;
  const columns = calls.flatMap(({ resolution }) => {
    const from = at;
    at += resolution.columns.length;
    return fieldsOf(resolution, names.slice(from, at));
  });
  const args = calls.flatMap((c) => c.exprs);
  return build.tableFunction(input, {
    fn: "rows_from",
    args,
    parts,
    columns,
    ordinality: ordinality ? names.at(-1)! : null,
    outer: false,
  });
}

function resolutionOf(fn: RowsRoutine): TableResolution {
  const columns = fn.columns.map(({ name, type }) => ({ name: fn.isValue ? null : name, type }));
  return { fn, argTypes: fn.args.map((a) => a.type), argCasts: fn.args.map(() => null), columns };
}

function checkForm(call: NodeOf<"FuncCall"> | undefined, position: number | undefined): void {
  const name = nameOf(call);
  if (call === undefined) throw notSupported("this kind of function call in FROM", position);
  if (name === "as_of") {
    const hint = "Write: FROM events JOIN as_of(table) AS t ON t.id = events.id.";
    throw notSupported("as_of() elsewhere than right of JOIN or LEFT JOIN", position, hint);
  }
}

/** What PostgreSQL asks once the arguments are understood. */
function checkKind(
  call: NodeOf<"FuncCall">,
  routine: Routine | undefined,
  position: number | undefined,
): void {
  const name = functionName(call, position);
  if (routine?.kind === "reducer" || isAggregate(name)) {
    const message = "aggregate functions are not allowed in functions in FROM";
    throw new EvertError("grouping_error", message, { position });
  }
  if (routine?.kind === "scalar") throw notSupported(`function ${name} in FROM`, position);
  if (routine === undefined && !isTableFunction(name)) throw refuseFunction(name, position);
  if (call.func_variadic) throw notSupported("VARIADIC in FROM", position);
}

/** Set-returning functions PostgreSQL has beside ours, by what their names begin with. */
const setReturning = /^(json|regexp_|pg_|ts_|xml)/;

function refuseFunction(name: string, position: number | undefined): EvertError {
  if (isFunctionName(name) || setReturning.test(name))
    return notSupported(`function ${name} in FROM`, position);
  return new EvertError("undefined_function", `function ${name} does not exist`, { position });
}

/** The functions' own names, then "ordinality"; as far as the alias does not give others. */
function columnNames(
  node: RangeFunction,
  own: readonly string[],
  table: string,
  position: number | undefined,
): string[] {
  const names = [...own, ...(node.ordinality ? ["ordinality"] : [])];
  const given = (node.alias?.colnames ?? []).map(stringOf);
  if (given.length > names.length) {
    const message = `table "${table}" has ${names.length} columns available but ${given.length} columns specified`;
    throw new EvertError("invalid_column_reference", message, { position });
  }
  return names.map((name, i) => given[i] ?? name);
}
