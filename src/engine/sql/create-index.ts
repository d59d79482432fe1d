/**
 * CREATE INDEX and DROP INDEX.
 *
 * 1. The index is grown over the rows that are there, a slice at a time, while steps and commits go on; rows that come and go meanwhile are
 *    entered and taken out with them.
 * 2. What is to be unique is held for commits from here on: at a moment when everything staged is stepped. Then the rows of that moment are looked
 *    through, in slices too: those that share their values stood before, and the index is given up.
 * 3. Only then is it written to the catalog, and with that commit it is there. Until then nothing knows of it: a crash leaves no half of one. Where
 *    that commit waits for replicas for longer than who has asked, what has grown stays until it is made: it would grow again, with all steps waiting
 *    for it.
 */
import { EvertError } from "../../base/errors.ts";
import type { Slices } from "../../base/slices.ts";
import type { CreateIndexStatement, DropStatement } from "../../sql/statement.ts";
import type { Store } from "../../state/store.ts";
import type { TopicEntry } from "../catalog/catalog.ts";
import type { CatalogEvent } from "../catalog/catalog-events.ts";
import type { Core } from "../core.ts";
import { itemsOf } from "../indexes.ts";
import { refuseOwnTable } from "../own/own-tables.ts";
import { keyWords, TableRows, type UniqueIndex } from "../write/table-rows.ts";
import { notA, objectOf } from "./drop.ts";

const SLICE_SLOTS = 2048;
const SLICE_MS = 3;

export async function createIndex(core: Core, statement: CreateIndexStatement): Promise<string> {
  const { relation, items, unique, nullsNotDistinct, ifNotExists } = statement;
  const { catalog } = core;
  refuseOwnTable(relation);
  const taken = (name: string): boolean => {
    if (!catalog.isTaken(name)) return false;
    if (ifNotExists) return true;
    throw new EvertError("duplicate_table", `relation "${name}" already exists`);
  };
  if (statement.name !== null && taken(statement.name)) return core.position;
  const store = await storeOf(core, relation.id);
  const draft = { kind: "index" as const, on: relation.id, items, unique, nullsNotDistinct };
  const order = itemsOf(draft, catalog);
  if (order === null) throw gone(relation.name);
  const columns = order.map((o) => o.column);
  const named = namedColumns(items, relation);
  // A table that is dropped meanwhile keeps its rows until nobody enters them any more.
  const kept = store.pin(core.stepper.epoch);
  store.warmers++;
  const growths: ReturnType<Store["growIndex"]>[] = [];
  let held: { release(): void } | null = null;
  let staged = 0;
  const release = (): void => {
    (held as { release(): void } | null)?.release();
    for (const growth of growths) growth.release();
    store.warmers--;
  };
  try {
    // An index knows the place of every row in memory.
    await core.circuit.cooling?.thaw(store);
    growths.push(store.growIndex({ partition: [], order }));
    if (unique) growths.push(store.growIndex({ columns, unique: false }));
    for (const growth of growths) await inSlices(core.slices, () => growth.advance(SLICE_SLOTS));
    if (unique) {
      const name = statement.name ?? freeName(core, statement);
      const key = { name, columns: named, nullsNotDistinct, isIndex: true };
      let epoch = 0;
      let pin: { release(): void } | null = null;
      const index = store.hashIndex({ columns, unique: false });
      try {
        await core.committer.exclusively(async () => {
          held = core.tables.holdUnique(relation.id, key);
          epoch = core.stepper.epoch;
          pin = store.pin(epoch);
          return null;
        });
        await refuseTwins(core, relation.id, store, { unique: key, index }, epoch);
      } finally {
        (pin as { release(): void } | null)?.release();
        store.dropIndex(index);
      }
    }
    return await core.define(
      (): CatalogEvent[] => {
        const name = statement.name ?? freeName(core, statement);
        if (taken(name)) return [];
        if (catalog.byId(relation.id) === undefined || core.storeOf(relation.id) !== store)
          throw gone(relation.name);
        return [{ event: "create", entry: { ...draft, id: catalog.nextId(), name } }];
      },
      false,
      () => {
        staged = core.log.lastPosition;
      },
    );
  } finally {
    kept.release();
    // By then the catalog's index stands for it, or nothing does.
    if (staged <= core.log.durablePosition) release();
    else void made(core, staged).then(release);
  }
}

/** Resolves when the definition at the position is made, or will not be, here. */
async function made(core: Core, position: number): Promise<void> {
  try {
    await core.durability.wait(position);
    await core.stepper.atBoundary(() => {});
  } catch {
    // The database is closed, or has failed, and has said so to all who ask.
  }
}

/** Where the relation's rows lie, once there are all of them. */
async function storeOf(core: Core, id: number): Promise<Store> {
  const view = core.views.get(id);
  if (view !== undefined) await core.views.filled(view);
  const live = core.views.get(id);
  if (live?.error != null) throw live.error;
  const store = core.storeOf(id);
  if (store === null) throw new EvertError("not_ready", "the relation's rows are not there yet");
  return store;
}

function namedColumns(
  items: CreateIndexStatement["items"],
  { schema }: CreateIndexStatement["relation"],
): number[] {
  return items.map(({ column }) => schema.fields.findIndex((f) => f.name === column));
}

function gone(name: string): EvertError {
  return new EvertError("undefined_table", `relation "${name}" does not exist`);
}

async function inSlices(slices: Slices, advance: () => boolean): Promise<void> {
  for (let ends = slices.ends(SLICE_MS); !advance(); ) {
    if (performance.now() < ends) continue;
    await slices.turn();
    ends = slices.ends(SLICE_MS);
  }
}

/** @throws unique_violation where rows of `epoch`, which is pinned, are in each other's way. */
async function refuseTwins(
  core: Core,
  id: number,
  store: Store,
  unique: UniqueIndex,
  epoch: number,
): Promise<void> {
  const { topic } = core.constraints.of(id)!;
  const rows = new TableRows(topic, store, [unique]);
  let slot = 0;
  await inSlices(core.slices, () => {
    const end = Math.min(store.highWater, slot + SLICE_SLOTS);
    for (; slot < end; slot++) if (store.visible(slot, epoch)) refuseTwin(rows, unique, slot, epoch, topic);
    return slot >= store.highWater;
  });
}

function refuseTwin(
  rows: TableRows,
  { unique, index }: UniqueIndex,
  slot: number,
  epoch: number,
  topic: TopicEntry,
): void {
  let first = index.like(slot);
  while (first >= 0 && (first === slot || !rows.store.visible(first, epoch))) first = index.next(first);
  // A key that no other row has costs nothing but the look.
  if (first < 0) return;
  const row = rows.rowAt(slot);
  if (rows.uniqueText(0, row) === null) return;
  throw new EvertError("unique_violation", `could not create unique index "${unique.name}"`, {
    detail: `${keyWords(topic, unique.columns, row)} is duplicated.`,
  });
}

/** As PostgreSQL makes one up. */
function freeName({ catalog }: Core, { relation, items }: CreateIndexStatement): string {
  const made = [relation.name, ...items.map((i) => i.column), "idx"].join("_");
  let name = made;
  for (let n = 1; catalog.isTaken(name); n++) name = `${made}${n}`;
  return name;
}

export function dropIndexes(core: Core, { names, ifExists }: DropStatement): Promise<string> {
  return core.define(() =>
    names.flatMap((name): CatalogEvent[] => {
      const entry = core.catalog.index(name);
      if (entry !== undefined) return [{ event: "drop", id: entry.id }];
      refuseOther(core, name);
      if (ifExists) return [];
      throw new EvertError("undefined_object", `index "${name}" does not exist`);
    }),
  );
}

/** A name that is another thing's. */
function refuseOther({ catalog }: Core, name: string): void {
  const relation = catalog.entry(name);
  if (relation !== undefined) throw notA(name, "index", objectOf(relation));
  const table = catalog.constrainedBy(name);
  if (table === undefined) return;
  throw new EvertError(
    "dependent_objects",
    `cannot drop index ${name} because constraint ${name} on table ${table.name} requires it`,
  );
}
