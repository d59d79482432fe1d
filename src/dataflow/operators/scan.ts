/** All rows of a store that are visible at an epoch, chunk by chunk. */
import { LIVE } from "../../state/store.ts";
import { CHUNK_ROWS, type Chunk, createChunk } from "../chunk.ts";
import type { StoredNode } from "./stored.ts";

const SCANNED_MAX = 65_536;

export class Scan {
  readonly #node: StoredNode;
  readonly #columns: readonly number[];
  readonly #epoch: number;
  readonly #whole: Chunk;
  #at = 0;

  /** `columns` of the store, in the order in which they are wanted. */
  constructor(node: StoredNode, columns: readonly number[], epoch: number) {
    this.#node = node;
    this.#columns = columns;
    this.#epoch = epoch;
    this.#whole = createChunk(node.store.layout.columns);
  }

  /** The next rows, maybe none; null at the end. The arrays are used again by the next call. */
  next(): Chunk | null {
    const { store, weighted } = this.#node;
    const whole = this.#whole;
    const { birthWord, strideWords } = store.layout;
    const end = Math.min(store.highWater, this.#at + SCANNED_MAX);
    if (this.#at >= end) return null;
    let o = 0;
    for (; this.#at < end && o < CHUNK_ROWS; this.#at++) {
      const slot = this.#at;
      if (store.I[slot * strideWords + birthWord] === LIVE || !store.visible(slot, this.#epoch)) continue;
      store.read(slot, whole.columns, whole.nulls, o);
      whole.weights[o++] = weighted ? store.weight(slot) : 1;
    }
    return {
      length: o,
      columns: this.#columns.map((c) => whole.columns[c]!),
      nulls: this.#columns.map((c) => whole.nulls[c]!),
      weights: whole.weights,
      commits: whole.commits,
      late: null,
    };
  }
}
