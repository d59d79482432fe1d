/** Schemas by their ids, and what those of writers are to a topic. */
import { EvertError, toEvertError } from "../../base/errors.ts";
import type { Engine, TopicInfo } from "../../engine/api.ts";
import { type Reading, readingOf } from "../../wire/avro/record-batch.ts";
import { type OwnSchema, ownSchema, ownSchemaId } from "../../wire/avro/schema-ids.ts";
import { keySchemaText, topicSchemaText } from "../../wire/avro/topic-schema.ts";
import { type AvroNode, canonicalSchema, parseSchema } from "../../wire/avro/writer-schema.ts";

/** Schemas of which what they come to is kept: their text is what they are known by. */
const KEPT_MAX = 256;

/** What a text comes to, kept for those that were asked for last. */
function kept<T>(make: (text: string) => Promise<T>): (text: string) => Promise<T> {
  const known = new Map<string, Promise<T>>();
  return (text) => {
    const made = known.get(text) ?? make(text);
    known.delete(text);
    if (known.size >= KEPT_MAX) known.delete(known.keys().next().value as string);
    known.set(text, made);
    made.catch(() => known.delete(text));
    return made;
  };
}

/** The schema taken apart; the same text again is not parsed again. @throws EvertError invalid_value */
export const parsedSchema: (text: string) => Promise<AvroNode> = kept(parseSchema);

/** Identical for schemas that say the same. @throws EvertError invalid_value */
export const canonicalText: (text: string) => Promise<string> = kept(canonicalSchema);

/** Resolved schemas, by the topic's columns, which are another object when they have changed. */
const readings = new WeakMap<object, WeakMap<AvroNode, Reading>>();

/** What a writer's schema is to the topic. @throws EvertError invalid_value, datatype_mismatch */
export async function readingByText(
  text: string,
  { schema, withDefault, isChecked }: TopicInfo,
  deletedBy: readonly string[] | null,
): Promise<Reading> {
  const writer = await parsedSchema(text);
  if (deletedBy !== null) return readingOf(writer, schema, deletedBy);
  let known = readings.get(schema);
  if (known === undefined) readings.set(schema, (known = new WeakMap()));
  let reading = known.get(writer);
  if (reading === undefined)
    known.set(writer, (reading = readingOf(writer, schema, null, isChecked ? [] : withDefault)));
  return reading;
}

/** The same by the id that a message says. @throws EvertError undefined_object where there is none */
export async function readingById(engine: Engine, id: number, topic: TopicInfo): Promise<Reading> {
  const text = await schemaText(engine, id);
  if (text === null) {
    throw new EvertError("undefined_object", `there is no schema ${id}`, {
      detail: "The four bytes behind the first one are the id that a schema was registered under.",
      hint: `Register the writer's schema: POST /registry/subjects/${topic.name}-value/versions.`,
    });
  }
  const own = ownSchema(id);
  if (own?.isKey !== true) return readingByText(text, topic, null);
  if (own.topicId !== topic.id) {
    throw new EvertError("undefined_object", `schema ${id} is that of another topic's key`, {
      hint: `A message in the schema of ${topic.name}-key deletes.`,
    });
  }
  return readingByText(text, topic, topic.key);
}

/** What an id stands for; null: nothing. */
export async function schemaText(engine: Engine, id: number): Promise<string | null> {
  const own = ownSchema(id);
  return own === null ? registeredText(engine, id) : ownText(engine, own);
}

/** By number, what has been found: it never changes. */
const registered = new WeakMap<Engine, Map<number, string>>();

async function registeredText(engine: Engine, id: number): Promise<string | null> {
  let known = registered.get(engine);
  if (known === undefined) registered.set(engine, (known = new Map()));
  if (!known.has(id))
    for (const schema of await engine.registeredSchemas()) known.set(schema.id, schema.text);
  return known.get(id) ?? null;
}

export function ownText(engine: Engine, { topicId, version, isKey }: OwnSchema): string | null {
  const topic = engine.topics().find((known) => known.id === topicId);
  if (topic === undefined) return null;
  const columns = engine.schemas(topic.name).find((known) => known.version === version);
  if (columns === undefined) return null;
  const { schema, key } = columns;
  if (!isKey) return topicSchemaText(topic.name, schema);
  return key === null ? null : keySchemaText(topic.name, schema, key);
}

/** What a topic's columns are in Avro, in one of their versions; null: nothing. */
export function ownAvro(
  { id, name }: TopicInfo,
  version: number,
  columns: TopicInfo["schema"],
): { readonly id: number; readonly schema: string } | null {
  const own = ownSchemaId({ topicId: id, version, isKey: false });
  try {
    return own === null ? null : { id: own, schema: topicSchemaText(name, columns) };
  } catch (error) {
    if (toEvertError(error).code === "feature_not_supported") return null;
    throw error;
  }
}

/** The id of a topic's columns in a version, or of its key. @throws EvertError feature_not_supported where it has none. */
export function idOf({ id, name }: TopicInfo, version: number, isKey: boolean): number {
  const own = ownSchemaId({ topicId: id, version, isKey });
  if (own !== null) return own;
  throw new EvertError("feature_not_supported", `the schema of "${name}" has no id`, {
    detail:
      "There are ids for the first 255 versions of a topic's columns, and none for the log's own tables.",
    hint: "Read it as JSON or Arrow.",
  });
}
