/**
 * Reading durable groups back: by position, or by a topic's offset.
 *
 * A reader takes the durable end at its start and never goes beyond it, so it shares no byte with the writer. It goes from segment to segment: a
 * sealed one says itself what is where (sealed/groups.ts); in one of frames it seeks by the sparse index, reads on sequentially and holds one
 * chunk, or one frame if that is larger. What it delivers was verified to the last byte; what is not as it was written ends it with log_damaged.
 *
 * A reader of one topic leaps: behind the reach of one of the topic's index entries (INDEX_EVERY_BYTES from where it points) and before
 * the next entry there can be no row of it, so it goes on at the next entry.
 *
 * A segment may be sealed while it is read. Whoever has its frames open reads on in them; whoever comes to open them and finds them gone
 * finds the sealed form in the index.
 */
import { type Disk, type DiskFile, joinPath } from "../base/disk.ts";
import { EvertError } from "../base/errors.ts";
import { decodeGroup } from "./decode-group.ts";
import { type FrameHeader, readCommits, readDirectory } from "./frame.ts";
import type { CommitInfo, Group, Position, ReadOptions } from "./log.ts";
import { type Address, INDEX_EVERY_BYTES, type LogIndex } from "./log-index.ts";
import { damaged, Scanner } from "./scanner.ts";
import { type SealedSource, sealedGroups, sealedTopicGroups } from "./sealed/groups.ts";
import { sealedPath } from "./sealed/sealed-segment.ts";
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
  readonly at: number;
  readonly header: FrameHeader;
  readonly bytes: Uint8Array;
  readonly offset: number;
}

type Opened =
  | { readonly kind: "sealed"; readonly source: SealedSource }
  | { readonly kind: "frames"; readonly name: string; readonly file: DiskFile };

async function openSegment(
  { disk, directory, index, registry }: ReaderSource,
  segment: number,
): Promise<Opened> {
  const extent = index.segments[segment]!;
  for (;;) {
    const { firstPosition, sealed } = extent;
    if (sealed !== null) {
      const path = sealedPath(directory, firstPosition);
      return { kind: "sealed", source: { disk, path, segment: sealed, registry } };
    }
    const name = segmentName(firstPosition);
    try {
      return { kind: "frames", name, file: await disk.open(joinPath(directory, name), "read") };
    } catch (error) {
      // Sealed between the two lines above: then the index knows by now.
      const isGone = error instanceof EvertError && error.code === "not_found";
      if (!isGone || index.segments[segment]!.sealed === null) throw error;
    }
  }
}

/** Frames of [from, end) of a file, which is closed afterwards. `leap` may send it on to a place further on. */
async function* framesOf(
  { name, file }: Opened & { kind: "frames" },
  from: number,
  end: number,
  leap: (at: number) => number,
): AsyncGenerator<FoundFrame, void, undefined> {
  try {
    const scanner = new Scanner(file, from, end, false);
    while (scanner.at < end) {
      const found = await scanner.next();
      if (found.kind !== "frame") throw damaged(name, found.at, "the frame there is not as it was written");
      const { at, header, bytes, offset } = found;
      yield { segment: name, at, header, bytes, offset };
      scanner.at = leap(scanner.at);
    }
  } finally {
    await file.close();
  }
}

export interface GroupRange extends Pick<ReadOptions, "columns" | "ranges"> {
  readonly from: Position;
  readonly to: Position;
  readonly topics: ReadonlySet<number> | null;
  readonly everyGroup: boolean;
}

export async function* readGroups(
  source: ReaderSource,
  range: GroupRange,
): AsyncGenerator<Group, void, undefined> {
  const { index } = source;
  const { from, to } = range;
  const ends = index.segments.map(({ end }) => end);
  const start = index.seekPosition(from);
  if (start === null) return;
  for (let segment = start.segment; segment < ends.length; segment++) {
    if (index.segments[segment]!.firstPosition > to) return;
    const opened = await openSegment(source, segment);
    if (opened.kind === "sealed") yield* sealedGroups(opened.source, range);
    else {
      const at = segment === start.segment ? start.at : 0;
      yield* frameGroups(opened, at, ends[segment]!, source.registry, range);
    }
  }
}

async function* frameGroups(
  opened: Opened & { kind: "frames" },
  at: number,
  end: number,
  registry: TopicRegistry,
  { from, to, topics, everyGroup, columns }: GroupRange,
): AsyncGenerator<Group, void, undefined> {
  for await (const frame of framesOf(opened, at, end, (next) => next)) {
    const { header, bytes, offset } = frame;
    if (header.commitCount === 0 || header.firstPosition + header.commitCount <= from) continue;
    if (header.firstPosition > to) return;
    const entries = directoryOf(frame);
    const wanted = topics === null ? entries : entries.filter((entry) => topics.has(entry.topicId));
    if (wanted.length === 0 && topics !== null && !everyGroup) continue;
    const commits = commitsOf(frame);
    yield decodeGroup(
      bytes,
      offset,
      topics === null ? commits : withoutKeys(commits),
      wanted,
      registry,
      columns,
    );
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
  const ends = index.segments.map((segment) => segment.end);
  for (
    let start = index.seekOffset(topicId, offset);
    start !== null && start.segment < ends.length;
    start = index.nextSegment(topicId, start.segment)
  ) {
    const opened = await openSegment(source, start.segment);
    const groups =
      opened.kind === "sealed"
        ? sealedTopicGroups(opened.source, topicId, offset)
        : topicFrames(source, opened, start, ends[start.segment]!, topicId, offset);
    for await (const group of groups) {
      yield group;
      const last = group.batches[0]!;
      if (last.baseOffset + last.batch.length >= end) return;
    }
  }
}

/** The topic's rows in the frames of one segment, from an entry of the index on. */
async function* topicFrames(
  { index, registry }: ReaderSource,
  opened: Opened & { kind: "frames" },
  start: Address,
  end: number,
  topicId: number,
  offset: number,
): AsyncGenerator<Group, void, undefined> {
  /** Where the rows seen so far end, and the place of the last index entry passed. */
  let seen = offset;
  let entry = start.at;
  const leap = (at: number): number => {
    if (at < entry + INDEX_EVERY_BYTES) return at;
    const next = index.nextEntry(topicId, seen - 1);
    if (next === null || next.segment !== start.segment) return end;
    entry = next.at;
    return Math.max(at, next.at);
  };
  for await (const frame of framesOf(opened, start.at, end, leap)) {
    const found = directoryOf(frame).find((candidate) => candidate.topicId === topicId);
    if (found === undefined || found.baseOffset + found.rows <= offset) continue;
    seen = found.baseOffset + found.rows;
    yield decodeGroup(frame.bytes, frame.offset, withoutKeys(commitsOf(frame)), [found], registry);
  }
}

function withoutKeys(commits: readonly CommitInfo[]): readonly CommitInfo[] {
  if (commits.every(({ idempotencyKey }) => idempotencyKey === null)) return commits;
  return commits.map((commit) => ({ ...commit, idempotencyKey: null, requestDigest: null }));
}

function commitsOf({ segment, at, header, bytes, offset }: FoundFrame) {
  return readCommits(bytes, offset, header) ?? malformed(segment, at);
}

function directoryOf({ segment, at, header, bytes, offset }: FoundFrame) {
  return readDirectory(bytes, offset, header) ?? malformed(segment, at);
}

function malformed(segment: string, at: number): never {
  throw damaged(segment, at, "a sound frame that does not follow the format");
}
