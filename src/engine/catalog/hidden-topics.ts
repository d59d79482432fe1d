/** Topics that no catalog names: what the database writes for itself alone. */
import { schemaOf } from "../../batch/schema.ts";
import { int8, jsonb, text, timestamptz } from "../../batch/types.ts";
import type { TopicEntry } from "./entries.ts";

export const CATALOG_TOPIC = 0;

/** The topic that the catalog itself lies in. */
export const CATALOG_ENTRY: TopicEntry = {
  kind: "topic",
  id: CATALOG_TOPIC,
  name: "(catalog)",
  topicKind: "stream",
  schema: schemaOf([{ name: "definition", type: jsonb, nullable: false }]),
  schemaVersion: 1,
  key: null,
  hiddenRowId: false,
  defaults: [null],
};

/** Where ticks lie: commits that bring nothing but their time (ticker.ts). No row of it is read. */
export const TICK_ENTRY: TopicEntry = {
  kind: "topic",
  id: 2 ** 31 - 1,
  name: "(ticks)",
  topicKind: "stream",
  schema: schemaOf([{ name: "due", type: timestamptz, nullable: false }]),
  schemaVersion: 1,
  key: null,
  hiddenRowId: false,
  defaults: [null],
};

/** Where it lies what each commit of a sink was caused by (sinks.ts). No row of it is read. */
export const SINK_ENTRY: TopicEntry = {
  kind: "topic",
  id: 2 ** 31 - 2,
  name: "(sinks)",
  topicKind: "stream",
  schema: schemaOf([
    { name: "view", type: text, nullable: false },
    { name: "position", type: int8, nullable: false },
  ]),
  schemaVersion: 1,
  key: null,
  hiddenRowId: false,
  defaults: [null, null],
};

/** Whether the topic is one of these. */
export function isHidden(topic: TopicEntry): boolean {
  return topic === CATALOG_ENTRY || topic === TICK_ENTRY || topic === SINK_ENTRY;
}
