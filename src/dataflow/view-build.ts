/**
 * A view being built: a graph of its own, run in steps of its own, that joins the live circuit once it has caught up.
 *
 * 1. begin(e) with the first epoch e: everything visible at e is new. Tables, views and arrangements of the live circuit are scanned
 *    in place, as of e, which a pin keeps; the records of streams are fed by the engine, from the log.
 * 2. begin(e2) and so on: the same for what happened between e and e2.
 * 3. finish(), between two live steps, when the build stands at the live epoch: each node moves into the live graph; where an
 *    equal one lives there already, that one takes its place (both hold the same rows). From then on it is as if it had always been there.
 *
 * As-of joins depend on the order of commits (`ordered`): then the tables they look into are fed as well, by feedTable, all topics in log order,
 * with commit numbers that rise throughout the step, and boundary() is called wherever all topics have been fed up to the same commit.
 */
import { assert } from "../base/assert.ts";
import type { EvertError } from "../base/errors.ts";
import type { Batch } from "../batch/batch.ts";
import { sourcesOf } from "../plan/inspect.ts";
import type { OrderItem, Plan } from "../plan/plan.ts";
import type { Dictionary } from "../state/dictionary.ts";
import type { Store } from "../state/store.ts";
import { BuildReadiness } from "./build-readiness.ts";
import type { Chunk } from "./chunk.ts";
import { Compiler, type Sources } from "./compile.ts";
import type { Cooling } from "./cooling.ts";
import { Graph } from "./graph.ts";
import type { MemoryLimit } from "./memory-limit.ts";
import type { Node } from "./node.ts";
import type { OperatorStats } from "./operator-stats.ts";
import { AsOfJoin } from "./operators/as-of-join.ts";
import type { RowTaker } from "./operators/outflow.ts";
import type { RecursionLimits } from "./operators/recursion-limits.ts";
import { StoredNode } from "./operators/stored.ts";
import { streamIdentity } from "./operators/stream.ts";
import { Table, TableChanges } from "./operators/table.ts";
import {
  failLost,
  feedHistory,
  feedParts,
  inletsOf,
  type WantedOfHistory,
  wantedOfHistory,
} from "./parts/feed-parts.ts";
import type { Inlet } from "./parts/inlet.ts";
import type { PartLinks } from "./parts/link.ts";
import type { SharedRows } from "./parts/shared-rows.ts";
import type { StateLimits } from "./state-limits.ts";
import type { View, ViewNode } from "./view.ts";

export interface Build {
  /** Streams to be fed. */
  readonly streams: readonly number[];
  /** Tables to be fed besides being scanned: those an as-of join looks into. */
  readonly tables: readonly number[];
  /** Whether all feeding must be in log order. */
  readonly ordered: boolean;
  /** Epoch up to which it is complete; -1 before the first step. */
  readonly epoch: number;
  /** Why it stopped; null while it works. */
  readonly failed: EvertError | null;
  /** Errors of everything upstream, as of its epoch. */
  errorCount(): number;
  firstError(): EvertError | null;
  /** Whether hold() has been called, or a step has begun. */
  readonly isHeld: boolean;
  /** From now on rows visible at the epoch stay, until the step to it has begun: called before the first prepare(), by who begins there. */
  hold(epoch: number): void;
  /**
   * Makes the indexes on stores of the live circuit that the build needs, until the deadline (performance.now()); true when all are there.
   * Call it until then before the first begin(), between steps or amid them.
   */
  prepare(deadline: number): boolean;
  /** Starts the step to `epoch`, which the live circuit has completed, at this time of the log. */
  begin(epoch: number, timeUs?: number): void;
  feedStream(id: number, chunk: Chunk): void;
  feedTable(id: number, chunk: Chunk, ops: Uint8Array | null, opsFrom?: number): void;
  /** Hands records of a stream to the parts that read it, as LiveParts.feed. */
  feedParts(id: number, batch: Batch): void;
  /** What other threads read of a stream's history, which then need not come through this one; null: it has to be fed here. */
  historyWanted(id: number): WantedOfHistory | null;
  /** Rows of history as they were wanted. */
  feedHistory(id: number, wanted: WantedOfHistory, rows: SharedRows): void;
  /** What of the plan other threads have been given. */
  readonly cuts: readonly Plan[];
  /** As Circuit.waiting. */
  readonly waiting: Promise<void> | null;
  boundary(): void;
  end(): void;
  /** As Circuit.run. */
  run(deadline: number): boolean;
  /** While it waits for rows from disk: ends when it can go on. */
  readonly fetching: Promise<void> | null;
  /** Joins the live circuit, which stands between steps at this build's epoch. */
  finish(): ViewNode;
  /** Gives up the order it kept for readers: once they have asked for it, or with cancel(). */
  release(): void;
  cancel(): void;
  /** The rows built so far. */
  readonly result: Store;
  /** Generated source of its operators, in data order. */
  explainCode(): string;
  /** What they have done so far. */
  operators(): OperatorStats[];
}

export interface BuildContext {
  readonly plan: Plan;
  /** The epoch at which a query reads; what has joined the circuit later is nothing to it. Infinity: a view, which begins at the newest. */
  readonly asOf: number;
  /** Whether it is read once and thrown away. */
  readonly isQuery: boolean;
  /** Is given the rows as they are made; null: they are kept. */
  readonly taker: RowTaker | null;
  /** In which the result will be read. */
  readonly orders: readonly (readonly OrderItem[])[];
  readonly live: Graph;
  readonly sources: Sources;
  readonly dictionary: Dictionary;
  readonly recursion: RecursionLimits;
  readonly limits: StateLimits;
  readonly memory: MemoryLimit;
  readonly cooling: Cooling | null;
  /** null: all of it is done here. */
  readonly parts: PartLinks | null;
  readonly stopped: (store: Store, epoch: number) => void;
  /** Where stores that are thrown away wait to be freed. */
  readonly graveyard: Set<Store>;
  /** The live circuit's last complete epoch. */
  now(): number;
  /** These rows as a view among the others. */
  view(node: StoredNode): View;
  finish(node: StoredNode, cuts: readonly Plan[]): ViewNode;
  done(build: ViewBuild): void;
}

interface Pin {
  release(): void;
}

export class ViewBuild implements Build {
  readonly streams: readonly number[];
  readonly tables: readonly number[];
  readonly ordered: boolean;
  readonly cuts: readonly Plan[];
  readonly #context: BuildContext;
  /** Tables that it is fed. */
  readonly #own = new Map<number, Table>();
  readonly #graph: Graph;
  readonly #node: StoredNode;
  readonly #view: View;
  readonly #inlets: readonly Inlet[];
  #epoch = -1;
  #pins: Pin[] = [];
  #older: Pin[] = [];
  #held = false;
  #closed = false;
  readonly #readiness: BuildReadiness;
  /** Nodes of the live circuit that the build reads; they stay while it does. */
  readonly #outer: readonly StoredNode[];
  /** Those of which it keeps all rows in memory, beside what its operators do. */
  readonly #kept: Node[] = [];

  constructor(context: BuildContext) {
    this.#context = context;
    this.#graph = new Graph(context.graveyard, {
      timing: "always",
      limits: context.limits,
      memory: context.memory,
      stopped: context.stopped,
      eager: true,
    });
    const sources: Sources = { ...context.sources, changingTable: (id) => this.#ownTable(id) };
    const compiler = new Compiler(
      this.#graph,
      context.live,
      sources,
      context.dictionary,
      context.recursion,
      context.parts,
      context.asOf,
    );
    const { plan, taker } = context;
    this.#node =
      taker === null ? this.#ownRows(compiler.result(plan), compiler) : compiler.outflow(plan, taker);
    this.cuts = compiler.cuts;
    this.#view = context.view(this.#node);
    this.#outer = this.#outerNodes();
    for (const node of this.#outer) node.holders++;
    const { orders, cooling } = context;
    const [graph, outer, result] = [this.#graph, this.#outer, this.#node];
    this.#readiness = new BuildReadiness({ graph, outer, result, orders, cooling });
    // Who reads the result of a query, or an order of it, looks at slots.
    const isWhole = context.isQuery || orders.length > 0;
    if (this.#node.host !== this.#graph && isWhole) this.#keepWarm(this.#node);
    const ids = idsIn(context.plan);
    this.#inlets = inletsOf(this.#graph);
    this.streams = ids.streams.filter(
      (id) =>
        this.#graph.find(streamIdentity(id)) !== undefined ||
        this.#inlets.some(({ streams }) => streams.has(id)),
    );
    this.tables = ids.tables.filter((id) => this.#own.has(id));
    this.ordered = this.tables.length > 0;
  }

  /** Where a query asks for what a view has, and rows of it are on disk, they are copied. */
  #ownRows(node: StoredNode, compiler: Compiler): StoredNode {
    const isElsewhere = node.host !== this.#graph && node.store.cold?.isEmpty === false;
    return this.#context.isQuery && isElsewhere ? compiler.copied(node) : node;
  }

  #keepWarm(node: Node): void {
    node.keepWarm(1);
    this.#kept.push(node);
  }

  /**
   * A node has joined the live circuit. Where the build has made an equal one, that one is read in its place later: what has to be in memory, stays
   * there.
   */
  joined(node: Node): void {
    const own = this.#graph.find(node.identity);
    if (own === node || !(own instanceof StoredNode)) return;
    const isOrdered = own === this.#node && this.#context.orders.length > 0;
    // An index that it will have is made over all rows.
    const isLookedUp = own.storeEdges.some((edge) => edge.node.indexes().length > 0);
    if (isOrdered || isLookedUp || own.store.warmers > 0) this.#keepWarm(node);
  }

  get epoch(): number {
    return this.#epoch;
  }

  get failed(): EvertError | null {
    return this.#node.failed;
  }

  get result(): Store {
    return this.#node.store;
  }

  explainCode(): string {
    return this.#graph.nodes.flatMap((node) => node.code()).join("\n\n");
  }

  get nodes(): readonly Node[] {
    return this.#graph.nodes;
  }

  operators(): OperatorStats[] {
    return this.#view.operators();
  }

  errorCount(): number {
    return this.#view.errorCount(this.#epoch);
  }

  firstError(): EvertError | null {
    return this.#view.firstError(this.#epoch);
  }

  get isHeld(): boolean {
    return this.#held;
  }

  hold(epoch: number): void {
    assert(!this.#held && this.#epoch < 0, "a build is held before it begins");
    this.#held = true;
    this.#pins = this.#pinned(epoch);
  }

  #pinned(epoch: number): Pin[] {
    // Whoever cannot follow rows that move to disk keeps them in memory (Node.leaseWarm).
    const stores = [
      ...this.#outer.map(({ store }) => store),
      ...[...this.#view.errors()].map(({ store }) => store),
    ];
    return stores.map((store) => store.pin(epoch, true));
  }

  get fetching(): Promise<void> | null {
    return this.#graph.fetching;
  }

  prepare(deadline: number): boolean {
    return this.#readiness.advance(deadline);
  }

  begin(epoch: number, timeUs?: number): void {
    assert(!this.#closed, "a build ends once");
    assert(epoch > this.#epoch && epoch <= this.#context.now(), "a build follows the live circuit");
    // What was visible at the step's start stays pinned until the step is complete, what is visible at its end from now on.
    this.#older = this.#pins;
    this.#held = true;
    this.#pins = this.#pinned(epoch);
    this.#graph.begin(this.#epoch, epoch, timeUs);
    // The nodes have leased what was grown for them.
    this.#readiness.releaseIndexes();
  }

  feedStream(id: number, chunk: Chunk): void {
    this.#graph.find(streamIdentity(id))?.take(0, chunk);
  }

  feedTable(id: number, chunk: Chunk, ops: Uint8Array | null, opsFrom = 0): void {
    this.#own.get(id)?.feed(chunk, ops, opsFrom);
  }

  feedParts(id: number, batch: Batch): void {
    feedParts(this.#inlets, id, batch);
  }

  historyWanted(id: number): WantedOfHistory | null {
    const isReadHere = this.ordered || this.#graph.find(streamIdentity(id)) !== undefined;
    return isReadHere ? null : wantedOfHistory(this.#inlets, id);
  }

  feedHistory(id: number, wanted: WantedOfHistory, rows: SharedRows): void {
    feedHistory(this.#inlets, id, wanted, rows);
  }

  get waiting(): Promise<void> | null {
    return this.#graph.waiting;
  }

  boundary(): void {
    for (const node of this.#graph.nodes)
      if (node instanceof AsOfJoin && node.failed === null) node.boundary();
  }

  end(): void {
    this.#graph.end();
  }

  run(deadline: number): boolean {
    const ended = this.#graph.ended;
    if (!this.#graph.run(deadline)) return false;
    if (!ended) return true;
    this.#epoch = this.#graph.step.to;
    for (const pin of this.#older.splice(0)) pin.release();
    for (const node of this.#graph.nodes) for (const store of node.allStores) store.vacuum(this.#epoch);
    return true;
  }

  finish(): ViewNode {
    const { live } = this.#context;
    assert(!this.#closed && !this.#graph.running && !live.running, "a build joins the circuit between steps");
    assert(this.#epoch === this.#context.now(), "a build joins the circuit when it has caught up");
    failLost(live, inletsOf(live));
    const replaced = new Map<Node, Node>();
    for (const node of this.#graph.nodes) {
      const equal = live.find(node.identity) ?? this.#liveChanges(node);
      if (equal !== undefined && equal.failed === null) {
        replaced.set(node, equal);
        node.dispose();
        continue;
      }
      this.#move(node, replaced);
    }
    const view = this.#context.finish((replaced.get(this.#node) ?? this.#node) as StoredNode, this.cuts);
    // Another build may have brought rows that this one's part would make once more.
    for (const inlet of this.#inlets) if (inlet.host === live) live.release(inlet);
    this.#close();
    return view;
  }

  release(): void {
    this.#readiness.releaseOrders();
  }

  cancel(): void {
    this.release();
    if (this.#closed) return;
    this.#graph.abandon();
    for (const node of this.#graph.nodes) node.dispose();
    this.#close();
  }

  /** Hands a node over to the live graph. */
  #move(node: Node, replaced: ReadonlyMap<Node, Node>): void {
    node.rowEdges.length = 0;
    node.storeEdges.length = 0;
    const isRebound = node.sources.some((source) => replaced.has(source.node));
    if (isRebound) {
      node.unbind();
      for (const source of node.sources) source.node = replaced.get(source.node) ?? source.node;
    }
    const { live } = this.#context;
    node.joinedAt = this.#epoch;
    live.add(node);
    node.rebind();
    // Before rows go to disk that an index lacks then.
    if (isRebound) node.prepare();
    for (const source of node.sources) if (source.node.failed !== null) live.fail(node, source.node.failed);
  }

  /** The live node that passes on a table's changes, where the build had one of its own. */
  #liveChanges(node: Node): Node | undefined {
    if (!(node instanceof TableChanges)) return undefined;
    const table = this.#context.live.find(node.sources[0]!.node.identity);
    assert(table instanceof Table, "the table of a build's changes is live");
    return this.#context.live.add(new TableChanges(table));
  }

  #ownTable(id: number): Table {
    const known = this.#own.get(id);
    if (known !== undefined) return known;
    const { store, key, label, layout } = this.#context.sources.table(id);
    const schema = { fields: store.layout.columns.map((c) => ({ name: "", ...c })) };
    const spec = { id, name: label, schema, key, layout };
    const table = this.#graph.add(new Table(spec, this.#context.dictionary));
    this.#own.set(id, table);
    return table;
  }

  #outerNodes(): StoredNode[] {
    const outer = new Set<StoredNode>();
    if (this.#node.host !== this.#graph) outer.add(this.#node);
    for (const node of this.#graph.nodes) {
      for (const source of node.sources) {
        if (source.node.host !== this.#graph && source.node instanceof StoredNode) outer.add(source.node);
      }
    }
    return [...outer];
  }

  #close(): void {
    this.#closed = true;
    this.#readiness.releaseIndexes();
    for (const pin of [...this.#pins.splice(0), ...this.#older.splice(0)]) pin.release();
    for (const node of this.#kept.splice(0)) node.keepWarm(-1);
    for (const node of this.#outer) {
      node.holders--;
      this.#context.live.release(node);
    }
    this.#context.done(this);
  }
}

function idsIn(plan: Plan): { streams: number[]; tables: number[] } {
  const streams = new Set<number>();
  const tables = new Set<number>();
  for (const { relation, id } of sourcesOf(plan)) {
    if (relation === "stream") streams.add(id);
    if (relation === "table") tables.add(id);
  }
  return { streams: [...streams], tables: [...tables] };
}
