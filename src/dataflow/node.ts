/** A node of the circuit: an operator, the edges around it, and the bookkeeping that lets views share it. */
import type { EvertError } from "../base/errors.ts";
import type { Store } from "../state/store.ts";
import type { Chunk } from "./chunk.ts";
import type { ErrorCollection } from "./error-collection.ts";
import type { Operator, Step } from "./operator.ts";

/** What a node needs of the graph it lives in. */
export interface Host {
  readonly step: Step;
  /** Stops a node and all that follows it; the rest of the circuit goes on. */
  fail(node: Node, thrown: unknown): void;
  /** Calls the node's work() before any other, deepest first, until it returns false. */
  wait(node: Node): void;
}

/** Along "rows" chunks are pushed; along "store" the consumer reads the producer's store by itself. */
export type EdgeKind = "rows" | "store";

export interface Source {
  node: Node;
  readonly kind: EdgeKind;
}

interface Edge {
  readonly node: Node;
  readonly port: number;
}

export interface NodeStore {
  readonly part: string;
  readonly store: Store;
}

export abstract class Node implements Operator {
  /** Structural identity: two nodes with equal identities compute the same, and one of them is enough. */
  readonly identity: string;
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
  /** Views and sources that hold the node beside its consumers. */
  holders = 0;
  failed: EvertError | null = null;
  /** Errors of its expressions; null when none of them is fallible. */
  errors: ErrorCollection | null = null;

  constructor(identity: string, sources: readonly Source[]) {
    this.identity = identity;
    this.sources = sources.map((s) => ({ ...s }));
  }

  get step(): Step {
    return this.host.step;
  }

  get consumers(): number {
    return this.rowEdges.length + this.storeEdges.length;
  }

  /** Stores of its own, besides its error collection. */
  stores(): NodeStore[] {
    return [];
  }

  /** Generated source, for EXPLAIN (CODE). */
  code(): string[] {
    return [];
  }

  /** A source was replaced by an equal node: what was derived from it is derived anew before it is used. */
  rebind(): void {}

  /** The node leaves the circuit: gives back what it holds of others (indexes on shared stores). */
  dispose(): void {}

  begin(): void {
    const { to } = this.step;
    for (const { store } of this.stores()) store.begin(to);
    this.errors?.begin(to);
  }

  abstract push(port: number, chunk: Chunk): void;

  work(): boolean {
    return false;
  }

  protected emit(chunk: Chunk): void {
    if (chunk.length === 0) return;
    const edges = this.rowEdges;
    for (let i = 0; i < edges.length; i++) {
      const { node, port } = edges[i] as Edge;
      if (node.failed !== null) continue;
      try {
        node.push(port, chunk);
      } catch (thrown) {
        this.host.fail(node, thrown);
      }
    }
  }
}

export function connect(consumer: Node): void {
  consumer.sources.forEach((source, port) => {
    const edges = source.kind === "rows" ? source.node.rowEdges : source.node.storeEdges;
    edges.push({ node: consumer, port });
  });
}

export function disconnect(consumer: Node): void {
  for (const source of consumer.sources) {
    const edges = source.kind === "rows" ? source.node.rowEdges : source.node.storeEdges;
    for (let i = edges.length - 1; i >= 0; i--) if ((edges[i] as Edge).node === consumer) edges.splice(i, 1);
  }
}
