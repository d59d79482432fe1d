/**
 * From the log's columns to the engine's: a topic batch, cut into chunks.
 *
 * int8, timestamptz and small numerics become doubles (wide ones references), text becomes dictionary ids, null bits become bytes. Columns nobody
 * reads are left as they are: their bytes are not touched; nor are those of texts that an operator takes late, before it does.
 */
import type { Batch, Column, Utf8Column } from "../batch/batch.ts";
import type { Schema } from "../batch/schema.ts";
import { CHUNK_ROWS, type Chunk, createChunk, type LateTexts, type Values } from "../dataflow/chunk.ts";
import { RowPace } from "../dataflow/row-pace.ts";
import type { TopicBatch } from "../log/log.ts";
import type { Dictionary } from "../state/dictionary.ts";

/** Rows fed at once, at most: they pass all operators up to the first that waits for the end of the input. */
const ROWS_PER_FEED = 2_048;

export class Feeder {
  readonly chunk: Chunk;
  readonly #late: (LateColumn | null)[];
  /** How many rows to feed at once. */
  readonly pace = new RowPace(ROWS_PER_FEED);
  readonly #dictionary: Dictionary;

  constructor(schema: Schema, dictionary: Dictionary) {
    this.#late = schema.fields.map(() => null);
    this.chunk = { ...createChunk(schema.fields), late: this.#late };
    this.chunk.weights.fill(1);
    this.#dictionary = dictionary;
  }

  /**
   * Fills the chunk with rows `from` .. at most CHUNK_ROWS on; `firstCommit` is the step's index of the group's first commit. Returns the next row.
   * `late`: which columns of text come late.
   */
  fill(
    topicBatch: TopicBatch,
    from: number,
    to: number,
    firstCommit: number,
    wanted: (column: number) => boolean,
    late: (column: number) => boolean = () => false,
  ): number {
    const { batch } = topicBatch;
    const end = Math.min(to, from + CHUNK_ROWS);
    const { chunk } = this;
    chunk.length = end - from;
    batch.columns.forEach((column, i) => {
      const isLate = column.kind === "utf8" && wanted(i) && late(i);
      this.#late[i] = isLate ? new LateColumn(column, from, this.#dictionary) : null;
    });
    fillChunk(chunk, batch, from, end, this.#dictionary, wanted);
    fillCommits(chunk.commits, topicBatch, from, end, firstCommit);
    chunk.weights.fill(1, 0, end - from);
    return end;
  }
}

class LateColumn implements LateTexts {
  readonly #column: Utf8Column;
  readonly #from: number;
  readonly #dictionary: Dictionary;

  constructor(column: Utf8Column, from: number, dictionary: Dictionary) {
    this.#column = column;
    this.#from = from;
    this.#dictionary = dictionary;
  }

  intern(rows: Int32Array, count: number, ids: Int32Array): void {
    this.#dictionary.internRows(ids, this.#column, rows, count, this.#from);
  }
}

function fillCommits(
  commits: Int32Array,
  batch: TopicBatch,
  from: number,
  to: number,
  firstCommit: number,
): void {
  const { commitIndexes, commitEnds } = batch;
  let c = 0;
  for (let row = from; row < to; ) {
    while ((commitEnds[c] as number) <= row) c++;
    const end = Math.min(to, commitEnds[c] as number);
    commits.fill(firstCommit + (commitIndexes[c] as number), row - from, end - from);
    row = end;
  }
}

export function fillChunk(
  chunk: Chunk,
  batch: Batch,
  from: number,
  to: number,
  dictionary: Dictionary,
  wanted: (column: number) => boolean,
): void {
  for (let i = 0; i < chunk.columns.length; i++) {
    if (!wanted(i)) continue;
    const column = batch.columns[i] as Column;
    const values = chunk.columns[i] as Values;
    const nulls = chunk.nulls[i] as Uint8Array | null;
    if ((chunk.late?.[i] ?? null) === null) fillValues(values, column, from, to, dictionary);
    if (nulls !== null) fillNulls(values, nulls, column.validity, from, to);
  }
}

function fillNulls(
  values: Values,
  nulls: Uint8Array,
  validity: Uint8Array | null,
  from: number,
  to: number,
): void {
  if (validity === null) {
    nulls.fill(0, 0, to - from);
    return;
  }
  for (let row = from, at = 0; row < to; row++, at++) {
    const isNull = (((validity[row >>> 3] as number) >>> (row & 7)) & 1) ^ 1;
    nulls[at] = isNull;
    if (isNull === 1) values[at] = 0;
  }
}

function fillValues(values: Values, column: Column, from: number, to: number, dictionary: Dictionary): void {
  switch (column.kind) {
    case "bits":
      for (let row = from, at = 0; row < to; row++, at++)
        values[at] = ((column.values[row >>> 3] as number) >>> (row & 7)) & 1;
      return;
    case "utf8":
      dictionary.internColumn(values as Int32Array, column, from, to);
      return;
    case "fixed": {
      const source = column.values;
      if (source instanceof BigInt64Array) fillWide(values as Float64Array, source, from, to, dictionary);
      else values.set(source.subarray(from, to));
    }
  }
}

/** int64 as two 32-bit words to a double, without a BigInt unless it does not fit. */
function fillWide(
  values: Float64Array,
  source: BigInt64Array,
  from: number,
  to: number,
  dictionary: Dictionary,
): void {
  const words = new Int32Array(source.buffer, source.byteOffset, source.length * 2);
  for (let row = from, at = 0; row < to; row++, at++) {
    const high = words[row * 2 + 1] as number;
    const value = high * 4294967296 + ((words[row * 2] as number) >>> 0);
    // Doubles are exact up to 2^53; beyond, the sum above was rounded and the integer is interned instead.
    values[at] =
      value <= 9007199254740991 && value >= -9007199254740991
        ? value
        : dictionary.internBigInt(source[row] as bigint);
  }
}
