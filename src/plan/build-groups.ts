/** Constructors of groups and windows: what aggregates, over groups or frames. */
import { assert } from "../base/assert.ts";
import { schemaOf } from "../batch/schema.ts";
import { traitsOf } from "./aggregate-traits.ts";
import { checkColumns, fitted, frozen } from "./build-node.ts";
import type { Expr } from "./expression.ts";
import { aggregateExprs, mapAggregate, nullableOf, typeOf } from "./inspect.ts";
import type { Aggregate, GroupPlan, OrderItem, Plan, WindowFunction, WindowPlan } from "./plan.ts";

/** `key`: those of the key columns that determine the others, where the front end knows some that do. */
export function group(
  input: Plan,
  givenKeys: readonly Expr[],
  givenAggregates: readonly Aggregate[],
  names: readonly string[],
  key: readonly number[] = givenKeys.map((_, i) => i),
): GroupPlan {
  for (const expr of givenKeys) checkColumns(expr, input);
  const keys = givenKeys.map((expr) => fitted(expr, input));
  const aggregates = givenAggregates.map((a) => fittedAggregate(a, input));
  assert(names.length === keys.length + aggregates.length, "a group names each of its columns");
  assert(
    key.every((k) => k < keys.length),
    "a group is keyed by what it groups by",
  );
  for (const a of aggregates) {
    if (a.filter !== null) {
      assert(typeOf(a.filter).name === "bool", "an aggregate's filter is boolean");
    }
    assert((a.reducer !== null) === (a.fn === "reduce"), "a reduce, and nothing else, has a reducer");
    assert(a.fn === "count" || a.fn === "reduce" || a.arg !== null, "only count and reduce take no argument");
  }
  const grouped = keys.length > 0;
  return frozen<GroupPlan>({
    kind: "group",
    input,
    keys,
    aggregates,
    schema: schemaOf([
      ...keys.map((key, i) => ({ name: names[i]!, type: typeOf(key), nullable: nullableOf(key) })),
      ...aggregates.map((a, i) => ({
        name: names[keys.length + i]!,
        type: a.type,
        nullable: aggregateNullable(a, grouped),
      })),
    ]),
    key: [...key],
    appendOnly: false,
  });
}

function fittedAggregate(a: Aggregate, input: Plan): Aggregate {
  for (const expr of aggregateExprs(a)) checkColumns(expr, input);
  return mapAggregate(a, (expr) => fitted(expr, input));
}

/** A group of GROUP BY has a row; so an aggregate over values that are never null has one to work on. */
function aggregateNullable(a: Aggregate, grouped: boolean): boolean {
  const { notNull } = traitsOf(a.fn);
  if (notNull !== "overValues") return notNull === null;
  return !grouped || a.filter !== null || a.arg === null || nullableOf(a.arg);
}

export interface WindowSpec {
  readonly partition: readonly number[];
  readonly order: readonly OrderItem[];
  readonly functions: readonly WindowFunction[];
}

export function window(input: Plan, spec: WindowSpec, names: readonly string[]): WindowPlan {
  assert(names.length === spec.functions.length, "a window names each of its functions' columns");
  const width = input.schema.fields.length;
  for (const c of [...spec.partition, ...spec.order.map((o) => o.column)])
    assert(c >= 0 && c < width, "a window orders and partitions by columns of its input");
  for (const f of spec.functions) {
    for (const arg of f.args) checkColumns(arg, input);
    assert(
      (f.fn === "aggregate") === (f.aggregate !== null),
      "an aggregate over a frame, and nothing else, has one",
    );
  }
  return frozen<WindowPlan>({
    kind: "window",
    input,
    partition: [...spec.partition],
    order: spec.order.map((o) => ({ ...o })),
    functions: spec.functions.map((f) => ({
      ...f,
      args: f.args.map((arg) => fitted(arg, input)),
      aggregate: f.aggregate === null ? null : fittedAggregate(f.aggregate, input),
    })),
    schema: schemaOf([
      ...input.schema.fields,
      ...spec.functions.map((f, i) => ({ name: names[i]!, type: f.type, nullable: windowNullable(f) })),
    ]),
    key: input.key,
    appendOnly: false,
  });
}

function windowNullable({ fn, aggregate }: WindowFunction): boolean {
  switch (fn) {
    case "row_number":
    case "rank":
    case "dense_rank":
    case "percent_rank":
    case "cume_dist":
      return false;
    case "aggregate":
      return aggregateNullable(aggregate!, false);
    case "ntile":
    case "lag":
    case "lead":
    case "first_value":
    case "last_value":
    case "nth_value":
      return true;
  }
}
