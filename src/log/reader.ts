/**
 * Reading durable groups back: by position, or by a topic's offset.
 *
 * A reader takes the durable end at its start and never goes beyond it, so it shares no byte with the writer. It goes from segment to segment: a
 * sealed one says itself what is where (sealed/groups.ts); in one of frames it seeks by the sparse index, reads on sequentially and holds one
 * chunk, or one frame if that is larger. What it delivers was verified to the last byte; what is not as it was written ends it with log_damaged.
 *
 * A reader of some topics leaps: behind the reach of one of a topic's index entries (INDEX_EVERY_BYTES from where it points) and before the next
 * entry there can be no row of it, so it goes on at the next entry. Before each frame and page it asks whether others should have their turn.
 *
 * Which commits share a frame is not what others go by: a step of the engine may end amid a frame. So groups are cut to the positions asked for.
 *
 * A segment may be sealed while it is read, and rows may be taken out of it. Whoever has its file open reads on in it; whoever comes to open it and
 * finds it gone finds the one in its place in the index.
 *
 * A topic begins at its start: what lies below is given out to nobody, though it be there. A replica may have it in a file of its own, and of the
 * segments behind, which it took over, what the leader has kept.
 */
import { type Disk, type DiskFile, joinPath } from "../base/disk.ts";
import { EvertError } from "../base/errors.ts";
import type { Slices } from "../base/slices.ts";
import { cutGroup } from "./cut-group.ts";
import { decodeGroup } from "./decode-group.ts";
import { type FrameHeader, readCommits, readDirectory } from "./frame.ts";
import { HoleWatch } from "./hole-watch.ts";
import type { CommitInfo, Group, Pause, Position, ReadOptions } from "./log.ts";
import type { LogIndex, SegmentExtent } from "./log-index.ts";
import { endOffset } from "./offsets.ts";
import { turnsOfItsOwn } from "./pause.ts";
import { damaged, Scanner } from "./scanner.ts";
import { ReaderMemory } from "./sealed/column-memory.ts";
import { type SealedSource, sealedGroups, sealedTopicGroups } from "./sealed/groups.ts";
import { segmentName } from "./segment.ts";
import type { TopicRegistry } from "./topics.ts";

export interface ReaderSource {
  readonly disk: Disk;
  readonly directory: string;
  readonly index: LogIndex;
  readonly registry: TopicRegistry;
  readonly slices: Slices;
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

export async function openSegment(
  { disk, directory, index, registry }: ReaderSource,
  segment: number,
): Promise<Opened> {
  const extent = index.segments[segment]!;
  for (;;) {
    const { firstPosition, sealed } = extent;
    const name = sealed === null ? segmentName(firstPosition) : sealed.name;
    try {
      const file = await disk.open(joinPath(directory, name), "read");
      if (sealed === null) return { kind: "frames", name, file };
      return { kind: "sealed", source: { file, segment: sealed, registry } };
    } catch (error) {
      // Replaced between the lines above: then the index knows by now.
      const isGone = error instanceof EvertError && error.code === "not_found";
      if (!isGone || extent.sealed === sealed) throw error;
    }
  }
}

/** False: there is nothing of them in the segment, which need not be opened. */
export function mayHoldAny({ sealed }: SegmentExtent, topics: ReadonlySet<number>): boolean {
  return (
    sealed === null || sealed.directory.runs.some(({ topicId, kept }) => kept > 0 && topics.has(topicId))
  );
}

/** Frames of [from, end) of a file, which is closed afterwards. `leap` says where behind a place the next one may be that is wanted. */
async function* framesOf(
  { name, file }: Opened & { kind: "frames" },
  from: number,
  end: number,
  leap: (at: number) => number,
  pause: Pause,
): AsyncGenerator<FoundFrame, void, undefined> {
  try {
    const scanner = new Scanner(file, leap(from), end, false);
    while (scanner.at < end) {
      const others = pause();
      if (others !== null) await others;
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

export interface GroupRange extends Pick<ReadOptions, "columns" | "ranges" | "pause" | "reuse" | "unbroken"> {
  readonly from: Position;
  readonly to: Position;
  readonly topics: ReadonlySet<number> | null;
  readonly everyGroup: boolean;
}

export function readGroups(source: ReaderSource, range: GroupRange): AsyncGenerator<Group, void, undefined> {
  const groups = groupsOf(source, range);
  return range.unbroken === true ? unbroken(groups, new HoleWatch(source.index)) : groups;
}

async function* unbroken(
  groups: AsyncGenerator<Group, void, undefined>,
  watch: HoleWatch,
): AsyncGenerator<Group, void, undefined> {
  for await (const group of groups) {
    watch.next(group);
    yield group;
  }
  watch.end();
}

async function* groupsOf(source: ReaderSource, range: GroupRange): AsyncGenerator<Group, void, undefined> {
  const { index, registry } = source;
  const { from, to, topics, everyGroup, pause = turnsOfItsOwn(source.slices) } = range;
  const memory = range.reuse === true ? new ReaderMemory() : null;
  const ends = index.segments.map(({ end }) => end);
  const start = index.seekPosition(from);
  if (start === null) return;
  for (let segment = start.segment; segment < ends.length; segment++) {
    if (index.segments[segment]!.firstPosition > to) return;
    const end = ends[segment]!;
    const leap = (at: number): number =>
      topics === null || everyGroup ? at : (index.placeOf(topics, segment, at) ?? end);
    const at = segment === start.segment ? start.at : 0;
    if (index.segments[segment]!.sealed === null && leap(at) >= end) continue;
    if (topics !== null && !everyGroup && !mayHoldAny(index.segments[segment]!, topics)) continue;
    const opened = await openSegment(source, segment);
    if (opened.kind === "sealed") {
      const startOf = (topicId: number): number => index.topicStart(topicId);
      yield* sealedGroups(opened.source, { ...range, startOf }, pause, memory);
    } else yield* frameGroups(framesOf(opened, at, end, leap, pause), registry, index, range);
  }
}

async function* frameGroups(
  frames: AsyncGenerator<FoundFrame, void, undefined>,
  registry: TopicRegistry,
  index: LogIndex,
  { from, to, topics, everyGroup, columns }: GroupRange,
): AsyncGenerator<Group, void, undefined> {
  for await (const frame of frames) {
    const { header, bytes, offset } = frame;
    if (header.commitCount === 0 || header.firstPosition + header.commitCount <= from) continue;
    if (header.firstPosition > to) return;
    const entries = directoryOf(frame);
    const wanted =
      topics === null && !index.hasStarts
        ? entries
        : entries.filter(({ topicId, baseOffset, rows }) => {
            return topics?.has(topicId) !== false && baseOffset + rows > index.topicStart(topicId);
          });
    if (wanted.length === 0 && topics !== null && !everyGroup) continue;
    const commits = commitsOf(frame);
    const group = decodeGroup(
      bytes,
      offset,
      topics === null ? commits : withoutKeys(commits),
      wanted,
      registry,
      columns,
    );
    const cut = cutGroup(group, from, to);
    if (cut.batches.length > 0 || topics === null || everyGroup) yield cut;
  }
}

export async function* readTopicGroups(
  source: ReaderSource,
  topicId: number,
  offset: number,
): AsyncGenerator<Group, void, undefined> {
  const { index } = source;
  const end = index.topicEnd(topicId);
  const first = Math.max(offset, index.topicStart(topicId));
  if (first >= end) return;
  const ends = index.segments.map((segment) => segment.end);
  const topics = new Set([topicId]);
  const pause = turnsOfItsOwn(source.slices);
  // Of now: it may be told of the next one while this reads, and what is behind it would follow a gap.
  const versionMax = source.registry.readableTo(topicId);
  for (
    let start = index.seekOffset(topicId, first);
    start !== null && start.segment < ends.length;
    start = index.nextSegment(topicId, start.segment)
  ) {
    const { segment, at } = start;
    if (!mayHoldAny(index.segments[segment]!, topics)) continue;
    const opened = await openSegment(source, segment);
    const segmentEnd = ends[segment]!;
    const leap = (from: number): number => index.placeOf(topics, segment, from) ?? segmentEnd;
    const groups =
      opened.kind === "sealed"
        ? sealedTopicGroups(opened.source, topicId, first, versionMax, pause)
        : topicFrames(
            framesOf(opened, at, segmentEnd, leap, pause),
            source.registry,
            topicId,
            first,
            versionMax,
          );
    for await (const group of groups) {
      yield group;
      if (endOffset(group.batches.at(-1)!) >= end) return;
    }
  }
}

/** The topic's batches in the frames of one segment, from the one on that holds the offset. */
async function* topicFrames(
  frames: AsyncGenerator<FoundFrame, void, undefined>,
  registry: TopicRegistry,
  topicId: number,
  offset: number,
  versionMax: number,
): AsyncGenerator<Group, void, undefined> {
  for await (const frame of frames) {
    const found = directoryOf(frame).filter(
      (entry) => entry.topicId === topicId && entry.baseOffset + entry.rows > offset,
    );
    if (found.length === 0) continue;
    if (found[0]!.schemaVersion > versionMax) return;
    yield decodeGroup(frame.bytes, frame.offset, withoutKeys(commitsOf(frame)), found, registry);
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
