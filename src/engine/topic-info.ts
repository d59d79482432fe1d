/** What the API says of a topic: its columns, its records, what is kept of it. */
import type { TopicInfo } from "./api.ts";
import type { TopicEntry } from "./catalog.ts";
import type { Core } from "./core.ts";
import { withDefault } from "./fallbacks.ts";
import { heldBackBy } from "./keeping.ts";

export function topicInfoOf(core: Core, entry: TopicEntry): TopicInfo {
  const { log, catalog, tables, topicHandles } = core;
  const records = log.topicEnd(entry.id);
  const start = log.topicStart(entry.id);
  const store = tables.store(entry.id);
  const relation = catalog.relation(entry.name)!;
  return {
    id: entry.id,
    name: entry.name,
    schemaVersion: entry.schemaVersion,
    kind: entry.topicKind,
    schema: relation.schema,
    key: relation.key === null ? null : relation.key.map((c) => relation.schema.fields[c]!.name),
    isChecked: (topicHandles.get(entry.name)?.standard ?? null) !== null,
    withDefault: withDefault(entry),
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
