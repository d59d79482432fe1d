/** Group-by: its input becomes columns (keys, arguments, what reducers read), its aggregates accumulators over them. */
import { assert } from "../base/assert.ts";
import { bool, isSmallNumeric } from "../batch/types.ts";
import * as build from "../plan/build.ts";
import type { Expr, UserFunction } from "../plan/expression.ts";
import { functionColumns, isFallible, moveFunction, typeOf } from "../plan/inspect.ts";
import type { Aggregate, GroupPlan, Plan, UserReducer } from "../plan/plan.ts";
import type { Accumulator } from "./aggregates/accumulator.ts";
import { count } from "./aggregates/count.ts";
import { indexedExtreme, runningExtreme } from "./aggregates/extreme.ts";
import { floatSum } from "./aggregates/float-sum.ts";
import { integerSum } from "./aggregates/integer-sum.ts";
import { numericSum } from "./aggregates/numeric-sum.ts";
import { reduce } from "./aggregates/reduce.ts";
import { type CompileContext, type Stored, typed } from "./compile-context.ts";
import { identityOf, identityOfExpr } from "./identity.ts";
import { runtimeOf } from "./kernels/runtime.ts";
import type { Node, Source } from "./node.ts";
import { Group } from "./operators/group.ts";
import type { GroupAggregate } from "./operators/group-code.ts";
import { Collection } from "./operators/stored.ts";
import { Pick } from "./operators/stream.ts";

export function aggregateNode(compiler: CompileContext, plan: GroupPlan): Node {
  const columns = new InputColumns(plan);
  const prepared = plan.aggregates.map((a) => columns.prepare(a));
  const input = compiler.linear(
    plan.input,
    [{ kind: "project", exprs: columns.exprs }],
    columns.exprs.map((_, i) => i),
  );
  const kept = plan.aggregates.map((a, i): Stored | null => {
    if (!isIndexed(plan, a)) return null;
    const { arg } = prepared[i]!;
    return arg < 0
      ? keptInput(compiler, plan, a)
      : keptColumns(compiler, input, columns.exprs, [...plan.keys.keys(), arg]);
  });
  const identity = `group of ${input.identity}: ${identityOf(plan)}`;
  return compiler.node(identity, () => {
    const sources: Source[] = [{ node: input, kind: "rows" }];
    for (const stored of kept) if (stored !== null) sources.push({ node: stored.node, kind: "store" });
    const spec = {
      identity,
      label: `group by over ${input.label}`,
      input: columns.exprs.map(typed),
      keys: plan.keys.length,
      output: plan.schema.fields,
      fallible: plan.aggregates.some(isFallibleAggregate),
    };
    return new Group(spec, sources, compiler.dictionary, (group) => {
      let port = 0;
      return plan.aggregates.map((a, i): GroupAggregate => {
        const { arg, reducer } = prepared[i]!;
        const stored = kept[i]!;
        if (stored !== null) {
          const find = group.extreme(++port, stored.columns, plan.keys.length, a.fn === "max");
          return { accumulator: indexedExtreme(a.type, find), arg: -1 };
        }
        if (a.fn === "reduce") {
          const reduceSpec = { reducer: reducer!, type: a.type, columns: spec.input, filter: arg };
          return { accumulator: reduce(reduceSpec, runtimeOf(compiler.dictionary), group.errors!), arg: -1 };
        }
        return { accumulator: accumulatorOf(a), arg };
      });
    });
  });
}

/** min and max under deletion: read from an ordered store rather than from the rows as they come. */
function isIndexed(plan: GroupPlan, { fn }: Aggregate): boolean {
  return (fn === "min" || fn === "max") && !plan.input.appendOnly;
}

/** The group's input as (keys, argument), stored. */
function keptInput(compiler: CompileContext, plan: GroupPlan, a: Aggregate): Stored {
  const filtered: Plan = a.filter === null ? plan.input : build.filter(plan.input, a.filter);
  const exprs = [...plan.keys, a.arg!];
  const names = exprs.map((_, i) => `c${i}`);
  const input = build.project(filtered, exprs, names);
  return compiler.stored(
    input,
    exprs.map((_, i) => i),
  );
}

/** Columns of the group's input, stored. */
function keptColumns(
  compiler: CompileContext,
  input: Node,
  exprs: readonly Expr[],
  columns: readonly number[],
): Stored {
  const picked = `columns of ${input.identity} [${columns}]`;
  const identity = `bag of ${picked}`;
  const node = compiler.node(identity, () => {
    const source = compiler.node(picked, () => new Pick(picked, { node: input, kind: "rows" }, columns));
    const spec = {
      identity,
      label: `arguments of ${input.label}`,
      columns: columns.map((c) => typed(exprs[c]!)),
      mode: "bag",
      key: null,
    } as const;
    return new Collection(spec, { node: source, kind: "rows" }, compiler.dictionary);
  });
  return { node, columns: columns.map((_, i) => i) };
}

export function isFallibleAggregate(a: Aggregate): boolean {
  switch (a.fn) {
    case "count":
    case "min":
    case "max":
      return false;
    case "sum":
    case "avg":
      return a.type.name === "int8" || a.type.name === "float8";
    case "reduce":
      return true;
  }
}

export function accumulatorOf(a: Aggregate): Accumulator {
  switch (a.fn) {
    case "count":
      return count;
    case "sum":
    case "avg": {
      const type = typeOf(a.arg!);
      if (type.name === "float8") return floatSum(a.fn);
      if (type.name === "numeric" && !isSmallNumeric(type)) return numericSum(a.fn, a.type);
      return integerSum(a.fn, type, a.type);
    }
    case "min":
    case "max":
      return runningExtreme(a.fn, a.type);
    case "reduce":
      throw new Error("a reduce is made with its reducer");
  }
}

interface Prepared {
  /** Column of the argument, null where the row does not count; -1: all rows count. */
  readonly arg: number;
  readonly reducer: UserReducer | null;
}

/** The columns of a group-by's input chunk: keys first, then each expression once. */
class InputColumns {
  readonly exprs: Expr[];
  readonly #plan: GroupPlan;
  readonly #fallible: boolean;

  constructor(plan: GroupPlan) {
    this.#plan = plan;
    this.exprs = [...plan.keys];
    const used = [...plan.keys, ...plan.aggregates.flatMap((a) => [a.arg, a.filter])];
    this.#fallible = used.some((e) => e !== null && isFallible(e)) || endsFallible(plan.input);
  }

  prepare(a: Aggregate): Prepared {
    if (isIndexed(this.#plan, a)) {
      // A column although no loop reads it: where only the argument changes, the change must reach the group.
      const arg = this.#column(a.filter === null ? a.arg! : onlyIf(a.filter, a.arg));
      // Where a row can fail, it must fail for all aggregates alike: then what is kept is what came in.
      return { arg: this.#fallible ? arg : -1, reducer: null };
    }
    if (a.fn === "reduce") {
      assert(a.reducer !== null, "a reduce has a reducer");
      const reducer = {
        ...a.reducer,
        add: this.#moved(a.reducer.add),
        remove: this.#moved(a.reducer.remove),
      };
      return { arg: a.filter === null ? -1 : this.#column(onlyIf(a.filter, null)), reducer };
    }
    if (a.filter !== null) return { arg: this.#column(onlyIf(a.filter, a.arg)), reducer: null };
    return { arg: a.arg === null ? -1 : this.#column(a.arg), reducer: null };
  }

  #column(expr: Expr): number {
    const identity = identityOfExpr(expr);
    const known = this.exprs.findIndex((e) => identityOfExpr(e) === identity);
    return known >= 0 ? known : this.exprs.push(expr) - 1;
  }

  #moved(fn: UserFunction): UserFunction {
    for (const c of functionColumns(fn)) this.#column(build.column(this.#plan.input, c));
    return moveFunction(fn, (c) => this.#column(build.column(this.#plan.input, c)));
  }
}

/** Whether the loop before the group-by has something fallible in it besides the group-by's own expressions. */
function endsFallible(plan: Plan): boolean {
  if (plan.kind === "filter") return isFallible(plan.predicate) || endsFallible(plan.input);
  if (plan.kind === "project") return plan.exprs.some(isFallible) || endsFallible(plan.input);
  return false;
}

/** The argument (or true) where the filter is true, else null. */
export function onlyIf(filter: Expr, arg: Expr | null): Expr {
  const then: Expr = arg ?? { kind: "const", value: true, type: bool };
  const type = typeOf(then);
  return {
    kind: "case",
    branches: [{ when: filter, then }],
    otherwise: { kind: "const", value: null, type },
    type,
  };
}
