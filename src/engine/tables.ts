/** Where tables' rows lie, and what commits to them are held to. */
import type { Circuit } from "../dataflow/circuit.ts";
import type { Log } from "../log/log.ts";
import type { UniqueKey } from "../plan/catalog.ts";
import type { Store } from "../state/store.ts";
import type { EngineCatalog, TopicEntry } from "./catalog/catalog.ts";
import { layoutOf, logTopicsOf, placedOf, placeOf } from "./evolution/evolved.ts";
import type { Indexes } from "./indexes.ts";
import { type Constraints, TopicConstraints } from "./write/constraints.ts";

export interface TablesContext {
  readonly log: Log;
  readonly catalog: EngineCatalog;
  readonly circuit: Circuit;
  readonly indexes: Indexes;
  readonly constraints: Constraints;
}

export class Tables {
  readonly #core: TablesContext;
  readonly #stores = new Map<number, Store>();
  /** By table, what commits are held to while its index is being made. */
  readonly #held = new Map<number, Set<UniqueKey>>();

  constructor(core: TablesContext) {
    this.#core = core;
  }

  /** The topic may be fed from now on: a stream too, which has no rows here. */
  add(entry: TopicEntry): void {
    const { log, catalog, circuit, constraints } = this.#core;
    for (const topic of logTopicsOf(entry)) log.registerTopic(topic);
    if (entry.topicKind === "stream") {
      circuit.topics.addStream(entry.id, entry.name);
      constraints.set(new TopicConstraints(entry, null, [], catalog));
      return;
    }
    const { schema, key } = placedOf(entry);
    const { id, name } = entry;
    const { store } = circuit.topics.addTable(id, name, schema, key as readonly number[], layoutOf(entry));
    this.place(entry, store);
  }

  remove(id: number): void {
    this.#stores.delete(id);
    this.#held.delete(id);
    this.#core.constraints.delete(id);
    this.#core.circuit.topics.remove(id);
    this.#core.log.forgetTopic(id);
  }

  /** A table's rows; null for a stream. */
  store(id: number): Store | null {
    return this.#stores.get(id) ?? null;
  }

  /** The table's rows lie in this store from now on, which is empty. */
  place(entry: TopicEntry, store: Store): void {
    this.#stores.set(entry.id, store);
    this.constrain(entry.id);
    this.#core.indexes.attach(entry.id, store);
  }

  /** Commits are held to a constraint more: its index is being made, and is grown. Until it is released. */
  holdUnique(id: number, unique: UniqueKey): { release(): void } {
    const held = this.#held.get(id) ?? new Set();
    this.#held.set(id, held.add(unique));
    this.constrain(id);
    return {
      release: () => {
        held.delete(unique);
        this.constrain(id);
      },
    };
  }

  /**
   * From now on commits are held to what the catalog says of the table, and to what is held beside it. Indexes for what is unique are made with
   * an empty store, or have been grown.
   */
  constrain(id: number): void {
    const { catalog, constraints } = this.#core;
    const entry = catalog.byId(id);
    const store = this.store(id);
    if (entry?.kind !== "topic") return;
    if (store === null) {
      constraints.set(new TopicConstraints(entry, null, [], catalog));
      return;
    }
    const uniques = [...catalog.uniquesOf(entry), ...(this.#held.get(id) ?? [])];
    const before = constraints.of(id);
    const held = uniques.map((unique) => ({
      unique,
      index: store.hashIndex({ columns: unique.columns.map((c) => placeOf(entry, c)), unique: false }),
    }));
    constraints.set(new TopicConstraints(entry, store, held, catalog, before));
    const earlier = before?.table;
    for (const { index } of earlier?.uniques ?? []) earlier?.store.dropIndex(index);
  }
}
