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
import type { OpenTopic } from "./open-topic.ts";

/** How the group finds a topic that is new to it. */
export interface TopicSource {
  openTopic(topicId: number): OpenTopic;
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
  readonly #topics: OpenTopic[] = [];
  /** Topics touched by the draft in progress: the first of them, which mostly is the only one, and the others. */
  #touched: OpenTopic | null = null;
  #touchedToo: OpenTopic[] | null = null;

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

  appendRow(
    topicId: number,
    row: unknown,
    op: number,
    path: string | undefined,
    index: number | undefined,
  ): void {
    const open = this.#touch(topicId);
    if (op === OP_DELETE) open.appendDelete(row, path, index);
    else open.appendRow(row, path, index);
  }

  appendRows(topicId: number, rows: readonly unknown[], path: string | undefined): void {
    this.#touch(topicId).appendRows(rows, path);
  }

  appendBatch(topicId: number, batch: Batch, ops: Uint8Array | null): void {
    this.#touch(topicId).appendBatch(batch, ops);
  }

  /** Upper bound of the frame if the draft in progress became a commit. */
  bytesMaxWithDraft(keyLength: number, digestLength: number): number {
    let bytes = this.bytesMax + commitBytesMax(keyLength, digestLength);
    if (this.#touched !== null) bytes += measure(this.#touched);
    if (this.#touchedToo !== null) for (const open of this.#touchedToo) bytes += measure(open);
    return bytes;
  }

  /** The draft in progress becomes a commit. `bytesMax`: what bytesMaxWithDraft() has said of it. */
  endDraft(commit: CommitInfo, bytesMax: number): TopicRange[] {
    const index = this.commits.length;
    this.bytesMax = bytesMax;
    this.commits.push(commit);
    const first = this.#touched === null ? null : endCommit(this.#touched, index);
    const ranges = first === null ? [] : [first];
    if (this.#touchedToo !== null) {
      for (const open of this.#touchedToo) {
        const range = endCommit(open, index);
        if (range !== null) ranges.push(range);
      }
    }
    this.#forgetDraft();
    return ranges;
  }

  rollbackDraft(): void {
    this.#touched?.truncate(this.#touched.draftFirstRow);
    if (this.#touchedToo !== null) for (const open of this.#touchedToo) open.truncate(open.draftFirstRow);
    this.#forgetDraft();
  }

  #forgetDraft(): void {
    this.#touched = null;
    this.#touchedToo = null;
  }

  /** The group, for good. Topics whose every row was taken back are not in it. */
  finish(): Group {
    assert(this.#touched === null, "no draft is in progress when a group is sealed");
    const batches: TopicBatch[] = [];
    for (let i = 0; i < this.#topics.length; i++) this.#topics[i]!.finish(batches);
    return {
      commits: this.commits,
      firstPosition: this.firstPosition,
      lastPosition: this.firstPosition + this.commits.length - 1,
      batches,
    };
  }

  #touch(topicId: number): OpenTopic {
    const first = this.#touched;
    if (first?.topicId === topicId) return first;
    const others = this.#touchedToo;
    if (others !== null) for (const open of others) if (open.topicId === topicId) return open;
    const open = this.#source.openTopic(topicId);
    if (open.group !== this.firstPosition) {
      open.begin(this.firstPosition);
      this.#topics.push(open);
    }
    open.draftFirstRow = open.rows;
    if (first === null) this.#touched = open;
    else if (others === null) this.#touchedToo = [open];
    else others.push(open);
    return open;
  }
}

/** By how much the draft lets the topic's share of the frame grow. */
function measure(open: OpenTopic): number {
  open.draftBytesMax = open.currentBytesMax();
  return open.draftBytesMax - open.bytesMax;
}

/** Null: the draft has no row of the topic. */
function endCommit(open: OpenTopic, index: number): TopicRange | null {
  const { rows, baseOffset, draftFirstRow } = open;
  open.bytesMax = open.draftBytesMax;
  if (rows === draftFirstRow) return null;
  open.endCommit(index);
  return {
    topicId: open.topicId,
    firstOffset: baseOffset + draftFirstRow,
    lastOffset: baseOffset + rows - 1,
  };
}
