/**
 * Rows of one topic in the open group.
 *
 * Rows of small appends are gathered in the topic's builder; a large batch is *borrowed*: it goes from its caller to the frame, and to the engine, as it is. So
 * the rows of a topic are pieces, one behind the other, each of which becomes a batch of the group. Only the last one is open:
 *
 * - A large batch begins a piece of its own, and what comes behind it another. It never divides a commit: where the commit has rows in the open piece
 *   already, all of them go into the builder.
 * - A small batch that is the first of its piece is borrowed for the time being; the next append moves it into the builder.
 */
import type { Arena } from "../base/arena.ts";
import { assert } from "../base/assert.ts";
import { EMPTY_BYTES } from "../base/bytes.ts";
import { EvertError } from "../base/errors.ts";
import type { Batch } from "../batch/batch.ts";
import { getBit } from "../batch/bitmap.ts";
import type { BatchBuilder } from "../batch/builder.ts";
import { encodedSize } from "../batch/codec.ts";
import type { Schema } from "../batch/schema.ts";
import { sameType } from "../batch/types.ts";
import { BATCH_ENTRY_BYTES_MAX, BOUNDARY_BYTES_MAX, deletesBytes } from "./frame.ts";
import { type LogTopic, OP_DELETE, type TopicBatch } from "./log.ts";

/** A column's flags and length, and the batch's own flag: what a codec adds to the values themselves. */
const BYTES_PER_COLUMN = 6;
/** A batch of so many rows is a piece of its own: what a step and a reader of the log do once for each batch is little then. */
export const LARGE_BATCH_ROWS = 1024;

export class OpenTopic {
  readonly topic: LogTopic;
  readonly builder: BatchBuilder;
  readonly baseOffset: number;
  readonly #arena: Arena;
  /** Pieces that are complete. */
  readonly #closed: TopicBatch[] = [];
  #closedRows = 0;
  #closedBytesMax = 0;
  // The open piece.
  #commitIndexes: number[] = [];
  #commitEnds: number[] = [];
  /** Ops of the rows so far, zero (OP_UPSERT) beyond them; empty until the first delete. */
  #ops: Uint8Array = EMPTY_BYTES;
  #deletes = 0;
  /** Its only batch, not copied; null: its rows are in the builder. */
  #borrowed: Batch | null = null;
  /** This topic's share of the group's bytesMax, commits so far. */
  bytesMax = 0;

  /** `arena`: where what is small lies, until the group is stepped and written. */
  constructor(topic: LogTopic, builder: BatchBuilder, baseOffset: number, arena: Arena) {
    assert(builder.length === 0, "a builder is empty between groups");
    this.topic = topic;
    this.builder = builder;
    this.baseOffset = baseOffset;
    this.#arena = arena;
  }

  get rows(): number {
    return this.#closedRows + this.#openRows;
  }

  get #openRows(): number {
    return this.#borrowed?.length ?? this.builder.length;
  }

  appendRow(row: unknown, path: string | undefined, index: number | undefined): void {
    this.#intoBuilder();
    this.builder.appendRow(row, path, index);
  }

  appendRows(rows: readonly unknown[], path: string | undefined): void {
    this.#intoBuilder();
    this.builder.appendRows(rows, path);
  }

  appendDelete(row: unknown, path: string | undefined, index: number | undefined): void {
    const { keyColumns } = this.topic;
    assert(keyColumns !== undefined, "rows are deleted from topics with a key");
    this.#intoBuilder();
    this.builder.appendKeyOnly(row, keyColumns, path, index);
    this.#markDelete(this.#openRows - 1);
  }

  appendBatch(batch: Batch, ops: Uint8Array | null): void {
    const hasDeletes = ops?.includes(OP_DELETE) === true;
    if (hasDeletes) {
      assert(ops.length >= batch.length, "every row has an op");
      checkNulls(this.topic, batch, ops);
    }
    const borrows = canBorrow(this.topic.schema, batch, hasDeletes);
    if (borrows && batch.length >= LARGE_BATCH_ROWS && this.#isBetweenCommits) this.#close();
    else this.#intoBuilder();
    const firstRow = this.#openRows;
    if (borrows && firstRow === 0) this.#borrowed = batch;
    else this.builder.appendBatch(batch, 0, batch.length, hasDeletes);
    if (!hasDeletes) return;
    for (let row = 0; row < batch.length; row++) if (ops[row] === OP_DELETE) this.#markDelete(firstRow + row);
  }

  /** A commit ends with the rows so far. REQUIRES that some of them are its own. */
  endCommit(index: number): void {
    this.#commitIndexes.push(index);
    this.#commitEnds.push(this.#openRows);
  }

  /** Forgets the rows from `rows` on: those of the commit that has not ended. */
  truncate(rows: number): void {
    const kept = rows - this.#closedRows;
    assert(kept === (this.#commitEnds.at(-1) ?? 0), "only what no commit has ended is taken back");
    for (let row = kept; row < Math.min(this.#openRows, this.#ops.length); row++) {
      if (this.#ops[row] !== OP_DELETE) continue;
      this.#ops[row] = 0;
      this.#deletes--;
    }
    if (this.#borrowed === null) this.builder.truncate(kept);
    else if (kept === 0) this.#borrowed = null;
    else assert(kept === this.#borrowed.length, "a draft appends at the end");
  }

  currentBytesMax(): number {
    const bytes = this.#borrowed === null ? this.builder.byteLength : encodedSize(this.#borrowed);
    return this.#closedBytesMax + this.#openBytesMax(bytes);
  }

  /** `bytes`: of the columns. */
  #openBytesMax(bytes: number): number {
    return (
      BATCH_ENTRY_BYTES_MAX +
      BOUNDARY_BYTES_MAX * (this.#commitIndexes.length + 1) +
      BYTES_PER_COLUMN * (this.topic.schema.fields.length + 1) +
      bytes +
      (this.#deletes > 0 ? deletesBytes(this.#openRows) : 0)
    );
  }

  /** The rows as batches, in their order; none: all was taken back. */
  finish(): readonly TopicBatch[] {
    if (this.#openRows > 0) this.#close();
    return this.#closed;
  }

  /** Whether the open piece has rows, all of them of commits that have ended. */
  get #isBetweenCommits(): boolean {
    const rows = this.#openRows;
    return rows > 0 && this.#commitEnds.at(-1) === rows;
  }

  /** The open piece is in the builder, or a new one. */
  #intoBuilder(): void {
    const batch = this.#borrowed;
    if (batch === null) return;
    if (batch.length >= LARGE_BATCH_ROWS && this.#isBetweenCommits) {
      this.#close();
      return;
    }
    this.#borrowed = null;
    this.builder.appendBatch(batch, 0, batch.length, true); // its nulls were looked at when it came
  }

  /** The open piece is complete, and the next one begins. REQUIRES that it has rows, all of them of commits that have ended. */
  #close(): void {
    const rows = this.#openRows;
    const { topicId, schemaVersion, schema } = this.topic;
    if (this.#deletes > 0 && this.#ops.length < rows) this.#growOps(rows);
    const bytes = this.#borrowed === null ? this.builder.byteLength : encodedSize(this.#borrowed);
    this.#closedBytesMax += this.#openBytesMax(bytes);
    this.#closed.push({
      topicId,
      schemaVersion,
      baseOffset: this.baseOffset + this.#closedRows,
      batch: this.#borrowed === null ? this.builder.finish(this.#arena) : { ...this.#borrowed, schema },
      ops: this.#deletes > 0 ? this.#ops.subarray(0, rows) : null,
      commitIndexes: numbersOf(this.#commitIndexes),
      commitEnds: numbersOf(this.#commitEnds),
    });
    this.#closedRows += rows;
    this.#borrowed = null;
    this.#commitIndexes = [];
    this.#commitEnds = [];
    this.#ops = EMPTY_BYTES;
    this.#deletes = 0;
  }

  #markDelete(row: number): void {
    if (row >= this.#ops.length) this.#growOps(row + 1);
    this.#ops[row] = OP_DELETE;
    this.#deletes++;
  }

  #growOps(rows: number): void {
    const grown = new Uint8Array(Math.max(rows, this.#ops.length * 2, 64));
    grown.set(this.#ops);
    this.#ops = grown;
  }
}

/** For a few numbers, of which there are many, twice as fast as the constructor's own way. */
function numbersOf(values: readonly number[]): Uint32Array {
  const numbers = new Uint32Array(values.length);
  for (let i = 0; i < values.length; i++) numbers[i] = values[i]!;
  return numbers;
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
