/** Operators over a stored input of which they read whole partitions in an order, around the rows that have changed. */
import type { OrderItem } from "../../plan/plan.ts";
import type { OrderedIndex } from "../../state/ordered-index.ts";
import { Node, type WantedIndex } from "../node.ts";
import { Delta } from "./delta.ts";
import type { StoredNode } from "./stored.ts";

export interface Ordering {
  /** Columns of the input's store. */
  readonly partition: readonly number[];
  readonly order: readonly OrderItem[];
}

export abstract class OverOrdered extends Node {
  /** There from prepare() until unbind(). */
  protected index: OrderedIndex | null = null;
  /** There from the first begin() on, until the node is bound anew. */
  protected delta: Delta | null = null;
  readonly #ordering: Ordering;

  constructor(identity: string, input: StoredNode, { partition, order }: Ordering) {
    super(identity, [{ node: input, kind: "store" }]);
    this.#ordering = { partition, order };
  }

  protected get input(): StoredNode {
    return this.sources[0]!.node as StoredNode;
  }

  override rebind(): void {
    this.delta = null;
  }

  /** Whether rows of a partition may be on disk: it brings back what it reads before. */
  protected get bringsBack(): boolean {
    return false;
  }

  override unbind(): void {
    if (this.index === null) return;
    this.input.store.dropIndex(this.index, this.bringsBack);
    this.index = null;
  }

  override indexes(): WantedIndex[] {
    const node = this.input;
    return [{ node, store: node.store, spec: this.#ordering, bringsBack: this.bringsBack }];
  }

  override prepare(): void {
    this.index ??= this.input.store.orderedIndex(this.#ordering, this.bringsBack);
  }

  override begin(): void {
    super.begin();
    this.prepare();
    this.delta ??= new Delta(this.input, this);
  }
}
