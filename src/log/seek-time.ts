/**
 * From a time to a topic's offset. Log time never falls, so there is one answer: the first row of that time or later.
 *
 * The sparse index gives an offset not above it, at most INDEX_EVERY_BYTES of the topic before it or, of a sealed segment, the topic's first there;
 * the segment's own directory then says which block. What is left is read and looked at, commit by commit.
 */
import { offsetOf } from "./offsets.ts";
import { openSegment, type ReaderSource, readTopicGroups } from "./reader.ts";
import { blockBefore } from "./sealed/seek-time.ts";

/** @throws EvertError log_damaged, io_error */
export async function offsetAt(source: ReaderSource, topicId: number, timeUs: number): Promise<number> {
  const end = source.index.topicEnd(topicId);
  for await (const { commits, batches } of readTopicGroups(
    source,
    topicId,
    await near(source, topicId, timeUs),
  )) {
    for (const batch of batches) {
      const { commitIndexes, commitEnds } = batch;
      for (let i = 0; i < commitIndexes.length; i++) {
        if (commits[commitIndexes[i]!]!.timeUs < timeUs) continue;
        return offsetOf(batch, i === 0 ? 0 : commitEnds[i - 1]!);
      }
    }
  }
  return end;
}

async function near(source: ReaderSource, topicId: number, timeUs: number): Promise<number> {
  const { index } = source;
  const offset = index.offsetBefore(topicId, timeUs);
  const address = index.seekOffset(topicId, offset);
  if (address === null || index.segments[address.segment]!.sealed === null) return offset;
  const opened = await openSegment(source, address.segment);
  try {
    if (opened.kind === "frames") return offset;
    return Math.max(offset, await blockBefore(opened.source.file, opened.source.segment, topicId, timeUs));
  } finally {
    await (opened.kind === "frames" ? opened.file : opened.source.file).close();
  }
}
