/** Commits as the log gives them back, and how they are compared. */
import type { EvertError } from "../../../src/base/errors.ts";
import type { Column } from "../../../src/batch/batch.ts";
import { datumAt } from "../../../src/batch/column.ts";
import type { CatalogEvent } from "../../../src/engine/catalog/catalog-events.ts";
import { catalogEvents } from "../../../src/engine/catalog/definitions.ts";
import { CATALOG_ENTRY, SINK_ENTRY, TICK_ENTRY } from "../../../src/engine/catalog/hidden-topics.ts";
import type { Database } from "../../../src/engine/database.ts";
import { type Group, OP_DELETE, type TopicBatch } from "../../../src/log/log.ts";
import { offsetOf } from "../../../src/log/offsets.ts";
import { cell, cellOf, columnOf, isShaped, SHAPED_TOPICS } from "./columns.ts";
import { STREAMS, TOPICS, type TopicName } from "./topics.ts";

const ALL: readonly TopicName[] = [...TOPICS, ...SHAPED_TOPICS];

/** What must not happen. */
export class Violation extends Error {}

export interface Written {
  readonly topic: TopicName;
  /** Of a table's row. */
  readonly key: unknown;
  /** null: the row with the key goes. */
  readonly value: object | null;
}

export interface Stored extends Written {
  readonly offset: number;
  /** Of a topic that may be dropped and made again: which one it is. */
  readonly topicId: number | null;
}

export interface Commit {
  readonly position: number;
  readonly timeUs: number;
  /** undefined: nobody knows. */
  readonly idempotencyKey: string | null | undefined;
  readonly requestDigest: string | null | undefined;
  /** First position of the segment that it lies in. */
  readonly segment: number;
  readonly records: readonly Stored[];
  /** What the engine itself wrote with it, as text: definitions, ticks, rows of the log's own tables. */
  readonly own: string;
  /** Of that, what it defined. */
  readonly events: readonly CatalogEvent[];
}

/** Rows of a stream in their order; of a table, a commit has one for each key. */
export function textOf(records: readonly Written[]): string {
  const line = ({ topic, key, value }: Written): string =>
    STREAMS.has(topic)
      ? `${topic} ${JSON.stringify(value)}`
      : `${topic} ${JSON.stringify(key)} ${JSON.stringify(value)}`;
  const ofStreams = records.filter(({ topic }) => STREAMS.has(topic)).map(line);
  const ofTables = records.filter(({ topic }) => !STREAMS.has(topic)).map(line);
  return [...ofStreams, ...ofTables.sort()].join(", ");
}

export function isSame(a: Commit | undefined, b: Commit): boolean {
  return (
    a !== undefined &&
    a.position === b.position &&
    a.timeUs === b.timeUs &&
    a.idempotencyKey === b.idempotencyKey &&
    a.requestDigest === b.requestDigest &&
    a.own === b.own &&
    a.records.length === b.records.length &&
    a.records.every(({ topic, topicId, offset, key, value }, i) => {
      const other = b.records[i] as Stored;
      return (
        topic === other.topic &&
        topicId === other.topicId &&
        offset === other.offset &&
        key === other.key &&
        isSameRow(value, other.value)
      );
    })
  );
}

/** Rows of one topic have the same columns, but for those that were not there when `b` was written or read: they have their defaults. */
export function isSameRow(a: object | null, b: object | null): boolean {
  if (a === null || b === null) return a === b;
  for (const name in a) if (a[name as keyof typeof a] !== cell(b, name)) return false;
  return true;
}

/** Of a stream in their order; of a table in any: a commit has one row for each key. */
export function isSameWritten(a: readonly Written[], b: readonly Written[]): boolean {
  if (a.length !== b.length) return false;
  const next = new Map<TopicName, number>();
  return a.every(({ topic, key, value }) => {
    if (!STREAMS.has(topic))
      return b.some((other) => other.topic === topic && other.key === key && isSameRow(value, other.value));
    let i = next.get(topic) ?? 0;
    while (i < b.length && (b[i] as Written).topic !== topic) i++;
    next.set(topic, i + 1);
    return i < b.length && isSameRow(value, (b[i] as Written).value);
  });
}

/** The whole log, commit by commit; once more where retention gives up some of it meanwhile. */
export async function readLog(db: Database): Promise<Commit[]> {
  for (;;) {
    try {
      return await readOnce(db);
    } catch (error) {
      if ((error as EvertError).code !== "records_gone") throw error;
    }
  }
}

async function readOnce(db: Database): Promise<Commit[]> {
  const { catalog, log } = db.core;
  const topics = new Map(
    ALL.flatMap((name) => (catalog.entry(name)?.kind === "topic" ? [[catalog.topic(name).id, name]] : [])),
  );
  const commits: Commit[] = [];
  // What has been dropped can be read by nobody; and keys come only with all topics.
  const isShaped = catalog.entry("wide") !== undefined;
  const there = [...catalog.allTopics(), CATALOG_ENTRY, TICK_ENTRY, SINK_ENTRY];
  const only = isShaped ? { topics: new Set(there.map(({ id }) => id)) } : {};
  const unknown = isShaped ? { idempotencyKey: undefined, requestDigest: undefined } : {};
  for await (const group of log.read({ from: 1, everyGroup: true, unbroken: true, ...only }))
    for (const commit of commitsOf(group, topics))
      commits.push({ ...commit, ...unknown, segment: log.segmentOf(commit.position) });
  return commits;
}

function commitsOf(group: Group, topics: ReadonlyMap<number, TopicName>): Omit<Commit, "segment">[] {
  const records: Stored[][] = group.commits.map(() => []);
  const own: string[][] = group.commits.map(() => []);
  const events: CatalogEvent[][] = group.commits.map(() => []);
  for (const topicBatch of group.batches) {
    const { topicId, batch, ops, commitIndexes, commitEnds } = topicBatch;
    const topic = topics.get(topicId);
    const shaped = topic !== undefined && isShaped(topic);
    const defined = topicId === CATALOG_ENTRY.id ? [...catalogEvents(topicBatch)] : [];
    const names = batch.schema.fields.map(({ name }) => (shaped ? columnOf(name) : name));
    let row = 0;
    commitIndexes.forEach((commit, i) => {
      for (; row < (commitEnds[i] as number); row++) {
        if (topic === undefined) {
          own[commit]?.push(textOfOwn(topicBatch, row));
          events[commit]?.push(...defined.slice(row, row + 1));
          continue;
        }
        const value: Record<string, unknown> = {};
        for (const [c, name] of names.entries()) {
          const datum = datumAt(batch.columns[c] as Column, row);
          value[name] = shaped ? cellOf(datum) : datum;
        }
        const isGone = ops?.[row] === OP_DELETE;
        const key = STREAMS.has(topic) ? null : value["k"];
        records[commit]?.push({
          topic,
          topicId: shaped ? topicId : null,
          offset: offsetOf(topicBatch, row),
          key,
          value: isGone ? null : value,
        });
      }
    });
  }
  return group.commits.map(({ position, timeUs, idempotencyKey, requestDigest }, i) => ({
    position,
    timeUs,
    idempotencyKey,
    requestDigest,
    records: (records[i] as Stored[]).sort((a, b) => ALL.indexOf(a.topic) - ALL.indexOf(b.topic)),
    own: (own[i] as string[]).join("\n"),
    events: events[i] as CatalogEvent[],
  }));
}

function textOfOwn(topicBatch: TopicBatch, row: number): string {
  const { topicId, schemaVersion, batch, ops } = topicBatch;
  const values = batch.columns.map((column) => String(datumAt(column, row)));
  return `${topicId} of version ${schemaVersion}, ${offsetOf(topicBatch, row)}: ${ops?.[row] ?? 0} ${values.join(", ")}`;
}

/** With the columns that were written, and are there no more. REQUIRES isSameWritten. */
export function withWritten(commit: Commit, written: readonly Written[]): Commit {
  const left = [...written];
  const records = commit.records.map((record) => {
    const at = left.findIndex(({ topic, key }) => topic === record.topic && key === record.key);
    const [one] = left.splice(at, 1);
    const value = record.value === null ? null : { ...one?.value, ...record.value };
    return { ...record, value };
  });
  return { ...commit, records };
}
