/** A topic's records as a program has them: rows and keys in their TypeScript form. */
import { EvertError } from "../base/errors.ts";
import { datumFromJson, datumToValue } from "../batch/convert.ts";
import { parseJson } from "../batch/lossless-json.ts";
import type { Field } from "../batch/schema.ts";
import type { ReadTopicOptions, TopicRecord as RecordText } from "./api.ts";
import type { Database } from "./database.ts";
import { shapeOf } from "./topic-info.ts";
import { typedRow } from "./typed-row.ts";

/** One record of a topic. */
export interface TopicRecord<Row = unknown> {
  readonly offset: number;
  readonly position: string;
  /** ISO 8601 in UTC. */
  readonly timestamp: string;
  /** Of a table's record: the key column's value, or an array of the values of a composite key. */
  readonly key?: unknown;
  /** null: a tombstone, which took the key's row away. */
  readonly value: Row | null;
}

export async function* readTyped<Row>(
  engine: Database,
  topic: string,
  options?: ReadTopicOptions,
): AsyncGenerator<TopicRecord<Row>, void, undefined> {
  const { limit } = options ?? {};
  if (limit !== undefined && !(Number.isSafeInteger(limit) && limit >= 0))
    throw new EvertError("invalid_request", `${limit} is not a number of records`, {
      hint: "A limit is 0, 1, 2, ...",
    });
  const typed = recordTyper<Row>(engine, topic);
  for await (const record of engine.readTopic(topic, options)) yield typed(record);
}

/** Records come in the columns that the topic has by then; of one that has been dropped meanwhile, in those that it had. */
export function recordTyper<Row>(engine: Database, topic: string): (record: RecordText) => TopicRecord<Row> {
  const { catalog } = engine.core;
  let entry = catalog.topic(topic);
  let { schema, key } = shapeOf(entry);
  return ({ offset, position, timestamp, keyJson, valueJson }) => {
    const now = catalog.byId(entry.id);
    if (now?.kind === "topic" && now !== entry) {
      entry = now;
      ({ schema, key } = shapeOf(entry));
    }
    const value = valueJson === null ? null : (typedRow(schema.fields, objectOf(valueJson)) as Row);
    const record = { offset, position, timestamp, value };
    if (keyJson === undefined || key === null) return record;
    const columns = key.map((name) => schema.fields.find((field) => field.name === name) as Field);
    return { offset, position, timestamp, key: typedKey(columns, parseJson(keyJson)), value };
  };
}

function objectOf(json: string): Record<string, unknown> {
  return parseJson(json) as Record<string, unknown>;
}

function typedKey(columns: readonly Field[], key: unknown): unknown {
  const value = ({ name, type }: Field, json: unknown): unknown =>
    datumToValue(type, datumFromJson(type, json, name));
  const [first] = columns;
  if (first !== undefined && columns.length === 1) return value(first, key);
  return columns.map((column, i) => value(column, (key as unknown[])[i]));
}
