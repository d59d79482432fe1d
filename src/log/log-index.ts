/**
 * Where things are: the durable frames of all segments, by position, and by each topic's offset and time. In memory, sparse, rebuilt on open.
 *
 * An entry is made for the first frame of a segment and then for the first frame at least INDEX_EVERY_BYTES behind the entry
 * before; for a topic likewise, counting from the topic's own last entry. So whoever seeks reads at most INDEX_EVERY_BYTES too
 * much, and between the reach of one entry of a topic and its next entry there is nothing of that topic to be read.
 * A sealed segment has one entry, and one for each of its topics; where in it something lies, its own directory says.
 * Cost: 32 bytes per entry; a log of 100 GiB with ten busy topics has 4.4 M entries' room, 141 MB.
 */
import { ById } from "../base/by-id.ts";
import type { BatchEntry, FrameHeader } from "./frame.ts";
import { GrowingNumbers } from "./growing-numbers.ts";
import type { Position, TopicBatch } from "./log.ts";
import type { SealedSegment } from "./sealed/sealed-segment.ts";

export const INDEX_EVERY_BYTES = 256 * 1024;

/** Where a frame begins. */
export interface Address {
  /** Into `segments`. */
  readonly segment: number;
  readonly at: number;
}

export interface SegmentExtent {
  readonly firstPosition: Position;
  /** End of its last durable frame; of a sealed segment, its bytes. */
  end: number;
  /** Null while it consists of frames. Then no address in it means anything but the segment itself. */
  sealed: SealedSegment | null;
}

class SparseIndex {
  readonly #keys = new GrowingNumbers();
  readonly #segments = new GrowingNumbers();
  readonly #ats = new GrowingNumbers();
  readonly #times = new GrowingNumbers();
  #lastSegment = -1;
  #lastAt = 0;

  /** `timeUs`: not above the log time of what stands there. */
  offer(key: number, segment: number, at: number, timeUs: number): void {
    if (segment === this.#lastSegment && at < this.#lastAt + INDEX_EVERY_BYTES) return;
    this.#keys.push(key);
    this.#segments.push(segment);
    this.#ats.push(at);
    this.#times.push(timeUs);
    this.#lastSegment = segment;
    this.#lastAt = at;
  }

  /** The last entry not above the key, or the first of all; null if there is none. */
  seek(key: number): Address | null {
    if (this.#keys.length === 0) return null;
    return this.#entry(Math.max(0, this.#keys.lastNotAbove(key)));
  }

  /** The first place in the segment, from `at` on, where one of the key's frames may begin; null: there is none. */
  placeFrom(segment: number, at: number): number | null {
    const first = this.#segments.lastNotAbove(segment - 1) + 1;
    const next = this.#ats.firstAbove(at, first, this.#segments.lastNotAbove(segment) + 1);
    // Frames within reach of an entry have none of their own.
    if (next > first && at < this.#ats.at(next - 1) + INDEX_EVERY_BYTES) return at;
    return next < this.#ats.length && this.#segments.at(next) === segment ? this.#ats.at(next) : null;
  }

  /** The first entry in a later segment, or null. */
  inLaterSegment(segment: number): Address | null {
    const index = this.#segments.lastNotAbove(segment) + 1;
    return index < this.#keys.length ? this.#entry(index) : null;
  }

  /** The key of the last entry from before the time; null if there is none. */
  keyBefore(timeUs: number): number | null {
    const index = this.#times.lastNotAbove(timeUs - 1);
    return index < 0 ? null : this.#keys.at(index);
  }

  #entry(index: number): Address {
    return { segment: this.#segments.at(index), at: this.#ats.at(index) };
  }
}

const CATALOG_TOPIC = 0;

/** What is known of a topic. */
class TopicIndex extends SparseIndex {
  /** Durable rows. */
  end = 0;
  /** The newest schema version of durable rows; 0: there are none. */
  version = 0;
}

export class LogIndex {
  readonly segments: SegmentExtent[] = [];
  readonly #positions = new SparseIndex();
  readonly #topicsEntered = new ById<TopicIndex>();
  /** The last frame, where its batches are not entered yet. */
  #unentered: FrameBatches | null = null;
  /** Of topics that no longer begin at 0. */
  readonly #topicStarts = new Map<number, number>();
  /** How often a topic has come to begin later. */
  startMoves = 0;
  /** The log was damaged and repaired, and commits of the catalog may be among what is lost. */
  lacksDefinitions = false;
  /** Of all durable frames. */
  bytes = 0;

  addSegment(firstPosition: Position): void {
    this.segments.push({ firstPosition, end: 0, sealed: null });
  }

  /** A segment found in sealed form. */
  addSealed(sealed: SealedSegment): void {
    const { firstPosition, bytes } = sealed;
    const segment = this.segments.length;
    this.segments.push({ firstPosition, end: bytes, sealed });
    this.#addRuns(segment, sealed);
    this.#noteStarts(sealed);
    this.bytes += bytes;
  }

  /** The last segment's frames have been replaced by a sealed form that goes on where they end. */
  extendBySealed(extent: SegmentExtent, sealed: SealedSegment): void {
    this.replaceBySealed(extent, sealed);
    this.#addRuns(this.segments.length - 1, sealed);
  }

  /** What has an entry in the segment keeps it. */
  #addRuns(segment: number, { firstPosition, firstTimeUs, directory }: SealedSegment): void {
    this.#positions.offer(firstPosition, segment, 0, firstTimeUs);
    // In the place of lost commits stand some that no frame ever held; of the catalog rows are never taken out.
    if (directory.originalBytes === 0) this.lacksDefinitions = true;
    for (const { topicId, schemaVersion, baseOffset, rows, kept } of directory.runs) {
      if (topicId === CATALOG_TOPIC && kept < rows) this.lacksDefinitions = true;
      const topic = this.#topic(topicId);
      if (kept > 0) topic.offer(baseOffset, segment, 0, firstTimeUs);
      topic.end = baseOffset + rows;
      topic.version = Math.max(topic.version, schemaVersion);
    }
  }

  /** A full segment's frames, or its sealed form, have been replaced by a sealed form. Entries that point into it still say which segment it is. */
  replaceBySealed(extent: SegmentExtent, sealed: SealedSegment): void {
    this.bytes += sealed.bytes - extent.end;
    extent.end = sealed.bytes;
    extent.sealed = sealed;
    this.#noteStarts(sealed);
  }

  #noteStarts({ directory }: SealedSegment): void {
    for (const { topicId, baseOffset, rows, isTrimmed } of directory.runs) {
      if (!isTrimmed || baseOffset + rows <= this.topicStart(topicId)) continue;
      this.#topicStarts.set(topicId, baseOffset + rows);
      this.startMoves++;
    }
  }

  /** Whether there is a topic that no longer begins at 0. */
  get hasStarts(): boolean {
    return this.#topicStarts.size > 0;
  }

  /** Rows of the topic below it have been given up. */
  topicStart(topicId: number): number {
    return this.#topicStarts.get(topicId) ?? 0;
  }

  /** First position of the segment that the position lies in, or will. */
  segmentOf(position: Position): Position {
    return this.segments.findLast(({ firstPosition }) => firstPosition <= position)?.firstPosition ?? 1;
  }

  /** The last position that was looked at when rows of commits behind the position were taken out; 0: none were. */
  horizonBehind(position: Position): Position {
    let last = 0;
    for (const { sealed } of this.segments)
      if (sealed !== null && sealed.lastPosition > position)
        last = Math.max(last, sealed.directory.sparse?.horizon ?? 0);
    return last;
  }

  /** Whether deletes of commits behind the position may have been taken out. */
  lacksDeletesBehind(position: Position): boolean {
    return this.segments.some(({ sealed }) => {
      return (
        sealed !== null &&
        sealed.lastPosition > position &&
        sealed.directory.runs.some((run) => run.lacksDeletes)
      );
    });
  }

  /** A frame of the last segment is durable. Its batches follow. */
  addFrame(
    at: number,
    header: Pick<FrameHeader, "firstPosition" | "firstTimeUs" | "commitCount" | "frameBytes">,
  ): void {
    const segment = this.segments.length - 1;
    const { firstPosition, firstTimeUs, commitCount, frameBytes } = header;
    if (commitCount > 0) this.#positions.offer(firstPosition, segment, at, firstTimeUs);
    this.segments[segment]!.end = at + frameBytes;
    this.bytes += frameBytes;
  }

  /** The batches of the frame at that place in the last segment. They are entered when there is time, or somebody asks for a topic. */
  addBatches(at: number, firstTimeUs: number, batches: FrameBatches["batches"]): void {
    this.enter();
    this.#unentered = { segment: this.segments.length - 1, at, firstTimeUs, batches };
  }

  /** There is time, since the disk works: a frame may be of hundreds of topics, and those who waited for it did not wait for this. */
  enter(): void {
    if (this.#unentered === null) return;
    const { segment, at, firstTimeUs, batches } = this.#unentered;
    this.#unentered = null;
    for (let i = 0; i < batches.length; i++) {
      const batch = batches[i]!;
      const { topicId, schemaVersion, baseOffset } = batch;
      const topic = this.#topic(topicId);
      topic.offer(baseOffset, segment, at, firstTimeUs);
      topic.end = baseOffset + ("rows" in batch ? batch.rows : batch.batch.length);
      if (schemaVersion > topic.version) topic.version = schemaVersion;
    }
  }

  /** A place at or before the frame of the commit; null in an empty log. */
  seekPosition(position: Position): Address | null {
    return this.#positions.seek(position);
  }

  /** A place at or before the frame that holds the offset; null if the topic has no durable row. */
  seekOffset(topicId: number, offset: number): Address | null {
    return this.#topics.get(topicId)?.seek(offset) ?? null;
  }

  /** An offset of the topic not above that of its first row from `timeUs` on, near to it. */
  offsetBefore(topicId: number, timeUs: number): number {
    return this.#topics.get(topicId)?.keyBefore(timeUs) ?? 0;
  }

  /** The topic's first entry behind a segment; null if it has none. */
  nextSegment(topicId: number, segment: number): Address | null {
    return this.#topics.get(topicId)?.inLaterSegment(segment) ?? null;
  }

  /** The first place in a segment of frames, from `at` on, where a frame with rows of one of the topics may begin; null: there is none. */
  placeOf(topics: ReadonlySet<number>, segment: number, at: number): number | null {
    let first: number | null = null;
    for (const topicId of topics) {
      const place = this.#topics.get(topicId)?.placeFrom(segment, at) ?? null;
      if (place !== null && (first === null || place < first)) first = place;
    }
    return first;
  }

  /** Durable rows of the topic. */
  topicEnd(topicId: number): number {
    return this.#topics.get(topicId)?.end ?? 0;
  }

  /** The newest schema version of durable rows of the topic; 0: there are none. */
  topicVersion(topicId: number): number {
    return this.#topics.get(topicId)?.version ?? 0;
  }

  get #topics(): ById<TopicIndex> {
    this.enter();
    return this.#topicsEntered;
  }

  #topic(topicId: number): TopicIndex {
    const topics = this.#topics;
    let topic = topics.get(topicId);
    if (topic === undefined) topics.set(topicId, (topic = new TopicIndex()));
    return topic;
  }
}

export type IndexedBatch = Pick<BatchEntry, "topicId" | "schemaVersion" | "baseOffset" | "rows">;

interface FrameBatches {
  readonly segment: number;
  readonly at: number;
  readonly firstTimeUs: number;
  readonly batches: readonly (IndexedBatch | TopicBatch)[];
}
