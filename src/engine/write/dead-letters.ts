/**
 * Dead letters: what could not be decoded of an append goes to a stream that the topic names, with the reason, in the commit of the rest. A topic
 * that names none refuses the append.
 *
 * That stream is an ordinary topic with the columns below, made with the first table that names it. A topic knows it by its id, so that it may be
 * renamed.
 */
import { EvertError } from "../../base/errors.ts";
import type { Field } from "../../batch/schema.ts";
import { bytea, int4, sameType, text, timestamptz } from "../../batch/types.ts";
import type { Log } from "../../log/log.ts";
import type { DeadLetter } from "../api.ts";
import type { EngineCatalog, TopicEntry } from "../catalog/catalog.ts";
import type { CatalogEvent } from "../catalog/catalog-events.ts";
import { newTopic } from "../catalog/entries.ts";
import { OWN_TABLES } from "../own/own-tables.ts";
import type { Part } from "./part.ts";

const FIELDS: readonly Field[] = [
  { name: "topic", type: text, nullable: false },
  { name: "reason", type: text, nullable: false },
  { name: "bytes", type: bytea, nullable: false },
  { name: "schema_id", type: int4, nullable: true },
  { name: "time", type: timestamptz, nullable: false },
];

/**
 * Where dead letters of a topic of that name go to, and what makes it so; `making`: what else is made in the same commit. @throws EvertError
 * invalid_table_definition
 */
export function deadLetterTopic(
  catalog: EngineCatalog,
  name: string,
  of: string,
  making: readonly CatalogEvent[],
  freeId: number,
): { readonly id: number; readonly events: readonly CatalogEvent[] } {
  const made = making.flatMap((event) => (event.event === "create" ? [event.entry] : []));
  const entry = catalog.entry(name) ?? made.find((known) => known.kind === "topic" && known.name === name);
  if (name === of) throw unfit(name, "A topic's own records cannot be its dead letters.");
  if (entry === undefined) {
    const topic = newTopic(freeId, name, "stream", FIELDS, null);
    return { id: freeId, events: [{ event: "create", entry: topic }] };
  }
  if (entry.kind !== "topic" || entry.topicKind !== "stream")
    throw unfit(name, "It is no append-only table.");
  const lacks = FIELDS.find(({ name: column, type }) => {
    const there = entry.schema.fields.find((field) => field.name === column);
    return there === undefined || !sameType(there.type, type);
  });
  if (lacks !== undefined) throw unfit(name, `It has no column "${lacks.name}" of type ${lacks.type.name}.`);
  return { id: entry.id, events: [] };
}

function unfit(name: string, detail: string): EvertError {
  return new EvertError("invalid_table_definition", `"${name}" cannot take dead letters`, {
    detail,
    hint: "Name a table that is not there: it is made with the columns topic, reason, bytes, schema_id and time.",
  });
}

/** What has the topic send its dead letters there; null: nowhere. */
export function deadLetterEvents(
  catalog: EngineCatalog,
  topic: TopicEntry,
  name: string | null,
  making: readonly CatalogEvent[] = [],
  freeId: number = catalog.nextId(),
): CatalogEvent[] {
  if (name === null)
    return topic.deadLetters === undefined ? [] : [{ event: "dead_letters", id: topic.id, to: null }];
  const { id, events } = deadLetterTopic(catalog, name, topic.name, making, freeId);
  return topic.deadLetters === id ? [] : [...events, { event: "dead_letters", id: topic.id, to: id }];
}

/** @throws EvertError dependent_objects where topics that stay send their dead letters to one of these. */
export function refuseNeededForDeadLetters(catalog: EngineCatalog, going: ReadonlySet<number>): void {
  const users = catalog
    .topics()
    .filter(({ id, deadLetters }) => deadLetters !== undefined && going.has(deadLetters) && !going.has(id));
  const [user] = users;
  if (user === undefined) return;
  const to = catalog.byId(user.deadLetters as number);
  throw new EvertError(
    "dependent_objects",
    `cannot drop table ${to?.name} because other objects depend on it`,
    {
      detail: users.map(({ name }) => `dead letters of table ${name} go to it`).join("\n"),
      hint: `ALTER TABLE ${user.name} RESET (dead_letters) first.`,
    },
  );
}

/** The part of a commit that holds them. @throws EvertError the first one's, where the topic names no stream for them */
export function deadLetterPart(
  catalog: EngineCatalog,
  topic: TopicEntry,
  letters: readonly DeadLetter[],
  nowUs: number,
): Part[] {
  const [first] = letters;
  if (first === undefined) return [];
  const to = topic.deadLetters === undefined ? undefined : catalog.byId(topic.deadLetters);
  if (to?.kind !== "topic") throw first.error;
  const time = new Date(nowUs / 1000);
  const rows = letters.map(({ error, bytes, schemaId }) => {
    const reason = [error.message, error.detail].filter((part) => part !== undefined).join(". ");
    return { topic: topic.name, reason, bytes, schema_id: schemaId, time };
  });
  return [{ topic: to, op: "upsert", rows, path: to.name }];
}

/**
 * How many stand in the commit of an append to the topic: what else it wrote, beside the log's own tables, are its dead letters. REQUIRES that the
 * commit is durable.
 */
export async function deadLettersAt(log: Log, topicId: number, position: number): Promise<number> {
  let count = 0;
  for await (const { commits, batches } of log.read({ from: position, to: position })) {
    for (const batch of batches) {
      if (batch.topicId === topicId || OWN_TABLES.some(({ id }) => id === batch.topicId)) continue;
      let from = 0;
      for (let c = 0; c < batch.commitIndexes.length; c++) {
        const end = batch.commitEnds[c] as number;
        if (commits[batch.commitIndexes[c] as number]?.position === position) count += end - from;
        from = end;
      }
    }
  }
  return count;
}
