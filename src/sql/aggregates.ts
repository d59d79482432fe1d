/** Aggregate calls: arguments, DISTINCT, ORDER BY, FILTER, WITHIN GROUP. */
import { EvertError, notSupported } from "../base/errors.ts";
import { carrierOf, int8, type SqlType } from "../batch/types.ts";
import {
  type AggregateResolution,
  isOrderedSet,
  resolveAggregate,
  resolveOrderedSet,
  undefinedAggregate,
} from "../plan/aggregate-functions.ts";
import { traitsOf } from "../plan/aggregate-traits.ts";
import type { Expr, OuterExpr } from "../plan/expression.ts";
import { exprKey } from "../plan/fingerprint.ts";
import { resolveCast, sqlTypeName } from "../plan/functions.ts";
import { aggregateExprs, childrenOf, columnsOf, mapAggregate, typeOf } from "../plan/inspect.ts";
import type { Aggregate, AggregateFunction, AggregateOrder, UserReducer } from "../plan/plan.ts";
import type { ReducerRoutine } from "../plan/routines.ts";
import { type Bound, boundType, castCall, coerce, settle, settled, toBoolean } from "./bound.ts";
import { checkEquatable } from "./equality.ts";
import type { ExprPlace } from "./place.ts";
import { countsFor, refuseVariadic, routineArguments } from "./routines.ts";
import { refusingRows } from "./row-functions.ts";
import { inward, type OuterScope, outward } from "./scope.ts";
import { sortDirection } from "./sorting.ts";
import { AGGREGATES, GROUPINGS } from "./stand-ins.ts";
import { as, type NodeOf, startOf } from "./tree.ts";

type FuncCall = NodeOf<"FuncCall">;

const NO_ROWS = refusingRows("aggregate function calls cannot contain set-returning function calls");
export const NO_ROWS_OF_WINDOWS = refusingRows(
  "window function calls cannot contain set-returning function calls",
);

/** Takes the aggregate that a call names and gives the column that stands for its value. */
export type TakeAggregate = (aggregate: Aggregate) => Expr;

/** The column that stands for the aggregate's value. `over`: takes it where it is computed over windows, not groups. */
export function bindAggregate(call: FuncCall, name: string, place: ExprPlace, over?: TakeAggregate): Expr {
  const { ctx } = place;
  const position = ctx.position(call.location);
  checkWithinGroup(call, name, position);
  const inner: ExprPlace =
    over === undefined
      ? { ...place, aggregates: null, windows: null, rows: NO_ROWS, clause: NESTED }
      : { ...place, windows: null, rows: NO_ROWS_OF_WINDOWS, clause: NESTED_WINDOW };
  const routine = ctx.catalog.routine?.(name);
  const reducer = routine?.kind === "reducer" ? routine : null;
  const parts = call.agg_within_group
    ? bindOrderedSet(call, name, inner)
    : reducer === null
      ? bindPlain(call, name, inner)
      : bindReducer(call, reducer, inner);
  const filtered: ExprPlace = { ...inner, clause: "FILTER" };
  const filter =
    call.agg_filter === undefined ? null : toBoolean(place.bind(call.agg_filter, filtered), "FILTER", ctx);
  const { arg, rest, order, distinct, resolution } = parts;
  const { fn, type, rounded } = resolution;
  const aggregate: Aggregate = {
    fn,
    arg,
    filter,
    type,
    reducer: reducer === null ? null : reducerOf(reducer),
    ...(rest.length === 0 ? {} : { rest }),
    ...(order.length === 0 ? {} : { order }),
    ...(distinct ? { distinct } : {}),
  };
  const value = over === undefined ? taken(aggregate, place, position) : over(aggregate);
  return rounded === null ? value : castCall(value, resolveCast(type, rounded, "assignment")!.fn!, rounded);
}

/** An aggregate that names nothing of its own query but something of a query around it is that one's, where it stands in a subquery. */
function taken(aggregate: Aggregate, place: ExprPlace, position: number | undefined): Expr {
  const named = aggregateExprs(aggregate);
  const isOwn = named.some((e) => columnsOf(e).size > 0);
  const applies = new Set(isOwn ? [] : named.flatMap(appliesOf));
  let owner: OuterScope | null = applies.size === 0 ? null : place.ctx.outer;
  while (owner !== null && !applies.has(owner.apply)) owner = owner.outer;
  if (owner === null) {
    if (place.aggregates === null) throw misplaced(place.clause, position);
    return place.aggregates.add(aggregate, position);
  }
  const { apply, stands } = owner;
  if (stands?.aggregates == null)
    throw misplaced(stands?.clause ?? "FROM clause of their own query level", position);
  // One of the outer query's own is within it by now.
  const nested = named
    .flatMap((e) => leavesOf(e))
    .find((leaf) => leaf.apply === apply && leaf.index >= AGGREGATES && leaf.index < GROUPINGS);
  if (nested !== undefined) throw misplaced(NESTED, place.ctx.mentions.get(nested)?.position ?? position);
  const value = stands.aggregates.add(
    mapAggregate(aggregate, (e) => inward(e, apply)),
    position,
  );
  const seen = outward(value, apply);
  place.ctx.mentions.set(seen, { name: aggregate.fn, position });
  return seen;
}

function appliesOf(expr: Expr): number[] {
  return leavesOf(expr).map((leaf) => leaf.apply);
}

/** What it reads of queries around its own. */
function leavesOf(expr: Expr): OuterExpr[] {
  return expr.kind === "outer" ? [expr] : childrenOf(expr).flatMap(leavesOf);
}

/** In a plan its functions read no columns: they take the aggregate's arguments. */
function reducerOf(routine: ReducerRoutine): UserReducer {
  const { initial, add, remove, source } = routine;
  return {
    initial,
    add: { call: add, source, rows: [] },
    remove: { call: remove, source, rows: [] },
    source,
    routine,
  };
}

interface Parts {
  readonly arg: Expr | null;
  readonly rest: readonly Expr[];
  readonly order: readonly AggregateOrder[];
  readonly distinct: boolean;
  readonly resolution: AggregateResolution;
}

/** The clause of what stands in an aggregate call. */
export const NESTED = "aggregate arguments";
/** The clause of what stands in a call with OVER. */
export const NESTED_WINDOW = "window function arguments";

function misplaced(clause: string, position: number | undefined): EvertError {
  const message =
    clause === NESTED
      ? "aggregate function calls cannot be nested"
      : `aggregate functions are not allowed in ${clause}`;
  return new EvertError("grouping_error", message, { position });
}

function checkWithinGroup(call: FuncCall, name: string, position: number | undefined): void {
  const within = call.agg_within_group === true;
  if (within === isOrderedSet(name)) return;
  const message = within
    ? `${name} is not an ordered-set aggregate, so it cannot have WITHIN GROUP`
    : `WITHIN GROUP is required for ordered-set aggregate ${name}`;
  throw new EvertError("wrong_object_type", message, { position });
}

// ---- f(x, ...) --------------------------------------------------------------------------------------------------

function bindPlain(call: FuncCall, name: string, place: ExprPlace): Parts {
  const { ctx } = place;
  const position = ctx.position(call.location);
  const bounds = (call.args ?? []).map((a) => place.bind(a, place));
  if (call.agg_star) {
    if (name !== "count") throw undefinedAggregate(name, "*", position);
    const resolution = { fn: "count", args: [], takes: null, type: int8, rounded: null } as const;
    return { arg: null, rest: [], order: [], distinct: false, resolution };
  }
  if (bounds.length === 0) {
    if (name !== "count") throw undefinedAggregate(name, [], position);
    const message = "count(*) must be used to call a parameterless aggregate function";
    throw new EvertError("wrong_object_type", message, { position });
  }
  const resolution = resolveAggregate(name, bounds.map(boundType), position);
  const given = bounds.map((b, i) => argument(b, resolution.args[i] ?? null, name, place));
  const order = bindOrder(call, place);
  if (call.agg_distinct) checkDistinct(given, order, place);
  const args = [widened(given[0]!, resolution.takes), ...given.slice(1)];
  const collects = isCollecting(resolution.fn);
  return {
    arg: args[0]!,
    rest: args.slice(1),
    // Sums do not depend on the order of their rows.
    order: collects ? order.map(({ key }) => key) : [],
    distinct: call.agg_distinct === true && !traitsOf(resolution.fn).isIdempotent,
    resolution,
  };
}

function argument(bound: Bound, to: SqlType | null, name: string, { ctx }: ExprPlace): Expr {
  if (to === null) return settled(bound, ctx);
  if (bound.kind === "literal") return settle(bound, to, ctx);
  const expr = coerce(bound, to, "implicit", ctx);
  if (expr !== undefined) return expr;
  const message = `argument of ${name} must be type ${sqlTypeName(to)}, not type ${sqlTypeName(boundType(bound))}`;
  throw new EvertError("datatype_mismatch", message, { position: ctx.position(bound.start) });
}

function widened(expr: Expr, takes: SqlType | null): Expr {
  if (takes === null) return expr;
  return castCall(expr, resolveCast(typeOf(expr), takes, "implicit")!.fn!, takes);
}

interface Sort {
  readonly key: AggregateOrder;
  readonly position: number | undefined;
}

function bindOrder(call: FuncCall, place: ExprPlace): Sort[] {
  const order: Sort[] = [];
  for (const node of call.agg_order ?? []) {
    const sort = as(node, "SortBy")!;
    const expr = settled(place.bind(sort.node!, place), place.ctx);
    const direction = sortDirection(sort, place.ctx, sort.node!, expr);
    if (order.some(({ key }) => exprKey(key.expr) === exprKey(expr))) continue;
    order.push({ key: { expr, ...direction }, position: place.ctx.position(startOf(sort.node!)) });
  }
  return order;
}

function checkDistinct(args: readonly Expr[], order: readonly Sort[], { ctx }: ExprPlace): void {
  for (const arg of args) checkEquatable(typeOf(arg), ctx.mentions.get(arg)?.position);
  const known = new Set(args.map(exprKey));
  const stranger = order.find(({ key }) => !known.has(exprKey(key.expr)));
  if (stranger === undefined) return;
  const message = "in an aggregate with DISTINCT, ORDER BY expressions must appear in argument list";
  throw new EvertError("invalid_column_reference", message, { position: stranger.position });
}

/** Whether the order of the rows can be seen in the answer. */
function isCollecting(fn: AggregateFunction): boolean {
  return fn === "string_agg" || fn === "array_agg" || fn.startsWith("json");
}

// ---- functions of the program -----------------------------------------------------------------------------------

function bindReducer(call: FuncCall, routine: ReducerRoutine, place: ExprPlace): Parts {
  const { ctx } = place;
  const position = ctx.position(call.location);
  refuseVariadic(call, position);
  if (call.agg_star !== true && call.args === undefined && routine.args.length === 0) {
    const message = `${routine.name}(*) must be used to call a parameterless aggregate function`;
    throw new EvertError("wrong_object_type", message, { position });
  }
  if (call.agg_star && routine.args.length > 0) throw undefinedAggregate(routine.name, "*", position);
  const bounds = (call.args ?? []).map((a) => place.bind(a, place));
  const args = routineArguments(routine, bounds, ctx, position);
  const distinct = call.agg_distinct === true;
  if (distinct) {
    checkDistinct(args, bindOrder(call, place), place);
    // Of equal values that look different one is added, and which one is not said.
    if (args.some((arg) => !isText(typeOf(arg)) && carrierOf(typeOf(arg)) === "string"))
      throw notSupported(`DISTINCT ${sqlTypeName(typeOf(args[0]!))} in ${routine.name}`, position);
  } else bindOrder(call, place);
  const { type } = routine.returns;
  const resolution = { fn: "reduce", args: [], takes: null, type, rounded: null } as const;
  return { arg: countsFor(routine, args), rest: args, order: [], distinct, resolution };
}

function isText({ name }: SqlType): boolean {
  return name === "text" || name === "varchar" || name === "uuid" || name === "bytea";
}

// ---- GROUPING(...) ----------------------------------------------------------------------------------------------

/** Which of its arguments the row's grouping set leaves out. */
export function bindGroupingCall(call: NodeOf<"GroupingFunc">, place: ExprPlace): Expr {
  const { ctx } = place;
  const position = ctx.position(call.location);
  if (place.aggregates === null) {
    const message = `grouping operations are not allowed in ${place.clause}`;
    throw new EvertError("grouping_error", message, { position });
  }
  const nodes = call.args ?? [];
  if (nodes.length > 31) {
    const message = "GROUPING must have fewer than 32 arguments";
    throw new EvertError("syntax_error", message, { position, sqlstate: "54023" });
  }
  const inner: ExprPlace = { ...place, aggregates: null, windows: null, clause: NESTED };
  const args = nodes.map((node) => settled(place.bind(node, inner), ctx));
  return place.aggregates.grouping(args, position);
}

// ---- f(...) WITHIN GROUP (ORDER BY x) ---------------------------------------------------------------------------

function bindOrderedSet(call: FuncCall, name: string, place: ExprPlace): Parts {
  const { ctx } = place;
  const position = ctx.position(call.location);
  const direct = (call.args ?? []).map((a) => place.bind(a, place));
  const sorts = (call.agg_order ?? []).map((node) => as(node, "SortBy")!);
  const values = sorts.map((s) => place.bind(s.node!, place));
  const resolution = resolveOrderedSet(name, direct.map(boundType), values.map(boundType), position);
  const arg = argument(values[0]!, resolution.args[0]!, name, place);
  const sort = sortDirection(sorts[0]!, ctx, sorts[0]!.node!, arg);
  const rest = direct.map((d, i) => argument(d, resolution.args[i + 1]!, name, place));
  for (const [i, expr] of rest.entries()) {
    if (columnsOf(expr).size === 0) continue;
    throw notSupported(`a column in the direct argument of ${name}`, ctx.position(direct[i]!.start));
  }
  return { arg, rest, order: [{ expr: arg, ...sort }], distinct: false, resolution };
}
