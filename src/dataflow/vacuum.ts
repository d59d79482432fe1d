/**
 * What nobody reads any more, and how its memory comes back, a piece at a time between steps:
 *
 * 1. Dead rows of stores that go on are freed, once all who read are beyond them.
 * 2. Stores of operators that have failed give back their rows' references, and then their memory: when the step in which that happened is published.
 * 3. So do stores that have left with their nodes, but for their memory, which goes with them.
 * 4. Texts that no row has any more are freed.
 */
import type { Dictionary } from "../state/dictionary.ts";
import type { Store } from "../state/store.ts";

/** Rows freed between two looks at the clock. */
const VACUUM_ROWS = 2_048;
/** Texts looked at between two looks at the clock. */
const VACUUM_TEXTS = 4_096;

export class Vacuum {
  /** Stores that have left with their nodes and still hold references. */
  readonly graveyard: Set<Store> = new Set();
  /** Stores with rows that are dead and not freed. */
  readonly dirty: Set<Store> = new Set();
  /** Stores of operators that have failed, and the epoch at which they did. */
  readonly #stopped = new Map<Store, number>();
  readonly #dictionary: Dictionary;
  /** Told of stores that have nothing to give back any more. */
  readonly #freed: (store: Store) => void;

  constructor(dictionary: Dictionary, freed: (store: Store) => void) {
    this.#dictionary = dictionary;
    this.#freed = freed;
  }

  /** Nobody reads the store's rows once the epoch is published. */
  stopped(store: Store, epoch: number): void {
    this.#stopped.set(store, epoch);
  }

  /** Whether the store is to be freed as a whole. */
  isGoing(store: Store): boolean {
    return this.graveyard.has(store) || this.#stopped.has(store);
  }

  /**
   * Frees rows that nobody reads at `horizon` or later, and stores that are going, until the deadline (performance.now()).
   * True: all of them.
   */
  run(horizon: number, deadline: number): boolean {
    for (const store of this.dirty) {
      // One that has left is freed as a whole, below.
      if (!this.graveyard.has(store))
        while (!store.vacuum(horizon, VACUUM_ROWS)) if (performance.now() >= deadline) return false;
      if (!store.hasDead || this.graveyard.has(store)) this.dirty.delete(store);
    }
    if (this.graveyard.size === 0 && this.#stopped.size === 0) return this.#freeTexts(deadline);
    for (const [store, epoch] of this.#stopped) {
      if (store.isPinned || horizon < epoch) continue;
      while (!store.releaseRows(VACUUM_ROWS)) if (performance.now() >= deadline) return false;
      store.discard();
      this.#freed(store);
      this.#stopped.delete(store);
    }
    for (const store of this.graveyard) {
      if (store.isPinned) continue; // until its last reader has gone
      while (!store.releaseRows(VACUUM_ROWS)) if (performance.now() >= deadline) return false;
      store.cold?.discard();
      this.#freed(store);
      this.graveyard.delete(store);
    }
    return this.#freeTexts(deadline);
  }

  /** Looks at some texts. True: all have been looked at that may have lost their last row. */
  someTexts(): boolean {
    return this.#dictionary.collect(VACUUM_TEXTS);
  }

  #freeTexts(deadline: number): boolean {
    while (!this.someTexts()) if (performance.now() >= deadline) return false;
    return true;
  }
}
