/** A node of the circuit: an operator, the edges around it, and the bookkeeping that lets views share it. */
import type { EvertError } from "../base/errors.ts";
import type { HashIndex, HashIndexSpec } from "../state/hash-index.ts";
import type { OrderedIndexSpec } from "../state/ordered-index.ts";
import type { Store } from "../state/store.ts";
import { Activity, goBack, goTo, type OperatorStats, type StepTimer } from "./activity.ts";
import { CHUNK_ROWS, type Chunk } from "./chunk.ts";
import type { ErrorCollection } from "./error-collection.ts";
import type { Operator, Step } from "./operator.ts";
import { RowPace } from "./row-pace.ts";

/** What a node needs of the graph it lives in. */
export interface Host {
  readonly step: Step;
  readonly timer: StepTimer;
  /** Whether its nodes read stores of another graph. */
  readonly eager: boolean;
  /** Which of the graph's steps this is. */
  readonly stepNumber: number;
  /** Which look at what nodes keep and make comes next. */
  readonly lookNumber: number;
  /** The node has something to do in this step, or may have: it begins the step, and so do those that read its store. */
  activate(node: Node): void;
  /** The node works or took rows: the next look asks it too. */
  touch(node: Node): void;
  /** Stops a node and all that follows it; the rest of the circuit goes on. */
  fail(node: Node, thrown: unknown): void;
  /** Calls the node's work() before any other, deepest first, until it returns false. */
  wait(node: Node): void;
  /** Rows that the node needs come back from disk: nothing goes on before they are there, and then the node is told (fetched()). */
  fetch(node: Node, rows: Promise<void>): void;
  /** Nobody will write the store any more: its rows are freed once nobody reads it either. */
  bury(store: Store): void;
}

/** Not at all; only for rows that it keeps, so that a text may come late (Chunk.late); or it needs the values. */
export type Interest = "none" | "late" | "filled";

/** Along "rows" chunks are pushed; along "store" the consumer reads the producer's store by itself. */
export type EdgeKind = "rows" | "store";

export interface Source {
  node: Node;
  readonly kind: EdgeKind;
}

export interface Edge {
  readonly node: Node;
  readonly port: number;
}

export interface NodeStore {
  readonly part: string;
  readonly store: Store;
}

/** A store of which rows may go to disk (state/cold), and the index that finds them. */
export interface CoolableStore {
  readonly store: Store;
  /** null: they are found by those who read the store alone (operators/cold-matches.ts). */
  readonly index: HashIndex | null;
}

export interface WantedIndex {
  readonly node: Node;
  readonly store: Store;
  readonly spec: HashIndexSpec | OrderedIndexSpec;
  /** Whether it is asked for rows that have been brought back from disk before. */
  readonly bringsBack?: boolean;
}

export abstract class Node implements Operator {
  /** Structural identity: two nodes with equal identities compute the same, and one of them is enough. */
  identity: string;
  /** For people: what it does, over what. */
  abstract readonly label: string;
  /** Inputs by port. */
  readonly sources: Source[];
  /** Consumers of its rows. */
  readonly rowEdges: Edge[] = [];
  /** Consumers of its store. */
  readonly storeEdges: Edge[] = [];
  host!: Host;
  /** Place in the topological order. */
  rank = 0;
  /** The last step (Host.stepNumber) in which it took part. */
  activeIn = -1;
  /** The last look at limits (Host.lookNumber) that goes to it. */
  touchedIn = -1;
  /** Whether time alone gives it something to do: then it takes part in every step. */
  readonly clocked: boolean = false;
  /** Whether it makes, or keeps, one row for each that there is of its inputs. */
  readonly isRowForRow: boolean = false;
  /** Whether it finds what it reads of the store of the source at the port also where rows are cold (state/cold). */
  readsCold(_port: number): boolean {
    return false;
  }

  /** Those that keep their rows in memory for it. */
  readonly #warmed: Node[] = [];
  /** Views and sources that hold the node beside its consumers. */
  holders = 0;
  /** The epoch at which it joined the circuit: what its rows were before, it does not know. 0: it was there from the beginning. */
  joinedAt = 0;
  failed: EvertError | null = null;
  /** How many rows it passes on at once, where it can choose. */
  readonly pace = new RowPace(CHUNK_ROWS);
  /** Rows emitted in this step. */
  made = 0;
  /** Errors of its expressions; null when none of them is fallible. */
  errors: ErrorCollection | null = null;
  readonly activity: Activity;
  /** For people: the parts of the plan it works off, outermost first. */
  about: readonly string[] = [];

  #stores: readonly Store[] | null = null;
  /** Slots that its stores had when the step began. */
  #slots = 0;

  constructor(identity: string, sources: readonly Source[]) {
    this.identity = identity;
    this.sources = sources.map((s) => ({ ...s }));
    this.activity = new Activity(sources.length);
  }

  /** The label without its inputs: "inner join". */
  get title(): string {
    return this.sources.length === 0 ? this.label : this.label.replace(/ (of|over) .*/s, "");
  }

  get step(): Step {
    return this.host.step;
  }

  get consumers(): number {
    return this.rowEdges.length + this.storeEdges.length;
  }

  /** Whether it holds a topic: what is appended is kept, whatever its size. */
  get isTopic(): boolean {
    return false;
  }

  /** Stores of its own, besides its error collection. */
  stores(): NodeStore[] {
    return [];
  }

  /** The stores of stores() and of the error collection. */
  get allStores(): readonly Store[] {
    this.#stores ??= [
      ...this.stores().map((s) => s.store),
      ...(this.errors === null ? [] : [this.errors.store]),
    ];
    return this.#stores;
  }

  /** Generated source, for EXPLAIN (CODE). */
  code(): string[] {
    return [];
  }

  /** Indexes that prepare() will ask its sources' stores for. */
  indexes(): WantedIndex[] {
    return [];
  }

  /** Makes the indexes and code it needs: before stores are loaded from a checkpoint, or with the first step. */
  prepare(): void {}

  /** The node has come from a build into the live circuit: what it knows of its step or its sources' journals is made anew. */
  rebind(): void {}

  /**
   * Gives back what it holds of its sources (indexes on their stores): before another takes a source's place, after it has failed, and when it
   * leaves.
   */
  unbind(): void {}

  /** Somebody more (1) or less (-1) needs all rows of its store in memory. */
  keepWarm(_by: 1 | -1): void {}

  /** From now on the stores that it reads and cannot read where rows are cold keep them in memory. */
  leaseWarm(): void {
    this.releaseWarm();
    for (const [port, { node, kind }] of this.sources.entries()) {
      if (kind !== "store" || this.readsCold(port)) continue;
      node.keepWarm(1);
      this.#warmed.push(node);
    }
  }

  releaseWarm(): void {
    for (const node of this.#warmed.splice(0)) node.keepWarm(-1);
  }

  /** Of its own stores those whose rows it asks for before it takes a chunk (operators/cold-keys.ts), so that they need not be in memory. */
  coolable(): readonly CoolableStore[] {
    return [];
  }

  /** What it asked the host to fetch is there. */
  fetched(): void {}

  /** The node leaves for good; its rows' references are given back in time. */
  dispose(): void {
    this.stop();
    this.unbind();
    this.releaseWarm();
    for (const store of this.allStores) this.host.bury(store);
  }

  begin(): void {
    const { to } = this.step;
    this.made = 0;
    this.#slots = 0;
    for (const store of this.allStores) {
      store.begin(to);
      this.#slots += store.highWater;
    }
    this.errors?.begin();
  }

  /** Whether its stores have more slots than when the step began: for new rows, and for those that came back from disk or have replaced others. */
  get tookSlots(): boolean {
    let slots = 0;
    for (const store of this.allStores) slots += store.highWater;
    return slots > this.#slots;
  }

  /** How it looks at a column of what is pushed to it. */
  interest(_column: number): Interest {
    return "filled";
  }

  /** What its work waits for; the others go on meanwhile, but for those that read what it makes. null: nothing. */
  get waiting(): Promise<void> | null {
    return null;
  }

  /** It has failed, or leaves, amid a step perhaps: what it holds elsewhere is not needed any more. May be told more than once. */
  stop(): void {}

  /** Bytes of state beside its stores: that other threads keep for it, or of rows that it reads from disk at the moment. */
  get bytesElsewhere(): number {
    return 0;
  }

  /** Whether that is more than before the step. */
  get grewElsewhere(): boolean {
    return false;
  }

  /** What the operators have done that work for it in other threads, by thread. */
  get operatorsElsewhere(): readonly (readonly OperatorStats[])[] {
    return [];
  }

  abstract push(port: number, chunk: Chunk): void;

  work(): boolean {
    return false;
  }

  /** Its turn in the step is over. */
  settle(): void {
    this.activity.settle();
  }

  /** push(), counted; what goes wrong is this node's. */
  take(port: number, chunk: Chunk): void {
    if (this.activeIn !== this.host.stepNumber) this.host.activate(this);
    if (this.failed !== null) return;
    this.activity.tookRows(port, chunk.length);
    this.retake(port, chunk);
  }

  /** The same of a chunk that was taken, and had to wait. */
  retake(port: number, chunk: Chunk): void {
    // It may have been looked at while the chunk waited.
    if (this.touchedIn !== this.host.lookNumber) this.host.touch(this);
    const { weight } = this.host.timer;
    if (weight === 0) {
      this.#push(port, chunk);
      return;
    }
    const before = goTo(this.activity, weight);
    this.#push(port, chunk);
    goBack(before, weight);
  }

  #push(port: number, chunk: Chunk): void {
    try {
      this.push(port, chunk);
    } catch (thrown) {
      this.host.fail(this, thrown);
    }
  }

  protected emit(chunk: Chunk): void {
    if (chunk.length === 0) return;
    this.made += chunk.length;
    this.activity.gaveRows(chunk.length);
    const edges = this.rowEdges;
    for (let i = 0; i < edges.length; i++) {
      const { node, port } = edges[i] as Edge;
      node.take(port, chunk);
    }
  }
}

/** How consumers along these edges look at a column. Two that would take it late would both intern it. */
export function interestAlong(edges: readonly Edge[], column: number): Interest {
  let interest: Interest = "none";
  for (let i = 0; i < edges.length; i++) {
    const { node } = edges[i] as Edge;
    // One that has stopped takes nothing any more.
    const own = node.failed === null ? node.interest(column) : "none";
    if (own === "none") continue;
    if (own === "filled" || interest !== "none") return "filled";
    interest = own;
  }
  return interest;
}

/** The list of its source's consumers that an edge belongs to. */
export function edgesOf(source: Source): Edge[] {
  return source.kind === "rows" ? source.node.rowEdges : source.node.storeEdges;
}
