/**
 * From the log's columns to the engine's: a topic batch, cut into chunks.
 *
 * int8, timestamptz and small numerics become doubles (wide ones references), text becomes dictionary ids, null bits become bytes. Columns nobody
 * reads are left as they are: their bytes are not touched; nor are those of texts that an operator takes late, before it does.
 */
import type { Utf8Column } from "../../batch/batch.ts";
import type { Schema } from "../../batch/schema.ts";
import { CHUNK_ROWS, type Chunk, createChunk, type LateTexts } from "../../dataflow/chunk.ts";
import { fillChunk } from "../../dataflow/fill-chunk.ts";
import { RowPace } from "../../dataflow/row-pace.ts";
import type { TopicBatch } from "../../log/log.ts";
import type { Dictionary } from "../../state/dictionary.ts";

/** Rows fed at once, at most: they pass all operators up to the first that waits for the end of the input. */
const ROWS_PER_FEED = 2_048;

export class Feeder {
  /** By place. */
  readonly schema: Schema;
  readonly chunk: Chunk;
  readonly #late: (LateColumn | null)[];
  /** How many rows to feed at once. */
  readonly pace = new RowPace(ROWS_PER_FEED);
  /** How many columns it filled last, those that come late included. */
  filled = 0;
  readonly #dictionary: Dictionary;

  constructor(schema: Schema, dictionary: Dictionary) {
    this.schema = schema;
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
    this.filled = 0;
    batch.columns.forEach((column, i) => {
      if (wanted(i)) this.filled++;
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
