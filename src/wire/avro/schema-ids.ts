/**
 * Ids of schemas, which are 31 bits on the wire.
 *
 *   1, 2, 3, …              schemas that writers have registered: rows of the log's own table evert_schemas
 *   0b10, topic, version    what a topic's columns were in one of their versions (topic-schema.ts)
 *   0b11, topic, version    its key alone: a message with such an id deletes
 *
 * with 21 bits for the topic's id and 8 for the version. So a topic's own schemas need no registering: their ids follow from the catalog, are the same on every replica, in
 * every backup and after every replay, and reading a topic writes nothing. Ids of topics are never given twice.
 */
const VALUE_SCHEMAS = 2 ** 30;
const KEY_SCHEMAS = VALUE_SCHEMAS + 2 ** 29;
const VERSIONS = 2 ** 8;
const TOPICS = 2 ** 21;

export interface OwnSchema {
  readonly topicId: number;
  readonly version: number;
  readonly isKey: boolean;
}

/** Null: there is no id for it, the topic is one too many or has changed too often. */
export function ownSchemaId({ topicId, version, isKey }: OwnSchema): number | null {
  if (topicId >= TOPICS || version >= VERSIONS) return null;
  return (isKey ? KEY_SCHEMAS : VALUE_SCHEMAS) + topicId * VERSIONS + version;
}

/** What an id of a topic's own stands for; null: it is a registered one's, or nobody's. */
export function ownSchema(id: number): OwnSchema | null {
  if (id < VALUE_SCHEMAS || id >= KEY_SCHEMAS + TOPICS * VERSIONS) return null;
  const isKey = id >= KEY_SCHEMAS;
  const rest = id - (isKey ? KEY_SCHEMAS : VALUE_SCHEMAS);
  return { topicId: Math.floor(rest / VERSIONS), version: rest % VERSIONS, isKey };
}
