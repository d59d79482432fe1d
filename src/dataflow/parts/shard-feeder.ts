/** From batches to chunks of a shard's rows. What fillChunk() does for all of them. */
import type { Batch, Utf8Column } from "../../batch/batch.ts";
import type { Dictionary } from "../../state/dictionary.ts";
import { CHUNK_ROWS, type Chunk, createChunk, type LateTexts } from "../chunk.ts";
import { fillRows } from "../fill-chunk.ts";
import type { PartSource } from "./link.ts";
import { rowsOfShard, type Shard } from "./shard.ts";

export class ShardFeeder {
  readonly #source: PartSource;
  readonly #shard: Shard;
  readonly #isLate: (column: number) => boolean;
  readonly #dictionary: Dictionary;
  readonly #chunk: Chunk;
  readonly #late: (LateTexts | null)[];
  readonly #rows = new Int32Array(CHUNK_ROWS);
  readonly #hashes = new Int32Array(CHUNK_ROWS);

  constructor(source: PartSource, shard: Shard, isLate: (column: number) => boolean, dictionary: Dictionary) {
    this.#source = source;
    this.#shard = shard;
    this.#isLate = isLate;
    this.#dictionary = dictionary;
    this.#late = source.schema.fields.map(() => null);
    this.#chunk = { ...createChunk(source.schema.fields), late: this.#late };
  }

  /** Those of the rows `from`..`to`, at most CHUNK_ROWS, that are the shard's. The arrays are used again by the next call. */
  fill(batch: Batch, from: number, to: number): Chunk {
    const { keys } = this.#source;
    const rows = this.#rows;
    this.#chunk.length =
      keys === null
        ? allRows(from, to, rows)
        : rowsOfShard(batch, keys, this.#shard, from, to, rows, this.#hashes);
    return this.#filled(batch);
  }

  /** Those at `from`..`to` of a list of rows. */
  pick(batch: Batch, list: Int32Array, from: number, to: number): Chunk {
    this.#chunk.length = to - from;
    this.#rows.set(list.subarray(from, to));
    return this.#filled(batch);
  }

  #filled(batch: Batch): Chunk {
    const { reads } = this.#source;
    const chunk = this.#chunk;
    const rows = this.#rows;
    for (const c of reads) {
      const column = batch.columns[c]!;
      const isLate = column.kind === "utf8" && this.#isLate(c);
      this.#late[c] = isLate ? new LateRows(column, rows, this.#dictionary) : null;
    }
    fillRows(chunk, batch, rows, this.#dictionary, reads);
    const { weights } = batch;
    if (weights === null) chunk.weights.fill(1, 0, chunk.length);
    else for (let i = 0; i < chunk.length; i++) chunk.weights[i] = weights[rows[i] as number] as number;
    return chunk;
  }
}

function allRows(from: number, to: number, rows: Int32Array): number {
  for (let i = 0; i < to - from; i++) rows[i] = from + i;
  return to - from;
}

const places = new Int32Array(CHUNK_ROWS);

class LateRows implements LateTexts {
  readonly #column: Utf8Column;
  readonly #rows: Int32Array;
  readonly #dictionary: Dictionary;

  constructor(column: Utf8Column, rows: Int32Array, dictionary: Dictionary) {
    this.#column = column;
    this.#rows = rows;
    this.#dictionary = dictionary;
  }

  intern(rows: Int32Array, count: number, ids: Int32Array): void {
    for (let i = 0; i < count; i++) places[i] = this.#rows[rows[i] as number] as number;
    this.#dictionary.internRows(ids, this.#column, places, count, 0);
  }
}
