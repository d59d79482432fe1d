/** A topic read from an offset on: history from disk, then what becomes durable, without polling and without a gap. */

import { EvertError } from "../base/errors.ts";
import type { Column } from "../batch/batch.ts";
import { formatTimestamptzJson } from "../batch/format.ts";
import { columnToJson, rowJsonWriter } from "../batch/json.ts";
import { type Group, type Log, OP_DELETE, type TopicBatch } from "../log/log.ts";
import type { ReadTopicOptions, TopicRecord } from "./api.ts";
import type { TopicEntry } from "./catalog.ts";
import { nextTurn } from "./stepper.ts";

const SLICE_RECORDS = 512;

export async function* readRecords(
  log: Log,
  topic: TopicEntry,
  options: ReadTopicOptions,
): AsyncGenerator<TopicRecord> {
  const { limit = Number.POSITIVE_INFINITY, signal } = options;
  let offset = startOffset(log, topic, options.from ?? "earliest");
  let left = limit;
  while (left > 0) {
    const end = log.topicEnd(topic.id);
    if (offset < end) {
      for await (const group of log.readTopic(topic.id, offset)) {
        for (const record of recordsOf(group, topic, offset)) {
          if (signal?.aborted === true) return;
          yield record;
          offset = record.offset + 1;
          if (--left === 0) return;
          if (record.offset % SLICE_RECORDS === 0) await nextTurn();
        }
      }
    }
    if (options.follow !== true) return;
    await more(log, topic.id, offset, signal);
    if (signal?.aborted === true) return;
  }
}

function startOffset(log: Log, topic: TopicEntry, from: number | "earliest" | "latest"): number {
  if (from === "earliest") return 0;
  const end = log.topicEnd(topic.id);
  if (from === "latest") return end;
  if (!Number.isSafeInteger(from) || from < 0) {
    throw new EvertError("invalid_request", `"${from}" is not an offset`, {
      hint: "Offsets are 0, 1, 2, ...",
    });
  }
  return from;
}

/** Resolves when a durable record at or after the offset may be there, or the signal is given. */
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
      log.onFailed((error) => {
        for (const off of offs) off();
        reject(error);
      }),
    ];
    signal?.addEventListener("abort", finish, { once: true });
    if (signal?.aborted === true) finish();
  });
}

function* recordsOf(group: Group, topic: TopicEntry, from: number): Generator<TopicRecord> {
  for (const topicBatch of group.batches) {
    if (topicBatch.topicId === topic.id) yield* batchRecords(group, topicBatch, topic, from);
  }
}

function* batchRecords(
  group: Group,
  topicBatch: TopicBatch,
  topic: TopicEntry,
  from: number,
): Generator<TopicRecord> {
  const { batch, baseOffset, commitIndexes, commitEnds, ops } = topicBatch;
  const visible = topic.hiddenRowId ? topic.schema.fields.length - 1 : topic.schema.fields.length;
  const writer = rowJsonWriter(
    topic.schema,
    Array.from({ length: visible }, (_, i) => i),
  );
  const keyJson = (column: number, row: number): string => columnToJson(batch.columns[column] as Column, row);
  const keyColumns = topic.hiddenRowId ? null : topic.key;
  let c = 0;
  for (let row = Math.max(0, from - baseOffset); row < batch.length; row++) {
    while ((commitEnds[c] as number) <= row) c++;
    const commit = group.commits[commitIndexes[c] as number]!;
    const gone = ops !== null && ops[row] === OP_DELETE;
    yield {
      offset: baseOffset + row,
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
