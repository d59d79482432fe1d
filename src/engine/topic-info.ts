/** What the API says of a topic: its columns, its records, what is kept of it. */
import type { TopicInfo } from "./api.ts";
import type { TopicEntry } from "./catalog/catalog.ts";
import { visibleSchema } from "./catalog/entries.ts";
import type { Core } from "./core.ts";
import { withDefault as columnsWithDefault } from "./evolution/fallbacks.ts";
import { heldBackBy } from "./keeping.ts";

/** What holds of an entry for good. Each append over HTTP asks for it. */
const shapes = new WeakMap<TopicEntry, Pick<TopicInfo, "schema" | "key" | "withDefault">>();

export function shapeOf(entry: TopicEntry): Pick<TopicInfo, "schema" | "key" | "withDefault"> {
  let shape = shapes.get(entry);
  if (shape === undefined) {
    const schema = visibleSchema(entry);
    const key = entry.hiddenRowId ? null : entry.key;
    shape = {
      schema,
      key: key === null ? null : key.map((c) => schema.fields[c]!.name),
      withDefault: columnsWithDefault(entry),
    };
    shapes.set(entry, shape);
  }
  return shape;
}

export function topicInfoOf(core: Core, entry: TopicEntry): TopicInfo {
  const { log, catalog, tables, topicHandles } = core;
  const records = log.topicEnd(entry.id);
  const start = log.topicStart(entry.id);
  const store = tables.store(entry.id);
  const { schema, key, withDefault } = shapeOf(entry);
  return {
    id: entry.id,
    name: entry.name,
    schemaVersion: entry.schemaVersion,
    kind: entry.topicKind,
    schema,
    key,
    isChecked: (topicHandles.get(entry.name)?.standard ?? null) !== null,
    withDefault,
    records,
    start,
    keeping: entry.keeping ?? null,
    deadLetters: entry.deadLetters === undefined ? null : (catalog.byId(entry.deadLetters)?.name ?? null),
    heldBackBy: heldBackBy(core, entry),
    rows: store === null ? records - start : store.live,
    stateBytes: store?.bytes ?? 0,
    coldBytes: store?.coldBytes ?? 0,
  };
}
