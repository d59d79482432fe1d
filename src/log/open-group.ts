/**
 * The open group: commits staged and not yet sealed. Rows of all commits lie together by topic (open-topic.ts); a draft remembers where
 * its own begin, so that taking it back is cutting the topics to their former lengths.
 *
 * `bytesMax` bounds the frame from above at every moment: what the log needs to know that there is room for it, without encoding.
 */
import { assert } from "../base/assert.ts";
import type { Batch } from "../batch/batch.ts";
import { align, commitBytesMax, HEADER_BYTES } from "./frame.ts";
import {
  type CommitInfo,
  type Group,
  OP_DELETE,
  type Position,
  type TopicBatch,
  type TopicRange,
} from "./log.ts";
import { type GroupMemory, OpenTopic, type TopicStaging } from "./open-topic.ts";

/** What a draft has appended to one topic. */
interface Touched {
  readonly open: OpenTopic;
  readonly firstRow: number;
  /** The topic's share of the group's bytesMax, should the draft become a commit as it was when it was last measured. */
  bytesMax: number;
}

/** How the group finds a topic that is new to it. */
export interface TopicSource {
  staging(topicId: number): TopicStaging;
  topicEnd(topicId: number): number;
  readonly memory: GroupMemory;
}

export class OpenGroup {
  readonly firstPosition: Position;
  readonly commits: CommitInfo[] = [];
  /** Upper bound of the frame's length, drafts not included. */
  bytesMax = align(HEADER_BYTES + 8);
  readonly durable: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;

  readonly #source: TopicSource;
  /** In the order in which they came. */
  readonly #topics = new Map<number, OpenTopic>();
  /** Topics touched by the draft in progress. */
  #touched: Touched[] = [];

  constructor(firstPosition: Position, source: TopicSource) {
    this.firstPosition = firstPosition;
    this.#source = source;
    let settle: [() => void, (error: Error) => void] | undefined;
    this.durable = new Promise((resolve, reject) => {
      settle = [resolve, reject];
    });
    [this.resolve, this.reject] = settle!;
    // Commits nobody waits for must not bring the process down when the disk fails: onFailed tells it.
    this.durable.catch(() => {});
  }

  /** The one version of a topic a group can hold: a newer one starts a new group. */
  holds(topicId: number): boolean {
    return this.#topics.has(topicId);
  }

  appendRow(
    topicId: number,
    row: unknown,
    op: number,
    path: string | undefined,
    index: number | undefined,
  ): void {
    const { open } = this.#touch(topicId);
    if (op === OP_DELETE) open.appendDelete(row, path, index);
    else open.appendRow(row, path, index);
  }

  appendRows(topicId: number, rows: readonly unknown[], path: string | undefined): void {
    this.#touch(topicId).open.appendRows(rows, path);
  }

  appendBatch(topicId: number, batch: Batch, ops: Uint8Array | null): void {
    this.#touch(topicId).open.appendBatch(batch, ops);
  }

  /** Upper bound of the frame if the draft in progress became a commit. */
  bytesMaxWithDraft(keyLength: number, digestLength: number): number {
    let bytes = this.bytesMax + commitBytesMax(keyLength, digestLength);
    for (const touched of this.#touched) {
      const { open } = touched;
      touched.bytesMax = open.currentBytesMax();
      bytes += touched.bytesMax - open.bytesMax;
    }
    return bytes;
  }

  /** The draft in progress becomes a commit. `bytesMax`: what bytesMaxWithDraft() has said of it. */
  endDraft(commit: CommitInfo, bytesMax: number): TopicRange[] {
    const index = this.commits.length;
    this.bytesMax = bytesMax;
    this.commits.push(commit);
    const ranges: TopicRange[] = [];
    for (const touched of this.#touched) {
      const { open, firstRow } = touched;
      const { rows } = open;
      open.bytesMax = touched.bytesMax;
      if (rows === firstRow) continue;
      open.endCommit(index);
      ranges.push({
        topicId: open.topic.topicId,
        firstOffset: open.baseOffset + firstRow,
        lastOffset: open.baseOffset + rows - 1,
      });
    }
    this.#touched = [];
    return ranges;
  }

  rollbackDraft(): void {
    for (const { open, firstRow } of this.#touched) open.truncate(firstRow);
    this.#touched = [];
  }

  /** The group, for good. Topics whose every row was taken back are not in it. */
  finish(): Group {
    assert(this.#touched.length === 0, "no draft is in progress when a group is sealed");
    const batches: TopicBatch[] = [];
    for (const open of this.#topics.values()) open.finish(batches);
    return {
      commits: this.commits,
      firstPosition: this.firstPosition,
      lastPosition: this.firstPosition + this.commits.length - 1,
      batches,
    };
  }

  #touch(topicId: number): Touched {
    for (const touched of this.#touched) if (touched.open.topic.topicId === topicId) return touched;
    let open = this.#topics.get(topicId);
    if (open === undefined) {
      const source = this.#source;
      open = new OpenTopic(source.staging(topicId), source.topicEnd(topicId), source.memory);
      this.#topics.set(topicId, open);
    }
    const touched: Touched = { open, firstRow: open.rows, bytesMax: open.bytesMax };
    this.#touched.push(touched);
    return touched;
  }
}
