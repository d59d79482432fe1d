/**
 * Declared indexes: each is an ordered index on its relation's store, kept as long as it is in the catalog.
 *
 * What an index holds follows from the rows it is over: it is nowhere but in memory, made with its store (before rows come from the log or a
 * checkpoint) or grown over rows that are there, and it changes with them, in the same step. So who reads as of an epoch sees both at that epoch.
 */

import type { Pause } from "../log/log.ts";
import { keyNameOf } from "../plan/catalog.ts";
import type { PlanIndex } from "../plan/plan.ts";
import type { OrderedIndex, OrderItem } from "../state/ordered-index.ts";
import type { Store } from "../state/store.ts";
import type { CatalogEntry, EngineCatalog, IndexEntry } from "./catalog/catalog.ts";
import { placeOf } from "./evolution/evolved.ts";

interface Held {
  readonly entry: IndexEntry;
  readonly store: Store;
  readonly index: OrderedIndex;
}

/** Rows entered between two looks at the clock. */
const SLICE_SLOTS = 2048;

export class Indexes {
  readonly #catalog: EngineCatalog;
  readonly #held = new Map<number, Held>();

  constructor(catalog: EngineCatalog) {
    this.#catalog = catalog;
  }

  /** The relation's rows lie in this store from now on. */
  attach(relationId: number, store: Store): void {
    for (const entry of this.#catalog.indexesOn(relationId)) this.hold(entry, store);
  }

  /** The index is wanted on this store: it has been grown there, or the store is empty. */
  hold(entry: IndexEntry, store: Store): void {
    this.release(entry.id);
    const order = itemsOf(entry, this.#catalog);
    // A view that was defined anew may have lost the column.
    if (order === null) return;
    this.#held.set(entry.id, { entry, store, index: store.orderedIndex({ partition: [], order }) });
  }

  /**
   * Before an index is in the catalog its rows are entered, a slice at a time. A leader has done that by then, beside its steps (create-index.ts),
   * and `define` runs at once. A follower meets the index between two of its leader's commits: its steps wait, and everything else goes on.
   */
  grown(
    { on, items, unique }: IndexEntry,
    store: Store,
    cooling: { thaw(store: Store): Promise<void> } | null,
    pause: Pause,
    define: () => void,
  ): Promise<void> | undefined {
    const order = itemsOf({ on, items }, this.#catalog) ?? [];
    const columns = order.map(({ column }) => column);
    const grow = () => [
      ...(order.length === 0 ? [] : [store.growIndex({ partition: [], order })]),
      ...(unique ? [store.growIndex({ columns, unique: false })] : []),
    ];
    const known = grow();
    const areThere = known.every((growth) => growth.advance(0));
    if (areThere) define();
    for (const growth of known) growth.release();
    return areThere ? undefined : growing();

    async function growing(): Promise<void> {
      store.warmers++;
      let growths: ReturnType<typeof grow> = [];
      try {
        // An index knows the place of every row in memory.
        await cooling?.thaw(store);
        growths = grow();
        for (const growth of growths) {
          while (!growth.advance(SLICE_SLOTS)) {
            const others = pause();
            if (others !== null) await others;
          }
        }
        define();
      } finally {
        for (const growth of growths) growth.release();
        store.warmers--;
      }
    }
  }

  release(indexId: number): void {
    const held = this.#held.get(indexId);
    if (held === undefined) return;
    this.#held.delete(indexId);
    held.store.dropIndex(held.index);
  }

  /** The relation goes, and its store with it. */
  forget(relationId: number): void {
    for (const [id, { entry }] of this.#held) if (entry.on === relationId) this.#held.delete(id);
  }

  /** The orders in which the relation's rows are to be kept. */
  ordersOf(relationId: number): (readonly OrderItem[])[] {
    return this.#catalog.indexesOn(relationId).flatMap((entry) => {
      const order = itemsOf(entry, this.#catalog);
      return order === null ? [] : [order];
    });
  }

  /** What a query may look into: the relation's key, what is unique, the order of a view, what was declared. */
  of(relationId: number): readonly PlanIndex[] {
    const entry = this.#catalog.byId(relationId);
    const relation = this.#catalog.relationById(relationId);
    if (relation === undefined) return [];
    const all: PlanIndex[] = [];
    const item = (column: number): OrderItem => ascending(placeIn(entry, column));
    if (relation.key !== null && relation.key.length > 0) {
      const items = relation.key.map(item);
      all.push({ name: keyNameOf(relation), kind: "hash", unique: true, isKey: true, items });
    }
    for (const { name, columns } of relation.uniques ?? [])
      all.push({ name, kind: "hash", unique: true, isKey: false, items: columns.map(item) });
    if (relation.order.length > 0)
      all.push({
        name: `${relation.name}_order`,
        kind: "ordered",
        unique: false,
        isKey: false,
        items: relation.order,
      });
    for (const { entry: declared, index } of this.#held.values()) {
      if (declared.on !== relationId) continue;
      const { name, unique } = declared;
      all.push({ name, kind: "ordered", unique, isKey: false, items: index.spec.order });
    }
    return all;
  }
}

const ascending = (column: number): OrderItem => ({ column, descending: false, nullsFirst: false });

/** By place; null where one is missing. */
export function itemsOf(
  { on, items }: Pick<IndexEntry, "on" | "items">,
  catalog: EngineCatalog,
): OrderItem[] | null {
  const entry = catalog.byId(on);
  const relation = catalog.relationById(on);
  const order = items.map(({ column, descending, nullsFirst }) => {
    const at = relation?.schema.fields.findIndex((f) => f.name === column) ?? -1;
    return { column: at < 0 ? at : placeIn(entry, at), descending, nullsFirst };
  });
  return order.some((o) => o.column < 0) ? null : order;
}

function placeIn(entry: CatalogEntry | undefined, column: number): number {
  return entry?.kind === "topic" ? placeOf(entry, column) : column;
}
