/** Aggregate calls: count, sum, avg, min, max, with FILTER. */
import { EvertError, notSupported } from "../base/errors.ts";
import { float4, float8, int4, int8, numeric, type SqlType, type TypeName, text } from "../batch/types.ts";
import type { Expr } from "../plan/expression.ts";
import { type FunctionId, sqlTypeName } from "../plan/functions.ts";
import { typeOf } from "../plan/inspect.ts";
import type { Aggregate } from "../plan/plan.ts";
import { type Bound, boundType, settled, toBoolean } from "./bound.ts";
import type { ExprPlace } from "./place.ts";
import type { NodeOf } from "./tree.ts";

type Name = "count" | "sum" | "avg" | "min" | "max";

/** Result type by argument type; absent: PostgreSQL has no such aggregate. */
const results: Readonly<Record<"sum" | "avg", Partial<Record<TypeName, SqlType>>>> = {
  sum: { int2: int8, int4: int8, int8: numeric, numeric, float4, float8 },
  avg: { int2: numeric, int4: numeric, int8: numeric, numeric, float4: float8, float8 },
};

/** What min and max are defined for: PostgreSQL has them neither of bool and uuid nor of JSON. */
const unordered: ReadonlySet<TypeName> = new Set(["bool", "uuid", "json", "jsonb"]);

const absent: ReadonlySet<string> = new Set(
  (
    "any_value array_agg bit_and bit_or bit_xor bool_and bool_or every corr covar_pop covar_samp json_agg json_agg_strict json_arrayagg " +
    "json_object_agg json_objectagg jsonb_agg jsonb_agg_strict jsonb_object_agg mode percentile_cont percentile_disc range_agg " +
    "range_intersect_agg regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy stddev stddev_pop " +
    "stddev_samp string_agg var_pop var_samp variance xmlagg"
  ).split(" "),
);

export function isAggregate(name: string): name is Name {
  return name === "count" || name === "sum" || name === "avg" || name === "min" || name === "max";
}

/** PostgreSQL has it, we do not yet. */
export function isAbsentAggregate(name: string): boolean {
  return absent.has(name);
}

/** Takes the aggregate that a call names and gives the column that stands for its value. */
export type TakeAggregate = (aggregate: Aggregate) => Expr;

/** The column that stands for the aggregate's value. `over`: takes it where it is computed over windows, not groups. */
export function bindAggregate(
  call: NodeOf<"FuncCall">,
  name: Name,
  place: ExprPlace,
  over?: TakeAggregate,
): Expr {
  const { ctx } = place;
  const position = ctx.position(call.location);
  const { aggregates } = place;
  if (over === undefined && aggregates === null) throw misplaced(place.clause, position);
  const inner: ExprPlace =
    over === undefined
      ? { ...place, aggregates: null, windows: null, clause: NESTED }
      : { ...place, windows: null, clause: NESTED_WINDOW };
  const args = (call.args ?? []).map((a) => place.bind(a, inner));
  // min and max see the same values once or often; the others do not.
  if (call.agg_distinct && name !== "min" && name !== "max")
    throw notSupported(`${name}(DISTINCT ...)`, position);
  if (call.agg_order !== undefined) throw notSupported("ORDER BY in an aggregate", position);
  const { arg, type } = bindArgument(name, args, call.agg_star ?? false, place, position);
  const filtered: ExprPlace = { ...inner, clause: "FILTER" };
  const filter =
    call.agg_filter === undefined ? null : toBoolean(place.bind(call.agg_filter, filtered), "FILTER", ctx);
  const isRounded = type.name === "float4" && name === "sum";
  const aggregate: Aggregate = { fn: name, arg, filter, type: isRounded ? float8 : type, reducer: null };
  const value = over === undefined ? aggregates!.add(aggregate, position) : over(aggregate);
  return isRounded ? cast(value, "float8_to_float4", float4) : value;
}

function cast(arg: Expr, fn: FunctionId, type: SqlType): Expr {
  return { kind: "call", fn, args: [arg], type };
}

const NESTED = "aggregate arguments";
/** The clause of what stands in a call with OVER. */
export const NESTED_WINDOW = "window function arguments";

function misplaced(clause: string, position: number | undefined): EvertError {
  const message =
    clause === NESTED
      ? "aggregate function calls cannot be nested"
      : `aggregate functions are not allowed in ${clause}`;
  return new EvertError("grouping_error", message, { position });
}

function bindArgument(
  name: Name,
  args: readonly Bound[],
  star: boolean,
  place: ExprPlace,
  position: number | undefined,
): { arg: Expr | null; type: SqlType } {
  const undefinedFor = () => {
    const said = star ? "*" : args.map((a) => sqlTypeName(boundType(a))).join(", ");
    return new EvertError("undefined_function", `function ${name}(${star ? "" : said}) does not exist`, {
      position,
      hint: "No function matches the given name and argument types. You might need to add explicit type casts.",
    });
  };
  if (name === "count") return { arg: bindCounted(args, star, place, position, undefinedFor), type: int8 };
  const first = args[0];
  if (star || first === undefined || args.length > 1) throw undefinedFor();
  if (first.kind === "literal" && name !== "min" && name !== "max") {
    const message = `function ${name}(unknown) is not unique`;
    const hint = "Could not choose a best candidate function. You might need to add explicit type casts.";
    throw new EvertError("ambiguous_function", message, { position, hint });
  }
  const arg = settled(first, place.ctx);
  const type = typeOf(arg);
  if (name === "min" || name === "max") {
    if (unordered.has(type.name)) throw undefinedFor();
    return type.name === "varchar" ? { arg: cast(arg, "varchar_to_text", text), type: text } : { arg, type };
  }
  if (type.name === "interval") throw notSupported(`aggregate ${name}(interval)`, position);
  const result = results[name][type.name];
  if (result === undefined) throw undefinedFor();
  // Added up as the next larger type; the sum of float4 is rounded at the end.
  if (type.name === "int2") return { arg: cast(arg, "int2_to_int4", int4), type: result };
  if (type.name === "float4") return { arg: cast(arg, "float4_to_float8", float8), type: result };
  return { arg, type: result };
}

function bindCounted(
  args: readonly Bound[],
  star: boolean,
  place: ExprPlace,
  position: number | undefined,
  undefinedFor: () => EvertError,
): Expr | null {
  if (star) return null;
  if (args.length > 1) throw undefinedFor();
  if (args[0] === undefined) {
    const message = "count(*) must be used to call a parameterless aggregate function";
    throw new EvertError("wrong_object_type", message, { position });
  }
  return settled(args[0], place.ctx);
}
