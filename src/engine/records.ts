/**
 * A topic read from an offset on: history from disk, then what becomes durable, without polling and without a gap that the topic does not have. A
 * compacted table has such gaps, and every reader of it meets the latest row of each key. A stream has none but before its start: who asks for what
 * is gone there is told where it begins now.
 *
 * The topic's columns may change meanwhile. A record has those that the topic has when it is read; its batch says which these are.
 */

import { setImmediate as nextTurn } from "node:timers/promises";
import { assert } from "../base/assert.ts";
import { EvertError } from "../base/errors.ts";
import { arrowEnd, arrowRecordBatch, arrowSchema } from "../batch/arrow.ts";
import type { Column } from "../batch/batch.ts";
import { setBit } from "../batch/bitmap.ts";
import { sliceColumn } from "../batch/column.ts";
import { formatTimestamptzJson } from "../batch/format.ts";
import { columnToJson, rowJsonWriter } from "../batch/json.ts";
import { type Field, schemaOf } from "../batch/schema.ts";
import { bool, int8, type SqlType, timestamptz } from "../batch/types.ts";
import { type Group, type Log, type LogTopic, OP_DELETE, type TopicBatch } from "../log/log.ts";
import { endOffset, offsetOf, rowFrom } from "../log/offsets.ts";
import type { ReadTopicOptions, TopicRecord, TopicRows } from "./api.ts";
import type { CatalogEntry, TopicEntry } from "./catalog/catalog.ts";
import { logTopicsOf } from "./evolution/evolved.ts";
import { timeUsOf } from "./read-time.ts";

const SLICE_RECORDS = 512;
const ARROW_ROWS = 8192;

/** What is in the catalog under an id by now. */
type EntryOf = (id: number) => CatalogEntry | undefined;

/** The columns that a record's values have. */
export type RecordColumns = LogTopic & Pick<TopicEntry, "hiddenRowId">;

/** What is made of a record: `columns` are the same object for as long as they are the same. */
export type MakeRecord<T> = (record: TopicRecord, columns: RecordColumns) => T;

export async function* readRecords<T>(
  log: Log,
  topic: TopicEntry,
  entryOf: EntryOf,
  options: ReadTopicOptions,
  make: MakeRecord<T>,
): AsyncGenerator<T, void, undefined> {
  const { hiddenRowId } = topic;
  let left = options.limit ?? Number.POSITIVE_INFINITY;
  let columns: RecordColumns = { ...newestOf(topic), hiddenRowId };
  const known = options.schemaVersion ?? null;
  if (known !== null && known !== topic.schemaVersion) throw changedColumns(topic.name);
  for await (const { group, topicBatch, from } of batchesOf(log, topic, options)) {
    if (known !== null && known !== topicBatch.schemaVersion) throw changedColumns(topic.name, from);
    if (topicBatch.schemaVersion !== columns.schemaVersion) {
      columns = { ...columnsOf(entryOf(topic.id), topic.name, topicBatch), hiddenRowId };
    }
    for (const record of batchRecords(group, topicBatch, columns, from)) {
      if (left-- <= 0) return;
      yield make(record, columns);
      if (record.offset % SLICE_RECORDS === 0) await nextTurn();
    }
    if (left <= 0) return;
  }
}

function newestOf(topic: TopicEntry): LogTopic {
  return logTopicsOf(topic).at(-1) as LogTopic;
}

/** The columns of a batch that was read just before or after they changed. @throws EvertError undefined_table */
function columnsOf(entry: CatalogEntry | undefined, name: string, { schemaVersion }: TopicBatch): LogTopic {
  if (entry?.kind !== "topic")
    throw new EvertError("undefined_table", `"${name}" was dropped while it was read`);
  const found = logTopicsOf(entry).findLast((topic) => topic.schemaVersion === schemaVersion);
  assert(found !== undefined, "a batch that is read has a schema that the topic had");
  return found;
}

/** What a record has beside its values, as columns. */
export const HEAD_FIELDS: readonly Field[] = [
  { name: "_offset", type: int8, nullable: false },
  { name: "_position", type: int8, nullable: false },
  { name: "_timestamp", type: timestamptz, nullable: false },
];
export const DELETED_FIELD: Field = { name: "_deleted", type: bool, nullable: false };

/**
 * The same records as a stream of Arrow's IPC format: _offset, _position, _timestamp, for a table _deleted, and the topic's columns (all
 * nullable in a table, where a tombstone has its key only).
 */
export async function* readRecordsArrow(
  log: Log,
  topic: TopicEntry,
  options: ReadTopicOptions,
): AsyncGenerator<Uint8Array> {
  const fields = topic.hiddenRowId ? topic.schema.fields.slice(0, -1) : topic.schema.fields;
  const isTable = topic.topicKind === "table";
  const schema = schemaOf([
    ...HEAD_FIELDS,
    ...(isTable ? [DELETED_FIELD] : []),
    ...fields.map((f) => ({ ...f, nullable: f.nullable || isTable })),
  ]);
  yield arrowSchema(schema);
  let left = options.limit ?? Number.POSITIVE_INFINITY;
  for await (const { group, topicBatch, from } of batchesOf(log, topic, options)) {
    if (topicBatch.schemaVersion !== topic.schemaVersion) throw changedColumns(topic.name, from);
    const first = rowFrom(topicBatch, from);
    const last = Math.min(topicBatch.batch.length, first + left);
    for (let row = first; row < last; row += ARROW_ROWS) {
      const end = Math.min(last, row + ARROW_ROWS);
      const columns = topicBatch.batch.columns.slice(0, fields.length).map((c) => sliceColumn(c, row, end));
      const head = headColumns(group, topicBatch, row, end, isTable);
      yield arrowRecordBatch({ schema, length: end - row, columns: [...head, ...columns], weights: null });
      await nextTurn();
    }
    left -= last - first;
    if (left <= 0) break;
  }
  yield arrowEnd();
}

/** The same records as their batches have them, some thousands of rows at most at a time. */
export async function* readRecordRows(
  log: Log,
  topic: TopicEntry,
  options: ReadTopicOptions,
): AsyncGenerator<TopicRows> {
  let left = options.limit ?? Number.POSITIVE_INFINITY;
  if (left <= 0) return;
  for await (const { topicBatch, from } of batchesOf(log, topic, options)) {
    const { batch, ops, schemaVersion } = topicBatch;
    const isDeleted = (row: number): boolean => ops !== null && ops[row] === OP_DELETE;
    const first = rowFrom(topicBatch, from);
    const last = Math.min(batch.length, first + left);
    for (let row = first; row < last; row += ARROW_ROWS) {
      yield { batch, from: row, to: Math.min(last, row + ARROW_ROWS), schemaVersion, isDeleted };
      await nextTurn();
    }
    left -= last - first;
    if (left <= 0) return;
  }
}

/** A stream of Arrow has one schema, and who names one reads by no other. */
export function changedColumns(name: string, offset?: number): EvertError {
  return new EvertError("conflict", `the columns of "${name}" were changed meanwhile`, {
    hint: offset === undefined ? "Ask for the columns, and read on." : `Read on from offset ${offset}.`,
  });
}

function headColumns(
  group: Group,
  topicBatch: TopicBatch,
  from: number,
  to: number,
  isTable: boolean,
): Column[] {
  const { commitIndexes, commitEnds, ops } = topicBatch;
  const length = to - from;
  const offsets = new BigInt64Array(length);
  const positions = new BigInt64Array(length);
  const times = new BigInt64Array(length);
  const deleted = new Uint8Array(Math.ceil(length / 8));
  let c = 0;
  for (let row = from; row < to; row++) {
    while ((commitEnds[c] as number) <= row) c++;
    const commit = group.commits[commitIndexes[c] as number]!;
    offsets[row - from] = BigInt(offsetOf(topicBatch, row));
    positions[row - from] = BigInt(commit.position);
    times[row - from] = BigInt(commit.timeUs);
    if (ops !== null && ops[row] === OP_DELETE) setBit(deleted, row - from);
  }
  const fixed = (type: SqlType, values: BigInt64Array): Column => ({
    kind: "fixed",
    type,
    length,
    validity: null,
    values,
  });
  const head = [fixed(int8, offsets), fixed(int8, positions), fixed(timestamptz, times)];
  return isTable ? [...head, { kind: "bits", type: bool, length, validity: null, values: deleted }] : head;
}

interface TopicPiece {
  readonly group: Group;
  readonly topicBatch: TopicBatch;
  /** First offset wanted; it may lie within the batch. */
  readonly from: number;
}

/** The topic's batches from the asked offset on, durable ones only; with `follow`, for ever. */
async function* batchesOf(
  log: Log,
  topic: TopicEntry,
  options: ReadTopicOptions,
): AsyncGenerator<TopicPiece> {
  const { signal } = options;
  let offset = await startOffset(log, topic, options.from ?? "earliest");
  for (;;) {
    const [durable, schemas] = [log.durablePosition, log.schemas];
    for await (const group of log.readTopic(topic.id, offset)) {
      for (const topicBatch of group.batches) {
        if (signal?.aborted === true) return;
        if (topicBatch.topicId !== topic.id) continue;
        // Rows may go while they are read.
        if (topicBatch.baseOffset > offset) refuseGone(log, topic, offset);
        yield { group, topicBatch, from: offset };
        offset = endOffset(topicBatch);
      }
    }
    refuseGone(log, topic, offset);
    if (options.follow !== true) return;
    // What became durable while this was reading, or is known to be read only now, is read at once.
    if (log.durablePosition === durable && log.schemas === schemas) await more(log, topic.id, offset, signal);
    if (signal?.aborted === true) return;
  }
}

async function startOffset(
  log: Log,
  topic: TopicEntry,
  from: NonNullable<ReadTopicOptions["from"]>,
): Promise<number> {
  if (from === "earliest") return log.topicStart(topic.id);
  if (from === "latest") return log.topicEnd(topic.id);
  if (typeof from !== "number") return log.offsetAt(topic.id, timeUsOf(from));
  if (!Number.isSafeInteger(from) || from < 0) {
    throw new EvertError("invalid_request", `"${from}" is not an offset`, {
      hint: "Offsets are 0, 1, 2, ...",
    });
  }
  refuseGone(log, topic, from);
  return from;
}

/** @throws EvertError records_gone where the topic begins behind the offset. */
function refuseGone(log: Log, { id, name }: TopicEntry, offset: number): void {
  const start = log.topicStart(id);
  if (offset < start) throw recordsGone(name, start);
}

export function recordsGone(topic: string, start: number): EvertError {
  return new EvertError("records_gone", `"${topic}" begins at offset ${start}`, {
    detail: "Records before it have been given up, as the topic's retention says.",
    hint: `Read from "earliest", or from offset ${start}.`,
  });
}

/** Resolves when a durable record at or after the offset may be there to be read, or the signal is given. */
function more(log: Log, topicId: number, offset: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const finish = (): void => {
      for (const off of offs) off();
      signal?.removeEventListener("abort", finish);
      resolve();
    };
    const offs = [
      log.onDurable(() => {
        if (log.topicEnd(topicId) > offset) finish();
      }),
      log.onRegistered((id) => {
        if (id === topicId && log.topicEnd(topicId) > offset) finish();
      }),
      log.onFailed((error) => {
        for (const off of offs) off();
        reject(error);
      }),
    ];
    signal?.addEventListener("abort", finish, { once: true });
    if (signal?.aborted === true) finish();
  });
}

function* batchRecords(
  group: Group,
  topicBatch: TopicBatch,
  topic: RecordColumns,
  from: number,
): Generator<TopicRecord> {
  const { batch, commitIndexes, commitEnds, ops } = topicBatch;
  const visible = topic.hiddenRowId ? topic.schema.fields.length - 1 : topic.schema.fields.length;
  const writer = rowJsonWriter(
    topic.schema,
    Array.from({ length: visible }, (_, i) => i),
  );
  const keyJson = (column: number, row: number): string => columnToJson(batch.columns[column] as Column, row);
  const keyColumns = topic.hiddenRowId ? null : (topic.keyColumns ?? null);
  let c = 0;
  for (let row = rowFrom(topicBatch, from); row < batch.length; row++) {
    while ((commitEnds[c] as number) <= row) c++;
    const commit = group.commits[commitIndexes[c] as number]!;
    const gone = ops !== null && ops[row] === OP_DELETE;
    yield {
      offset: offsetOf(topicBatch, row),
      position: String(commit.position),
      timestamp: formatTimestamptzJson(commit.timeUs).replace("+00:00", "Z"),
      keyJson:
        keyColumns === null
          ? undefined
          : keyColumns.length === 1
            ? keyJson(keyColumns[0] as number, row)
            : `[${keyColumns.map((k) => keyJson(k, row)).join(",")}]`,
      valueJson: gone ? null : writer.object(batch, row),
    };
  }
}
