/** What a start makes of a checkpoint: the catalog, the circuit, and the rows of views that are not what they were. */
import type { Log } from "../../log/log.ts";
import type { Routine } from "../../plan/routines.ts";
import { Store } from "../../state/store.ts";
import { View } from "../../views/view.ts";
import { EngineCatalog } from "../catalog/catalog.ts";
import { catalogEvents } from "../catalog/definitions.ts";
import { CATALOG_TOPIC } from "../catalog/hidden-topics.ts";
import type { Core } from "../core.ts";
import { OWN_TABLES } from "../own/own-tables.ts";
import type { KeptRows, Manifest, StoreHandle } from "./checkpointing.ts";
import { tableRowsId } from "./indexing.ts";

/** Puts all topics into the empty circuit, and the views whose rows come from the checkpoint or, without one, from the whole log. */
export function compile(core: Core, manifest: Manifest | null): void {
  for (const entry of core.catalog.allTopics()) core.tables.add(entry);
  for (const entry of core.catalog.views()) {
    if (!entry.materialized) continue;
    const live = core.views.add(entry);
    core.sinks.add(entry);
    const kept =
      manifest === null || (manifest.views[entry.id] === entry.fingerprint && !core.views.hasParts(live));
    if (live.query !== null && kept && core.views.standsOnNodes(live)) core.views.attachEmpty(live);
  }
}

/** The circuit's stores that the checkpoint has: all but those of tables that were created since, whose rows come behind its position. */
export function storesWithin(
  { catalog, circuit }: Core,
  { lastId = Number.POSITIVE_INFINITY }: Manifest,
): StoreHandle[] {
  const later = new Set(catalog.topics().flatMap((entry) => (entry.id > lastId ? [tableRowsId(entry)] : [])));
  return circuit.stores().filter(({ id }) => !later.has(id));
}

/** Rows of views that are to be made anew: they are shown until the new ones are there. */
export function keepOldRows(core: Core, kept: ReadonlyMap<number, KeptRows>): StoreHandle[] {
  const handles: StoreHandle[] = [];
  const taken = new Set(core.circuit.stores().map(({ id }) => id));
  for (const live of core.views.all()) {
    const rows = kept.get(live.entry.id);
    // Rows that another view shows too are not to be had twice.
    if (live.node !== null || rows === undefined || taken.has(rows.store)) continue;
    taken.add(rows.store);
    const { name } = live.entry;
    const store = new Store(`earlier rows of ${name}`, rows.columns, core.dictionary);
    core.circuit.keepsEarlier(store, rows.key ?? [...rows.columns.keys()]);
    const view = new View({ name, store, fields: rows.fields, keyColumns: rows.key, order: rows.order });
    live.stale = { id: rows.store, view, position: rows.position };
    handles.push({ id: rows.store, store });
  }
  return handles;
}

/** The catalog as of now; and by view id the rows that the checkpoint has of it, or of the one in whose place it was created. */
export async function readCatalog(
  log: Log,
  manifest: Manifest | null,
  routines: ReadonlyMap<string, Routine>,
): Promise<{ catalog: EngineCatalog; kept: ReadonlyMap<number, KeptRows> }> {
  const catalog = new EngineCatalog(routines, OWN_TABLES);
  catalog.reserve(manifest?.lastId ?? 0);
  const kept = new Map(Object.entries(manifest?.rows ?? {}).map(([id, rows]) => [Number(id), rows]));
  catalog.restore((manifest?.catalog as unknown[] | undefined) ?? []);
  const from = (manifest?.position ?? 0) + 1;
  for await (const group of log.read({ from, topics: new Set([CATALOG_TOPIC]) })) {
    for (const event of group.batches.flatMap((batch) => [...catalogEvents(batch)])) {
      if (event.event === "create" && event.entry.kind === "view") {
        const before = catalog.defined(event.entry.name);
        const rows = before === undefined ? undefined : kept.get(before.id);
        if (rows !== undefined) kept.set(event.entry.id, rows);
      }
      catalog.apply(event);
    }
  }
  return { catalog, kept };
}
