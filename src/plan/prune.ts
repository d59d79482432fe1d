/**
 * Columns nobody reads are dropped, from the top down; the rules are at the head of optimize.ts.
 *
 * Pruning goes by position: each node is rebuilt with the columns that are needed, and says where they are in it.
 */
import { unreachable } from "../base/assert.ts";
import * as build from "./build.ts";
import type { Expr } from "./expression.ts";
import {
  aggregateReads,
  columnsOf,
  conjuncts,
  eachColumn,
  functionColumns,
  mapAggregate,
  moveColumns,
  moveFunction,
} from "./inspect.ts";
import { mergedProject } from "./merge-projects.ts";
import { withInputs } from "./nodes.ts";
import type { Aggregate, Plan, ProjectPlan } from "./plan.ts";
import { pruneWindow } from "./prune-window.ts";
import { deduplicated, filtered } from "./push-down.ts";

/** The plan with exactly its columns, and none below that nobody reads. */
export function pruneAll(plan: Plan): Plan {
  const all = plan.schema.fields.map((_, i) => i);
  return exactly(prune(plan, new Set(all)), all);
}

/** A plan that delivers at least the needed columns, and where each column of the original is in it (-1: gone). */
interface Pruned {
  readonly plan: Plan;
  readonly at: readonly number[];
}

function prune(plan: Plan, needed: ReadonlySet<number>): Pruned {
  switch (plan.kind) {
    case "source":
      return kept(plan, needed);
    case "values": {
      const columns = ascending(needed);
      const rows = plan.rows.map((row) => columns.map((c) => row[c]!));
      const fields = columns.map((c) => plan.schema.fields[c]!);
      return { plan: build.values(fields, rows), at: positions(plan, columns) };
    }
    case "filter": {
      if (plan.input.kind === "window")
        return pruneWindow(plan.input, conjuncts(plan.predicate), needed, pruning);
      const input = prune(plan.input, union(needed, columnsOf(plan.predicate)));
      return { plan: filtered(input.plan, [moved(plan.predicate, input)]), at: input.at };
    }
    case "project":
      return pruneProject(plan, needed);
    case "mapFunction": {
      const input = prune(plan.input, new Set(functionColumns(plan.fn)));
      const fn = moveFunction(plan.fn, (i) => input.at[i]!);
      return whole(build.mapFunction(input.plan, fn, plan.flat, plan.schema.fields));
    }
    case "series":
      return pruneSeries(plan, needed);
    case "apply":
      throw new Error("decorrelation leaves no apply behind");
    case "join":
    case "asOfJoin":
      return pruneJoin(plan, needed);
    case "group":
      return pruneGroup(plan, needed);
    case "distinct":
      return whole(deduplicated(pruneAll(plan.input)));
    case "union": {
      const columns = ascending(needed);
      const inputs = plan.inputs.map((input) => exactly(prune(input, needed), columns));
      return { plan: build.union(inputs), at: positions(plan, columns) };
    }
    case "setOperation":
      return whole(build.setOperation({ ...plan, left: pruneAll(plan.left), right: pruneAll(plan.right) }));
    case "topK":
      return whole(build.topK(pruneAll(plan.input), plan));
    case "tableFunction":
      return pruneTableFunction(plan, needed);
    case "window":
      return pruneWindow(plan, [], needed, pruning);
    case "recursive":
      return whole(build.recursive({ ...plan, base: pruneAll(plan.base), step: pruneAll(plan.step) }));
    case "recursiveRef":
      return kept(plan, needed);
    case "temporal": {
      const reads = new Set(needed);
      for (const e of [plan.from, plan.until]) if (e !== null) eachColumn(e, (i) => reads.add(i));
      const input = prune(plan.input, reads);
      const [from, until] = [plan.from, plan.until].map((e) => (e === null ? null : moved(e, input)));
      return { plan: build.temporal(input.plan, from!, until!), at: input.at };
    }
    default:
      return unreachable(plan);
  }
}

const pruning = {
  to: (plan: Plan, columns: readonly number[]): Plan => exactly(prune(plan, new Set(columns)), columns),
  filtered,
};

function whole(plan: Plan): Pruned {
  return { plan, at: plan.schema.fields.map((_, i) => i) };
}

/** Exactly these columns of the original plan, in this order. */
function exactly(pruned: Pruned, columns: readonly number[]): Plan {
  const { plan, at } = pruned;
  const wanted = columns.map((c) => at[c]!);
  if (wanted.length === plan.schema.fields.length && wanted.every((c, i) => c === i)) return plan;
  const exprs = wanted.map((c) => build.column(plan, c));
  return mergedProject(
    plan,
    exprs,
    wanted.map((c) => plan.schema.fields[c]!.name),
  );
}

function kept(plan: Plan, needed: ReadonlySet<number>): Pruned {
  const columns = ascending(needed);
  if (columns.length === plan.schema.fields.length) return whole(plan);
  return { plan: build.projectColumns(plan, columns), at: positions(plan, columns) };
}

function pruneProject(plan: ProjectPlan, needed: ReadonlySet<number>): Pruned {
  const columns = ascending(needed);
  const reads = new Set<number>();
  for (const c of columns) eachColumn(plan.exprs[c]!, (i) => reads.add(i));
  const input = prune(plan.input, reads);
  const exprs = columns.map((c) => moved(plan.exprs[c]!, input));
  const names = columns.map((c) => plan.schema.fields[c]!.name);
  return { plan: mergedProject(input.plan, exprs, names), at: positions(plan, columns) };
}

function pruneSeries(plan: Plan & { kind: "series" }, needed: ReadonlySet<number>): Pruned {
  const last = plan.schema.fields.length - 1;
  const reads = new Set([...needed].filter((c) => c !== last));
  for (const e of [plan.start, plan.stop, plan.step]) eachColumn(e, (i) => reads.add(i));
  const input = prune(plan.input, reads);
  const [start, stop, step] = [plan.start, plan.stop, plan.step].map((e) => moved(e, input));
  const made = build.series(input.plan, start!, stop!, step!, plan.schema.fields[last]!.name);
  return { plan: made, at: [...input.at, made.schema.fields.length - 1] };
}

function pruneTableFunction(plan: Plan & { kind: "tableFunction" }, needed: ReadonlySet<number>): Pruned {
  const width = plan.input.schema.fields.length;
  const reads = new Set([...needed].filter((c) => c < width));
  for (const e of plan.args) eachColumn(e, (i) => reads.add(i));
  const input = prune(plan.input, reads);
  const made = withInputs(plan, [input.plan], (e) => moved(e, input));
  const narrow = input.plan.schema.fields.length;
  const own = plan.schema.fields.slice(width).map((_, i) => narrow + i);
  return { plan: made, at: [...input.at, ...own] };
}

function pruneJoin(plan: Plan & { kind: "join" | "asOfJoin" }, needed: ReadonlySet<number>): Pruned {
  const width = plan.left.schema.fields.length;
  const reads = ascending(needed);
  // What an as-of join looks up is the table's key, whoever reads it.
  const extra = plan.kind === "asOfJoin" ? (plan.right.key ?? []) : [];
  const leftColumns = ascending(new Set([...reads.filter((c) => c < width), ...plan.leftKeys]));
  const rightReads = reads.filter((c) => c >= width).map((c) => c - width);
  const rightColumns = ascending(new Set([...rightReads, ...plan.rightKeys, ...extra]));
  const sides = {
    left: exactly(prune(plan.left, new Set(leftColumns)), leftColumns),
    right: exactly(prune(plan.right, new Set(rightColumns)), rightColumns),
    leftKeys: plan.leftKeys.map((k) => leftColumns.indexOf(k)),
    rightKeys: plan.rightKeys.map((k) => rightColumns.indexOf(k)),
  };
  const columns = [...leftColumns, ...rightColumns.map((c) => c + width)];
  const at = positions(plan, columns);
  if (plan.kind === "asOfJoin") return { plan: build.asOfJoin({ type: plan.type, ...sides }), at };
  const { type, nullSafe } = plan;
  return { plan: build.join({ type, ...sides, nullSafe }), at };
}

function pruneGroup(plan: Plan & { kind: "group" }, needed: ReadonlySet<number>): Pruned {
  const keyCount = plan.keys.length;
  const aggregates = plan.aggregates.map((_, i) => i).filter((i) => needed.has(keyCount + i));
  const reads = new Set<number>();
  const read = (e: Expr) => eachColumn(e, (i) => reads.add(i));
  plan.keys.forEach(read);
  for (const i of aggregates) aggregateReads(plan.aggregates[i]!).forEach(read);
  const input = prune(plan.input, reads);
  const columns = [...plan.keys.map((_, i) => i), ...aggregates.map((i) => keyCount + i)];
  const made = build.group(
    input.plan,
    plan.keys.map((k) => moved(k, input)),
    aggregates.map((i) => movedAggregate(plan.aggregates[i]!, input)),
    columns.map((c) => plan.schema.fields[c]!.name),
    plan.key ?? undefined,
  );
  return { plan: made, at: positions(plan, columns) };
}

function movedAggregate(a: Aggregate, input: Pruned): Aggregate {
  const move = (i: number) => input.at[i]!;
  return {
    ...mapAggregate(a, (expr) => moved(expr, input)),
    reducer:
      a.reducer === null
        ? null
        : {
            ...a.reducer,
            add: moveFunction(a.reducer.add, move),
            remove: moveFunction(a.reducer.remove, move),
          },
  };
}

function moved(expr: Expr, input: Pruned): Expr {
  return moveColumns(expr, (i) => input.at[i]!);
}

function positions(plan: Plan, columns: readonly number[]): number[] {
  const at = plan.schema.fields.map(() => -1);
  columns.forEach((c, i) => {
    at[c] = i;
  });
  return at;
}

function ascending(columns: ReadonlySet<number>): number[] {
  return [...columns].sort((a, b) => a - b);
}

function union<T>(a: ReadonlySet<T>, b: ReadonlySet<T>): Set<T> {
  return new Set([...a, ...b]);
}
