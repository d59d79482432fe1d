/**
 * Plan to circuit.
 *
 * rows(plan, columns) gives a node that pushes the plan's rows, just the columns wanted; stored(plan, columns) one that keeps them in a store.
 * Every node is looked up by what it computes before it is made, so equal parts of two views are one.
 *
 * - Filters and projects in a row become one loop, down to the next operator with state (compile-linear.ts).
 * - A join, a top-k, a min or max reads stores. Where the plan is a source with a store, seen through plain columns, that store
 *   itself is read, with one more index; otherwise the columns needed are kept in a collection of its own.
 * - A group's keys and arguments are computed by the loop before it, as columns.
 *
 * Operators with more to them are in compile-*.ts, which work through the CompileContext that this is.
 *
 * A view being built compiles into a graph of its own, whose nodes may read the stores of the live circuit (`outer`) but push to none of it.
 */
import { assert, unreachable } from "../base/assert.ts";
import * as build from "../plan/build.ts";
import type { Expr } from "../plan/expression.ts";
import { loopOf } from "../plan/iterations.ts";
import type { PlanPart } from "../plan/parts.ts";
import type {
  DistinctPlan,
  GroupPlan,
  Lookup,
  OrderItem,
  Plan,
  RecursivePlan,
  SetOperationPlan,
  SourcePlan,
  UnionPlan,
  WindowPlan,
} from "../plan/plan.ts";
import type { Dictionary } from "../state/dictionary.ts";
import { noteAbout } from "./about.ts";
import { allOf, type CompileContext, distinctOf, fromRows, type Stored, whole } from "./compile-context.ts";
import { mapFunctionNode, seriesNode, tableFunctionNode } from "./compile-functions.ts";
import { aggregateNode } from "./compile-group.ts";
import { asOfJoinNode, joinNode } from "./compile-join.ts";
import { linearNode } from "./compile-linear.ts";
import { temporalNode } from "./compile-temporal.ts";
import { firstRow, topKNode } from "./compile-top.ts";
import { isFallibleWindow, windowNode } from "./compile-window.ts";
import type { Graph } from "./graph.ts";
import { identityOf } from "./identity.ts";
import type { CompileLoop } from "./loop.ts";
import type { Node } from "./node.ts";
import { IndexRows } from "./operators/index-rows.ts";
import type { Stage } from "./operators/linear.ts";
import { Outflow, type RowTaker } from "./operators/outflow.ts";
import { Recursion, type RecursionInput } from "./operators/recursion.ts";
import type { RecursionLimits } from "./operators/recursion-limits.ts";
import { SetOperation } from "./operators/set-operation.ts";
import { StoreRows } from "./operators/store-rows.ts";
import { Collection, type CollectionMode, type StoredNode } from "./operators/stored.ts";
import { Pick, Stream, streamIdentity, Union } from "./operators/stream.ts";
import { type Table, TableChanges } from "./operators/table.ts";
import { Values } from "./operators/values.ts";
import { inletNode } from "./parts/compile-inlet.ts";
import type { PartLinks } from "./parts/link.ts";
import { isPlain, stageOf } from "./stages.ts";

/** Where a compiler finds what plans name. */
export interface Sources {
  /** The table's rows, as ordinary operators read them. */
  table(id: number): Table;
  /** The table that passes its changes on in log order: in a build, one of the build's own. */
  changingTable(id: number): Table;
  /** The rows of a view. */
  view(id: number): StoredNode;
}

/** A loop reads nothing but what it is given. */
const NO_SOURCES: Sources = {
  table: () => unreachable(undefined as never),
  changingTable: () => unreachable(undefined as never),
  view: () => unreachable(undefined as never),
};

export class Compiler implements CompileContext {
  readonly graph: Graph;
  readonly dictionary: Dictionary;
  readonly #outer: Graph | null;
  readonly #sources: Sources;
  readonly #limits: RecursionLimits;
  readonly #parts: PartLinks | null;
  readonly #asOf: number;
  /** What of the view being compiled other threads keep. */
  #cuts: ReadonlyMap<Plan, PlanPart> = new Map();
  /** Groups of it of which these threads take the first step, and what takes the second. */
  #inTwoSteps: ReadonlyMap<Plan, Plan> = new Map();
  /** Of it, what was met: where rows are there already, nothing is cut. */
  #met = new Set<Plan>();

  constructor(
    graph: Graph,
    outer: Graph | null,
    sources: Sources,
    dictionary: Dictionary,
    limits: RecursionLimits,
    parts: PartLinks | null,
    asOf = Number.POSITIVE_INFINITY,
  ) {
    this.#asOf = asOf;
    this.#limits = limits;
    this.#parts = parts;
    this.graph = graph;
    this.#outer = outer;
    this.#sources = sources;
    this.dictionary = dictionary;
  }

  /** The rows of a view, for its readers: unique by the plan's key, or else by all columns with a weight. */
  result(plan: Plan): StoredNode {
    const parts = this.#parts?.partsOf(plan) ?? [];
    this.#cuts = new Map(parts.map((part) => [part.plan, part]));
    this.#inTwoSteps = new Map(parts.flatMap(({ twoSteps: t }) => (t === null ? [] : [[t.group, t.merged]])));
    this.#met = new Set();
    return this.#kept(plan) ?? this.collection(plan, allOf(plan), plan.key === null ? "bag" : "keyed").node;
  }

  /** Gives the plan's rows out as they are made. */
  outflow(plan: Plan, taker: RowTaker): StoredNode {
    const rows = fromRows(this.rows(plan, allOf(plan)));
    return this.graph.add(new Outflow(rows, plan.schema.fields, this.dictionary, taker));
  }

  /** A copy of a store's rows, to be read once. */
  copied(node: StoredNode): StoredNode {
    const { columns } = node.store.layout;
    const identity = `copy of ${node.identity}`;
    const rows = this.storeRows(
      { node, columns: columns.map((_, c) => c) },
      columns.map((_, c) => c),
    );
    return this.#node(identity, () => {
      const mode = node.key === null ? "bag" : "keyed";
      const spec = { identity, label: `copy of ${node.label}`, columns, mode, key: node.key } as const;
      return new Collection(spec, fromRows(rows), this.dictionary);
    });
  }

  /** What of the last result's plan it has given to other threads. */
  get cuts(): Plan[] {
    return [...this.#met];
  }

  /** The operator that keeps the plan's rows anyway, just as a view has them; else null. */
  #kept(plan: Plan): StoredNode | null {
    let at = plan;
    while (at.kind === "project" && isPlain(stageOf(at))) at = at.input;
    const stored = at.kind === "topK" ? this.#shared(plan) : null;
    if (stored === null) return null;
    const { node, columns } = stored;
    const { length } = node.store.layout.columns;
    return sameNumbers(
      columns,
      Array.from({ length }, (_, i) => i),
    ) && sameNumbers(node.key, plan.key)
      ? node
      : null;
  }

  // ---- rows -------------------------------------------------------------------------------------------------------

  /** A node that pushes these columns of the plan's rows. */
  rows(plan: Plan, columns: readonly number[]): Node {
    const node = this.#rows(plan, columns);
    noteAbout(node, plan);
    return node;
  }

  #rows(plan: Plan, columns: readonly number[]): Node {
    const cut = this.#cuts.get(plan);
    if (cut !== undefined) {
      this.#met.add(plan);
      const links = this.#parts as PartLinks;
      return this.#picked(inletNode(this, cut, links, this.#sources, this.#outer === null), plan, columns);
    }
    const merged = this.#inTwoSteps.get(plan);
    if (merged !== undefined) {
      this.#met.add(plan);
      return this.rows(merged, columns);
    }
    switch (plan.kind) {
      case "source":
        if (plan.relation === "stream") return this.#picked(this.#stream(plan), plan, columns);
        if (plan.lookup !== undefined) return this.#lookup(plan, plan.lookup, columns);
        return this.storeRows(this.#shared(plan)!, columns);
      case "values":
        return this.storeRows(this.#shared(plan)!, columns);
      case "filter":
      case "project":
        return this.linear(plan, [], columns);
      case "mapFunction":
        return this.#picked(mapFunctionNode(this, plan), plan, columns);
      case "series":
        return seriesNode(this, plan, columns);
      case "tableFunction":
        return tableFunctionNode(this, plan, columns);
      case "join":
        return joinNode(this, plan, columns);
      case "asOfJoin":
        return asOfJoinNode(this, plan, columns);
      case "group":
        return this.#picked(this.#group(plan), plan, columns);
      case "distinct":
        if (plan.input.key !== null) return this.rows(plan.input, columns);
        return this.storeRows(this.#distinct(plan), columns);
      case "union":
        return this.#union(plan, columns);
      case "setOperation":
        return this.#picked(this.#setOperation(plan), plan, columns);
      case "topK":
        return topKNode(this, plan, columns);
      case "temporal":
        return temporalNode(this, plan, columns);
      case "window":
        return this.#window(plan, columns);
      case "recursive":
        return this.storeRows(this.#recursion(plan), columns);
      case "recursiveRef":
        throw new Error("only a recursion's own loop reads what it has found");
      case "apply":
        throw new Error("a plan is compiled once it is decorrelated");
      default:
        return unreachable(plan);
    }
  }

  linear(plan: Plan, stages: readonly Stage[], columns: readonly number[]): Node {
    return linearNode(this, plan, stages, columns, (base, wanted) => this.rows(base, wanted));
  }

  isCut(plan: Plan): boolean {
    return this.#cuts.has(plan);
  }

  #picked(node: Node, plan: Plan, columns: readonly number[]): Node {
    return this.pickedOf(node, plan.schema.fields.length, columns);
  }

  pickedOf(node: Node, width: number, columns: readonly number[]): Node {
    if (columns.length === width && columns.every((c, i) => c === i)) return node;
    const identity = `columns of ${node.identity} [${columns}]`;
    return this.#node(identity, () => new Pick(identity, fromRows(node), columns));
  }

  storeRows({ node, columns: map }: Stored, columns: readonly number[]): Node {
    const wanted = columns.map((c) => map[c]!);
    const identity = `rows of ${node.identity} [${wanted}]`;
    return this.#node(identity, () => new StoreRows(identity, node, wanted));
  }

  /** A table or a view. */
  #source({ relation, id }: SourcePlan): StoredNode {
    return relation === "table" ? this.#sources.table(id) : this.#sources.view(id);
  }

  #lookup(plan: SourcePlan, lookup: Lookup, columns: readonly number[]): Node {
    const identity = `lookup ${identityOf(plan)} [${columns}]`;
    return this.#node(identity, () => new IndexRows(identity, this.#source(plan), lookup, columns));
  }

  #stream(plan: SourcePlan): Node {
    return this.#node(streamIdentity(plan.id), () => new Stream(plan.id, plan.name));
  }

  /** Every change of a table in log order, through filters and projects. */
  changes(plan: Plan, columns: readonly number[]): Node {
    return linearNode(this, plan, [], columns, (base, wanted) => {
      assert(
        base.kind === "source" && base.relation === "table",
        "the right side of an as-of join is a table",
      );
      const table = this.#sources.changingTable(base.id);
      const identity = `changes of ${table.identity}`;
      return this.#picked(
        this.#node(identity, () => new TableChanges(table)),
        base,
        wanted,
      );
    });
  }

  #union(plan: UnionPlan, columns: readonly number[]): Node {
    const inputs = plan.inputs.map((input) => this.rows(input, columns));
    const identity = `union of ${inputs.map((n) => n.identity).join("; ")}`;
    const fields = columns.map((c) => plan.schema.fields[c]!);
    return this.#node(identity, () => new Union(identity, inputs.map(fromRows), fields));
  }

  #setOperation(plan: SetOperationPlan): Node {
    const left = this.rows(plan.left, allOf(plan.left));
    const right = this.rows(plan.right, allOf(plan.right));
    const identity = `${identityOf(plan)} of ${left.identity} and ${right.identity}`;
    return this.#node(identity, () => {
      const { op, all } = plan;
      const output = plan.schema.fields;
      const columns = output.map(({ type, nullable }, i) => ({
        type,
        nullable: nullable || plan.right.schema.fields[i]!.nullable,
      }));
      const inputs = [plan.left.schema.fields, plan.right.schema.fields] as const;
      const spec = { identity, op, all, output, columns, inputs };
      return new SetOperation(spec, fromRows(left), fromRows(right), this.dictionary);
    });
  }

  #group(plan: GroupPlan): Node {
    return aggregateNode(this, plan);
  }

  // ---- stored rows ------------------------------------------------------------------------------------------------

  /** A store with (at least) these columns of the plan's rows. */
  stored(plan: Plan, columns: readonly number[]): Stored {
    const shared = this.#shared(plan);
    if (shared !== null) return shared;
    const mode = plan.appendOnly ? "append" : plan.key === null ? "bag" : "keyed";
    return this.collection(plan, columns, mode);
  }

  /** A store that is there anyway and holds the plan's rows, or null. */
  #shared(plan: Plan): Stored | null {
    if (this.#cuts.has(plan)) return null;
    switch (plan.kind) {
      case "source":
        return plan.relation === "stream" || plan.lookup !== undefined
          ? null
          : whole(this.#source(plan), plan);
      case "values": {
        const identity = `values ${identityOf(plan)}`;
        return whole(
          this.#node(identity, () => new Values(identity, plan, this.dictionary)),
          plan,
        );
      }
      case "project": {
        if (!plan.exprs.every((e) => e.kind === "column")) return null;
        const input = this.#shared(plan.input);
        if (input === null) return null;
        return {
          node: input.node,
          columns: plan.exprs.map((e) => input.columns[(e as Expr & { kind: "column" }).index]!),
        };
      }
      case "distinct":
        return plan.input.key !== null ? this.#shared(plan.input) : this.#distinct(plan);
      case "recursive":
        return this.#recursion(plan);
      case "topK":
        return firstRow(this, plan);
      case "filter":
      case "mapFunction":
      case "series":
      case "join":
      case "asOfJoin":
      case "group":
      case "union":
      case "setOperation":
      case "tableFunction":
      case "window":
      case "recursiveRef":
      case "temporal":
      case "apply":
        return null;
      default:
        return unreachable(plan);
    }
  }

  #distinct(plan: DistinctPlan): Stored {
    return this.collection(plan.input, allOf(plan), plan.appendOnly ? "set" : "distinct");
  }

  collection(
    plan: Plan,
    columns: readonly number[],
    mode: CollectionMode,
    purpose = "",
    through: (rows: Node) => Node = (rows) => rows,
  ): Stored {
    const key = mode === "keyed" ? plan.key! : [];
    const kept = distinctOf([...columns, ...key]);
    const identity = `${purpose}${mode} ${identityOf(plan)} [${kept}]`;
    const node = this.#node(
      identity,
      () => {
        const input = through(this.rows(plan, kept));
        const spec = {
          identity,
          label: `rows of ${input.label}`,
          columns: kept.map((c) => plan.schema.fields[c]!),
          mode,
          key: mode === "keyed" ? key.map((k) => kept.indexOf(k)) : null,
        };
        return new Collection(spec, fromRows(input), this.dictionary);
      },
      // A store from which rows are evicted belongs to the one who evicts.
      purpose === "",
    );
    return { node, columns: plan.schema.fields.map((_, c) => kept.indexOf(c)) };
  }

  /** A shared store will do where it has just the plan's columns, or there are no ties. */
  ordered(plan: Plan, partition: readonly number[], order: readonly OrderItem[]): Stored {
    const shared = this.#shared(plan);
    if (shared !== null) {
      const { node, columns } = shared;
      const identical =
        columns.length === node.store.layout.columns.length && columns.every((c, i) => c === i);
      const decided = new Set([...partition, ...order.map((o) => o.column)].map((c) => columns[c]!));
      if (identical || (node.key?.every((k) => decided.has(k)) ?? false)) return shared;
    }
    const mode = plan.appendOnly ? "append" : plan.key === null ? "bag" : "keyed";
    return this.collection(plan, allOf(plan), mode);
  }

  // ---- windows ----------------------------------------------------------------------------------------------------

  #window(plan: WindowPlan, columns: readonly number[]): Node {
    if (!plan.functions.some(isFallibleWindow)) return windowNode(this, plan, columns);
    // As in linear(): a row that fails shall fail once.
    return this.#picked(windowNode(this, plan, allOf(plan)), plan, columns);
  }

  // ---- recursion --------------------------------------------------------------------------------------------------

  #recursion(plan: RecursivePlan): Stored {
    const loop = loopOf(plan);
    const inputs = loop.inputs.map((input): RecursionInput => {
      const stored = this.stored(input, allOf(input));
      const rows = fromRows(this.storeRows(stored, allOf(input)));
      return { rows, stored: stored.node, columns: stored.columns };
    });
    const identity = `${identityOf(plan)} of ${inputs.map((i) => i.stored.identity).join("; ")}`;
    const node = this.#node(identity, () => {
      const compile: CompileLoop = (graph, derived) => {
        const compiler = new Compiler(graph, null, NO_SOURCES, this.dictionary, this.#limits, null);
        return compiler.stored(plan.all ? derived : build.distinct(derived), allOf(derived)).node;
      };
      const columns = plan.schema.fields;
      const spec = { identity, all: plan.all, columns, loop, inputs, limits: this.#limits, compile };
      return new Recursion(spec, this.dictionary);
    });
    return whole(node, plan);
  }

  // ---- nodes ------------------------------------------------------------------------------------------------------

  /** The node that computes this, found or made. `shareable`: a build may read the live circuit's, if that has a store and knows the epoch. */
  node<N extends Node>(identity: string, make: () => N): N {
    return this.#node(identity, make);
  }

  #node<N extends Node>(identity: string, make: () => N, shareable = true): N {
    const own = this.graph.find(identity);
    if (own !== undefined && own.failed === null) return own as N;
    const outer = shareable ? this.#outer?.find(identity) : undefined;
    const isShared = outer !== undefined && outer.failed === null && outer.joinedAt <= this.#asOf;
    if (isShared && "store" in outer && "weighted" in outer) return outer as unknown as N;
    return this.graph.add(make());
  }
}

function sameNumbers(a: readonly number[] | null, b: readonly number[] | null): boolean {
  return a !== null && b !== null && a.length === b.length && a.every((n, i) => n === b[i]);
}
