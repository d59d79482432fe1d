/**
 * Rows of one topic in the open group.
 *
 * Rows of small appends are gathered in the topic's builder; a large batch is *borrowed*: it goes from its caller to the frame, and to the engine, as
 * it is. So the rows of a topic are pieces, one behind the other, each of which becomes a batch of the group. Only the last one is open:
 *
 * - A large batch begins a piece of its own, and what comes behind it another. It never divides a commit: where the commit has rows in the open piece
 *   already, all of them go into the builder.
 * - A small batch that is the first of its piece is borrowed for the time being; the next append moves it into the builder.
 * - So is a row that is the topic's first in the group: its bytes are written at once as the frame will have them (batch/row-bytes.ts). Of many
 *   topics with a row each that is all there is to do. A topic that had several rows in the group before is expected to get several: its first goes
 *   into the builder, too.
 */
import type { Arena } from "../base/arena.ts";
import { assert } from "../base/assert.ts";
import { EMPTY_BYTES } from "../base/bytes.ts";
import { EvertError } from "../base/errors.ts";
import type { Batch } from "../batch/batch.ts";
import { getBit } from "../batch/bitmap.ts";
import { BatchBuilder } from "../batch/builder.ts";
import { EncodedBatch, encodedSize } from "../batch/codec.ts";
import type { RowBuffer, RowWriter } from "../batch/row-bytes.ts";
import type { Schema } from "../batch/schema.ts";
import { sameType } from "../batch/types.ts";
import { BATCH_ENTRY_BYTES_MAX, BOUNDARY_BYTES_MAX, deletesBytes } from "./frame.ts";
import { type LogTopic, OP_DELETE, type TopicBatch } from "./log.ts";

/** A column's flags and length, and the batch's own flag: what a codec adds to the values themselves. */
const BYTES_PER_COLUMN = 6;
/** A batch of so many rows is a piece of its own: what a step and a reader of the log do once for each batch is little then. */
export const LARGE_BATCH_ROWS = 512;

/** Rows that go into the builder unasked, behind one that was not taken as bytes. */
const UNTRIED = 15;

/** Memory of the log's groups, which lasts until they have been stepped and written. */
export interface GroupMemory {
  /** For what is small. */
  readonly arena: Arena;
  /** For rows as bytes. */
  readonly rows: RowBuffer;
}

const NO_NUMBERS = new Uint32Array(0);
/** Room for commits of a piece, when there is a second one, and how much of it is kept. */
const COMMITS_MIN = 16;
const COMMITS_KEPT_MAX = 4096;
const COPY_BY_LOOP_MAX = 16;

/** Of a batch of one row. */
const ONE_ROW = Uint32Array.of(1);
/** Of a batch of one commit, by the commit: they are the same for all topics. */
const LONE_COMMITS: Uint32Array[] = [];
const LONE_COMMITS_MAX = 4096;

/** A topic that rows are staged in: the same from group to group, since a new one for each of a thousand topics would be most of what a row costs. */
export class OpenTopic {
  readonly topic: LogTopic;
  /** The topic's. Rows ask for nothing else of it. */
  readonly topicId: number;
  readonly #schema: Schema;
  /** The offset of the next commit's first row. */
  end: number;
  /** First position of the last group that it was in: that itself would stay in memory for a topic with a row now and then. */
  group = -1;
  /** null: every row goes into the builder. */
  readonly #writer: RowWriter | null;
  /** What a codec adds to the values of a batch. */
  readonly #columnsBytes: number;
  readonly #memory: GroupMemory;
  /** Empty between groups. It keeps its buffers. */
  #kept: BatchBuilder | null = null;
  /** Whether the group before had more than one row of the topic. */
  #hadSeveral = false;
  /**
   * How many such rows are left: what was done for one that is not taken (a document made text of, which is too long) is done twice, and the next are
   * often of its kind.
   */
  #untried = 0;

  // Of the group, from here on.
  baseOffset = 0;
  /** Pieces that are complete. */
  #closed: TopicBatch[] | null = null;
  #closedRows = 0;
  #closedBytesMax = 0;
  // The open piece.
  #builder: BatchBuilder | null = null;
  #openRows = 0;
  /** How many commits with rows in it have ended, and the first of them: its index, and where its rows end. */
  #commits = 0;
  #commitIndex = 0;
  #commitEnd = 0;
  /** The same of those behind it, as many as `#commits` says less one. Kept from group to group. */
  #moreIndexes: Uint32Array = NO_NUMBERS;
  #moreEnds: Uint32Array = NO_NUMBERS;
  /** Ops of the rows so far, zero (OP_UPSERT) beyond them; empty until the first delete. */
  #ops: Uint8Array = EMPTY_BYTES;
  #deletes = 0;
  /** Its only batch, not copied; null: its rows are in the builder. */
  #borrowed: Batch | null = null;
  /** This topic's share of the group's bytesMax, commits so far. */
  bytesMax = 0;
  // Of the draft that touches it.
  /** Rows before it. */
  draftFirstRow = 0;
  /** What bytesMax will be, as it was when it was last measured. */
  draftBytesMax = 0;

  /** `end`: the offset of its next row. */
  constructor(topic: LogTopic, writer: RowWriter | null, end: number, memory: GroupMemory) {
    this.topic = topic;
    this.topicId = topic.topicId;
    this.#schema = topic.schema;
    this.#writer = writer;
    this.#columnsBytes = BYTES_PER_COLUMN * (topic.schema.fields.length + 1);
    this.end = end;
    this.#memory = memory;
  }

  /** From now on its rows are the group's. REQUIRES that the group before has been finished. */
  begin(group: number): void {
    assert(this.#openRows === 0, "a topic is empty between groups");
    this.group = group;
    this.baseOffset = this.end;
    this.#closed = null;
    this.#closedRows = 0;
    this.#closedBytesMax = 0;
    this.#builder = null;
    this.bytesMax = 0;
  }

  get rows(): number {
    return this.#closedRows + this.#openRows;
  }

  appendRow(row: unknown, path: string | undefined, index: number | undefined): void {
    const isFirst = this.#borrowed === null && this.#builder === null;
    if (!isFirst || !this.#isWritten(row)) this.#intoBuilder().appendRow(row, path, index);
    this.#openRows++;
  }

  /** Takes the row as bytes, if it is the topic's first and such as they usually are. */
  #isWritten(row: unknown): boolean {
    const writer = this.#writer;
    if (writer === null || this.#hadSeveral || this.#closedRows > 0) return false;
    if (this.#untried > 0) {
      this.#untried--;
      return false;
    }
    const { rows } = this.#memory;
    try {
      if (!writer(row, rows)) {
        this.#untried = UNTRIED;
        return false;
      }
    } catch {
      return false; // the builder will throw it again, and say where
    }
    this.#borrowed = new EncodedBatch(this.#schema, 1, rows.bytes, rows.begin, rows.end);
    return true;
  }

  appendRows(rows: readonly unknown[], path: string | undefined): void {
    if (rows.length === 1) {
      this.appendRow(rows[0], path, 0);
      return;
    }
    this.#intoBuilder().appendRows(rows, path);
    this.#openRows += rows.length;
  }

  appendDelete(row: unknown, path: string | undefined, index: number | undefined): void {
    const { keyColumns } = this.topic;
    assert(keyColumns !== undefined, "rows are deleted from topics with a key");
    this.#intoBuilder().appendKeyOnly(row, keyColumns, path, index);
    this.#markDelete(this.#openRows++);
  }

  appendBatch(batch: Batch, ops: Uint8Array | null): void {
    const hasDeletes = ops?.includes(OP_DELETE) === true;
    if (hasDeletes) {
      assert(ops.length >= batch.length, "every row has an op");
      checkNulls(this.topic, batch, ops);
    }
    const borrows = canBorrow(this.#schema, batch, hasDeletes);
    if (borrows && batch.length >= LARGE_BATCH_ROWS && this.#isBetweenCommits) this.#close();
    else this.#unborrow();
    const firstRow = this.#openRows;
    if (borrows && firstRow === 0) this.#borrowed = batch;
    else this.#intoBuilder().appendBatch(batch, 0, batch.length, hasDeletes);
    this.#openRows += batch.length;
    if (!hasDeletes) return;
    for (let row = 0; row < batch.length; row++) if (ops[row] === OP_DELETE) this.#markDelete(firstRow + row);
  }

  /** A commit ends with the rows so far. REQUIRES that some of them are its own. */
  endCommit(index: number): void {
    const rows = this.#openRows;
    this.end = this.baseOffset + this.#closedRows + rows;
    const more = this.#commits++ - 1;
    if (more < 0) {
      this.#commitIndex = index;
      this.#commitEnd = rows;
      return;
    }
    if (more === this.#moreEnds.length) this.#growCommits();
    this.#moreIndexes[more] = index;
    this.#moreEnds[more] = rows;
  }

  #growCommits(): void {
    const length = Math.max(COMMITS_MIN, this.#moreEnds.length * 2);
    this.#moreIndexes = lengthened(this.#moreIndexes, length);
    this.#moreEnds = lengthened(this.#moreEnds, length);
  }

  /** Where the rows of the last commit end that has ended. */
  get #ended(): number {
    return this.#commits > 1 ? (this.#moreEnds[this.#commits - 2] as number) : this.#commitEnd;
  }

  /** Forgets the rows from `rows` on: those of the commit that has not ended. */
  truncate(rows: number): void {
    const kept = rows - this.#closedRows;
    assert(kept === this.#ended, "only what no commit has ended is taken back");
    for (let row = kept; row < Math.min(this.#openRows, this.#ops.length); row++) {
      if (this.#ops[row] !== OP_DELETE) continue;
      this.#ops[row] = 0;
      this.#deletes--;
    }
    this.#openRows = kept;
    if (this.#borrowed === null) this.#builder?.truncate(kept);
    else if (kept === 0) this.#borrowed = null;
    else assert(kept === this.#borrowed.length, "a draft appends at the end");
  }

  currentBytesMax(): number {
    return this.#closedBytesMax + this.#openBytesMax;
  }

  get #openBytesMax(): number {
    const bytes = this.#borrowed === null ? (this.#builder?.byteLength ?? 0) : encodedSize(this.#borrowed);
    return (
      BATCH_ENTRY_BYTES_MAX +
      BOUNDARY_BYTES_MAX * (Math.max(this.#commits, 1) + 1) +
      this.#columnsBytes +
      bytes +
      (this.#deletes > 0 ? deletesBytes(this.#openRows) : 0)
    );
  }

  /** The rows as batches, in their order, behind those of other topics; none: all was taken back. */
  finish(batches: TopicBatch[]): void {
    const open = this.#openRows;
    this.#hadSeveral = this.#closedRows + open > 1;
    const closed = this.#closed;
    if (closed !== null) for (let i = 0; i < closed.length; i++) batches.push(closed[i]!);
    this.#closed = null;
    if (open > 0) batches.push(this.#openPiece());
    this.#forgetPiece();
  }

  /** Whether the open piece has rows, all of them of commits that have ended. */
  get #isBetweenCommits(): boolean {
    const rows = this.#openRows;
    return rows > 0 && this.#ended === rows;
  }

  /** The open piece is in the builder, or a new one. */
  #intoBuilder(): BatchBuilder {
    this.#unborrow();
    this.#builder ??= this.#emptyBuilder();
    return this.#builder;
  }

  #emptyBuilder(): BatchBuilder {
    this.#kept ??= new BatchBuilder(this.#schema);
    const builder = this.#kept;
    assert(builder.length === 0, "a builder is empty between groups");
    return builder;
  }

  /** What is borrowed goes into the builder, or is complete. */
  #unborrow(): void {
    const batch = this.#borrowed;
    if (batch === null) return;
    if (batch.length >= LARGE_BATCH_ROWS && this.#isBetweenCommits) {
      this.#close();
      return;
    }
    this.#borrowed = null;
    this.#builder ??= this.#emptyBuilder();
    this.#builder.appendBatch(batch, 0, batch.length, true); // its nulls were looked at when it came
  }

  /** The open piece is complete, and the next one begins. REQUIRES that it has rows, all of them of commits that have ended. */
  #close(): void {
    this.#closedBytesMax += this.#openBytesMax;
    const rows = this.#openRows;
    this.#closed ??= [];
    this.#closed.push(this.#openPiece());
    this.#closedRows += rows;
    this.#forgetPiece();
  }

  /** The open piece as a batch. REQUIRES the same; what is open is not asked of any more before it is forgotten. */
  #openPiece(): TopicBatch {
    const rows = this.#openRows;
    const { topicId, schemaVersion } = this.topic;
    if (this.#deletes > 0 && this.#ops.length < rows) this.#growOps(rows);
    return {
      topicId,
      schemaVersion,
      baseOffset: this.baseOffset + this.#closedRows,
      batch: this.#openBatch(),
      ops: this.#deletes > 0 ? this.#ops.subarray(0, rows) : null,
      commitIndexes:
        this.#commits === 1
          ? loneCommit(this.#commitIndex)
          : numbersOf(this.#commitIndex, this.#moreIndexes, this.#commits - 1),
      commitEnds:
        this.#commits === 1 && rows === 1
          ? ONE_ROW
          : numbersOf(this.#commitEnd, this.#moreEnds, this.#commits - 1),
    };
  }

  #forgetPiece(): void {
    this.#borrowed = null;
    this.#openRows = 0;
    this.#commits = 0;
    this.#commitEnd = 0;
    if (this.#moreEnds.length > COMMITS_KEPT_MAX) this.#moreIndexes = this.#moreEnds = NO_NUMBERS;
    this.#ops = EMPTY_BYTES;
    this.#deletes = 0;
  }

  #openBatch(): Batch {
    const borrowed = this.#borrowed;
    if (borrowed === null) return this.#intoBuilder().finish(this.#memory.arena);
    if (borrowed instanceof EncodedBatch && borrowed.schema === this.#schema) return borrowed;
    const { length, columns, weights } = borrowed;
    return { schema: this.#schema, length, columns, weights };
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

function numbersOf(first: number, more: Uint32Array, length: number): Uint32Array {
  const numbers = new Uint32Array(length + 1);
  numbers[0] = first;
  // A few of them are copied sooner than a view of them is made.
  if (length <= COPY_BY_LOOP_MAX) for (let i = 0; i < length; i++) numbers[i + 1] = more[i] as number;
  else numbers.set(more.subarray(0, length), 1);
  return numbers;
}

function lengthened(numbers: Uint32Array, length: number): Uint32Array {
  const longer = new Uint32Array(length);
  longer.set(numbers);
  return longer;
}

function loneCommit(index: number): Uint32Array {
  if (index >= LONE_COMMITS_MAX) return Uint32Array.of(index);
  for (let i = LONE_COMMITS.length; i <= index; i++) LONE_COMMITS.push(Uint32Array.of(i));
  return LONE_COMMITS[index]!;
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
