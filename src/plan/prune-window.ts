/**
 * Windows whose columns are not all read, and windows of which only the first ranks are kept.
 *
 * What nobody reads of a window is dropped, and a window of which nothing is left. Its input keeps what is read above, what the functions read, and what
 * they are partitioned and ordered by: rows that are alike in all of that are alike.
 *
 *   WHERE row_number() OVER (PARTITION BY p ORDER BY o) <= 3
 *
 * is a top-k beneath the window, which then has few rows to number, or none if nobody reads the number. rank() <= 3 is a top-k with ties. Functions that
 * look beyond the rows kept forbid it. So do fallible expressions before the comparison, which were to see the rows it drops.
 */
import { int8 } from "../batch/types.ts";
import * as build from "./build.ts";
import type { Expr } from "./expression.ts";
import { functionInfo } from "./functions.ts";
import { aggregateExprs, columnsOf, eachColumn, isFallible, mapAggregate, moveColumns } from "./inspect.ts";
import type { Plan, WindowFunction, WindowPlan } from "./plan.ts";

/** A plan that delivers at least the needed columns, and where each column of the original is in it (-1: gone). */
interface Pruned {
  readonly plan: Plan;
  readonly at: readonly number[];
}

export interface Pruning {
  /** Exactly these columns of the plan. */
  readonly to: (plan: Plan, columns: readonly number[]) => Plan;
  readonly filtered: (plan: Plan, predicates: readonly Expr[]) => Plan;
}

/** The window under a filter of these conjuncts, as far as the columns are needed. */
export function pruneWindow(
  plan: WindowPlan,
  predicates: readonly Expr[],
  needed: ReadonlySet<number>,
  pruning: Pruning,
): Pruned {
  const width = plan.input.schema.fields.length;
  const kept = keptRanks(plan, predicates, needed);
  const rest = kept === null ? predicates : kept.rest;
  const reads = new Set(needed);
  for (const e of rest) eachColumn(e, (c) => reads.add(c));
  const constant = kept?.constant ?? null;
  const functions = plan.functions.map((_, i) => i).filter((i) => reads.has(width + i) && i !== constant?.fn);
  const ordered = functions.length > 0 || kept !== null;
  const below = new Set([...reads].filter((c) => c < width));
  if (ordered) for (const c of [...plan.partition, ...plan.order.map((o) => o.column)]) below.add(c);
  for (const i of functions)
    for (const e of functionExprs(plan.functions[i]!)) eachColumn(e, (c) => below.add(c));
  const columns = [...below].sort((a, b) => a - b);
  const place = (c: number) => columns.indexOf(c);
  const window = {
    partition: plan.partition.map(place),
    order: plan.order.map((o) => ({ ...o, column: place(o.column) })),
  };
  let made = pruning.to(plan.input, columns);
  if (kept !== null) {
    const { limit, offset, ties } = kept;
    // One row of each partition: they tell rows apart for whoever sees them.
    const tells = limit === 1 && !ties && plan.partition.every((c) => reads.has(c));
    const key = tells ? [...new Set(window.partition)] : null;
    made = build.topK(made, { ...window, limit, offset, ties, key });
  }
  const at = plan.schema.fields.map((_, c) => (c < width ? place(c) : -1));
  if (functions.length > 0) {
    functions.forEach((f, i) => {
      at[width + f] = columns.length + i;
    });
    const names = functions.map((f) => plan.schema.fields[width + f]!.name);
    const moved = functions.map((f) => movedFunction(plan.functions[f]!, place));
    made = build.window(made, { ...window, functions: moved }, names);
  }
  if (constant !== null) {
    const own = made.schema.fields.map((_, i) => build.column(made, i));
    const names = [...made.schema.fields.map((f) => f.name), plan.schema.fields[width + constant.fn]!.name];
    at[width + constant.fn] = own.length;
    made = build.project(made, [...own, build.constant(constant.value, int8)], names);
  }
  return {
    plan: pruning.filtered(
      made,
      rest.map((e) => moveColumns(e, (c) => at[c]!)),
    ),
    at,
  };
}

function functionExprs({ args, aggregate }: WindowFunction): Expr[] {
  return [...args, ...(aggregate === null ? [] : aggregateExprs(aggregate))];
}

function movedFunction(f: WindowFunction, place: (column: number) => number): WindowFunction {
  const move = (e: Expr) => moveColumns(e, place);
  const aggregate = f.aggregate === null ? null : mapAggregate(f.aggregate, move);
  return { ...f, args: f.args.map(move), aggregate };
}

// ---- ranks ------------------------------------------------------------------------------------------------------

interface Kept {
  readonly limit: number | null;
  readonly offset: number;
  readonly ties: boolean;
  /** Conjuncts that say more. */
  readonly rest: readonly Expr[];
  /** A function whose value is the same for all rows kept. */
  readonly constant: { readonly fn: number; readonly value: bigint } | null;
}

interface Range {
  readonly column: number;
  readonly first: number;
  readonly last: number;
}

function keptRanks(plan: WindowPlan, predicates: readonly Expr[], needed: ReadonlySet<number>): Kept | null {
  const width = plan.input.schema.fields.length;
  const fallible = predicates.findIndex(isFallible);
  const free = fallible < 0 ? predicates : predicates.slice(0, fallible);
  for (const name of ["row_number", "rank"] as const) {
    const fn = plan.functions.findIndex(
      (f, i) => f.fn === name && free.some((e) => rangeOf(e)?.column === width + i),
    );
    if (fn < 0) continue;
    const column = width + fn;
    const own = free.filter((e) => rangeOf(e)?.column === column);
    const ranges = own.map((e) => rangeOf(e)!);
    const first = Math.max(1, ...ranges.map((r) => r.first));
    const last = Math.min(...ranges.map((r) => r.last));
    const others = predicates.filter((e) => !own.includes(e));
    const reads = new Set(needed);
    for (const e of others) eachColumn(e, (c) => reads.add(c));
    const alone = plan.functions.every((_, i) => i === fn || !reads.has(width + i));
    const count = Number.isFinite(last) ? Math.max(0, last - first + 1) : null;
    if (name === "row_number" && alone && (!reads.has(column) || first === last)) {
      const constant = reads.has(column) ? { fn, value: BigInt(first) } : null;
      return { limit: count, offset: first - 1, ties: false, rest: others, constant };
    }
    if (count === null) continue;
    const ties = name === "rank";
    const kept = plan.functions.filter((_, i) => reads.has(width + i));
    if (kept.some((f) => looksAhead(f, ties) || functionExprs(f).some(isFallible))) continue;
    const rest = first > 1 ? predicates : others;
    return { limit: Math.max(0, last), offset: 0, ties, rest, constant: null };
  }
  return null;
}

/** Whether a function's value for one of the first rows depends on rows behind them. `peers`: all peers of a first row are among them. */
function looksAhead({ fn, args, frame }: WindowFunction, peers: boolean): boolean {
  switch (fn) {
    case "row_number":
    case "rank":
    case "dense_rank":
      return false;
    case "percent_rank":
    case "cume_dist":
    case "ntile":
    case "lead":
      return true;
    case "lag": {
      const offset = args[1];
      return offset !== undefined && !(offset.kind === "const" && Number(offset.value) >= 0);
    }
    case "first_value":
    case "last_value":
    case "nth_value":
    case "aggregate": {
      const { mode, end } = frame;
      return !(end.kind === "preceding" || (end.kind === "currentRow" && (mode === "rows" || peers)));
    }
  }
}

const mirrored: Readonly<Record<string, string>> = { "<": ">", "<=": ">=", "=": "=", ">": "<", ">=": "<=" };

/** What a conjunct says of a column with whole numbers, if it compares one with a constant. */
function rangeOf(expr: Expr): Range | undefined {
  if (expr.kind !== "call" || expr.args.length !== 2 || columnsOf(expr).size !== 1) return undefined;
  const op = functionInfo(expr.fn).op ?? "";
  if (mirrored[op] === undefined) return undefined;
  const [left, right] = expr.args as [Expr, Expr];
  if (left.kind === "column" && right.kind === "const") return range(left.index, op, right.value);
  if (left.kind === "const" && right.kind === "column") return range(right.index, mirrored[op], left.value);
  return undefined;
}

function range(column: number, op: string, value: unknown): Range | undefined {
  const k = typeof value === "bigint" || typeof value === "number" ? Number(value) : Number.NaN;
  if (!Number.isSafeInteger(k)) return undefined;
  const [none, all] = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
  switch (op) {
    case "<":
      return { column, first: none, last: k - 1 };
    case "<=":
      return { column, first: none, last: k };
    case "=":
      return { column, first: k, last: k };
    case ">":
      return { column, first: k + 1, last: all };
    default:
      return { column, first: k, last: all };
  }
}
