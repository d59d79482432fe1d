/** Calls in SQL: scalar functions, aggregates, and the functions that tell the time. */
import { EvertError, notSupported } from "../base/errors.ts";
import { baseTypes, float8, int4, json } from "../batch/types.ts";
import { isAbsentAggregate, isAggregate } from "../plan/aggregate-functions.ts";
import { isBuiltInName } from "../plan/built-in-names.ts";
import type { Expr } from "../plan/expression.ts";
import { functionInfo, resolveFunction } from "../plan/functions.ts";
import { similarFunction } from "../plan/similar-functions.ts";
import { isDefinedByQuery, isTableFunction } from "../plan/table-functions.ts";
import { bindAggregate } from "./aggregates.ts";
import { bindArray } from "./arrays.ts";
import { type Bound, boundType, callOf, isNullLiteral, toCommonType, typed } from "./bound.ts";
import { midnight, now } from "./clock.ts";
import type { ExprPlace } from "./place.ts";
import { bindRoutine } from "./routines.ts";
import { refusedRows } from "./row-functions.ts";
import { argument, resolved } from "./table-calls.ts";
import { as, type NodeOf, stringOf } from "./tree.ts";
import { refuseUnknown, unknownFunction } from "./unknown-functions.ts";
import { bindWindowCall, isWindowFunction } from "./windows.ts";

type FuncCall = NodeOf<"FuncCall">;

/** As PostgreSQL has it. */
const ARGUMENTS_MAX = 100;

/** The clause of what functions in FROM are called with, in messages. */
export const IN_FROM = "functions in FROM";

export function bindCall(call: FuncCall, place: ExprPlace, start: number | undefined): Bound {
  const { ctx } = place;
  const position = ctx.position(call.location);
  const name = functionName(call, position);
  const routine = ctx.catalog.routine?.(name);
  const aggregates = isAggregate(name) || routine?.kind === "reducer";
  if (call.agg_within_group && !aggregates) throw notSupported(`${name}(...) WITHIN GROUP`, position);
  if (call.over !== undefined) return typed(bindWindowCall(call, name, place), start);
  if (isWindowFunction(name)) {
    throw new EvertError("wrong_object_type", `window function ${name} requires an OVER clause`, {
      position,
    });
  }
  if (aggregates) return typed(bindAggregate(call, name, place), start);
  if (isAbsentAggregate(name)) throw notSupported(`aggregate ${name}`, position);
  if (routine === undefined) {
    suggestFunction(call, name, place);
    if (aggregateForm(call, name) !== undefined) refuseUnknown(call, name, place);
  }
  refuseAggregateSyntax(call, name, position);
  if (routine?.kind === "scalar") return typed(bindRoutine(call, routine, place), start);
  if (routine?.kind === "rows") throw notSupported(`function ${name} elsewhere than in FROM`, position);
  if (isTableFunction(name)) return typed(rowFunction(call, name, place), start);
  const args = name === "make_interval" ? intervalFields(call, place) : boundArguments(call, place, position);
  // age(x) is the age at the midnight the day began with.
  if (name === "age" && args.length === 1)
    args.unshift(typed(midnight(place, "age(x)", position), undefined));
  if (name === "row_to_json" && args.length === 1 && isNullLiteral(args[0]!))
    return typed({ kind: "const", value: null, type: json }, start);
  const resolution = resolveFunction(name, args.map(boundType), position);
  if (functionInfo(resolution.fn).volatile) return typed(now(place, `${name}()`, position), start);
  return typed(callOf(resolution, args, ctx), start);
}

/** A name that nothing has but that is like one. @throws undefined_function */
function suggestFunction(call: FuncCall, name: string, place: ExprPlace): void {
  if (isBuiltInName(name) || baseTypes.some((type) => type.name === name)) return;
  const near = similarFunction(name);
  if (near === undefined) return;
  throw unknownFunction(call, name, place, `Did you mean ${near}?`);
}

/** A function that gives rows, elsewhere than in FROM. */
function rowFunction(call: FuncCall, name: string, place: ExprPlace): Expr {
  const { ctx, rows, clause } = place;
  const position = ctx.position(call.location);
  if (call.func_variadic) throw notSupported(`VARIADIC in ${name}`, position);
  if (isDefinedByQuery(name)) throw notSupported(`${name} elsewhere than in FROM`, position);
  const args = (call.args ?? []).map((a) => place.bind(a, place));
  const resolution = resolved(name, args, position);
  if (rows === null) {
    const message =
      clause === IN_FROM
        ? "set-returning functions must appear at top level of FROM"
        : `set-returning functions are not allowed in ${clause}`;
    throw refusedRows(message, undefined, position);
  }
  return rows.add(
    resolution,
    args.map((arg, i) => argument(arg, resolution, i, ctx)),
    position,
  );
}

const intervalArguments = ["years", "months", "weeks", "days", "hours", "mins", "secs"];

/** make_interval(days => 10): by place or by name, and 0 where nothing is said. */
function intervalFields(call: FuncCall, place: ExprPlace): Bound[] {
  const fields = intervalArguments.map((_, i): Bound => {
    const value: Expr = { kind: "const", value: 0, type: i === 6 ? float8 : int4 };
    return typed(value, undefined);
  });
  for (const [i, node] of (call.args ?? []).entries()) {
    const named = as(node, "NamedArgExpr");
    const index = named === undefined ? i : intervalArguments.indexOf(named.name ?? "");
    if (index < 0 || index >= fields.length) {
      const position = place.ctx.position(call.location);
      throw new EvertError(
        "undefined_function",
        "function make_interval with these arguments does not exist",
        {
          position,
        },
      );
    }
    fields[index] = place.bind(named?.arg ?? node, place);
  }
  return fields;
}

/** VARIADIC ARRAY[a, b] gives a and b. */
/** What is given as VARIADIC ARRAY[...] is taken as arguments, once they have found the type of an array's elements. */
function boundArguments(call: FuncCall, place: ExprPlace, position: number | undefined): Bound[] {
  const args = call.args ?? [];
  const given = args.slice(0, call.func_variadic ? -1 : undefined).map((a) => place.bind(a, place));
  if (!call.func_variadic) return given;
  const list = as(args.at(-1), "A_ArrayExpr");
  if (list === undefined) throw notSupported("VARIADIC with another array than ARRAY[...]", position);
  const elements = (list.elements ?? []).map((node) => place.bind(node, place));
  if (elements.length === 0) bindArray(list, place, null);
  const { exprs } = toCommonType(elements, "ARRAY", place.ctx);
  return [...given, ...exprs.map((expr, i) => typed(expr, elements[i]!.start))];
}

/** Folded name without pg_catalog; functions of other schemas there are none. */
export function functionName(call: FuncCall, position: number | undefined): string {
  if ((call.args ?? []).length > ARGUMENTS_MAX) {
    const message = `cannot pass more than ${ARGUMENTS_MAX} arguments to a function`;
    throw new EvertError("statement_too_complex", message, { sqlstate: "54023", position });
  }
  const names = (call.funcname ?? []).map(stringOf);
  const [schema] = names.length > 1 ? names : ["pg_catalog"];
  if (schema === "pg_catalog" || schema === "public") return names.at(-1)!;
  throw new EvertError("undefined_function", `schema "${schema}" does not exist`, {
    sqlstate: "3F000",
    position,
  });
}

/** What the call says that only aggregates take. */
function aggregateForm(call: FuncCall, name: string): string | undefined {
  return call.agg_star
    ? `${name}(*)`
    : call.agg_distinct
      ? "DISTINCT"
      : call.agg_order !== undefined
        ? "ORDER BY"
        : call.agg_filter !== undefined
          ? "FILTER"
          : undefined;
}

function refuseAggregateSyntax(call: FuncCall, name: string, position: number | undefined): void {
  const said = aggregateForm(call, name);
  if (said === undefined) return;
  const message = `${said} specified, but ${name} is not an aggregate function`;
  throw new EvertError("wrong_object_type", message, { position });
}

/** GREATEST and LEAST. */
export function bindMinMax(node: NodeOf<"MinMaxExpr">, place: ExprPlace, start: number | undefined): Bound {
  const args = (node.args ?? []).map((a) => place.bind(a, place));
  const name = node.op === "IS_LEAST" ? "least" : "greatest";
  const position = place.ctx.position(node.location);
  // Refuses arguments that have no type in common, pointing at the first that does not fit.
  toCommonType(args, name.toUpperCase(), place.ctx);
  return typed(callOf(resolveFunction(name, args.map(boundType), position), args, place.ctx), start);
}
