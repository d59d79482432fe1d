/**
 * What must hold from frame to frame, and from segment to segment where one is sealed: one log, positions and each topic's offsets without gap, times
 * that never fall. A frame that is sound by itself but breaks the order stands behind something that was lost.
 */
import type { BatchEntry, FrameHeader } from "./frame.ts";
import type { CommitInfo } from "./log.ts";
import type { IndexedBatch } from "./log-index.ts";
import type { SealedSegment } from "./sealed/sealed-segment.ts";

export class FrameOrder {
  /** Null until the first frame. */
  logId: number | null = null;
  lastPosition = 0;
  lastTimeUs = 0;
  readonly topicEnds = new Map<number, number>();

  /** Why the frame cannot follow those before it, or null. */
  objection(
    header: FrameHeader,
    commits: readonly CommitInfo[],
    batches: readonly BatchEntry[],
  ): string | null {
    if (this.logId !== null && header.logId !== this.logId) return "the frame belongs to another log";
    if (header.firstPosition !== this.lastPosition + 1) {
      return `the frame begins at position ${header.firstPosition}; ${this.lastPosition + 1} was expected`;
    }
    if (commits.length > 0 && commits[0]!.timeUs < this.lastTimeUs) return "log time falls";
    return this.#objectionToRows(batches);
  }

  accept(header: FrameHeader, commits: readonly CommitInfo[], batches: readonly BatchEntry[]): void {
    this.logId = header.logId;
    this.lastPosition = header.firstPosition + header.commitCount - 1;
    if (commits.length > 0) this.lastTimeUs = commits[commits.length - 1]!.timeUs;
    for (const { topicId, baseOffset, rows } of batches) this.topicEnds.set(topicId, baseOffset + rows);
  }

  /** The same of a sealed segment. */
  objectionToSealed({ logId, firstPosition, directory }: SealedSegment): string | null {
    if (this.logId !== null && logId !== this.logId) return "the segment belongs to another log";
    if (firstPosition !== this.lastPosition + 1)
      return `the segment begins at position ${firstPosition}; ${this.lastPosition + 1} was expected`;
    if (directory.firstTimeUs < this.lastTimeUs) return "log time falls";
    return this.#objectionToRows(directory.runs);
  }

  /** A topic may come several times, each time going on where it stopped. */
  #objectionToRows(rows: readonly IndexedBatch[]): string | null {
    const ends = new Map<number, number>();
    for (const { topicId, baseOffset, rows: count } of rows) {
      const end = ends.get(topicId) ?? this.topicEnds.get(topicId) ?? 0;
      if (baseOffset !== end) return `offset ${baseOffset} of topic ${topicId}; ${end} was expected`;
      ends.set(topicId, baseOffset + count);
    }
    return null;
  }

  acceptSealed({ logId, lastPosition, directory }: SealedSegment): void {
    this.logId = logId;
    this.lastPosition = lastPosition;
    this.lastTimeUs = directory.lastTimeUs;
    for (const { topicId, baseOffset, rows } of directory.runs)
      this.topicEnds.set(topicId, baseOffset + rows);
  }
}
