/**
 * Chunks kept over a return to the event loop: copied, with references counted, so that no text they name is freed meanwhile.
 */

import { physicalOf } from "../../batch/types.ts";
import type { Dictionary } from "../../state/dictionary.ts";
import { WIDE } from "../../state/dictionary.ts";
import { mayBeWide } from "../../state/layout.ts";
import { type Chunk, createChunk } from "../chunk.ts";
import type { TypedColumn } from "../js-rows.ts";

export class PendingChunks {
  readonly #columns: readonly TypedColumn[];
  readonly #dictionary: Dictionary;
  readonly #chunks: Chunk[] = [];

  constructor(columns: readonly TypedColumn[], dictionary: Dictionary) {
    this.#columns = columns;
    this.#dictionary = dictionary;
  }

  get chunks(): readonly Chunk[] {
    return this.#chunks;
  }

  get first(): Chunk | undefined {
    return this.#chunks[0];
  }

  add(chunk: Chunk, from = 0, to: number = chunk.length): void {
    const n = to - from;
    const copy = createChunk(this.#columns, n);
    copy.length = n;
    this.#columns.forEach((_, i) => {
      copy.columns[i]!.set(chunk.columns[i]!.subarray(from, to) as never);
      if (chunk.nulls[i]) copy.nulls[i]!.set(chunk.nulls[i]!.subarray(from, to));
    });
    copy.weights.set(chunk.weights.subarray(from, to));
    copy.commits.set(chunk.commits.subarray(from, to));
    this.#count(copy, true);
    this.#chunks.push(copy);
  }

  dropFirst(): void {
    this.#count(this.#chunks.shift()!, false);
  }

  clear(): void {
    for (const chunk of this.#chunks) this.#count(chunk, false);
    this.#chunks.length = 0;
  }

  #count(chunk: Chunk, retain: boolean): void {
    const dictionary = this.#dictionary;
    this.#columns.forEach(({ type }, i) => {
      const values = chunk.columns[i]!;
      if (physicalOf(type) === "ref") {
        for (let r = 0; r < chunk.length; r++) {
          if (retain) dictionary.retain(values[r] as number);
          else dictionary.release(values[r] as number);
        }
      } else if (mayBeWide(type)) {
        for (let r = 0; r < chunk.length; r++) {
          const value = values[r] as number;
          if (value < WIDE) continue;
          if (retain) dictionary.retainWide(value);
          else dictionary.releaseWide(value);
        }
      }
    });
  }
}

/** Such chunks that are worked off row by row, and how far the first of them is. */
export class PendingRows {
  readonly #chunks: PendingChunks;
  #row = 0;

  constructor(columns: readonly TypedColumn[], dictionary: Dictionary) {
    this.#chunks = new PendingChunks(columns, dictionary);
  }

  get chunk(): Chunk | undefined {
    return this.#chunks.first;
  }

  /** The row of that chunk to go on with. */
  get row(): number {
    return this.#row;
  }

  add(chunk: Chunk): void {
    this.#chunks.add(chunk);
  }

  /** Those before `row` are done. False: these were all. */
  goOn(row: number): boolean {
    this.#row = row;
    if (row === this.#chunks.first!.length) {
      this.#chunks.dropFirst();
      this.#row = 0;
    }
    return this.#chunks.first !== undefined;
  }

  clear(): void {
    this.#chunks.clear();
    this.#row = 0;
  }
}
