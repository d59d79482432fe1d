/**
 * Windows: the input is stored with what the functions read as further columns (where these are not plain columns already), and each function becomes
 * an evaluator over it, with its reach: how far it looks, and how far a change is seen.
 */
import { assert } from "../base/assert.ts";
import { notSupported } from "../base/errors.ts";
import { carrierOf } from "../batch/types.ts";
import { isMadeOfRows } from "../plan/aggregate-functions.ts";
import * as build from "../plan/build.ts";
import type { Expr } from "../plan/expression.ts";
import type { Aggregate, Frame, FrameBound, OrderItem, WindowFunction, WindowPlan } from "../plan/plan.ts";
import type { Store } from "../state/store.ts";
import { accumulatorOf, isFallibleAggregate } from "./aggregates/accumulators.ts";
import { reduceArguments } from "./aggregates/reduce.ts";
import type { CompileContext } from "./compile-context.ts";
import { countedArguments } from "./compile-group.ts";
import { identityOf, identityOfExpr } from "./identity.ts";
import { withinRange } from "./kernels/range-distance.ts";
import { runtimeOf } from "./kernels/runtime.ts";
import type { Node } from "./node.ts";
import { Window, type WindowColumn } from "./operators/window.ts";
import { FrameAggregate, FrameExtreme } from "./windows/aggregates.ts";
import { type Distance, type Evaluator, nowhere, type Reach, type Reaches } from "./windows/evaluator.ts";
import { FrameSum } from "./windows/frame-sum.ts";
import { FrameWalk, type RangeOrder } from "./windows/frames.ts";
import { Ntile, Ranking } from "./windows/ranking.ts";
import { type ColumnReader, columnReader } from "./windows/rows.ts";
import { FrameValue, Neighbour } from "./windows/values.ts";

/** Pushes these columns of the window's rows: functions' columns come behind the input's. */
export function windowNode(compiler: CompileContext, plan: WindowPlan, columns: readonly number[]): Node {
  const inputs = new Inputs(plan);
  const prepared = plan.functions.map((f) => prepare(f, inputs));
  const { node, columns: map } = compiler.ordered(inputs.plan(), plan.partition, plan.order);
  const order = plan.order.map((o) => ({ ...o, column: map[o.column]! }));
  const width = plan.input.schema.fields.length;
  const wanted = [...new Set(columns)];
  const shown = wanted.filter((c) => c < width);
  const functions = wanted.filter((c) => c >= width).map((c) => c - width);
  const identity = `window of ${node.identity}: ${identityOf(plan)} [${columns}]`;
  return compiler.node(identity, () => {
    const spec = {
      identity,
      partition: plan.partition.map((c) => map[c]!),
      order,
      columns: shown.map((c) => map[c]!),
      functions: functions.map((f, place) =>
        windowColumn(plan.functions[f]!, prepared[f]!, plan, map, order, place),
      ),
      output: columns.map((c) =>
        c < width ? shown.indexOf(c) : shown.length + functions.indexOf(c - width),
      ),
    };
    return new Window(spec, node, compiler.dictionary);
  });
}

export function isFallibleWindow({ fn, aggregate }: WindowFunction): boolean {
  return fn === "ntile" || fn === "nth_value" || (aggregate !== null && isFallibleAggregate(aggregate));
}

// ---- arguments --------------------------------------------------------------------------------------------------

/** A column of what is stored, or a number that is the same for all rows. */
type Argument = { readonly column: number } | { readonly value: number | null };

/** The window's input, and behind it what its functions read. */
class Inputs {
  readonly #input: WindowPlan["input"];
  readonly #added: Expr[] = [];

  constructor({ input }: WindowPlan) {
    this.#input = input;
  }

  of(expr: Expr): Argument {
    if (expr.kind === "column") return { column: expr.index };
    if (expr.kind === "const" && expr.value === null) return { value: null };
    if (expr.kind === "const" && carrierOf(expr.type) === "int32") return { value: Number(expr.value) };
    return { column: this.column(expr) };
  }

  column(expr: Expr): number {
    if (expr.kind === "column") return expr.index;
    const identity = identityOfExpr(expr);
    const known = this.#added.findIndex((e) => identityOfExpr(e) === identity);
    return this.#input.schema.fields.length + (known >= 0 ? known : this.#added.push(expr) - 1);
  }

  plan(): WindowPlan["input"] {
    if (this.#added.length === 0) return this.#input;
    const { fields } = this.#input.schema;
    const own = fields.map((_, i) => build.column(this.#input, i));
    const names = [...fields.map((f) => f.name), ...this.#added.map((_, i) => `argument${i + 1}`)];
    return build.project(this.#input, [...own, ...this.#added], names);
  }
}

function prepare(f: WindowFunction, inputs: Inputs): Argument[] {
  if (f.aggregate === null) return f.args.map((arg) => inputs.of(arg));
  return countedArguments(f.aggregate).map((e) => ({ column: inputs.column(e) }));
}

// ---- functions --------------------------------------------------------------------------------------------------

interface Made {
  readonly evaluator: Evaluator;
  readonly reach: Reach;
}

function windowColumn(
  f: WindowFunction,
  args: readonly Argument[],
  plan: WindowPlan,
  map: readonly number[],
  order: readonly OrderItem[],
  place: number,
): WindowColumn {
  const field = plan.schema.fields[plan.input.schema.fields.length + plan.functions.indexOf(f)]!;
  return {
    type: f.type,
    nullable: field.nullable,
    fallible: isFallibleWindow(f),
    stateful: args.flatMap((a) => ("column" in a ? [map[a.column]!] : [])),
    make(store) {
      const frame = new FrameSpec(f.frame, store, order);
      return makeFunction(
        f,
        args.map((a) => ("column" in a ? { column: map[a.column]! } : a)),
        store,
        frame,
        place,
      );
    },
  };
}

function makeFunction(
  f: WindowFunction,
  args: readonly Argument[],
  store: Store,
  frame: FrameSpec,
  place: number,
): Made {
  const reader = (i: number): ColumnReader => readerOf(args[i]!, store);
  switch (f.fn) {
    case "row_number":
      return { evaluator: new Ranking(f.fn), reach: { ...local, prefix: true } };
    case "rank":
    case "dense_rank":
      return { evaluator: new Ranking(f.fn), reach: { ...local, prefix: true, peers: true } };
    case "percent_rank":
    case "cume_dist":
      return { evaluator: new Ranking(f.fn), reach: { ...local, whole: true, peers: true } };
    case "ntile":
      return { evaluator: new Ntile(reader(0)), reach: { ...local, whole: true } };
    case "lag":
    case "lead":
      return neighbour(f.fn, args, store);
    case "first_value":
    case "last_value":
    case "nth_value": {
      const which = f.fn === "first_value" ? "first" : f.fn === "last_value" ? "last" : reader(1);
      return valueOfFrame(f.fn, reader(0), which, frame);
    }
    case "aggregate":
      return overFrame(f.aggregate!, args, store, frame, place);
  }
}

function readerOf(arg: Argument, store: Store): ColumnReader {
  if ("column" in arg) return columnReader(store, arg.column);
  const { value } = arg;
  return { value: () => value ?? 0, isNull: () => value === null };
}

function neighbour(fn: "lag" | "lead", args: readonly Argument[], store: Store): Made {
  const sign = fn === "lag" ? -1 : 1;
  const given = args[1] ?? { value: 1 };
  const value = readerOf(args[0]!, store);
  const fallback = args[2] === undefined ? null : readerOf(args[2], store);
  if ("column" in given || given.value === null) {
    const evaluator = new Neighbour(value, readerOf(given, store), fallback, sign);
    return { evaluator, reach: { ...local, whole: true } };
  }
  const ahead = given.value * sign;
  const distance: Distance = { ...nowhere, rows: Math.abs(ahead) };
  const reach: Reach = { ...local, ...(ahead < 0 ? { back: distance } : { forward: distance }) };
  return { evaluator: new Neighbour(value, given.value, fallback, sign), reach };
}

function valueOfFrame(
  fn: "first_value" | "last_value" | "nth_value",
  value: ColumnReader,
  which: "first" | "last" | ColumnReader,
  frame: FrameSpec,
): Made {
  const { isPrefix, excludes } = frame;
  const reach = frame.reach();
  const walk = frame.walk();
  if (!isPrefix) return { evaluator: new FrameValue(value, which, walk, false), reach };
  // The last row of a frame that ends at a distance may stand any number of rows before what is that near.
  if (fn === "last_value" && !excludes && !frame.endsAtDistance)
    return { evaluator: new FrameValue(value, which, walk, false), reach: { ...reach, prefix: reach.whole } };
  // The partition's first row is known behind a mark too, if the frame has any.
  if (fn === "first_value" && !excludes && frame.endsBehind)
    return { evaluator: new FrameValue(value, which, walk, true), reach };
  return { evaluator: new FrameValue(value, which, walk, false), reach: { ...reach, whole: true } };
}

function overFrame(
  aggregate: Aggregate,
  args: readonly Argument[],
  store: Store,
  frame: FrameSpec,
  place: number,
): Made {
  const { fn, type } = aggregate;
  const state = frame.isPrefix ? place : -1;
  const columns = args.map((a) => {
    assert("column" in a, "what an aggregate adds up is a column");
    return a.column;
  });
  const reach = frame.reach();
  if (fn === "min" || fn === "max") {
    const value = columnReader(store, columns[0]!);
    const evaluator = new FrameExtreme(fn, type, value, frame.walk(), state, store.dictionary);
    return { evaluator, reach: frame.excludes && frame.isPrefix ? { ...reach, whole: true } : reach };
  }
  const routine = aggregate.reducer?.routine;
  if (routine === null || isMadeOfRows(fn)) throw notSupported(`${fn} over a window`);
  const accumulator =
    routine === undefined
      ? accumulatorOf({ ...aggregate, filter: null })
      : reduceArguments(
          routine,
          routine.args.map(({ type }) => ({ type, nullable: true })),
          runtimeOf(store.dictionary),
          null,
        );
  const sum = new FrameSum(accumulator, store, columns);
  return { evaluator: new FrameAggregate(sum, frame.walk(), state), reach };
}

// ---- frames -----------------------------------------------------------------------------------------------------

const local: Reach = { prefix: false, whole: false, peers: false, back: nowhere, forward: nowhere };

/** A frame over a store. */
class FrameSpec {
  readonly #frame: Frame;
  readonly #range: RangeOrder | null;

  constructor(frame: Frame, store: Store, order: readonly OrderItem[]) {
    this.#frame = frame;
    this.#range = rangeOrder(frame, store, order[0]);
  }

  /** Whether frames begin with the partition. */
  get isPrefix(): boolean {
    return this.#frame.start.kind === "unboundedPreceding";
  }

  get excludes(): boolean {
    return this.#frame.exclude !== "none";
  }

  /** Whether frames end at the current row or behind it, so that those that begin with the partition are never empty. */
  get endsBehind(): boolean {
    return this.#frame.end.kind !== "preceding";
  }

  /** Whether frames end where the order's value is so far before the current row's. */
  get endsAtDistance(): boolean {
    return this.#frame.end.kind === "preceding" && this.#range !== null;
  }

  walk(): FrameWalk {
    return new FrameWalk(this.#frame, this.#range);
  }

  reach(): Reach {
    const { mode, start, end, exclude } = this.#frame;
    const range = this.#range;
    const startWithin = range?.start ?? null;
    const endWithin = range?.end ?? null;
    const counted = (bound: FrameBound): Distance => {
      if (!("offset" in bound) || mode === "range") return nowhere;
      const offset = Math.min(Number(bound.offset.value), Number.MAX_SAFE_INTEGER);
      return mode === "rows" ? { ...nowhere, rows: offset } : { ...nowhere, groups: offset };
    };
    const back = this.isPrefix && end.kind === "preceding" ? end : start;
    const backward = back.kind === "preceding" ? counted(back) : nowhere;
    const forward = end.kind === "following" ? counted(end) : nowhere;
    const backRanges: Reaches[] = [];
    const forwardRanges: Reaches[] = [];
    if (range !== null && back.kind === "preceding") {
      const within = (back === end ? endWithin : startWithin)!;
      backRanges.push(nearer(range, (x, row) => within(x, row, !range.descending, range.descending)));
    }
    if (range !== null && end.kind === "following") {
      forwardRanges.push(nearer(range, (x, row) => endWithin!(x, row, range.descending, !range.descending)));
    }
    return {
      prefix: this.isPrefix,
      whole: end.kind === "unboundedFollowing",
      peers: mode !== "rows" || exclude === "group" || exclude === "ties",
      back: { ...backward, ranges: backRanges },
      forward: { ...forward, ranges: forwardRanges },
    };
  }
}

/** Of two values in a column; nulls are near to nulls alone. */
function nearer({ column }: RangeOrder, within: (x: number, row: number) => boolean): Reaches {
  return (row, x) => {
    const isNull = column.isNull(row);
    if (isNull || column.isNull(x)) return isNull && column.isNull(x);
    return within(column.value(x), column.value(row));
  };
}

function rangeOrder(frame: Frame, store: Store, order: OrderItem | undefined): RangeOrder | null {
  if (frame.mode !== "range" || order === undefined) return null;
  const { type } = store.layout.columns[order.column]!;
  const within = (bound: FrameBound) =>
    "offset" in bound ? withinRange(type, bound.offset, store.dictionary) : null;
  const [start, end] = [within(frame.start), within(frame.end)];
  if (start === null && end === null) return null;
  const { descending, nullsFirst } = order;
  return { column: columnReader(store, order.column), descending, nullsFirst, start, end };
}
