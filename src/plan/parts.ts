/**
 * Parts: what of a plan can be kept by threads of its own, and by which columns its rows can be told apart, so that each thread keeps a share of them.
 *
 * 1. A part reads topics alone, and is nothing but data: a function of the program cannot leave its thread, a view's rows are where they are
 *    read. What depends on the order of commits, on time or on iterations stays, too.
 * 2. It can be split by some of its columns where everything it is made from can: rows that an operator brings together agree in them. A group can be
 *    split by its keys, a join by what both sides are equal in, a window or the first rows by their partitions; and each of these passes the
 *    question on to its inputs, down to columns of topics.
 * 3. Of the parts that can be split the largest are taken; what stands above them stays. Where there is none, and with one thread alone, the
 *    whole plan is a part.
 * 4. A group that cannot be split, over a part that can, is made in two steps where that is exact (partial-group.ts): each thread groups what it has. So a
 *    join of millions of rows tells of each group one row, and not all that it has joined.
 *
 * Only what keeps state is worth it: a filter costs less than the way to another thread.
 */
import { unreachable } from "../base/assert.ts";
import { hasOwnEquality } from "../batch/order-key.ts";
import { carrierOf, type SqlType } from "../batch/types.ts";
import type { Expr } from "./expression.ts";
import { childrenOf, inputsOf, nodesOf } from "./inspect.ts";
import { exprsOf } from "./nodes.ts";
import { partialGroup } from "./partial-group.ts";
import type { GroupPlan, Plan } from "./plan.ts";

/** By topic the columns by which its rows are told apart. */
export type ShardKeys = ReadonlyMap<number, readonly number[]>;

export interface PlanPart {
  readonly plan: Plan;
  /** null: it cannot be split. */
  readonly keys: ShardKeys | null;
  /** Whether a key of the plan may move from one share to another: it says nothing of the columns by which it is split. */
  readonly keysMove: boolean;
  /** Of a group in two steps: the group itself, and its rows over those of `plan`, which is the first step. */
  readonly twoSteps: { readonly group: Plan; readonly merged: Plan } | null;
}

/** What of the plan `threads` threads keep. */
export function partsOf(plan: Plan, threads: number): PlanPart[] {
  const parts = threads > 1 ? splitParts(plan, new Set()) : [];
  if (parts.length > 0) return parts;
  return isPortable(plan) && keepsState(plan) ? [{ plan, keys: null, keysMove: false, twoSteps: null }] : [];
}

function splitParts(plan: Plan, seen: Set<Plan>): PlanPart[] {
  if (seen.has(plan)) return [];
  seen.add(plan);
  if (!keepsState(plan)) return [];
  const part = isPortable(plan)
    ? (splitPart(plan) ?? (plan.kind === "group" ? partialPart(plan) : null))
    : null;
  return part === null ? inputsOf(plan).flatMap((input) => splitParts(input, seen)) : [part];
}

/** Split by as many of the plan's columns as go together: the more, the more evenly. */
function splitPart(plan: Plan): PlanPart | null {
  const each = plan.schema.fields.map((_, c) => c).filter((c) => splitBy(plan, [c]) !== null);
  for (const columns of [each, each.slice(0, 1)]) {
    const keys = columns.length === 0 ? null : splitBy(plan, columns);
    if (keys !== null) {
      const { key } = plan;
      const keysMove = key !== null && !columns.every((c) => key.includes(c));
      return { plan, keys, keysMove, twoSteps: null };
    }
  }
  return null;
}

/** The first of a group's two steps. Of a stream's own rows it is worth it for one group alone: of many, the shards and the first thread would keep all of them twice. */
function partialPart(group: GroupPlan): PlanPart | null {
  if (!keepsState(group.input) && group.keys.length > 0) return null;
  const keys = spread(group.input);
  const inTwo = keys === null ? null : partialGroup(group);
  if (inTwo === null) return null;
  return { plan: inTwo.partial, keys, keysMove: false, twoSteps: { group, merged: inTwo.merged } };
}

/** What to tell rows of topics apart by, so that each of the plan's rows is made in one place. */
function spread(plan: Plan): ShardKeys | null {
  const keys = splitPart(plan)?.keys ?? null;
  if (keys !== null) return keys;
  switch (plan.kind) {
    case "project":
      // Of a source below plain columns no others are read.
      return plan.input.kind === "source" && plan.exprs.every(({ kind }) => kind === "column")
        ? null
        : spread(plan.input);
    case "filter":
    case "series":
    case "tableFunction":
      return spread(plan.input);
    case "union":
      return together(plan.inputs.map(spread));
    default:
      return null;
  }
}

/** What to tell rows of topics apart by, so that rows of the plan that agree in these columns come together; null: that cannot be. */
function splitBy(plan: Plan, columns: readonly number[]): ShardKeys | null {
  switch (plan.kind) {
    case "source": {
      const isSplit = columns.every((c) => isSplitType(plan.schema.fields[c]!.type));
      return isSplit ? new Map([[plan.id, columns]]) : null;
    }
    case "filter":
    case "distinct":
      return splitBy(plan.input, columns);
    case "project":
      return splitByPlain(plan.input, plan.exprs, columns);
    case "group":
      return splitByPlain(plan.input, plan.keys, columns);
    case "series":
    case "tableFunction": {
      const width = plan.input.schema.fields.length;
      return columns.every((c) => c < width) ? splitBy(plan.input, columns) : null;
    }
    case "topK":
    case "window":
      return columns.every((c) => plan.partition.includes(c)) ? splitBy(plan.input, columns) : null;
    case "union":
    case "setOperation":
      return together(inputsOf(plan).map((input) => splitBy(input, columns)));
    case "join": {
      const width = plan.left.schema.fields.length;
      // Of a side that may be missing the columns are null, wherever the other side's row is.
      const places = columns.map((c) => {
        if (c < width) return plan.type === "full" ? -1 : plan.leftKeys.indexOf(c);
        return plan.type === "inner" ? plan.rightKeys.indexOf(c - width) : -1;
      });
      if (places.includes(-1)) return null;
      return together([
        splitBy(
          plan.left,
          places.map((p) => plan.leftKeys[p]!),
        ),
        splitBy(
          plan.right,
          places.map((p) => plan.rightKeys[p]!),
        ),
      ]);
    }
    case "values":
    case "mapFunction":
    case "apply":
    case "asOfJoin":
    case "recursive":
    case "recursiveRef":
    case "temporal":
      return null;
    default:
      return unreachable(plan);
  }
}

/** Where the columns are plain ones of the input. */
function splitByPlain(input: Plan, exprs: readonly Expr[], columns: readonly number[]): ShardKeys | null {
  const moved: number[] = [];
  for (const c of columns) {
    const expr = exprs[c];
    if (expr?.kind !== "column") return null;
    moved.push(expr.index);
  }
  return splitBy(input, moved);
}

/** A topic that is read twice is told apart in one way. */
function together(all: readonly (ShardKeys | null)[]): ShardKeys | null {
  const joined = new Map<number, readonly number[]>();
  for (const keys of all) {
    if (keys === null) return null;
    for (const [id, columns] of keys) {
      const known = joined.get(id);
      if (known !== undefined && known.join() !== columns.join()) return null;
      joined.set(id, columns);
    }
  }
  return joined;
}

/** Whether equal values of the type are the same bytes. */
function isSplitType(type: SqlType): boolean {
  return carrierOf(type) !== "double" && !hasOwnEquality(type);
}

const stateful = new WeakMap<Plan, boolean>();

function keepsState(plan: Plan): boolean {
  let known = stateful.get(plan);
  if (known === undefined) {
    known = holdsRows(plan) || inputsOf(plan).some(keepsState);
    stateful.set(plan, known);
  }
  return known;
}

function holdsRows(plan: Plan): boolean {
  switch (plan.kind) {
    case "join":
    case "asOfJoin":
    case "group":
    case "distinct":
    case "setOperation":
    case "topK":
    case "window":
    case "recursive":
    case "apply":
      return true;
    case "source":
    case "values":
    case "filter":
    case "project":
    case "mapFunction":
    case "series":
    case "tableFunction":
    case "union":
    case "recursiveRef":
    case "temporal":
      return false;
    default:
      return unreachable(plan);
  }
}

/** The part over streams alone: what stands for a table brings retractions. */
export function overStreams(plan: Plan, done: Map<Plan, Plan> = new Map()): Plan {
  let over = done.get(plan);
  if (over === undefined) {
    over = Object.freeze(streamsFor(plan, (input) => overStreams(input, done)));
    done.set(plan, over);
  }
  return over;
}

/** As it is but for its inputs: what is known of its rows stays known. */
function streamsFor(plan: Plan, over: (input: Plan) => Plan): Plan {
  if (plan.kind === "source") return { ...plan, relation: "stream" };
  if ("input" in plan) return { ...plan, input: over(plan.input) };
  if ("left" in plan) return { ...plan, left: over(plan.left), right: over(plan.right) };
  if ("inputs" in plan) return { ...plan, inputs: plan.inputs.map(over) };
  return plan;
}

function isPortable(plan: Plan): boolean {
  return nodesOf(plan).every((node) => {
    switch (node.kind) {
      case "source":
        return node.relation !== "view" && node.lookup === undefined;
      case "tableFunction":
        return typeof node.fn === "string" && exprsOf(node).every(isData);
      case "group":
        return node.aggregates.every((a) => a.reducer === null) && exprsOf(node).every(isData);
      case "window":
        return (
          node.functions.every((f) => (f.aggregate?.reducer ?? null) === null) && exprsOf(node).every(isData)
        );
      case "values":
      case "filter":
      case "project":
      case "series":
      case "join":
      case "distinct":
      case "union":
      case "setOperation":
      case "topK":
        return exprsOf(node).every(isData);
      case "mapFunction":
      case "apply":
      case "asOfJoin":
      case "recursive":
      case "recursiveRef":
      case "temporal":
        return false;
      default:
        return unreachable(node);
    }
  });
}

function isData(expr: Expr): boolean {
  return expr.kind !== "js" && expr.kind !== "routine" && childrenOf(expr).every(isData);
}
