/**
 * What a build needs of the live circuit before it begins (view-build.ts), made piece by piece while steps go on:
 *
 * 1. Rows that have to be in memory come back from disk.
 * 2. Indexes on stores of the live circuit, and orders in which the result will be read, are grown.
 * 3. Cold rows are linked by what they will be found by, those indexes included.
 */
import type { OrderItem } from "../plan/plan.ts";
import type { Store } from "../state/store.ts";
import type { Cooling } from "./cooling.ts";
import type { Graph } from "./graph.ts";
import type { StoredNode } from "./operators/stored.ts";

/** Slots entered into an index between two looks at the clock. */
const INDEX_SLOTS = 2048;

type IndexGrowth = ReturnType<Store["growIndex"]>;

export interface BuildNeeds {
  /** The build's own. */
  readonly graph: Graph;
  /** Nodes of the live circuit that it reads. */
  readonly outer: readonly StoredNode[];
  readonly result: StoredNode;
  /** In which the result will be read. */
  readonly orders: readonly (readonly OrderItem[])[];
  readonly cooling: Cooling | null;
}

export class BuildReadiness {
  readonly #needs: BuildNeeds;
  #indexes: IndexGrowth[] | null = null;
  #orders: IndexGrowth[] | null = null;
  readonly #thawing = new Beforehand();
  readonly #linking = new Beforehand();

  constructor(needs: BuildNeeds) {
    this.#needs = needs;
  }

  /** Goes on with it until the deadline (performance.now()); true when all is there. @throws what went wrong */
  advance(deadline: number): boolean {
    return this.#isWarm() && this.#areGrown(deadline) && this.#isLinked();
  }

  #areGrown(deadline: number): boolean {
    const { graph, result, orders } = this.#needs;
    this.#indexes ??= graph.nodes
      .flatMap((node) => node.indexes())
      .filter(({ node }) => node.host !== graph)
      .map(({ store, spec, bringsBack }) => store.growIndex(spec, bringsBack));
    this.#orders ??= orders.map((order) => result.store.growIndex({ partition: [], order }));
    for (const growth of [...this.#orders, ...this.#indexes]) {
      while (!growth.advance(INDEX_SLOTS)) if (performance.now() >= deadline) return false;
    }
    return true;
  }

  #isWarm(): boolean {
    return this.#thawing.isDone(() => {
      const { cooling } = this.#needs;
      if (cooling === null) return [];
      return this.#coldStores(({ warmers }) => warmers > 0).map((store) => cooling.thaw(store));
    });
  }

  #isLinked(): boolean {
    return this.#linking.isDone(() => {
      const { cooling } = this.#needs;
      if (cooling === null) return [];
      return this.#coldStores(({ cold }) => cold?.isLinked === false).map((store) => cooling.link(store));
    });
  }

  /** Of those that the build reads and that have cold rows. */
  #coldStores(which: (store: Store) => boolean): Store[] {
    return this.#needs.outer
      .map(({ store }) => store)
      .filter((store) => store.cold?.isEmpty === false && which(store));
  }

  /** Indexes are leased by those they were grown for, or are needed no longer. */
  releaseIndexes(): void {
    for (const growth of this.#indexes?.splice(0) ?? []) growth.release();
  }

  /** The same of the orders. */
  releaseOrders(): void {
    for (const growth of this.#orders?.splice(0) ?? []) growth.release();
  }
}

/** What a build waits for before it begins: asked whether it is done, it is begun with the first question. */
class Beforehand {
  #state: "not begun" | "under way" | "done" | { readonly error: unknown } = "not begun";

  /** @throws what went wrong */
  isDone(begin: () => readonly Promise<void>[]): boolean {
    if (typeof this.#state === "object") throw this.#state.error;
    if (this.#state !== "not begun") return this.#state === "done";
    const work = begin();
    this.#state = work.length === 0 ? "done" : "under way";
    if (this.#state === "done") return true;
    Promise.all(work).then(
      () => {
        this.#state = "done";
      },
      (error: unknown) => {
        this.#state = { error };
      },
    );
    return false;
  }
}
