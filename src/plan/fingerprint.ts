/**
 * Names for plans: equal plans have equal keys, on every machine and after every restart, and different plans different ones.
 *
 * A plan's key is the SHA-256 of its kind, its parameters and its inputs' keys (so a shared subtree is hashed once). Expressions
 * are written out in full; of a function of the user its source text counts. A source is named by its catalog id,
 * which is never reused, and by the columns that are read of it, with their types: a topic may get more of them, and a view that reads the others stays
 * what it is.
 *
 * Column names are no part of a key, so that subplans that compute the same rows are shared whatever their columns are called; take
 * names from your own plan, not from the one you share. (Where names decide what is computed, in the rows that a function
 * of the user is given or gives back, they are part of it.)
 */
import { createHash } from "node:crypto";
import { unreachable } from "../base/assert.ts";
import type { Schema } from "../batch/schema.ts";
import { typeToString } from "../batch/types.ts";
import type { Datum, Expr, UserFunction } from "./expression.ts";
import type {
  Aggregate,
  FrameBound,
  KeyBound,
  Lookup,
  OrderItem,
  Plan,
  Query,
  SourcePlan,
  WindowFunction,
} from "./plan.ts";
import type { Routine, RoutineValue } from "./routines.ts";

/** Grows when the meaning of an operator or a function changes while its name stays: what was built before is then rebuilt. */
const MEANING = 2;

const keys = new WeakMap<Plan, string>();

export function planKey(plan: Plan): string {
  let key = keys.get(plan);
  if (key === undefined) {
    key = digest(describe(plan));
    keys.set(plan, key);
  }
  return key;
}

let namedOnce = 0;

/** Gives a plan that lives for one query a name of its own, instead of one made of all the rows in it. */
export function nameOnce<P extends Plan>(plan: P): P {
  keys.set(plan, `once ${++namedOnce}`);
  return plan;
}

/** Key of a query as its readers see it: plan, names of the visible columns, order. */
export function queryKey(query: Query): string {
  const names = query.plan.schema.fields.slice(0, query.visible).map((f) => f.name);
  return digest(["query", planKey(query.plan), names, query.order.map(orderParts)]);
}

/** Equal for equal expressions; whether a column is nullable does not count. */
export function exprKey(expr: Expr): string {
  return JSON.stringify(exprParts(expr));
}

/** Equal for aggregates that compute the same over the same rows. */
export function aggregateKey(aggregate: Aggregate): string {
  return JSON.stringify(aggregateParts(aggregate));
}

/** Equal for functions of the program that are declared alike. */
export function routineKey(routine: Routine): string {
  return digest(routineParts(routine));
}

/** JSON that is written in one way only: arrays of strings, numbers, booleans, nulls and such arrays. */
type Parts = string | number | boolean | null | readonly Parts[];

function digest(parts: Parts): string {
  return createHash("sha256")
    .update(JSON.stringify([MEANING, parts]))
    .digest("hex")
    .slice(0, 32);
}

function describe(plan: Plan): Parts {
  switch (plan.kind) {
    case "source":
      return sourceParts(
        plan,
        plan.schema.fields.map((_, c) => c),
      );
    case "values":
      return [plan.kind, types(plan.schema), plan.rows.map((row) => row.map(datumParts))];
    case "filter":
      return [plan.kind, planKey(plan.input), exprParts(plan.predicate)];
    case "project": {
      const picked = plan.input.kind === "source" ? plainColumns(plan.exprs) : null;
      if (picked !== null) return sourceParts(plan.input as SourcePlan, picked);
      return [plan.kind, planKey(plan.input), plan.exprs.map(exprParts)];
    }
    case "mapFunction":
      return [
        plan.kind,
        planKey(plan.input),
        functionParts(plan.fn),
        plan.flat,
        plan.schema.fields.map((f) => [f.name, typeToString(f.type), f.nullable]),
      ];
    case "series":
      return [
        plan.kind,
        planKey(plan.input),
        exprParts(plan.start),
        exprParts(plan.stop),
        exprParts(plan.step),
      ];
    case "tableFunction":
      return [
        plan.kind,
        planKey(plan.input),
        typeof plan.fn === "string" ? plan.fn : routineParts(plan.fn),
        plan.args.map(exprParts),
        plan.parts.map((p) => [p.fn, p.args, p.columns]),
        types(plan.schema),
        plan.ordinality,
        plan.outer,
      ];
    case "join":
      return [
        plan.kind,
        plan.type,
        planKey(plan.left),
        planKey(plan.right),
        plan.leftKeys,
        plan.rightKeys,
        plan.nullSafe,
      ];
    case "apply":
      throw decorrelatedLate();
    case "asOfJoin":
      return [plan.kind, plan.type, planKey(plan.left), planKey(plan.right), plan.leftKeys, plan.rightKeys];
    case "group":
      return [plan.kind, planKey(plan.input), plan.keys.map(exprParts), plan.aggregates.map(aggregateParts)];
    case "distinct":
      return [plan.kind, planKey(plan.input)];
    case "setOperation":
      return [plan.kind, plan.op, plan.all, planKey(plan.left), planKey(plan.right)];
    case "union":
      return [plan.kind, plan.inputs.map(planKey)];
    case "topK":
      return [
        plan.kind,
        planKey(plan.input),
        plan.partition,
        plan.order.map(orderParts),
        plan.limit,
        plan.offset,
        plan.ties,
      ];
    case "window":
      return [
        plan.kind,
        planKey(plan.input),
        plan.partition,
        plan.order.map(orderParts),
        plan.functions.map(windowParts),
      ];
    case "recursive":
      return [plan.kind, plan.id, planKey(plan.base), planKey(plan.step), plan.all];
    case "recursiveRef":
      return [plan.kind, plan.id, types(plan.schema)];
    case "temporal":
      return [
        plan.kind,
        planKey(plan.input),
        plan.from === null ? null : exprParts(plan.from),
        plan.until === null ? null : exprParts(plan.until),
      ];
    default:
      return unreachable(plan);
  }
}

function sourceParts({ relation, id, schema, lookup }: SourcePlan, columns: readonly number[]): Parts {
  const read = types({ fields: columns.map((c) => schema.fields[c]!) });
  return ["source", relation, id, columns, read, ...lookupParts(lookup)];
}

/** Null: there is more to it than picking columns. */
function plainColumns(exprs: readonly Expr[]): number[] | null {
  const columns = exprs.map((e) => (e.kind === "column" ? e.index : -1));
  return columns.includes(-1) ? null : columns;
}

/** An apply's id means nothing outside its statement. */
function decorrelatedLate(): Error {
  return new Error("a plan is named once it is decorrelated");
}

function types(schema: Schema): Parts {
  return schema.fields.map((f) => [typeToString(f.type), f.nullable]);
}

function orderParts(item: OrderItem): Parts {
  return [item.column, item.descending, item.nullsFirst];
}

function windowParts(f: WindowFunction): Parts {
  const aggregate = f.aggregate === null ? null : aggregateParts(f.aggregate);
  const { mode, start, end, exclude } = f.frame;
  const frame = [mode, boundParts(start), boundParts(end), exclude];
  return [f.fn, f.args.map(exprParts), aggregate, frame, typeToString(f.type)];
}

function boundParts(bound: FrameBound): Parts {
  return "offset" in bound ? [bound.kind, exprParts(bound.offset)] : [bound.kind];
}

function aggregateParts(a: Aggregate): Parts {
  const arg = a.arg === null ? null : exprParts(a.arg);
  const filter = a.filter === null ? null : exprParts(a.filter);
  const own = [a.fn, arg, filter, typeToString(a.type), a.reducer === null ? null : reducerParts(a.reducer)];
  const rest = (a.rest ?? []).map(exprParts);
  const order = (a.order ?? []).map((o) => [exprParts(o.expr), o.descending, o.nullsFirst]);
  // Most have none of these; their names stay what they were.
  return rest.length + order.length === 0 && a.distinct !== true
    ? own
    : [...own, rest, order, a.distinct === true];
}

function reducerParts(reducer: NonNullable<Aggregate["reducer"]>): Parts {
  const initial = JSON.stringify(reducer.initial) ?? null;
  if (reducer.routine !== null) return [initial, routineParts(reducer.routine)];
  return [initial, functionParts(reducer.add), functionParts(reducer.remove), reducer.source];
}

function functionParts(fn: UserFunction): Parts {
  return [fn.source, fn.rows.map((r) => [r.fields.map((f) => [f.name, f.column]), r.presentColumn])];
}

function routineParts(routine: Routine): Parts {
  const valueParts = ({ type, nullable }: RoutineValue) => [typeToString(type), nullable];
  const gives = routine.kind === "rows" ? routine.columns : [routine.returns];
  return [routine.kind, routine.name, routine.source, routine.args.map(valueParts), gives.map(valueParts)];
}

function exprParts(expr: Expr): Parts {
  switch (expr.kind) {
    case "column":
      return [expr.kind, expr.index];
    case "outer":
      return [expr.kind, expr.apply, expr.index];
    case "const":
      return [expr.kind, typeToString(expr.type), datumParts(expr.value)];
    case "call":
      return [expr.kind, expr.fn, typeToString(expr.type), ...expr.args.map(exprParts)];
    case "and":
    case "or":
      return [expr.kind, ...expr.args.map(exprParts)];
    case "not":
    case "isNull":
      return [expr.kind, exprParts(expr.arg)];
    case "isDistinct":
      return [expr.kind, expr.equal, exprParts(expr.left), exprParts(expr.right)];
    case "case":
      return [
        expr.kind,
        typeToString(expr.type),
        expr.branches.map((b) => [exprParts(b.when), exprParts(b.then)]),
        exprParts(expr.otherwise),
      ];
    case "coalesce":
      return [expr.kind, typeToString(expr.type), ...expr.args.map(exprParts)];
    case "routine":
      return [expr.kind, routineParts(expr.fn), ...expr.args.map(exprParts)];
    case "js":
      return [expr.kind, typeToString(expr.type), functionParts(expr.fn)];
    default:
      return unreachable(expr);
  }
}

/** JSON has no bigint, NaN, infinity or negative zero: those become tagged text. */
function lookupParts(lookup: Lookup | undefined): Parts[] {
  if (lookup === undefined) return [];
  const bound = (b: KeyBound | null): Parts => (b === null ? null : [datumParts(b.value), b.inclusive]);
  const ranges = lookup.ranges.map((r) => [r.equal.map(datumParts), bound(r.from), bound(r.to)]);
  const first = lookup.first === null ? null : [lookup.first.rows, lookup.first.tied];
  return [[lookup.index.name, ranges, lookup.backward, first]];
}

function datumParts(value: Datum): Parts {
  if (typeof value === "bigint") return ["bigint", String(value)];
  if (typeof value === "number" && (!Number.isFinite(value) || Object.is(value, -0))) {
    return ["number", Object.is(value, -0) ? "-0" : String(value)];
  }
  return value;
}
