/**
 * The order in which a query without ORDER BY gives its rows, where PostgreSQL has one that can be counted on: that of VALUES, and that of
 * one function's rows. `ARRAY(SELECT unnest(a))` keeps the order of a.
 */
import { carrierOf, int8 } from "../batch/types.ts";
import * as build from "../plan/build.ts";
import type { Expr } from "../plan/expression.ts";
import { resolveOperator } from "../plan/functions.ts";
import { branch, typeOf } from "../plan/inspect.ts";
import type { OrderItem, Plan, SeriesPlan } from "../plan/plan.ts";

interface Numbered {
  /** The plan with one column more, or the plan itself where a column of it says the order. */
  readonly plan: Plan;
  readonly order: OrderItem;
}

/** Null: no such order is known. */
export function numbered(plan: Plan): Numbered | null {
  switch (plan.kind) {
    case "values": {
      const rows = plan.rows.map((row, i) => [...row, BigInt(i)]);
      const made = build.values(
        [...plan.schema.fields, { name: "ordinality", type: int8, nullable: false }],
        rows,
      );
      return { plan: made, order: ascending(plan.schema.fields.length) };
    }
    case "tableFunction": {
      if (!isOneRow(plan.input)) return null;
      const made = plan.ordinality
        ? plan
        : build.tableFunction(plan.input, { ...plan, ordinality: "ordinality" });
      return { plan: made, order: ascending(made.schema.fields.length - 1) };
    }
    case "series": {
      if (!isOneRow(plan.input)) return null;
      const order = ascending(plan.schema.fields.length - 1);
      if (plan.step.kind !== "const") return { plan: placed(plan), order: ascending(order.column + 1) };
      if (plan.step.value === null) return null;
      return { plan, order: Number(plan.step.value) < 0 ? { ...order, descending: true } : order };
    }
    case "filter": {
      const below = numbered(plan.input);
      return below === null ? null : { ...below, plan: build.filter(below.plan, plan.predicate) };
    }
    case "project": {
      const below = numbered(plan.input);
      if (below === null) return null;
      const exprs = [...plan.exprs, build.column(below.plan, below.order.column)];
      const names = [...plan.schema.fields.map((f) => f.name), "ordinality"];
      const order = { ...below.order, column: plan.exprs.length };
      return { plan: build.project(below.plan, exprs, names), order };
    }
    default:
      return null;
  }
}

/** The series with a column that rises from row to row, whichever way its step goes: of integers the bits turned over fall where they rise. */
function placed(series: SeriesPlan): Plan {
  const columns = series.schema.fields.map((_, i) => build.column(series, i));
  const value = columns.at(-1)!;
  const { type } = value;
  const call = (op: string, ...args: Expr[]): Expr => {
    const { fn, resultType } = resolveOperator(op, args.map(typeOf));
    return { kind: "call", fn, args, type: resultType };
  };
  const zero = build.constant(carrierOf(type) === "int64" ? 0n : 0, type);
  const place: Expr = {
    kind: "case",
    branches: [branch(call("<", series.step, zero), call("~", value))],
    otherwise: value,
    type,
  };
  const names = [...series.schema.fields.map((f) => f.name), "ordinality"];
  return build.project(series, [...columns, place], names);
}

function ascending(column: number): OrderItem {
  return { column, descending: false, nullsFirst: false };
}

function isOneRow(plan: Plan): boolean {
  if (plan.kind === "project") return isOneRow(plan.input);
  return plan.kind === "values" && plan.rows.length === 1;
}
