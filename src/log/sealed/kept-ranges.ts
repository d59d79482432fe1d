/**
 * Which rows the commits with an idempotency key had. Whoever repeats such a request is answered as the first time, also when the rows are gone by
 * now, so that it cannot be read off what is left.
 *
 *   ranges := (count:varint (topicId:varint firstOffset:varint rows:varint){count}){keyed}     in the order of the commits
 *
 * A commit whose key was forgotten when the page was written counts none.
 */
import { ByteWriter } from "../../base/bytes.ts";
import type { TopicRange } from "../log.ts";
import { VARINT_BYTES_MAX, VarintReader, writeVarint } from "../varint.ts";

export function encodeKeptRanges(ranges: readonly (readonly TopicRange[])[]): Uint8Array {
  const writer = new ByteWriter(64);
  for (const list of ranges) {
    varint(writer, list.length);
    for (const { topicId, firstOffset, lastOffset } of list) {
      varint(writer, topicId);
      varint(writer, firstOffset);
      varint(writer, lastOffset + 1 - firstOffset);
    }
  }
  return writer.finish();
}

/** Null where the page follows no such grammar. */
export function decodeKeptRanges(raw: Uint8Array, keyed: number): TopicRange[][] | null {
  const reader = new VarintReader(raw, 0, raw.length);
  const ranges: TopicRange[][] = [];
  for (let k = 0; k < keyed && !reader.failed; k++) {
    const list: TopicRange[] = [];
    for (let left = reader.next(); left > 0 && !reader.failed; left--) {
      const topicId = reader.next();
      const firstOffset = reader.next();
      list.push({ topicId, firstOffset, lastOffset: firstOffset + reader.next() - 1 });
    }
    ranges.push(list);
  }
  return reader.failed || reader.at !== raw.length ? null : ranges;
}

function varint(writer: ByteWriter, value: number): void {
  const from = writer.length;
  writer.advance(writeVarint(writer.reserve(VARINT_BYTES_MAX), from, value) - from);
}
