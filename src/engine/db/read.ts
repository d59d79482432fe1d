/** A topic's records as a program has them: rows and keys in their TypeScript form. */
import { EvertError } from "../../base/errors.ts";
import { datumFromJson, datumToValue } from "../../batch/convert.ts";
import { parseJson } from "../../batch/lossless-json.ts";
import type { Field } from "../../batch/schema.ts";
import type { ReadTopicOptions } from "../api.ts";
import type { Database } from "../database.ts";
import type { MakeRecord, RecordColumns } from "../records.ts";
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
  yield* engine.readTopicAs(topic, options ?? {}, recordTyper<Row>());
}

/**
 * Records come in the columns that the topic has when they are read, and are made values by these at once: whoever takes them may be slow, and the
 * topic be changed meanwhile.
 */
export function recordTyper<Row>(): MakeRecord<TopicRecord<Row>> {
  let known: RecordColumns | null = null;
  let fields: readonly Field[] = [];
  let key: readonly Field[] | null = null;
  return ({ offset, position, timestamp, keyJson, valueJson }, columns) => {
    if (columns !== known) {
      known = columns;
      const { schema, keyColumns, hiddenRowId } = columns;
      fields = hiddenRowId ? schema.fields.slice(0, -1) : schema.fields;
      key = hiddenRowId ? null : (keyColumns?.map((c) => schema.fields[c] as Field) ?? null);
    }
    const value = valueJson === null ? null : (typedRow(fields, objectOf(valueJson)) as Row);
    const record = { offset, position, timestamp, value };
    return keyJson === undefined || key === null
      ? record
      : { ...record, key: typedKey(key, parseJson(keyJson)) };
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
