/** Calls in SQL: scalar functions, aggregates, row_number(), and the functions that tell the time. */
import { EvertError, notSupported } from "../base/errors.ts";
import { timestamptz } from "../batch/types.ts";
import { isAbsentAggregate, isAggregate } from "../plan/aggregate-functions.ts";
import type { Expr } from "../plan/expression.ts";
import { functionInfo, resolveFunction } from "../plan/functions.ts";
import { bindAggregate } from "./aggregates.ts";
import { type Bound, boundType, callOf, settled, toCommonType, typed } from "./bound.ts";
import type { ExprPlace, SortKey } from "./place.ts";
import { sortDirection } from "./sort.ts";
import { NOW } from "./temporal.ts";
import { as, type NodeOf, stringOf } from "./tree.ts";

type FuncCall = NodeOf<"FuncCall">;

/** Window functions PostgreSQL has beside row_number. */
const absentWindows: ReadonlySet<string> = new Set(
  "rank dense_rank percent_rank cume_dist ntile lag lead first_value last_value nth_value".split(" "),
);

export function bindCall(call: FuncCall, place: ExprPlace, start: number | undefined): Bound {
  const { ctx } = place;
  const position = ctx.position(call.location);
  const name = functionName(call, position);
  if (call.func_variadic) throw notSupported("VARIADIC", position);
  if (call.agg_within_group && !isAggregate(name)) throw notSupported(`${name}(...) WITHIN GROUP`, position);
  if (call.over !== undefined) return typed(bindWindow(call, name, place), start);
  if (name === "row_number" || absentWindows.has(name)) {
    throw new EvertError("wrong_object_type", `window function ${name} requires an OVER clause`, {
      position,
    });
  }
  if (isAggregate(name)) return typed(bindAggregate(call, name, place), start);
  if (isAbsentAggregate(name)) throw notSupported(`aggregate ${name}`, position);
  refuseAggregateSyntax(call, name, position);
  const args = (call.args ?? []).map((a) => place.bind(a, place));
  const resolution = resolveFunction(name, args.map(boundType), position);
  if (functionInfo(resolution.fn).volatile) return typed(now(place, `${name}()`, position), start);
  return typed(callOf(resolution, args, ctx), start);
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
  if (ctx.nowUs === null) throw notSupported(said, position);
  return { kind: "const", value: ctx.nowUs, type: timestamptz };
}

// ---- row_number() -----------------------------------------------------------------------------------------------

function bindWindow(call: FuncCall, name: string, place: ExprPlace): Expr {
  const { ctx } = place;
  const position = ctx.position(call.location);
  if (name !== "row_number") throw notSupported(`window function ${name}`, position);
  if (call.args !== undefined || call.agg_star || call.agg_filter !== undefined || call.agg_distinct) {
    throw new EvertError("undefined_function", "row_number takes no arguments", { position });
  }
  if (place.windows === null) {
    const message = `window functions are not allowed in ${place.clause}`;
    throw new EvertError("grouping_error", message, { position, sqlstate: "42P20" });
  }
  const definition = windowDefinition(call.over!, place, position);
  const inner: ExprPlace = { ...place, windows: null, clause: "window definitions" };
  const partition = (definition.partitionClause ?? []).map((n) => settled(place.bind(n, inner), ctx));
  const order = (definition.orderClause ?? []).map((n) => bindSortKey(as(n, "SortBy")!, inner));
  return place.windows.add({ partition, order, position });
}

function windowDefinition(
  over: NodeOf<"WindowDef">,
  place: ExprPlace,
  position: number | undefined,
): NodeOf<"WindowDef"> {
  if (over.refname !== undefined) throw notSupported("a window that extends another", position);
  if (over.name === undefined) return over;
  const found = as(place.windows?.named(over.name), "WindowDef");
  if (found !== undefined) return found;
  throw new EvertError("undefined_object", `window "${over.name}" does not exist`, {
    position: place.ctx.position(over.location),
  });
}

/** One item of ORDER BY, its expression bound in `place`. */
function bindSortKey(sort: NodeOf<"SortBy">, place: ExprPlace): SortKey {
  const expr = settled(place.bind(sort.node!, place), place.ctx);
  return { expr, ...sortDirection(sort, place.ctx, sort.node!, expr) };
}
