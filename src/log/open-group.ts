/**
 * The open group: commits staged and not yet sealed. Rows of all commits go into one builder per topic; a draft remembers where
 * its own begin, so that taking it back is cutting the builders to their former lengths.
 *
 * `bytesMax` bounds the frame from above at every moment: what the log needs to know that there is room for it, without encoding.
 */
import { assert } from "../base/assert.ts";
import { EvertError } from "../base/errors.ts";
import type { Batch } from "../batch/batch.ts";
import { getBit } from "../batch/bitmap.ts";
import type { BatchBuilder } from "../batch/builder.ts";
import { encodedSize } from "../batch/codec.ts";
import type { Schema } from "../batch/schema.ts";
import { sameType } from "../batch/types.ts";
import {
  align,
  BATCH_ENTRY_BYTES_MAX,
  BOUNDARY_BYTES_MAX,
  commitBytesMax,
  deletesBytes,
  HEADER_BYTES,
} from "./frame.ts";
import {
  type CommitInfo,
  type Group,
  type LogTopic,
  OP_DELETE,
  type Position,
  type TopicBatch,
  type TopicRange,
} from "./log.ts";

/** A column's flags and length, and the batch's own flag: what a codec adds to the values themselves. */
const BYTES_PER_COLUMN = 6;

/** Rows of one topic in the open group. */
class OpenTopic {
  readonly topic: LogTopic;
  readonly builder: BatchBuilder;
  readonly baseOffset: number;
  readonly commitIndexes: number[] = [];
  readonly commitEnds: number[] = [];
  /** Ops of the rows so far, zero (OP_UPSERT) beyond them; empty until the first delete. */
  #ops = new Uint8Array(0);
  #deletes = 0;
  /** This topic's share of the group's bytesMax, commits so far. */
  bytesMax = 0;
  /**
   * The only batch so far, not copied: a large append goes from its caller to the frame without another copy. The next append
   * to the topic moves it into the builder.
   */
  #borrowed: Batch | null = null;

  constructor(topic: LogTopic, builder: BatchBuilder, baseOffset: number) {
    assert(builder.length === 0, "a builder is empty between groups");
    this.topic = topic;
    this.builder = builder;
    this.baseOffset = baseOffset;
  }

  get rows(): number {
    return this.#borrowed?.length ?? this.builder.length;
  }

  appendRow(row: unknown, path: string | undefined, index: number | undefined): void {
    this.#returnBorrowed();
    this.builder.appendRow(row, path, index);
  }

  appendRows(rows: readonly unknown[], path: string | undefined): void {
    this.#returnBorrowed();
    this.builder.appendRows(rows, path);
  }

  appendDelete(row: unknown, path: string | undefined, index: number | undefined): void {
    const { keyColumns } = this.topic;
    assert(keyColumns !== undefined, "rows are deleted from topics with a key");
    this.#returnBorrowed();
    this.builder.appendKeyOnly(row, keyColumns, path, index);
    this.#markDelete(this.rows - 1);
  }

  appendBatch(batch: Batch, ops: Uint8Array | null): void {
    const firstRow = this.rows;
    const hasDeletes = ops?.includes(OP_DELETE) === true;
    if (hasDeletes) {
      assert(ops.length >= batch.length, "every row has an op");
      checkNulls(this.topic, batch, ops);
    }
    this.#returnBorrowed();
    if (firstRow === 0 && canBorrow(this.topic.schema, batch, hasDeletes)) this.#borrowed = batch;
    else this.builder.appendBatch(batch, 0, batch.length, hasDeletes);
    if (!hasDeletes) return;
    for (let row = 0; row < batch.length; row++) if (ops[row] === OP_DELETE) this.#markDelete(firstRow + row);
  }

  #returnBorrowed(): void {
    const batch = this.#borrowed;
    if (batch === null) return;
    this.#borrowed = null;
    this.builder.appendBatch(batch, 0, batch.length, true); // its nulls were looked at when it came
  }

  #markDelete(row: number): void {
    if (row >= this.#ops.length) this.#growOps(row + 1);
    this.#ops[row] = OP_DELETE;
    this.#deletes++;
  }

  truncate(rows: number): void {
    for (let row = rows; row < Math.min(this.rows, this.#ops.length); row++) {
      if (this.#ops[row] !== OP_DELETE) continue;
      this.#ops[row] = 0;
      this.#deletes--;
    }
    if (this.#borrowed === null) this.builder.truncate(rows);
    else if (rows === 0) this.#borrowed = null;
    else assert(rows === this.#borrowed.length, "a draft appends at the end");
  }

  currentBytesMax(): number {
    return (
      BATCH_ENTRY_BYTES_MAX +
      BOUNDARY_BYTES_MAX * (this.commitIndexes.length + 1) +
      BYTES_PER_COLUMN * (this.topic.schema.fields.length + 1) +
      (this.#borrowed === null ? this.builder.byteLength : encodedSize(this.#borrowed)) +
      (this.#deletes > 0 ? deletesBytes(this.rows) : 0)
    );
  }

  finish(): TopicBatch {
    const { rows } = this;
    const batch =
      this.#borrowed === null ? this.builder.finish() : { ...this.#borrowed, schema: this.topic.schema };
    if (this.#deletes > 0 && this.#ops.length < rows) this.#growOps(rows);
    return {
      topicId: this.topic.topicId,
      schemaVersion: this.topic.schemaVersion,
      baseOffset: this.baseOffset,
      batch,
      ops: this.#deletes > 0 ? this.#ops.subarray(0, rows) : null,
      commitIndexes: Uint32Array.from(this.commitIndexes),
      commitEnds: Uint32Array.from(this.commitEnds),
    };
  }

  #growOps(rows: number): void {
    const grown = new Uint8Array(Math.max(rows, this.#ops.length * 2, 64));
    grown.set(this.#ops);
    this.#ops = grown;
  }
}

/** What a draft has appended to one topic. */
interface Touched {
  readonly open: OpenTopic;
  readonly firstRow: number;
}

/** How the group finds a topic that is new to it. */
export interface TopicSource {
  newest(topicId: number): LogTopic;
  builder(topic: LogTopic): BatchBuilder;
  topicEnd(topicId: number): number;
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
  readonly #topics: OpenTopic[] = [];
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
    return this.#topics.some((open) => open.topic.topicId === topicId);
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
    for (const { open } of this.#touched) bytes += open.currentBytesMax() - open.bytesMax;
    return bytes;
  }

  /** The draft in progress becomes a commit. */
  endDraft(commit: CommitInfo): TopicRange[] {
    const index = this.commits.length;
    this.bytesMax = this.bytesMaxWithDraft(
      commit.idempotencyKey?.length ?? 0,
      commit.requestDigest?.length ?? 0,
    );
    this.commits.push(commit);
    const ranges: TopicRange[] = [];
    for (const { open, firstRow } of this.#touched) {
      const { rows } = open;
      open.bytesMax = open.currentBytesMax();
      if (rows === firstRow) continue;
      open.commitIndexes.push(index);
      open.commitEnds.push(rows);
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
    for (const open of this.#topics) if (open.rows > 0) batches.push(open.finish());
    return {
      commits: this.commits,
      firstPosition: this.firstPosition,
      lastPosition: this.firstPosition + this.commits.length - 1,
      batches,
    };
  }

  #touch(topicId: number): Touched {
    for (const touched of this.#touched) if (touched.open.topic.topicId === topicId) return touched;
    let open = this.#topics.find((candidate) => candidate.topic.topicId === topicId);
    if (open === undefined) {
      const topic = this.#source.newest(topicId);
      open = new OpenTopic(topic, this.#source.builder(topic), this.#source.topicEnd(topicId));
      this.#topics.push(open);
    }
    const touched: Touched = { open, firstRow: open.rows };
    this.#touched.push(touched);
    return touched;
  }
}

/** Whether the batch can stand in a frame as it is; what it cannot, the builder takes or refuses. */
function canBorrow(schema: Schema, batch: Batch, nullsChecked: boolean): boolean {
  if (batch.length === 0 || batch.weights !== null || batch.columns.length !== schema.fields.length)
    return false;
  return schema.fields.every((field, k) => {
    const other = batch.schema.fields[k]!;
    const same = other === field || (other.name === field.name && sameType(other.type, field.type));
    return same && (field.nullable || nullsChecked || batch.columns[k]!.validity === null);
  });
}

/** In a batch with deletes a column that is never null may be null in a deleted row, if it is not of the key. */
function checkNulls(topic: LogTopic, batch: Batch, ops: Uint8Array): void {
  topic.schema.fields.forEach((field, k) => {
    const validity = batch.columns[k]?.validity;
    if (field.nullable || validity === null || validity === undefined) return;
    const inKey = topic.keyColumns?.includes(k) === true;
    for (let row = 0; row < batch.length; row++) {
      if (getBit(validity, row) || (ops[row] === OP_DELETE && !inKey)) continue;
      throw new EvertError("not_null_violation", `rows[${row}].${field.name}: null is not allowed here`);
    }
  });
}
