/** Calls in SQL: scalar functions, aggregates, and the functions that tell the time. */
import type { Node } from "libpg-query";
import { EvertError, notSupported } from "../base/errors.ts";
import { float8, int4, timestamptz } from "../batch/types.ts";
import { isAbsentAggregate, isAggregate } from "../plan/aggregate-functions.ts";
import type { Expr } from "../plan/expression.ts";
import { functionInfo, resolveFunction } from "../plan/functions.ts";
import { bindAggregate } from "./aggregates.ts";
import { type Bound, boundType, callOf, toCommonType, typed } from "./bound.ts";
import type { ExprPlace } from "./place.ts";
import { bindRoutine } from "./routines.ts";
import { NOW } from "./temporal.ts";
import { as, type NodeOf, stringOf } from "./tree.ts";
import { bindWindowCall, isWindowFunction } from "./windows.ts";

type FuncCall = NodeOf<"FuncCall">;

/** The clause of what stands behind DEFAULT, as messages name it. */
export const DEFAULTS = "DEFAULT expressions";

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
  refuseAggregateSyntax(call, name, position);
  if (routine?.kind === "scalar") return typed(bindRoutine(call, routine, place), start);
  if (routine?.kind === "rows") throw notSupported(`function ${name} elsewhere than in FROM`, position);
  const args =
    name === "make_interval"
      ? intervalFields(call, place)
      : argumentsOf(call, position).map((a) => place.bind(a, place));
  const resolution = resolveFunction(name, args.map(boundType), position);
  if (functionInfo(resolution.fn).volatile) return typed(now(place, `${name}()`, position), start);
  return typed(callOf(resolution, args, ctx), start);
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
function argumentsOf(call: FuncCall, position: number | undefined): readonly Node[] {
  const args = call.args ?? [];
  if (!call.func_variadic) return args;
  const list = as(args.at(-1), "A_ArrayExpr");
  if (list === undefined) throw notSupported("VARIADIC with another array than ARRAY[...]", position);
  return [...args.slice(0, -1), ...(list.elements ?? [])];
}

/** Folded name without pg_catalog; functions of other schemas there are none. */
function functionName(call: FuncCall, position: number | undefined): string {
  const names = (call.funcname ?? []).map(stringOf);
  const [schema] = names.length > 1 ? names : ["pg_catalog"];
  if (schema === "pg_catalog" || schema === "public") return names.at(-1)!;
  throw new EvertError("undefined_function", `schema "${schema}" does not exist`, {
    sqlstate: "3F000",
    position,
  });
}

function refuseAggregateSyntax(call: FuncCall, name: string, position: number | undefined): void {
  const said = call.agg_star
    ? `${name}(*)`
    : call.agg_distinct
      ? "DISTINCT"
      : call.agg_order !== undefined
        ? "ORDER BY"
        : call.agg_filter !== undefined
          ? "FILTER"
          : undefined;
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

/** CURRENT_TIMESTAMP and its kin. */
export function bindNow(
  node: NodeOf<"SQLValueFunction">,
  place: ExprPlace,
  start: number | undefined,
): Bound {
  const position = place.ctx.position(node.location);
  const word = (node.op ?? "").replace("SVFOP_", "");
  if (word !== "CURRENT_TIMESTAMP") throw notSupported(word.replace(/_N$/, "(n)"), position);
  return typed(now(place, "CURRENT_TIMESTAMP", position), start);
}

function now({ ctx, clause }: ExprPlace, said: string, position: number | undefined): Expr {
  if (ctx.defines !== null) {
    if (clause === "WHERE") return NOW;
    const hint =
      "A view depends on the log alone. Put the time into the records, compare it in WHERE, or compare it when reading the view.";
    throw notSupported(`${said} in ${ctx.defines}`, position, hint);
  }
  // The time of the statement that stores the row.
  if (clause === DEFAULTS) return NOW;
  if (ctx.nowUs === null) throw notSupported(said, position);
  return { kind: "const", value: ctx.nowUs, type: timestamptz };
}
