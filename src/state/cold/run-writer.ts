/**
 * Writes extents (extent.ts) into a file, one behind the other: rows come in ascending order of their hashes.
 *
 * Blocks are made in one buffer, which is written out when it is full: whoever puts rows asks isFull, and then waits for flush().
 */
import { crc32 } from "node:zlib";
import { writeFully } from "../../base/disk.ts";
import { Int32List } from "../memory.ts";
import { EXTENT_ROWS, Extent, HEAD_WORDS } from "./extent.ts";
import { addToFilter, filterWords } from "./filter.ts";
import { growBytes, type RowBytes, replaceBytes, rowBytes } from "./row-bytes.ts";
import type { RunFile } from "./run-files.ts";

const BLOCK_WORDS = 512;
const BUFFER_WORDS = 1 << 18;
/** What the buffer begins with, and grows from: most runs are small. */
const FIRST_WORDS = 1 << 12;

export class RunWriter {
  readonly file: RunFile;
  /** Rows are put here; replaced by room(). */
  readonly out: RowBytes = rowBytes(FIRST_WORDS);
  /** Words of whole blocks in `out`. */
  #length = 0;
  /** The block at hand: its rows lie in #rows until it ends. */
  readonly #rows: RowBytes = rowBytes(2 * BLOCK_WORDS);
  #rowWords = 0;
  readonly #hashes = new Int32List();
  readonly #rowEnds = new Int32List();
  // The extent at hand.
  #start: number;
  /** Words of its blocks. */
  #words = 0;
  /** Of their checksums. */
  #sum = 0;
  readonly #all = new Int32List();
  readonly #firsts = new Int32List();
  readonly #ends = new Int32List();
  #last = -1;

  readonly #isSmall: boolean;

  /** `isSmall`: the run will have a small part of all rows there are. */
  constructor(file: RunFile, isSmall: boolean) {
    this.file = file;
    this.#isSmall = isSmall;
    this.#start = file.bytes;
  }

  /** Rows of the extent at hand. */
  get rows(): number {
    return this.#all.length;
  }

  /** Whether the extent is as large as it should become, and a row of this (unsigned) hash may begin another. */
  endsBefore(hash: number): boolean {
    return this.#all.length >= EXTENT_ROWS && hash !== this.#last;
  }

  get isFull(): boolean {
    return this.#length >= BUFFER_WORDS;
  }

  /** Room for a row of so many words; where it is to be put in `target`. Then comes put(). */
  room(words: number): { readonly target: RowBytes; readonly at: number } {
    growBytes(this.#rows, this.#rowWords, words);
    return { target: this.#rows, at: this.#rowWords };
  }

  /** The row that was put into the room given last. REQUIRES a hash that is not below the one before. */
  put(hash: number, words: number): void {
    // A block is ended late rather than in the middle of rows of one hash.
    if (this.#rowWords + 2 * this.#hashes.length >= BLOCK_WORDS && hash !== this.#last) this.#endBlock(words);
    this.#rowWords += words;
    this.#hashes.push(hash | 0);
    this.#rowEnds.push(this.#rowWords);
    this.#all.push(hash | 0);
    this.#last = hash;
  }

  /** `next`: words of a row that has been put behind those of the block. */
  #endBlock(next: number): void {
    const rows = this.#hashes.length;
    if (rows === 0) return;
    const head = HEAD_WORDS + 2 * rows;
    const length = head + this.#rowWords;
    const { out } = this;
    growBytes(out, this.#length, length);
    const at = this.#length;
    const { words } = out;
    words[at + 1] = rows;
    words[at + 2] = this.#all.length - rows;
    words[at + 3] = length;
    words.set(this.#hashes.array.subarray(0, rows), at + HEAD_WORDS);
    for (let i = 0; i < rows; i++)
      words[at + HEAD_WORDS + rows + i] = head + (this.#rowEnds.array[i] as number);
    words.set(this.#rows.words.subarray(0, this.#rowWords), at + head);
    words[at] = crc32(out.bytes.subarray((at + 1) * 4, (at + length) * 4)) | 0;
    this.#sum = crc32(out.bytes.subarray(at * 4, at * 4 + 4), this.#sum);
    this.#firsts.push(this.#hashes.array[0] as number);
    this.#words += length;
    this.#ends.push(this.#words);
    this.#length += length;
    this.#rows.words.copyWithin(0, this.#rowWords, this.#rowWords + next);
    this.#rowWords = 0;
    this.#hashes.clear();
    this.#rowEnds.clear();
  }

  /** Writes out the blocks made. */
  async flush(): Promise<void> {
    if (this.#length === 0) return;
    const bytes = this.out.bytes.subarray(0, this.#length * 4);
    await writeFully(this.file.file, bytes, this.file.bytes);
    this.file.wrote(bytes.length);
    this.#length = 0;
    if (this.out.words.length > 4 * BUFFER_WORDS) replaceBytes(this.out, BUFFER_WORDS + (BUFFER_WORDS >> 2));
  }

  /** Ends the extent at hand, which has rows, and writes all of it; none of its rows are here yet. */
  async endExtent(id: number): Promise<Extent> {
    this.#endBlock(0);
    const rows = this.#all.length;
    const blocks = this.#firsts.length;
    // Rows of one hash are one in the filter.
    const hashes = this.#all.array;
    let distinct = 1;
    for (let i = 1; i < rows; i++) if (hashes[i] !== hashes[i - 1]) distinct++;
    const filter = filterWords(distinct, this.#isSmall);
    const length = HEAD_WORDS + 2 * blocks + filter + 1;
    const index = new Int32Array(length);
    index[1] = rows;
    index[2] = blocks;
    index[3] = filter;
    index.set(this.#firsts.array.subarray(0, blocks), HEAD_WORDS);
    index.set(this.#ends.array.subarray(0, blocks), HEAD_WORDS + blocks);
    const bits = index.subarray(HEAD_WORDS + 2 * blocks, length - 1);
    for (let i = 0; i < rows; i++)
      if (i === 0 || hashes[i] !== hashes[i - 1]) addToFilter(bits, hashes[i] as number);
    index[length - 1] = this.#sum | 0;
    const bytes = new Uint8Array(index.buffer);
    index[0] = crc32(bytes.subarray(4)) | 0;
    await this.flush();
    const place = {
      start: this.#start,
      indexAt: this.file.bytes,
      indexBytes: bytes.length,
      crc: index[0] as number,
    };
    await writeFully(this.file.file, bytes, this.file.bytes);
    this.file.wrote(bytes.length);
    this.#start = this.file.bytes;
    this.#words = 0;
    this.#sum = 0;
    this.#last = -1;
    for (const list of [this.#all, this.#firsts, this.#ends]) list.clear();
    return new Extent(this.file, place, id, index);
  }
}
