/**
 * Group-by. Its input becomes columns (keys, arguments, what reducers read), its aggregates accumulators over them.
 *
 * Where an aggregate gets its rows:
 * - from the input, as they come: sums of all kinds;
 * - DISTINCT: from the different (keys, arguments), which a collection keeps; they are pushed into the same group;
 * - min and max under deletion: the first row of each group by its argument, which a ranking over the stored (keys, arguments) tells as it
 *   changes. So their rows may be on disk wherever a ranking's may;
 * - all that is made of rows rather than of sums: from the stored (keys, arguments), by an ordered index. Their arguments are columns of the
 *   input too, although no loop reads them: a change of one must reach the group.
 */
import { bool, isNumericText } from "../batch/types.ts";
import { isMadeOfRows } from "../plan/aggregate-functions.ts";
import * as build from "../plan/build.ts";
import type { Expr, UserFunction } from "../plan/expression.ts";
import {
  aggregateExprs,
  functionColumns,
  isFallible,
  moveFunction,
  nullableOf,
  typeOf,
} from "../plan/inspect.ts";
import type { Aggregate, GroupPlan, Plan, UserReducer } from "../plan/plan.ts";
import type { Accumulator } from "./aggregates/accumulator.ts";
import { accumulatorOf, isFallibleAggregate } from "./aggregates/accumulators.ts";
import { collectorOf } from "./aggregates/collect/collectors.ts";
import { firstValue } from "./aggregates/extreme.ts";
import { reduceArguments, reduceRows } from "./aggregates/reduce.ts";
import { type CompileContext, type Stored, typed } from "./compile-context.ts";
import { identityOf, identityOfExpr } from "./identity.ts";
import type { TypedColumn } from "./js-rows.ts";
import type { ScalarError } from "./kernels/errors.ts";
import { runtimeOf } from "./kernels/runtime.ts";
import type { Node, Source } from "./node.ts";
import type { GatherSpec } from "./operators/gather.ts";
import { Group } from "./operators/group.ts";
import type { GroupAggregate } from "./operators/group-code.ts";
import { StoreRows } from "./operators/store-rows.ts";
import { Collection } from "./operators/stored.ts";
import { Pick } from "./operators/stream.ts";
import { TopK } from "./operators/top-k.ts";

/** Where an aggregate's rows come from, and what is made of them there. */
interface Feed {
  /** null: the group's input itself. */
  readonly source: Source | null;
  /** What is pushed along the source: the keys, then these. */
  readonly pushed: readonly Expr[];
  make(group: Group, port: number): GroupAggregate;
}

export function aggregateNode(compiler: CompileContext, plan: GroupPlan): Node {
  const columns = new InputColumns(plan);
  const prepared = plan.aggregates.map((a) => columns.prepare(a));
  const input = compiler.linear(
    plan.input,
    [{ kind: "project", exprs: columns.exprs }],
    columns.exprs.map((_, i) => i),
  );
  const feeds = plan.aggregates.map((aggregate, i) =>
    feedOf[wayOf(plan, aggregate)]({ compiler, plan, aggregate, prepared: prepared[i]!, input, columns }),
  );
  const identity = `group of ${input.identity}: ${identityOf(plan)}`;
  return compiler.node(identity, () => {
    const sources: Source[] = [{ node: input, kind: "rows" }];
    const inputs: (ReturnType<typeof typed>[] | null)[] = [columns.exprs.map(typed)];
    const ports = feeds.map(({ source, pushed }) => {
      if (source === null) return 0;
      const known = sources.findIndex((s) => s.node === source.node && s.kind === source.kind);
      if (known > 0) return known;
      inputs.push(source.kind === "store" ? null : [...plan.keys, ...pushed].map(typed));
      return sources.push(source) - 1;
    });
    const spec = {
      identity,
      label: `group by over ${input.label}`,
      inputs,
      keys: plan.keys.length,
      output: plan.schema.fields,
      fallible: plan.aggregates.some(isFallibleAggregate),
      grows: plan.input.appendOnly,
      isRowForRow: hasKey(plan),
    };
    return new Group(spec, sources, compiler.dictionary, (group) =>
      feeds.map((feed, i) => feed.make(group, ports[i]!)),
    );
  });
}

/** Whether the key of its input is among what it groups by. */
function hasKey({ input, keys }: GroupPlan): boolean {
  const grouped = new Set(keys.map((expr) => (expr.kind === "column" ? expr.index : -1)));
  return input.key?.every((column) => grouped.has(column)) === true;
}

type Way = "pushed" | "distinct" | "extreme" | "gathered";

function wayOf(plan: GroupPlan, a: Aggregate): Way {
  if (isMadeOfRows(a.fn)) return "gathered";
  if (a.fn === "min" || a.fn === "max") return plan.input.appendOnly ? "pushed" : "extreme";
  if (a.distinct !== true) return "pushed";
  // Which of equal numerics is added shows in the sum.
  return a.fn !== "count" && isNumericText(typeOf(a.arg!)) ? "gathered" : "distinct";
}

const feedOf: Readonly<Record<Way, (given: Given) => Feed>> = {
  pushed: pushedFeed,
  distinct: distinctFeed,
  extreme: extremeFeed,
  gathered: gatheredFeed,
};

interface Given {
  readonly compiler: CompileContext;
  readonly plan: GroupPlan;
  readonly aggregate: Aggregate;
  readonly prepared: Prepared;
  readonly input: Node;
  readonly columns: InputColumns;
}

function pushedFeed({ compiler, aggregate: a, prepared, columns }: Given): Feed {
  return {
    source: null,
    pushed: [],
    make(group) {
      const { arg, rest, reducer } = prepared;
      const given = rest.map((c) => typed(columns.exprs[c]!));
      if (reducer === null) return { accumulator: accumulate(compiler, a, given, group), arg, rest };
      const spec = { reducer, type: a.type, columns: columns.exprs.map(typed), filter: arg };
      const report: Report = (error, weight) => group.errors!.add(error, weight);
      return { accumulator: reduceRows(spec, runtimeOf(compiler.dictionary), report), arg: -1 };
    },
  };
}

type Report = (error: ScalarError, weight: number) => void;

function accumulate(
  compiler: CompileContext,
  a: Aggregate,
  rest: readonly TypedColumn[],
  group: Group,
): Accumulator {
  const routine = a.reducer?.routine ?? null;
  if (routine === null) return accumulatorOf(a);
  const report: Report = (error, weight) => group.errors!.add(error, weight);
  return reduceArguments(routine, rest, runtimeOf(compiler.dictionary), report);
}

/** The different arguments of each group, pushed. */
function distinctFeed(given: Given): Feed {
  const { compiler, plan, aggregate: a, columns } = given;
  const args = argumentsOf(a);
  const keys = plan.keys.map((_, i) => i);
  const all = [...keys, ...args.map((_, i) => keys.length + i)];
  let stored: Stored;
  if (columns.fallible) {
    const filtered = columns.argumentsOf(a);
    stored = keptColumns(given, [...keys, ...filtered], "distinct");
  } else {
    const exprs = [...plan.keys, ...args];
    const input = build.project(filteredInput(plan, a), exprs, namesOf(exprs));
    stored = compiler.stored(build.distinct(input), all);
  }
  const wanted = all.map((c) => stored.columns[c]!);
  const identity = `rows of ${stored.node.identity} [${wanted}]`;
  const node = compiler.node(identity, () => new StoreRows(identity, stored.node, wanted));
  const pushed = columns.fallible ? columns.argumentsOf(a).map((c) => columns.exprs[c]!) : args;
  return {
    source: { node, kind: "rows" },
    pushed,
    make: (group, port) => ({
      accumulator: accumulate(compiler, a, pushed.slice(1).map(typed), group),
      arg: keys.length,
      rest: args.slice(1).map((_, i) => keys.length + 1 + i),
      port,
    }),
  };
}

/** min and max under deletion: the first of each group's rows, nulls last, pushed as one leaves and another comes. */
function extremeFeed(given: Given): Feed {
  const { compiler, plan, aggregate: a, prepared, columns } = given;
  const keys = plan.keys.map((_, i) => i);
  const { node: input, columns: map } = columns.fallible
    ? keptColumns(given, [...keys, prepared.arg], "bag")
    : keptInput(given, [a.arg!]);
  const [value = -1] = map.slice(keys.length);
  const partition = keys.map((k) => map[k]!);
  const descending = a.fn === "max";
  const identity = `${a.fn} of ${input.identity} [${partition}] [${value}]`;
  const node = compiler.node(identity, () => {
    const spec = {
      identity,
      partition,
      order: [{ column: value, descending, nullsFirst: false }],
      limit: 1,
      offset: 0,
      ties: false,
      columns: [...partition, value],
      evict: false,
    };
    return new TopK(spec, input);
  });
  const pushed = columns.fallible ? columns.exprs[prepared.arg]! : a.arg!;
  return {
    source: { node, kind: "rows" },
    pushed: [pushed],
    make: (_, port) => ({ accumulator: firstValue(a.type, keys.length, nullableOf(pushed)), arg: -1, port }),
  };
}

/** What is made of the rows of a group, read in order. */
function gatheredFeed(given: Given): Feed {
  const { compiler, plan, aggregate: a, prepared, columns } = given;
  const keys = plan.keys.map((_, i) => i);
  const args = argumentsOf(a);
  const values = columns.gatheredOf(a);
  const stored = columns.fallible
    ? keptColumns(given, [...keys, ...values.map((e) => columns.at(e))], "bag")
    : keptInput(given, values);
  const at = (i: number) => stored.columns[keys.length + i]!;
  const items = (a.order ?? []).map((o, i) => ({ ...o, column: at(args.length + i) }));
  const ordered = new Set(items.map((o) => o.column));
  const spec: GatherSpec = {
    keys: keys.map((k) => stored.columns[k]!),
    args: args.map((_, i) => at(i)),
    order: [
      ...items.map(({ column, descending, nullsFirst }) => ({ column, descending, nullsFirst })),
      ...args.flatMap((_, i) => {
        const column = at(i);
        if (ordered.has(column)) return [];
        ordered.add(column);
        return [{ column, descending: false, nullsFirst: false }];
      }),
    ],
    pass: columns.fallible && a.filter !== null ? at(values.length - 1) : -1,
    distinct: a.distinct === true,
  };
  return {
    source: { node: stored.node, kind: "store" },
    pushed: [],
    make(group, port) {
      const gather = group.gather(port, spec, collectorOf(a, compiler.dictionary));
      return { accumulator: gather.accumulator, arg: prepared.arg };
    },
  };
}

// ---- stored inputs ----------------------------------------------------------------------------------------------

function filteredInput(plan: GroupPlan, a: Aggregate): Plan {
  return a.filter === null ? plan.input : build.filter(plan.input, a.filter);
}

function namesOf(exprs: readonly Expr[]): string[] {
  return exprs.map((_, i) => `c${i}`);
}

/** The group's input as (keys, values), stored: what is there already, where it has them. */
function keptInput({ compiler, plan, aggregate }: Given, values: readonly Expr[]): Stored {
  const exprs = [...plan.keys, ...values];
  const input = build.project(filteredInput(plan, aggregate), exprs, namesOf(exprs));
  return compiler.stored(
    input,
    exprs.map((_, i) => i),
  );
}

/** Columns of the group's input as they came in, stored. */
function keptColumns(
  { compiler, input, columns }: Given,
  wanted: readonly number[],
  mode: "bag" | "distinct",
): Stored {
  const kept = [...new Set(wanted)];
  const picked = `columns of ${input.identity} [${kept}]`;
  const identity = `${mode} of ${picked}`;
  const { exprs } = columns;
  const node = compiler.node(identity, () => {
    const source = compiler.node(picked, () => new Pick(picked, { node: input, kind: "rows" }, kept));
    const spec = {
      identity,
      label: `arguments of ${input.label}`,
      columns: kept.map((c) => typed(exprs[c]!)),
      mode,
      key: null,
    } as const;
    return new Collection(spec, { node: source, kind: "rows" }, compiler.dictionary);
  });
  return { node, columns: wanted.map((c) => kept.indexOf(c)) };
}

// ---- columns of the input ---------------------------------------------------------------------------------------

interface Prepared {
  /** Column of the argument, null where the row does not count; -1: all rows count. */
  readonly arg: number;
  readonly rest: readonly number[];
  /** Of a chain: with the columns its functions read. */
  readonly reducer: UserReducer | null;
}

/** The columns of a group-by's input chunk: keys first, then each expression once. */
class InputColumns {
  readonly exprs: Expr[];
  /** Where a row can fail, it must fail for all aggregates alike: then what is kept elsewhere is what came in here. */
  readonly fallible: boolean;
  readonly #plan: GroupPlan;
  /** By identity. */
  readonly #places = new Map<string, number>();

  constructor(plan: GroupPlan) {
    this.#plan = plan;
    this.exprs = [...plan.keys];
    plan.keys.forEach((key, i) => {
      const identity = identityOfExpr(key);
      if (!this.#places.has(identity)) this.#places.set(identity, i);
    });
    const used = [...plan.keys, ...plan.aggregates.flatMap(aggregateExprs)];
    this.fallible = used.some(isFallible) || endsFallible(plan.input);
  }

  prepare(a: Aggregate): Prepared {
    if (a.reducer?.routine === null) {
      const reducer = {
        ...a.reducer,
        add: this.#moved(a.reducer.add),
        remove: this.#moved(a.reducer.remove),
      };
      return { arg: a.filter === null ? -1 : this.at(onlyIf(a.filter, null)), rest: [], reducer };
    }
    const way = wayOf(this.#plan, a);
    if (way === "gathered") {
      for (const expr of this.gatheredOf(a)) this.at(expr);
      if (a.filter !== null) this.at(onlyIf(a.filter, null));
    }
    if (way === "distinct" && !this.fallible) return { arg: -1, rest: [], reducer: null };
    const [arg = -1, ...rest] = this.argumentsOf(a);
    return { arg, rest, reducer: null };
  }

  /** Columns of the arguments, the first null where the filter leaves the row out. */
  argumentsOf(a: Aggregate): number[] {
    return countedArguments(a).map((e) => this.at(e));
  }

  /**
   * Values of the rows that an aggregate is made of: its arguments, then what they are ordered by. Where they are kept as they came in,
   * they are null in rows that the filter leaves out, and last is whether the row counts.
   */
  gatheredOf(a: Aggregate): Expr[] {
    const { filter } = a;
    const values = [...argumentsOf(a), ...(a.order ?? []).map((o) => o.expr)];
    if (filter === null || !this.fallible) return values;
    return [...values.map((e) => onlyIf(filter, e)), onlyIf(filter, null)];
  }

  /** Column of the expression. */
  at(expr: Expr): number {
    const identity = identityOfExpr(expr);
    let place = this.#places.get(identity);
    if (place === undefined) this.#places.set(identity, (place = this.exprs.push(expr) - 1));
    return place;
  }

  #moved(fn: UserFunction): UserFunction {
    for (const c of functionColumns(fn)) this.at(build.column(this.#plan.input, c));
    return moveFunction(fn, (c) => this.at(build.column(this.#plan.input, c)));
  }
}

/** The arguments that are read from rows. Of two the first is null where either is, so that it alone tells whether the row counts. */
function argumentsOf(a: Aggregate): readonly Expr[] {
  if (a.arg === null) return [];
  const rest = a.rest ?? [];
  switch (a.fn) {
    case "percentile_cont":
    case "percentile_disc":
      return [a.arg];
    case "corr":
    case "covar_pop":
    case "covar_samp":
    case "regr_avgx":
    case "regr_avgy":
    case "regr_count":
    case "regr_intercept":
    case "regr_r2":
    case "regr_slope":
    case "regr_sxx":
    case "regr_sxy":
    case "regr_syy": {
      const x = rest[0]!;
      if (!nullableOf(x)) return [a.arg, x];
      return [onlyIf({ kind: "not", arg: { kind: "isNull", arg: x } }, a.arg), x];
    }
    default:
      return [a.arg, ...rest];
  }
}

/** The arguments, the first null where the filter leaves the row out; without any, whether it lets it through. */
export function countedArguments(a: Aggregate): Expr[] {
  const { filter } = a;
  const args = argumentsOf(a);
  if (filter === null) return [...args];
  if (args.length === 0) return [onlyIf(filter, null)];
  // What may fail must not be asked for where the filter leaves the row out.
  return args.map((e, i) => (i === 0 || isFallible(e) ? onlyIf(filter, e) : e));
}

/** Whether the loop before the group-by has something fallible in it besides the group-by's own expressions. */
function endsFallible(plan: Plan): boolean {
  if (plan.kind === "filter") return isFallible(plan.predicate) || endsFallible(plan.input);
  if (plan.kind === "project") return plan.exprs.some(isFallible) || endsFallible(plan.input);
  return false;
}

/** The argument (or true) where the filter is true, else null. */
function onlyIf(filter: Expr, arg: Expr | null): Expr {
  const then: Expr = arg ?? { kind: "const", value: true, type: bool };
  const type = typeOf(then);
  return {
    kind: "case",
    branches: [{ when: filter, then }],
    otherwise: { kind: "const", value: null, type },
    type,
  };
}
