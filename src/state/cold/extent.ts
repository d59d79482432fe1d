/**
 * What is kept in memory of a stretch of a run, an *extent*: up to some 65,536 rows in ascending order of their hashes (unsigned), in blocks.
 *
 * On disk, in little-endian words of 32 bits:
 *
 *   extent := block... index
 *   block  := crc32 rows firstRow length, hash[rows], end[rows], row...       some 2 KiB; `length` and `end` in words from the block's begin
 *   index  := crc32 rows blocks filterWords, firstHash[blocks], end[blocks], filter[filterWords], sum      `end` in words from the extent's begin
 *   row    := what row-codec.ts makes of it
 *
 * The checksum is of everything behind it; `sum` is the checksum of those of the blocks, so that of the index is that of all of the extent.
 * Rows of one hash stand in one block, so a hash is looked for in one: the last whose first hash is not above it. Of a row that cost 40
 * bytes and an entry of an index of 22, there stay in memory 10 bits of the filter, a bit that says whether it is still here, and its
 * share of the 8 bytes of a block: 1.6 bytes.
 */
import { crc32 } from "node:zlib";
import { EvertError } from "../../base/errors.ts";
import { firstAbove } from "../../base/search.ts";
import { filterMayHave } from "./filter.ts";
import type { RunFile } from "./run-files.ts";

/** Words before the hashes of a block, and before the first hashes of an index. */
export const HEAD_WORDS = 4;
export const EXTENT_ROWS = 65_536;

/** Where an extent lies in its file, in bytes. */
export interface ExtentPlace {
  readonly start: number;
  /** Where its index begins, and how long that is. */
  readonly indexAt: number;
  readonly indexBytes: number;
  /** The checksum it has: another file of that name has another. */
  readonly crc: number;
}

export class Extent {
  readonly file: RunFile;
  readonly place: ExtentPlace;
  /** The same over restarts, of one store. */
  readonly id: number;
  readonly rows: number;
  /** Words of the index. */
  readonly #index: Int32Array;
  readonly #firsts: Uint32Array;
  readonly #ends: Uint32Array;
  readonly #filter: Int32Array;
  /** A bit for each row: it is here, and nowhere else. */
  readonly here: Int32Array;
  /** Rows that are here. */
  live = 0;
  /** Whether `here` has changed since a checkpoint took it. */
  changed = true;

  /** `index`: the words of the index as they stand in the file. */
  constructor(file: RunFile, place: ExtentPlace, id: number, index: Int32Array) {
    this.file = file;
    this.place = place;
    this.id = id;
    this.#index = index;
    this.rows = index[1] as number;
    const blocks = index[2] as number;
    const words = (at: number) => new Uint32Array(index.buffer, index.byteOffset + at * 4, blocks);
    this.#firsts = words(HEAD_WORDS);
    this.#ends = words(HEAD_WORDS + blocks);
    this.#filter = index.subarray(HEAD_WORDS + 2 * blocks, index.length - 1);
    this.here = new Int32Array((this.rows + 31) >>> 5);
  }

  get blocks(): number {
    return this.#firsts.length;
  }

  get firstHash(): number {
    return this.#firsts[0] as number;
  }

  /** In memory. */
  get bytes(): number {
    return this.#index.byteLength + this.here.byteLength;
  }

  /** The block in which rows of the (unsigned) hash are, if there are any; -1: there are none. `mixed`: what filter.ts makes of the hash. */
  find(hash: number, mixed: number): number {
    return this.mayHave(mixed) ? this.blockOf(hash) : -1;
  }

  /** `isFilling`: rows may be about to come, also where there are none. */
  mayHave(mixed: number, isFilling = false): boolean {
    return (this.live > 0 || isFilling) && this.hasEntered(mixed);
  }

  /** Whether it may have, or have had, rows of the hash. */
  hasEntered(mixed: number): boolean {
    return filterMayHave(this.#filter, mixed);
  }

  /** The block in which it would be. */
  blockOf(hash: number): number {
    return firstAbove(this.#firsts, hash) - 1;
  }

  /** Where a block lies in the file, in bytes. */
  blockAt(block: number): number {
    return this.place.start + (block === 0 ? 0 : (this.#ends[block - 1] as number) * 4);
  }

  blockEnd(block: number): number {
    return this.place.start + (this.#ends[block] as number) * 4;
  }

  isHere(row: number): boolean {
    return (((this.here[row >>> 5] as number) >>> (row & 31)) & 1) === 1;
  }

  /** All of its rows are here. */
  allCame(): void {
    for (let row = 0; row < this.rows; row++) this.came(row);
  }

  came(row: number): void {
    this.here[row >>> 5] = (this.here[row >>> 5] as number) | (1 << (row & 31));
    this.live++;
    this.changed = true;
  }

  went(row: number): void {
    this.here[row >>> 5] = (this.here[row >>> 5] as number) & ~(1 << (row & 31));
    this.live--;
    this.changed = true;
  }

  /** Puts in place what a checkpoint says. */
  restoreHere(bits: Int32Array): void {
    if (bits.length !== this.here.length) throw damaged(this.file, "a checkpoint has other bits of its rows");
    this.here.set(bits);
    this.live = 0;
    for (const word of bits) this.live += bitCount(word);
    this.changed = false;
  }
}

/** The words from `at` on of a block or an index, checked. @throws EvertError log_damaged */
export function checked(file: RunFile, words: Int32Array, at: number, length: number): void {
  const bytes = new Uint8Array(words.buffer, words.byteOffset + (at + 1) * 4, (length - 1) * 4);
  if ((crc32(bytes) | 0) !== words[at]) throw damaged(file, "the checksum of a block does not match");
}

export function damaged(file: RunFile, detail: string): EvertError {
  const error = new EvertError("log_damaged", "a file of rows that are not in memory is damaged", {
    detail: `${file.path}: ${detail}`,
    hint: "It is only a copy: start again, the log rebuilds everything.",
  });
  file.withdraw(error);
  return error;
}

function bitCount(word: number): number {
  let w = word - ((word >>> 1) & 0x55555555);
  w = (w & 0x33333333) + ((w >>> 2) & 0x33333333);
  return Math.imul((w + (w >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
