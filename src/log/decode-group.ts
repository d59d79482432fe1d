/** A frame's bytes as the group they hold; only wanted topics are decoded. */
import { decodeBatch } from "../batch/codec.ts";
import { type BatchEntry, readDeletes } from "./frame.ts";
import type { CommitInfo, Group, ReadOptions, TopicBatch } from "./log.ts";
import type { TopicRegistry } from "./topics.ts";

export function decodeGroup(
  bytes: Uint8Array,
  at: number,
  commits: readonly CommitInfo[],
  entries: readonly BatchEntry[],
  registry: TopicRegistry,
  columns?: ReadOptions["columns"],
): Group {
  return {
    commits,
    firstPosition: commits[0]!.position,
    lastPosition: commits[commits.length - 1]!.position,
    batches: entries
      .filter(({ topicId, schemaVersion }) => registry.canRead(topicId, schemaVersion))
      .map((entry) => decodeTopic(bytes, at, entry, registry, columns?.(entry.topicId) ?? null)),
  };
}

function decodeTopic(
  bytes: Uint8Array,
  at: number,
  entry: BatchEntry,
  registry: TopicRegistry,
  wanted: ReadonlySet<number> | null,
): TopicBatch {
  const { topicId, schemaVersion, baseOffset, rows, commitIndexes, commitEnds } = entry;
  const { schema } = registry.version(topicId, schemaVersion);
  const evolution = registry.evolution(topicId, schemaVersion);
  const read = evolution === null ? wanted : evolution.columnsBefore(wanted);
  const columns = bytes.subarray(at + entry.columnsAt, at + entry.columnsAt + entry.columnsBytes);
  const { batch } = decodeBatch(columns, 0, schema, rows, read ?? undefined);
  const ops = entry.deletesAt < 0 ? null : readDeletes(bytes, at + entry.deletesAt, rows);
  const topicBatch = { topicId, schemaVersion, baseOffset, batch, ops, commitIndexes, commitEnds };
  return evolution === null ? topicBatch : evolution.topicBatch(topicBatch, wanted);
}
