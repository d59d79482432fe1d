/**
 * The circuit: all views over all topics as one graph of operators, stepped together. It is what the engine calls; what belongs to topics alone is in
 * `topics`, what belongs to other threads' parts of views in `parts`.
 *
 *   circuit.begin(epoch);
 *   circuit.topics.feedTable(id, chunk, ops); while (!circuit.run(deadline)) await turn();   // for each topic of the step
 *   circuit.end();                            while (!circuit.run(deadline)) await turn();
 *   // every view now stands at `epoch`
 *
 * - Topics and the views known from the catalog are added while the circuit is empty; then either stores are loaded from a checkpoint
 *   (same plans, same store ids) and `restored()` is called, or data comes. A view's constant rows, and the row of an
 *   aggregate without groups, are there after the first step.
 * - Later views are built beside the running circuit, from its stores and the log: see build().
 * - A chunk that is fed holds dictionary ids that nobody counts yet. The dictionary frees what is not counted when a step is complete, so a
 *   chunk is made and fed without a step's end in between.
 */
import { assert } from "../base/assert.ts";
import { EvertError } from "../base/errors.ts";
import type { OrderItem, Plan, SourcePlan } from "../plan/plan.ts";
import type { Dictionary } from "../state/dictionary.ts";
import type { Store } from "../state/store.ts";
import type { Chunk } from "./chunk.ts";
import { Compiler, type Sources } from "./compile.ts";
import { allOf, fromRows, whole } from "./compile-context.ts";
import { Cooling, type CoolingOptions } from "./cooling.ts";
import { Graph } from "./graph.ts";
import { stableName } from "./identity.ts";
import { type Guard, TIMEOUT_MS } from "./kernels/guard.ts";
import { runtimeOf } from "./kernels/runtime.ts";
import { MemoryLimit } from "./memory-limit.ts";
import type { Node } from "./node.ts";
import type { RowTaker } from "./operators/outflow.ts";
import { RECURSION_LIMITS, type RecursionLimits } from "./operators/recursion-limits.ts";
import type { StoredNode } from "./operators/stored.ts";
import { Temporal } from "./operators/temporal.ts";
import type { PartLinks } from "./parts/link.ts";
import { LiveParts } from "./parts/live-parts.ts";
import { Outlet } from "./parts/outlet.ts";
import { type KeptRows, keptRows } from "./row-keepers.ts";
import { STATE_LIMITS, type StateLimits } from "./state-limits.ts";
import { Topics } from "./topics.ts";
import { Vacuum } from "./vacuum.ts";
import { type OnError, View, type ViewNode } from "./view.ts";
import { type Build, ViewBuild } from "./view-build.ts";

export type { RecursionLimits } from "./operators/recursion-limits.ts";
export type { StateLimits } from "./state-limits.ts";
export type { OnError, ViewNode } from "./view.ts";
export type { Build } from "./view-build.ts";

export interface CircuitLimits {
  readonly recursion?: Partial<RecursionLimits> | undefined;
  /** What one call of a function of the user may take; 0: any time. */
  readonly functionTimeoutMs?: number | undefined;
  /** What a view may keep and make before it is stopped. */
  readonly limits?: Partial<StateLimits> | undefined;
  /** Bytes that all state may take together. Default: any. */
  readonly memoryLimit?: number | undefined;
  /** Where rows go near the memory limit. Default: nowhere. */
  readonly cooling?: CoolingOptions | undefined;
}

export interface CircuitOptions extends CircuitLimits {
  readonly dictionary: Dictionary;
  /** Threads that keep parts of views; null: all is done here. */
  readonly parts?: PartLinks | null;
  /** Whether it is being built: until it is live(), its steps hold up nobody. */
  readonly isBuild?: boolean | undefined;
}

export interface ViewOptions {
  readonly onError?: OnError | undefined;
  /** In which a build's result will be read: they are kept from the beginning. */
  readonly orders?: readonly (readonly OrderItem[])[];
  /** Of a query: the epoch at which it reads. */
  readonly asOf?: number;
  /** Of a query: is given its rows as they are made, and the result stays empty. */
  readonly taker?: RowTaker;
}

export interface NamedStore {
  /** The same after a restart, for the same plans. */
  readonly id: string;
  readonly store: Store;
}

/** A store whose rows are made of a table's. */
export interface MadeStore {
  readonly store: Store;
  /** Whether it has a row for each of them. Of others that is not known before there are some. */
  readonly isEach: boolean;
}

export class Circuit {
  readonly dictionary: Dictionary;
  readonly topics: Topics;
  /** What other threads keep of its views. */
  readonly parts: LiveParts;
  /** Of functions of the user, in steps, builds and queries. */
  readonly guard: Guard;
  readonly memory: MemoryLimit;
  /** null: rows stay in memory. */
  readonly cooling: Cooling | null;
  /** Whether its steps hold up nobody. */
  isBuild: boolean;
  readonly #graph: Graph;
  readonly #vacuum: Vacuum;
  readonly #views = new Map<number, View>();
  readonly #builds = new Set<ViewBuild>();
  /** Those of them that are answered once. */
  readonly #queries = new Set<ViewBuild>();
  readonly #sources: Sources;
  readonly #compiler: Compiler;
  readonly #recursion: RecursionLimits;
  readonly #limits: StateLimits;
  /** Stores of which rows may go to disk. */
  readonly #chilled = new Set<Store>();
  readonly #links: PartLinks | null;
  /** The last complete step. */
  #published = 0;

  constructor(options: CircuitOptions) {
    this.#links = options.parts ?? null;
    this.isBuild = options.isBuild ?? false;
    this.dictionary = options.dictionary;
    this.guard = runtimeOf(options.dictionary).guard;
    this.guard.timeoutMs = options.functionTimeoutMs ?? TIMEOUT_MS;
    this.#limits = { ...STATE_LIMITS, ...options.limits };
    this.memory = new MemoryLimit(options.memoryLimit ?? Number.POSITIVE_INFINITY, () => this.bytes);
    const { cooling } = options;
    this.cooling = cooling === undefined ? null : new Cooling(this.memory, () => this.#coolable(), cooling);
    this.#vacuum = new Vacuum(options.dictionary, (store) => this.#chilled.delete(store));
    this.#graph = new Graph(this.#vacuum.graveyard, {
      timing: "sampled",
      limits: this.isBuild ? this.#buildLimits : this.#limits,
      memory: this.memory,
      stopped: (store, epoch) => this.#vacuum.stopped(store, epoch),
      eager: false,
      added: (node) => {
        for (const { store, index } of node.coolable()) this.#chill(store, index?.spec.columns ?? null);
        for (const build of this.#builds) build.joined(node);
      },
    });
    this.topics = new Topics(this.#graph, options.dictionary);
    this.parts = new LiveParts(this.#graph, this.#links);
    this.#sources = {
      table: (id) => this.topics.table(id),
      changingTable: (id) => this.topics.table(id),
      view: (id) => this.#viewRows(id),
    };
    this.#recursion = { ...RECURSION_LIMITS, ...options.recursion };
    this.#compiler = new Compiler(
      this.#graph,
      null,
      this.#sources,
      this.dictionary,
      this.#recursion,
      this.#links,
    );
  }

  /** A build's steps hold up nobody, and its first is all of history. */
  get #buildLimits(): StateLimits {
    return { ...this.#limits, stepRowsMax: Number.POSITIVE_INFINITY };
  }

  /** It was a build: others wait for its steps from now on. */
  live(): void {
    this.isBuild = false;
    this.#graph.limits = this.#limits;
  }

  /** The last complete step. */
  get epoch(): number {
    return this.#published;
  }

  /** Rows that no operator keeps any more, until they are buried: they may lie on disk, or go there. `columns`: by which they are found. */
  keepsEarlier(store: Store, columns: readonly number[]): void {
    this.#chill(store, columns);
  }

  /** Rows of the store may go to disk from now on, where there is one for them. */
  #chill(store: Store, columns: readonly number[] | null): void {
    if (this.cooling === null) return;
    this.cooling.chill(store, columns);
    this.#chilled.add(store);
  }

  /** Of whose stores rows may go to disk, but for those that are to be freed. */
  *#coolable(): Generator<Store> {
    for (const store of this.#chilled) {
      if (this.#vacuum.isGoing(store)) this.#chilled.delete(store);
      else yield store;
    }
  }

  // ---- views and queries ------------------------------------------------------------------------------------------

  /** Adds a view while the circuit is empty of data, or stores are yet to be loaded. */
  addView(id: number, name: string, plan: Plan, options: ViewOptions = {}): ViewNode {
    assert(this.#published === 0 && !this.#graph.running, "once there is data, a view is built");
    const node = this.#compiler.result(plan);
    return this.#register(id, name, plan, options, node, this.#compiler.cuts);
  }

  /**
   * Gives the plan's changes to `take`, chunk by chunk, as they are made or, `net`, as they are at the step's end: then its rows are kept. Added
   * while the circuit is empty of data.
   */
  addOutlet(plan: Plan, net: boolean, take: (chunk: Chunk) => void): Outlet {
    assert(this.#published === 0 && !this.#graph.running, "an outlet is there before the data");
    const rows = net
      ? this.#compiler.storeRows(whole(this.#compiler.result(plan), plan), allOf(plan))
      : this.#compiler.rows(plan, allOf(plan));
    const outlet = this.#graph.add(new Outlet(fromRows(rows), plan.schema, take));
    outlet.holders++;
    return outlet;
  }

  /** A view made of new nodes, to be filled from history while steps go on. `id` null: a query that is answered once. */
  build(id: number | null, name: string, plan: Plan, options: ViewOptions = {}): Build {
    const build = new ViewBuild({
      plan,
      asOf: options.asOf ?? Number.POSITIVE_INFINITY,
      isQuery: id === null,
      taker: options.taker ?? null,
      orders: (options.orders ?? []).filter((order) => order.length > 0),
      live: this.#graph,
      sources: this.#sources,
      dictionary: this.dictionary,
      recursion: this.#recursion,
      limits: this.#buildLimits,
      memory: this.memory,
      cooling: this.cooling,
      parts: id === null ? null : this.#links,
      stopped: (store, epoch) => this.#vacuum.stopped(store, epoch),
      graveyard: this.#vacuum.graveyard,
      now: () => this.#published,
      view: (node) => this.#viewOf(id ?? -1, name, plan, options, node, []),
      finish: (node, cuts) => {
        assert(id !== null, "a query that is answered once does not join the circuit");
        return this.#register(id, name, plan, options, node, cuts);
      },
      done: (finished) => {
        this.#builds.delete(finished);
        this.#queries.delete(finished);
      },
    });
    this.#builds.add(build);
    if (id === null) this.#queries.add(build);
    return build;
  }

  /** Where the rows of a table or a view lie. */
  relation({ relation, id }: SourcePlan): { readonly store: Store } {
    assert(relation !== "stream", "a stream keeps no rows");
    return relation === "table" ? this.#sources.table(id) : this.#sources.view(id);
  }

  /** Stores that get rows when the table does, but for its own; and whether they get one for each. */
  *madeOf(tableId: number): Generator<MadeStore> {
    const table = this.topics.table(tableId);
    const seen = new Set<Node>([table]);
    const known = new Map<Node, boolean>([[table, true]]);
    const isEach = (node: Node): boolean => {
      let each = known.get(node);
      if (each === undefined) {
        each = node.isRowForRow && node.sources.every((source) => isEach(source.node));
        known.set(node, each);
      }
      return each;
    };
    for (const node of seen) {
      if (node !== table && node.failed === null)
        for (const store of node.allStores)
          yield { store, isEach: store !== node.errors?.store && isEach(node) };
      for (const edge of [...node.rowEdges, ...node.storeEdges]) seen.add(edge.node);
    }
  }

  /** Stores of at least so many bytes of which no row may go to disk, and for whom: the largest first. Where none may at all, nobody is to blame. */
  keptRows(bytesMin: number): KeptRows[] {
    if (this.cooling === null) return [];
    return keptRows(this.#graph.nodes, this.topics.tables, [...this.#views.values()], bytesMin);
  }

  view(id: number): ViewNode {
    const view = this.#views.get(id);
    assert(view !== undefined, "the view is in the circuit");
    return view;
  }

  removeView(id: number): void {
    const view = this.#views.get(id);
    assert(view !== undefined, "the view is in the circuit");
    assert(!this.#graph.running, "views are removed between steps");
    this.#views.delete(id);
    view.node.holders--;
    this.#graph.release(view.node);
  }

  #register(
    id: number,
    name: string,
    plan: Plan,
    options: ViewOptions,
    node: View["node"],
    cuts: readonly Plan[],
  ): View {
    assert(!this.#views.has(id), "view ids are not reused");
    node.holders++;
    const view = this.#viewOf(id, name, plan, options, node, cuts);
    this.#views.set(id, view);
    return view;
  }

  #viewOf(
    id: number,
    name: string,
    plan: Plan,
    { onError = "fail" }: ViewOptions,
    node: View["node"],
    cuts: readonly Plan[],
  ): View {
    const others = (other: number) => this.#views.get(other);
    return new View({ id, name, plan, cuts, onError, node }, others, () => this.#published);
  }

  #viewRows(id: number): StoredNode {
    const view = this.#views.get(id);
    assert(view !== undefined, "a plan's view is in the circuit");
    if (view.failed !== null) {
      throw new EvertError("view_failed", `view "${view.name}" has stopped`, {
        detail: view.failed.message,
        cause: view.failed,
      });
    }
    return view.node;
  }

  // ---- steps ------------------------------------------------------------------------------------------------------

  /** `timeUs`: the log's time at the step's end, in microseconds since 1970; without it no time passes. */
  begin(epoch: number, timeUs?: number): void {
    assert(epoch > this.#published, "epochs rise");
    this.#graph.begin(epoch - 1, epoch, timeUs);
    this.parts.begin();
  }

  /** The log's time when a row comes or goes by itself next: then a step is due. Infinity: never. */
  nextDue(): number {
    let due = Number.POSITIVE_INFINITY;
    for (const node of this.#graph.clocked)
      if (node instanceof Temporal && node.failed === null) due = Math.min(due, node.nextDue());
    return due;
  }

  /** As Graph.shape: what is wanted of topics is the same while it is. */
  get shape(): number {
    return this.#graph.shape;
  }

  end(): void {
    this.#graph.end();
  }

  /** While the step waits for rows from disk: ends when it can go on. */
  get fetching(): Promise<void> | null {
    return this.#graph.fetching;
  }

  /** Where run() has said that it is not done: what it waits for; null: for nothing, call it again. */
  get waiting(): Promise<void> | null {
    return this.#graph.waiting;
  }

  /** Whether run() has returned because rows should go to disk before it goes on. */
  get wantsRoom(): boolean {
    return this.#graph.wantsRoom;
  }

  /** As Graph.run. */
  run(deadline: number, needsRoom: (() => boolean) | null = null): boolean {
    const ended = this.#graph.ended;
    if (!this.#graph.run(deadline, needsRoom)) return false;
    if (ended) this.#publish();
    return true;
  }

  /** Before stores are loaded: every operator makes its indexes, so that they are filled with the rows and not in the first step. */
  prepare(): void {
    this.#graph.prepare();
  }

  /** Stores have been loaded, complete up to `epoch`, when the log's time was `timeUs`. */
  restored(epoch: number, timeUs = Number.NEGATIVE_INFINITY): void {
    assert(this.#published === 0, "stores are loaded before the first step");
    this.#published = epoch;
    this.#graph.step.timeTo = timeUs;
    for (const node of this.#graph.nodes) node.errors?.restored();
  }

  #publish(): void {
    this.#published = this.#graph.step.to;
    for (const node of this.#graph.active) {
      for (const store of node.allStores) if (store.hasDead) this.#vacuum.dirty.add(store);
    }
    this.#vacuum.someTexts();
  }

  /** As Vacuum.run. */
  vacuum(horizon: number, deadline: number = Number.POSITIVE_INFINITY): boolean {
    return this.#vacuum.run(horizon, deadline);
  }

  /** Stores that have left with their nodes and are still to be freed. */
  get buried(): number {
    return this.#vacuum.graveyard.size;
  }

  /** Takes a store that nobody reads any more: its references are given back in the steps to come. */
  bury(store: Store): void {
    this.#vacuum.graveyard.add(store);
  }

  // ---- what there is ----------------------------------------------------------------------------------------------

  /** Bytes of state, without what has stopped. */
  get bytes(): number {
    let bytes = this.dictionary.bytes + bytesOf(this.#graph.nodes);
    for (const build of this.#builds) bytes += bytesOf(build.nodes);
    return bytes;
  }

  /** Of these, bytes of queries, which are given back when they are answered. */
  get bytesOfQueries(): number {
    let bytes = 0;
    for (const build of this.#queries) bytes += bytesOf(build.nodes);
    return bytes;
  }

  /** Of its state, bytes that other threads keep. */
  get bytesElsewhere(): number {
    return this.#graph.nodes.reduce((sum, node) => sum + node.bytesElsewhere, 0);
  }

  /** Every store of the live circuit, for checkpoints. */
  stores(): NamedStore[] {
    const named: NamedStore[] = [];
    const taken = new Map<string, number>();
    for (const node of this.#graph.nodes) {
      if (node.failed !== null) continue;
      const base = stableName(node.identity);
      // Nodes that differ in functions of one text only are told apart by their order.
      const nth = (taken.get(base) ?? 0) + 1;
      taken.set(base, nth);
      const name = nth === 1 ? base : `${base} #${nth}`;
      for (const { part, store } of node.stores()) named.push({ id: `${name} / ${part}`, store });
      if (node.errors !== null) named.push({ id: `${name} / errors`, store: node.errors.store });
    }
    return named;
  }

  /** Generated source of a view's operators, in data order. */
  explainCode(viewId: number): string {
    const view = this.view(viewId) as View;
    const used = view.nodes();
    return this.#graph.nodes
      .filter((node) => used.has(node))
      .flatMap((node) => node.code())
      .join("\n\n");
  }
}

/** Of their state, without what has stopped. */
function bytesOf(nodes: Iterable<Node>): number {
  let bytes = 0;
  for (const node of nodes) {
    if (node.failed !== null) continue;
    bytes += node.bytesElsewhere;
    for (const store of node.allStores) bytes += store.bytes;
  }
  return bytes;
}
