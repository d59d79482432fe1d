import type { Batch } from "../src/batch/batch.ts";
import type { TopicBatch } from "../src/log/log.ts";

/** The rows as one commit of a topic: what the log hands on, without a log. */
export function topicBatch(topicId: number, batch: Batch, ops: Uint8Array | null = null): TopicBatch {
  return {
    topicId,
    schemaVersion: 1,
    baseOffset: 0,
    batch,
    ops,
    commitIndexes: Uint32Array.of(0),
    commitEnds: Uint32Array.of(batch.length),
  };
}
