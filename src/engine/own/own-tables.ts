/**
 * Tables that are the log's own: what producers have sent, how far consumers have come, which schemas writers have registered. They are table topics
 * like any other, stepped, checkpointed, copied and compacted as such, and read by SQL; but no catalog event makes them, and nobody but the engine
 * writes to them. Their rows stand in the commit of what they speak of.
 */
import { EvertError } from "../../base/errors.ts";
import { type Field, schemaOf } from "../../batch/schema.ts";
import { int4, int8, text, timestamptz } from "../../batch/types.ts";
import type { TopicEntry } from "../catalog/catalog.ts";

/** One row for each of a producer's last requests to a topic, and one, of topic 0, for the producer itself. */
export const PRODUCERS_ENTRY: TopicEntry = ownTable(2 ** 31 - 3, "evert_producers", 3, [
  { name: "producer", type: text, nullable: false },
  { name: "topic_id", type: int4, nullable: false },
  { name: "slot", type: int4, nullable: false },
  { name: "topic", type: text, nullable: true },
  { name: "epoch", type: int8, nullable: false },
  { name: "seq", type: int8, nullable: true },
  { name: "last_seq", type: int8, nullable: true },
  { name: "position", type: int8, nullable: false },
  { name: "first_offset", type: int8, nullable: true },
  { name: "last_offset", type: int8, nullable: true },
  { name: "used_at", type: timestamptz, nullable: false },
]);

/** One row for each topic that a consumer reads: the offset of the record that it reads next. */
export const CONSUMERS_ENTRY: TopicEntry = ownTable(2 ** 31 - 4, "evert_consumers", 2, [
  { name: "consumer", type: text, nullable: false },
  { name: "topic_id", type: int4, nullable: false },
  { name: "topic", type: text, nullable: false },
  { name: "epoch", type: int8, nullable: false },
  { name: "next_offset", type: int8, nullable: false },
  { name: "position", type: int8, nullable: false },
  { name: "updated_at", type: timestamptz, nullable: false },
]);

/** One row for each schema that a writer has registered: what its number stands for. */
export const SCHEMAS_ENTRY: TopicEntry = ownTable(2 ** 31 - 5, "evert_schemas", 1, [
  { name: "id", type: int4, nullable: false },
  { name: "topic_id", type: int4, nullable: false },
  { name: "topic", type: text, nullable: false },
  { name: "schema", type: text, nullable: false },
  { name: "position", type: int8, nullable: false },
  { name: "registered_at", type: timestamptz, nullable: false },
]);

export const OWN_TABLES: readonly TopicEntry[] = [PRODUCERS_ENTRY, CONSUMERS_ENTRY, SCHEMAS_ENTRY];
const OWN_IDS_MIN = Math.min(...OWN_TABLES.map(({ id }) => id));

/** Its key is its first columns. */
function ownTable(id: number, name: string, keyColumns: number, fields: readonly Field[]): TopicEntry {
  return {
    kind: "topic",
    id,
    name,
    topicKind: "table",
    schema: schemaOf(fields),
    schemaVersion: 1,
    key: Array.from({ length: keyColumns }, (_, i) => i),
    hiddenRowId: false,
    defaults: fields.map(() => null),
  };
}

/** @throws EvertError wrong_object_type where the relation is one of the log's own, which nobody else changes. */
export function refuseOwnTable({ id }: { readonly id: number }): void {
  // Asked of every commit: without a function made for it, or three tables looked at.
  if (id < OWN_IDS_MIN) return;
  const own = OWN_TABLES.find((entry) => entry.id === id);
  if (own === undefined) return;
  throw new EvertError("wrong_object_type", `"${own.name}" is kept by the database itself`, {
    detail: "Its rows are written in the commits that they speak of.",
    hint: "Read it like any table, or make a view of it.",
  });
}
