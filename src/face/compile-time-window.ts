/**
 * Windows over event time: each row with the window it belongs to, as columns window_start and window_end, which is not in it any more.
 *
 * - tumbling: date_bin; hopping: the same, and from there back in steps of `every` as long as the window still contains the row;
 * - sessions: a row begins one if the row before it, in its partition, is further away than the gap. A running count of beginnings numbers them;
 *   each session reaches from its first row to its last one and the gap.
 */
import { EvertError } from "../base/errors.ts";
import { intervalSpan, parseInterval } from "../batch/format/interval.ts";
import { datumFromText } from "../batch/text-form.ts";
import { int4, int8, interval, typeToString } from "../batch/types.ts";
import * as build from "../plan/build.ts";
import type { Expr } from "../plan/expression.ts";
import { resolveFunction, resolveOperator } from "../plan/functions.ts";
import { branch, typeOf } from "../plan/inspect.ts";
import type { Frame, Plan } from "../plan/plan.ts";
import type { ChainNode } from "./chain.ts";
import { columnNamed, keyColumns, withColumns } from "./columns-of.ts";

type TimeNode = ChainNode & { kind: "timeWindow" };

const START = "window_start";
const END = "window_end";

export function timeWindowPlan(node: TimeNode, input: Plan): Plan {
  for (const name of [START, END]) {
    if (input.schema.fields.some((f) => f.name === name))
      throw new EvertError("duplicate_column", `the rows have a column "${name}" already`, {
        hint: "Leave it out with select or map before.",
      });
  }
  const at = build.column(input, columnNamed(input, node.at));
  if (at.type.name !== "timestamptz" && at.type.name !== "timestamp") {
    throw new EvertError("datatype_mismatch", `column "${node.at}" is no time`, {
      detail: `It is of type ${typeToString(at.type)}.`,
      hint: "Declare it as timestamptz.",
    });
  }
  if (node.window === "session") return sessions(node, input, at);
  const origin = build.constant(datumFromText(at.type, node.origin), at.type);
  const size = duration(node.size, "size");
  const bin = (every: Expr, time: Expr) => call("date_bin", [every, time, origin]);
  if (node.window === "tumble") return withWindow(input, bin(size, at), size);
  const every = duration(node.every!, "every");
  const first = plus(bin(every, minus(at, size)), every);
  const hops = build.tableFunction(input, {
    fn: "series_timestamp",
    args: [first, bin(every, at), every],
    columns: [{ name: START, type: at.type, nullable: false }],
    ordinality: null,
    outer: false,
  });
  const width = input.schema.fields.length;
  return ended(hops, width, plus(build.column(hops, width), size));
}

/** A length of time that is the same wherever it stands in the calendar. */
function duration(text: string, what: string): Expr {
  const datum = datumFromText(interval, text);
  const span = parseInterval(String(datum));
  if (span.months !== 0 || intervalSpan(span) <= 0n) {
    throw new EvertError("invalid_argument", `"${text}" cannot be the ${what} of a window`, {
      detail: span.months !== 0 ? "Months are not all equally long." : "It is not longer than nothing.",
      hint: 'Give days, hours, minutes or seconds: "1 day", "5 minutes".',
    });
  }
  return build.constant(datum, interval);
}

function call(name: string, args: readonly Expr[]): Expr {
  const { fn, resultType } = resolveFunction(name, args.map(typeOf));
  return { kind: "call", fn, args, type: resultType };
}

function operator(symbol: string, left: Expr, right: Expr): Expr {
  const { fn, resultType } = resolveOperator(symbol, [typeOf(left), typeOf(right)]);
  return { kind: "call", fn, args: [left, right], type: resultType };
}

const plus = (time: Expr, span: Expr): Expr => operator("+", time, span);
const minus = (time: Expr, span: Expr): Expr => operator("-", time, span);

function withWindow(input: Plan, start: Expr, size: Expr): Plan {
  const width = input.schema.fields.length;
  const { plan } = withColumns(input, [start]);
  return ended(plan, width, plus(build.column(plan, width), size));
}

/** The input's first columns, the window's start behind them, and its end. */
function ended(plan: Plan, width: number, end: Expr): Plan {
  const own = Array.from({ length: width + 1 }, (_, i) => build.column(plan, i));
  const names = [...plan.schema.fields.slice(0, width).map((f) => f.name), START, END];
  return build.project(plan, [...own, end], names);
}

// ---- sessions ---------------------------------------------------------------------------------------------------

const upToHere: Frame = {
  mode: "range",
  start: { kind: "unboundedPreceding" },
  end: { kind: "currentRow" },
  exclude: "none",
};
const wholePartition: Frame = { ...upToHere, end: { kind: "unboundedFollowing" } };

function sessions(node: TimeNode, input: Plan, at: Expr & { kind: "column" }): Plan {
  const gap = duration(node.size, "gap");
  const keys = node.partitionBy === null ? [] : keyColumns(input, node.partitionBy, null);
  const keyed = withColumns(
    input,
    keys.map((k) => k.expr),
  );
  const partition = keyed.columns;
  const order = [{ column: at.index, descending: false, nullsFirst: false }];
  const type = at.type;

  const before = build.window(
    keyed.plan,
    { partition, order, functions: [{ fn: "lag", args: [at], aggregate: null, frame: upToHere, type }] },
    ["before"],
  );
  const width = before.schema.fields.length;
  const near: Expr = operator("<=", at, plus(build.column(before, width - 1), gap));
  const begins: Expr = {
    kind: "case",
    branches: [branch(near, build.constant(0, int4))],
    otherwise: build.constant(1, int4),
    type: int4,
  };
  const flagged = withColumns(before, [begins]);
  const sum = {
    fn: "sum",
    arg: build.column(flagged.plan, flagged.columns[0]!),
    filter: null,
    type: int8,
    reducer: null,
  } as const;
  const numbered = build.window(
    flagged.plan,
    {
      partition,
      order,
      functions: [{ fn: "aggregate", args: [], aggregate: sum, frame: upToHere, type: int8 }],
    },
    ["session"],
  );
  const session = numbered.schema.fields.length - 1;
  const extreme = (fn: "min" | "max") => ({
    fn: "aggregate" as const,
    args: [],
    aggregate: { fn, arg: at, filter: null, type, reducer: null },
    frame: wholePartition,
    type,
  });
  const bounded = build.window(
    numbered,
    { partition: [...partition, session], order: [], functions: [extreme("min"), extreme("max")] },
    [START, "last"],
  );
  const own = input.schema.fields.map((_, i) => build.column(bounded, i));
  const exprs = [...own, build.column(bounded, session + 1), plus(build.column(bounded, session + 2), gap)];
  const timed = build.project(bounded, exprs, [...input.schema.fields.map((f) => f.name), START, END]);
  // Without a time a row is in no session.
  const isNull: Expr = { kind: "isNull", arg: build.column(timed, at.index) };
  return at.nullable ? build.filter(timed, { kind: "not", arg: isNull }) : timed;
}
