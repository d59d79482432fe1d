/**
 * A chunk that an operator fills and emits, whose arrays it has only meanwhile.
 *
 * A chunk of ten columns takes 400 kB, and hundreds of views have thousands of operators, nearly all of which have nothing to say in a step.
 * The arrays of those that have something are taken from a common stock and put back when the consumers have returned; so there
 * are as many as the longest way from an operator that works to the store where its rows end.
 *
 *   const out = this.#out.take(); ... fill it ...; this.emit(out); this.#out.giveBack();
 *
 * What the arrays hold is left from others. Where an operator throws in between, its arrays are not put back, and the collector has them.
 */
import { physicalOf } from "../batch/types.ts";
import { CHUNK_ROWS, type Chunk, type ChunkColumnSpec, createChunk, type Values } from "./chunk.ts";

/** Of each kind; more than that many at a time were a burst. */
const STOCK_MAX = 256;

const doubles: Float64Array[] = [];
const integers: Int32Array[] = [];
const bytes: Uint8Array[] = [];

export class LentChunk {
  readonly #chunk: Mutable;
  readonly #isDouble: readonly boolean[];
  readonly #isNullable: readonly boolean[];
  #taken = false;

  constructor(columns: readonly ChunkColumnSpec[]) {
    this.#chunk = createChunk(columns, 0) as Mutable;
    this.#isDouble = columns.map((c) => physicalOf(c.type) === "f64");
    this.#isNullable = columns.map((c) => c.nullable);
  }

  /** The chunk with its arrays. */
  take(): Chunk {
    const chunk = this.#chunk;
    if (this.#taken) return chunk;
    this.#taken = true;
    const { columns, nulls } = chunk;
    for (let i = 0; i < columns.length; i++) {
      columns[i] = this.#isDouble[i]
        ? (doubles.pop() ?? new Float64Array(CHUNK_ROWS))
        : (integers.pop() ?? new Int32Array(CHUNK_ROWS));
      if (this.#isNullable[i]) nulls[i] = bytes.pop() ?? new Uint8Array(CHUNK_ROWS);
    }
    chunk.weights = integers.pop() ?? new Int32Array(CHUNK_ROWS);
    chunk.commits = integers.pop() ?? new Int32Array(CHUNK_ROWS);
    return chunk;
  }

  /** Puts the arrays back; nobody looks at the chunk any more. */
  giveBack(): void {
    const chunk = this.#chunk;
    if (!this.#taken) return;
    this.#taken = false;
    chunk.length = 0;
    const { columns, nulls } = chunk;
    for (let i = 0; i < columns.length; i++) {
      if (this.#isDouble[i]) put(doubles, columns[i] as Float64Array);
      else put(integers, columns[i] as Int32Array);
      columns[i] = noValues;
      if (!this.#isNullable[i]) continue;
      put(bytes, nulls[i] as Uint8Array);
      nulls[i] = noBytes;
    }
    put(integers, chunk.weights);
    put(integers, chunk.commits);
    chunk.weights = noValues;
    chunk.commits = noValues;
  }
}

interface Mutable extends Chunk {
  readonly columns: Values[];
  readonly nulls: (Uint8Array | null)[];
  weights: Int32Array;
  commits: Int32Array;
}

const noValues = new Int32Array(0);
const noBytes = new Uint8Array(0);

function put<T>(stock: T[], array: T): void {
  if (stock.length < STOCK_MAX) stock.push(array);
}
