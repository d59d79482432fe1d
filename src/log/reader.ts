/**
 * Reading durable groups back: by position, or by a topic's offset.
 *
 * A reader takes the durable end at its start and never goes beyond it, so it shares no byte with the writer. It seeks by the sparse index, reads
 * on sequentially and holds one chunk, or one frame if that is larger. What it delivers was verified to the last byte; what
 * is not as it was written ends it with log_damaged.
 *
 * A reader of one topic leaps: behind the reach of one of the topic's index entries (INDEX_EVERY_BYTES from where it points) and before
 * the next entry there can be no row of it, so it goes on at the next entry.
 */
import { type Disk, joinPath } from "../base/disk.ts";
import { decodeGroup } from "./decode-group.ts";
import { type FrameHeader, readCommits, readDirectory } from "./frame.ts";
import type { Group, Position } from "./log.ts";
import { type Address, INDEX_EVERY_BYTES, type LogIndex } from "./log-index.ts";
import { damaged, Scanner } from "./scanner.ts";
import { segmentName } from "./segment.ts";
import type { TopicRegistry } from "./topics.ts";

export interface ReaderSource {
  readonly disk: Disk;
  readonly directory: string;
  readonly index: LogIndex;
  readonly registry: TopicRegistry;
}

interface FoundFrame {
  readonly segment: string;
  readonly address: Address;
  readonly header: FrameHeader;
  readonly bytes: Uint8Array;
  readonly offset: number;
}

/** Frames from `start` to the durable end as of the first call. `leap` may send it to a place further on. */
async function* framesFrom(
  { disk, directory, index }: ReaderSource,
  start: Address | null,
  leap: (from: Address) => Address | null,
): AsyncGenerator<FoundFrame, void, undefined> {
  const ends = index.segments.map((segment) => segment.end);
  let from = start;
  while (from !== null && from.segment < ends.length) {
    const segmentIndex: number = from.segment;
    const segment = segmentName(index.segments[segmentIndex]!.firstPosition);
    const end = ends[segmentIndex]!;
    let next: Address | null = { segment: segmentIndex + 1, at: 0 };
    const file = await disk.open(joinPath(directory, segment), "read");
    try {
      const scanner = new Scanner(file, from.at, end, false);
      while (scanner.at < end) {
        const found = await scanner.next();
        if (found.kind !== "frame")
          throw damaged(segment, found.at, "the frame there is not as it was written");
        yield {
          segment,
          address: { segment: segmentIndex, at: found.at },
          header: found.header,
          bytes: found.bytes,
          offset: found.offset,
        };
        const target = leap({ segment: segmentIndex, at: scanner.at });
        if (target === null) continue;
        if (target.segment === segmentIndex) scanner.at = target.at;
        else {
          next = target;
          break;
        }
      }
    } finally {
      await file.close();
    }
    from = next;
  }
}

const never = (): null => null;

export interface GroupRange {
  readonly from: Position;
  readonly to: Position;
  readonly topics: ReadonlySet<number> | null;
  readonly everyGroup: boolean;
}

export async function* readGroups(
  source: ReaderSource,
  range: GroupRange,
): AsyncGenerator<Group, void, undefined> {
  const { from, to, topics, everyGroup } = range;
  for await (const frame of framesFrom(source, source.index.seekPosition(from), never)) {
    const { header, bytes, offset } = frame;
    if (header.commitCount === 0 || header.firstPosition + header.commitCount <= from) continue;
    if (header.firstPosition > to) return;
    const entries = directoryOf(frame);
    const wanted = topics === null ? entries : entries.filter((entry) => topics.has(entry.topicId));
    if (wanted.length === 0 && topics !== null && !everyGroup) continue;
    yield decodeGroup(bytes, offset, commitsOf(frame), wanted, source.registry);
  }
}

export async function* readTopicGroups(
  source: ReaderSource,
  topicId: number,
  offset: number,
): AsyncGenerator<Group, void, undefined> {
  const { index } = source;
  const end = index.topicEnd(topicId);
  if (offset >= end) return;
  /** Where the rows seen so far end, and the place of the last index entry passed. */
  let seen = offset;
  const start = index.seekOffset(topicId, offset);
  let entry = start;

  const leap = (from: Address): Address | null => {
    if (entry === null || (from.segment === entry.segment && from.at < entry.at + INDEX_EVERY_BYTES))
      return null;
    const next = index.nextEntry(topicId, seen - 1);
    if (next === null) return null;
    entry = next;
    return next.segment > from.segment || next.at > from.at ? next : null;
  };

  for await (const frame of framesFrom(source, start, leap)) {
    const found = directoryOf(frame).find((candidate) => candidate.topicId === topicId);
    if (found === undefined) continue;
    // The topic's first frame in a segment always is an entry.
    if (frame.address.segment !== entry?.segment) entry = frame.address;
    if (found.baseOffset + found.rows <= offset) continue;
    seen = found.baseOffset + found.rows;
    yield decodeGroup(frame.bytes, frame.offset, commitsOf(frame), [found], source.registry);
    if (seen >= end) return;
  }
}

function commitsOf({ segment, address, header, bytes, offset }: FoundFrame) {
  return readCommits(bytes, offset, header) ?? malformed(segment, address.at);
}

function directoryOf({ segment, address, header, bytes, offset }: FoundFrame) {
  return readDirectory(bytes, offset, header) ?? malformed(segment, address.at);
}

function malformed(segment: string, at: number): never {
  throw damaged(segment, at, "a sound frame that does not follow the format");
}
