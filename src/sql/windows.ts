/** Calls with OVER: the window functions, and aggregates over frames. */
import { EvertError, notSupported } from "../base/errors.ts";
import { float8, int4, int8, type SqlType, text } from "../batch/types.ts";
import { isAbsentAggregate, isAggregate, isMadeOfRows, isOrderedSet } from "../plan/aggregate-functions.ts";
import type { Expr } from "../plan/expression.ts";
import { sqlTypeName, wantedType } from "../plan/functions.ts";
import { typeOf } from "../plan/inspect.ts";
import type { Aggregate, WindowFunctionName } from "../plan/plan.ts";
import { bindAggregate, NESTED_WINDOW, NO_ROWS_OF_WINDOWS } from "./aggregates.ts";
import { type Bound, boundType, coerce, toCommonType } from "./bound.ts";
import type { ExprPlace } from "./place.ts";
import type { NodeOf } from "./tree.ts";
import { refuseUnknown } from "./unknown-functions.ts";
import { bindDefinition } from "./window-definition.ts";

type FuncCall = NodeOf<"FuncCall">;

/** How many arguments each takes at least and at most. */
const signatures: Readonly<Record<WindowFunctionName, readonly [number, number]>> = {
  row_number: [0, 0],
  rank: [0, 0],
  dense_rank: [0, 0],
  percent_rank: [0, 0],
  cume_dist: [0, 0],
  ntile: [1, 1],
  lag: [1, 3],
  lead: [1, 3],
  first_value: [1, 1],
  last_value: [1, 1],
  nth_value: [2, 2],
};

export function isWindowFunction(name: string): name is WindowFunctionName {
  return Object.hasOwn(signatures, name);
}

/** The column that stands for the call's value. */
export function bindWindowCall(call: FuncCall, name: string, place: ExprPlace): Expr {
  const { windows, ctx } = place;
  const position = ctx.position(call.location);
  if (windows === null) throw misplaced(place.clause, position);
  if (call.agg_distinct) throw notImplemented("DISTINCT is not implemented for window functions", position);
  if (call.agg_order !== undefined)
    throw notImplemented("aggregate ORDER BY is not implemented for window functions", position);
  if (isAggregate(name) || ctx.catalog.routine?.(name)?.kind === "reducer") {
    if (isOrderedSet(name))
      throw notImplemented(`OVER is not supported for ordered-set aggregate ${name}`, position);
    // Its definition is bound behind its arguments, as PostgreSQL does.
    return bindAggregate(call, name, place, (aggregate) => {
      if (isMadeOfRows(aggregate.fn)) throw notSupported(`${name} over a window`, position);
      return windows.add({
        fn: "aggregate",
        args: [],
        aggregate,
        type: aggregate.type,
        ...bindDefinition(call.over!, windows, place),
      });
    });
  }
  if (!isWindowFunction(name)) {
    if (ctx.catalog.routine?.(name) === undefined) refuseUnknown(call, name, place);
    throw refused(name, position);
  }
  if (call.agg_filter !== undefined)
    throw notImplemented("FILTER is not implemented for non-aggregate window functions", position);
  const inner: ExprPlace = { ...place, windows: null, rows: NO_ROWS_OF_WINDOWS, clause: NESTED_WINDOW };
  const bounds = (call.args ?? []).map((a) => place.bind(a, inner));
  const { args, type } = bindArguments(name, bounds, call, place);
  const aggregate: Aggregate | null = null;
  return windows.add({ fn: name, args, aggregate, type, ...bindDefinition(call.over!, windows, place) });
}

/** What PostgreSQL has not either. */
function notImplemented(message: string, position: number | undefined): EvertError {
  return new EvertError("feature_not_supported", message, { position });
}

function misplaced(clause: string, position: number | undefined): EvertError {
  const message =
    clause === NESTED_WINDOW
      ? "window function calls cannot be nested"
      : clause === "aggregate arguments"
        ? "aggregate function calls cannot contain window function calls"
        : `window functions are not allowed in ${clause}`;
  const sqlstate = clause === "aggregate arguments" ? "42803" : "42P20";
  return new EvertError("grouping_error", message, { position, sqlstate });
}

function refused(name: string, position: number | undefined): EvertError {
  if (isAbsentAggregate(name)) return notSupported(`aggregate ${name}`, position);
  const message = `OVER specified, but ${name} is not a window function nor an aggregate function`;
  return new EvertError("wrong_object_type", message, { position });
}

function bindArguments(
  name: WindowFunctionName,
  bounds: readonly Bound[],
  call: FuncCall,
  { ctx }: ExprPlace,
): { args: Expr[]; type: SqlType } {
  const position = ctx.position(call.location);
  const undefinedFor = () => {
    const said = call.agg_star ? "*" : bounds.map((b) => sqlTypeName(boundType(b))).join(", ");
    return new EvertError("undefined_function", `function ${name}(${said}) does not exist`, {
      position,
      hint: "No function matches the given name and argument types. You might need to add explicit type casts.",
    });
  };
  const [least, most] = signatures[name];
  // PostgreSQL has the star mean "without arguments" of any function with OVER.
  if ((call.agg_star && most > 0) || bounds.length < least || bounds.length > most) throw undefinedFor();
  const integer = (bound: Bound): Expr => {
    const expr = coerce(bound, int4, "implicit", ctx);
    if (expr === undefined) throw undefinedFor();
    return expr;
  };
  switch (name) {
    case "row_number":
    case "rank":
    case "dense_rank":
      return { args: [], type: int8 };
    case "percent_rank":
    case "cume_dist":
      return { args: [], type: float8 };
    case "ntile":
      return { args: [integer(bounds[0]!)], type: int4 };
    case "lag":
    case "lead":
    case "first_value":
    case "last_value":
    case "nth_value": {
      const [value, other, fallback] = bounds;
      if (fallback !== undefined && bounds.some((b) => b.kind === "typed")) {
        if (wantedType([boundType(value!), boundType(fallback)]) === undefined) throw undefinedFor();
        const { exprs, type } = toCommonType([value!, fallback], name, ctx);
        return { args: [exprs[0]!, integer(other!), exprs[1]!], type };
      }
      if (fallback !== undefined) {
        const exprs = [value!, fallback].map((b) => coerce(b, text, "implicit", ctx)!);
        return { args: [exprs[0]!, integer(other!), exprs[1]!], type: text };
      }
      if (value!.kind === "literal") {
        const message = "could not determine polymorphic type because input has type unknown";
        throw new EvertError("datatype_mismatch", message, { position });
      }
      const args = other === undefined ? [value!.expr] : [value!.expr, integer(other)];
      return { args, type: typeOf(value!.expr) };
    }
  }
}
