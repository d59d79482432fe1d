/**
 * The key index of a large table made beside it, in a thread of its own, when a database starts: from the same blocks of the same checkpoint, while
 * the first thread puts the rows in their places.
 *
 * 1. Of each row that comes the hash of its key is noted, by slot; what a later part of the checkpoint says of the slot takes its place.
 * 2. When all rows have come, hashes are entered as index-filling.ts does it, into lines of a shared memory.
 * 3. The lines are handed to the first thread. Nobody else touches them from then on.
 *
 * No row is kept, and no text is needed: what a key is hashed by are numbers and ids. (REQUIRES a key whose equal values have one form: see
 * equality.ts.)
 */
import { EvertError } from "../base/errors.ts";
import { BucketLines, type HandedLines } from "./bucket-lines.ts";
import type { RowTarget } from "./checkpoint.ts";
import { Dictionary } from "./dictionary.ts";
import { createHashIndex, type HashIndex } from "./hash-index.ts";
import { IndexFilling, type PieceOfSlots } from "./index-filling.ts";
import { createLayout, type LayoutColumn, type RowLayout } from "./layout.ts";
import { PIECE_SLOTS } from "./restore-code.ts";

/** What another thread has to know. */
export interface KeyLinesSpec {
  readonly name: string;
  readonly columns: readonly LayoutColumn[];
  readonly slots: number;
  /** Columns of a unique index that holds all rows. */
  readonly key: readonly number[];
}

export class KeyLines implements RowTarget {
  readonly name: string;
  readonly layout: RowLayout;
  readonly #slots: number;
  /** Rows of one block. */
  readonly #page: Page;
  readonly #index: HashIndex;
  /** Of keys, by slot. */
  readonly #hashes: Int32Array;
  /** By slot: 1 where there is a row. */
  readonly #rows: Uint8Array;
  #ordinals = new Int32Array(0);

  constructor({ name, columns, slots, key }: KeyLinesSpec) {
    this.name = name;
    this.layout = createLayout(columns);
    this.#slots = slots;
    this.#page = new Page(name, this.layout);
    this.#index = createHashIndex(this.#page, { columns: key, unique: true });
    this.#hashes = new Int32Array(slots);
    this.#rows = new Uint8Array(slots);
  }

  restoreRows(slots: Int32Array, words: Int32Array, at: number): void {
    const n = slots.length;
    while (this.#ordinals.length < n) this.#ordinals = Int32Array.from({ length: n }, (_, i) => i);
    this.#page.show(words.subarray(at, at + n * this.layout.strideWords));
    for (let i = 0; i < n; i++) {
      if ((slots[i] as number) >>> 0 >= this.#slots)
        throw new EvertError(
          "log_damaged",
          `a checkpoint names slot ${slots[i]} of ${this.name}, which it does not have`,
        );
      this.#rows[slots[i] as number] = 1;
    }
    const hashes = this.#index.hashAll(this.#ordinals, n);
    for (let i = 0; i < n; i++) this.#hashes[slots[i] as number] = hashes[i] as number;
  }

  restoreAbsent(slot: number): void {
    this.#rows[slot] = 0;
  }

  /** After the last block. */
  lines(): HandedLines {
    const { lines, hand } = BucketLines.toHand();
    lines.presize(this.#slots);
    const hashes = this.#hashes;
    const found = new Int32Array(PIECE_SLOTS);
    const filling = new IndexFilling(lines, (slots, n) => {
      for (let i = 0; i < n; i++) found[i] = hashes[slots[i] as number] as number;
      return found;
    });
    for (const piece of this.#pieces()) filling.count(piece);
    for (const _ of filling.enter(this.#pieces()));
    return hand();
  }

  *#pieces(): Generator<PieceOfSlots> {
    const rows = this.#rows;
    const slots = new Int32Array(PIECE_SLOTS);
    for (let from = 0; from < rows.length; from += PIECE_SLOTS) {
      const end = Math.min(rows.length, from + PIECE_SLOTS);
      let count = 0;
      for (let slot = from; slot < end; slot++) if (rows[slot] === 1) slots[count++] = slot;
      yield { slots, count };
    }
  }
}

/** Rows one behind the other, as an index looks at them. */
class Page {
  readonly name: string;
  readonly layout: RowLayout;
  readonly dictionary = new Dictionary();
  I: Int32Array = new Int32Array(0);
  F: Float64Array = new Float64Array(0);
  readonly live = 0;

  constructor(name: string, layout: RowLayout) {
    this.name = name;
    this.layout = layout;
  }

  get highWater(): number {
    return this.I.length / this.layout.strideWords;
  }

  show(words: Int32Array): void {
    this.I = words.byteOffset % 8 === 0 ? words : words.slice();
    this.F = new Float64Array(this.I.buffer, this.I.byteOffset, this.I.length >> 1);
  }
}
