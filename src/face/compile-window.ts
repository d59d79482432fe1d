/** `window`: each row with further columns, computed over the rows of its partition in an order. */
import { unreachable } from "../base/assert.ts";
import { EvertError } from "../base/errors.ts";
import { datumFromText } from "../batch/text-form.ts";
import { float8, int4, int8, jsonb, type SqlType } from "../batch/types.ts";
import { isMadeOfRows } from "../plan/aggregate-functions.ts";
import * as build from "../plan/build.ts";
import type { Expr } from "../plan/expression.ts";
import { typeOf } from "../plan/inspect.ts";
import type { Aggregate, Frame, FrameBound, OrderItem, Plan, WindowFunction } from "../plan/plan.ts";
import { distanceType } from "../plan/sum-type.ts";
import type { AggregateSpec } from "./aggregates.ts";
import type { ChainNode } from "./chain.ts";
import { checkName } from "./columns.ts";
import { keyColumns, scalarExpr, withColumns } from "./columns-of.ts";
import { aggregateOf } from "./compile-aggregate.ts";
import { orderExprs, orderItems } from "./compile-order.ts";
import { overArguments } from "./row-routine.ts";
import type { FrameSpec, WindowSpec } from "./windows.ts";

type WindowNode = ChainNode & { kind: "window" };

export function windowPlan(node: WindowNode, input: Plan): Plan {
  const columns = Object.entries(node.columns);
  const taken = new Set(input.schema.fields.map((f) => f.name));
  for (const [name] of columns) {
    checkName("column", name);
    if (!taken.has(name)) continue;
    throw new EvertError("duplicate_column", `column "${name}" of the window is one of the row's already`, {
      hint: "Give it another name.",
    });
  }
  const partition = node.partitionBy === null ? [] : keyColumns(input, node.partitionBy, null);
  const widened = withColumns(input, [...partition.map((p) => p.expr), ...orderExprs(input, node.order)]);
  const order = orderItems(node.order, widened.columns.slice(partition.length));
  const frame = frameOf(node.frame, widened.plan, order);
  const made = build.window(
    widened.plan,
    {
      partition: widened.columns.slice(0, partition.length),
      order,
      functions: columns.map(([name, column]) => functionOf(input, name, column, frame)),
    },
    columns.map(([name]) => name),
  );
  const width = input.schema.fields.length;
  const first = widened.plan.schema.fields.length;
  const own = Array.from({ length: width }, (_, i) => i);
  return build.projectColumns(made, [...own, ...columns.map((_, i) => first + i)]);
}

function functionOf(
  input: Plan,
  name: string,
  column: WindowNode["columns"][string],
  frame: Frame,
): WindowFunction {
  if ("spec" in column) {
    const aggregate = frameAggregate(input, name, column.spec);
    return { fn: "aggregate", args: [], aggregate, frame, type: aggregate.type };
  }
  const { args, type } = argumentsOf(input, name, column.window);
  return { fn: column.window.fn, args, aggregate: null, frame, type };
}

function frameAggregate(input: Plan, name: string, spec: AggregateSpec): Aggregate {
  const aggregate = aggregateOf(input, name, spec);
  if (aggregate.reducer !== null) return overArguments(input, aggregate);
  if (!isMadeOfRows(aggregate.fn) && aggregate.distinct !== true) return aggregate;
  throw new EvertError(
    "feature_not_supported",
    `${spec.fn} of "${name}" over a window is not supported yet`,
    {
      hint: "Group the rows instead, or write a reduce.",
    },
  );
}

function argumentsOf(input: Plan, name: string, spec: WindowSpec): { args: Expr[]; type: SqlType } {
  switch (spec.fn) {
    case "row_number":
    case "rank":
    case "dense_rank":
      return { args: [], type: int8 };
    case "percent_rank":
    case "cume_dist":
      return { args: [], type: float8 };
    case "ntile":
      return { args: [count(spec.buckets, `ntile of "${name}"`, 1)], type: int4 };
    case "lag":
    case "lead": {
      const value = scalarExpr(input, spec.of, jsonb);
      const args = [value, count(spec.offset, `${spec.fn} of "${name}"`, 0)];
      if (spec.otherwise !== null) args.push(otherwise(spec.otherwise, typeOf(value), name));
      return { args, type: typeOf(value) };
    }
    case "first_value":
    case "last_value": {
      const value = scalarExpr(input, spec.of, jsonb);
      return { args: [value], type: typeOf(value) };
    }
    case "nth_value": {
      const value = scalarExpr(input, spec.of, jsonb);
      return { args: [value, count(spec.n, `nthValue of "${name}"`, 1)], type: typeOf(value) };
    }
    default:
      return unreachable(spec);
  }
}

function count(value: number, what: string, least: number): Expr {
  if (Number.isSafeInteger(value) && value >= least && value < 2 ** 31) return build.constant(value, int4);
  throw new EvertError("invalid_argument", `${what} takes a whole number from ${least} on, not ${value}`);
}

function otherwise(value: string | number | boolean, type: SqlType, name: string): Expr {
  const written = type.name === "jsonb" ? JSON.stringify(value) : String(value);
  try {
    return build.constant(datumFromText(type, written), type);
  } catch (cause) {
    throw new EvertError("datatype_mismatch", `what "${name}" is otherwise does not fit its column`, {
      cause,
    });
  }
}

// ---- frames -----------------------------------------------------------------------------------------------------

const exclusions = { row: "currentRow", group: "group", ties: "ties" } as const;

/** Without a frame, PostgreSQL's: up to the row and its equals. */
function frameOf(spec: FrameSpec | null, plan: Plan, order: readonly OrderItem[]): Frame {
  if (spec === null) {
    return {
      mode: "range",
      start: { kind: "unboundedPreceding" },
      end: { kind: "currentRow" },
      exclude: "none",
    };
  }
  const exclude = spec.exclude === undefined ? "none" : exclusions[spec.exclude];
  const framed = (mode: Frame["mode"], ends: readonly [unknown, unknown], type: SqlType): Frame => {
    const start = boundOf(ends[0], "start", type);
    const end = boundOf(ends[1], "end", type);
    return { mode, start, end, exclude };
  };
  if ("rows" in spec) return framed("rows", spec.rows, int8);
  if ("groups" in spec) {
    if (order.length > 0) return framed("groups", spec.groups, int8);
    throw new EvertError("grouping_error", "a frame of groups needs an orderBy");
  }
  const distances = spec.range.some((end) => end !== null && end !== 0);
  if (!distances) return framed("range", spec.range, int8);
  if (order.length !== 1) {
    throw new EvertError("grouping_error", "a frame of a range needs an orderBy of exactly one column");
  }
  return framed("range", spec.range, measureOf(plan.schema.fields[order[0]!.column]!.type));
}

function boundOf(end: unknown, side: "start" | "end", type: SqlType): FrameBound {
  if (end === null) return { kind: side === "start" ? "unboundedPreceding" : "unboundedFollowing" };
  if (end === 0) return { kind: "currentRow" };
  const written = String(end).trim();
  const before = written.startsWith("-");
  const size = before ? written.slice(1) : written;
  if (type.name === "int8" && !/^\d+$/.test(size)) {
    throw new EvertError("invalid_argument", `${written} is no bound of a frame`, {
      detail:
        "Bounds of a frame of rows or groups are whole numbers, -2 for two before; 0 is the row, null all there are.",
    });
  }
  const offset = build.constant(datumFromText(type, size), type);
  return { kind: before ? "preceding" : "following", offset };
}

function measureOf(type: SqlType): SqlType {
  const measured = distanceType(type);
  if (measured !== null) return measured;
  throw new EvertError("datatype_mismatch", `a range over type ${type.name} has no distances`, {
    hint: "Order by a number or a time, or use rows or groups.",
  });
}
