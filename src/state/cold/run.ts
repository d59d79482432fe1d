/** A run: extents of one file, in ascending order of their hashes. */
import { readFully } from "../../base/disk.ts";
import { firstAbove } from "../../base/search.ts";
import { checked, damaged, Extent, type ExtentPlace, HEAD_WORDS } from "./extent.ts";
import { ensureWords, type RowBytes } from "./row-bytes.ts";
import type { RunFile } from "./run-files.ts";

export class Run {
  readonly file: RunFile;
  /** Ascending; those without rows leave. */
  extents: readonly Extent[] = [];
  /** Of each its first hash. */
  #firsts: Uint32Array = new Uint32Array(0);
  /** Whether its rows are being put into another. */
  isMerging = false;
  /** Whether rows are going to it, piece by piece: it stays, and its rows where they are, until all are there. */
  isFilling = false;
  /** Rows written. */
  rows = 0;

  constructor(file: RunFile) {
    this.file = file;
  }

  add(extent: Extent): void {
    this.#set([...this.extents, extent]);
    this.rows += extent.rows;
  }

  /** Those without rows leave. */
  drop(): void {
    if (this.extents.some((extent) => extent.live === 0)) this.#set(this.extents.filter((x) => x.live > 0));
  }

  /** Those before this one leave; null: all. */
  dropBefore(extent: Extent | null): void {
    const at = extent === null ? this.extents.length : this.extents.indexOf(extent);
    if (at > 0) this.#set(this.extents.slice(at));
  }

  #set(extents: readonly Extent[]): void {
    this.extents = extents;
    this.#firsts = Uint32Array.from(extents, (extent) => extent.firstHash);
  }

  /** Rows that are here. */
  get live(): number {
    let live = 0;
    for (const extent of this.extents) live += extent.live;
    return live;
  }

  get bytes(): number {
    let bytes = 0;
    for (const extent of this.extents) bytes += extent.bytes;
    return bytes;
  }

  /** On disk. */
  get diskBytes(): number {
    let bytes = 0;
    for (const { place } of this.extents) bytes += place.indexAt + place.indexBytes - place.start;
    return bytes;
  }

  /** The extent in which rows of the (unsigned) hash would be; null: none. */
  extentOf(hash: number): Extent | null {
    const behind = firstAbove(this.#firsts, hash);
    return behind === 0 ? null : (this.extents[behind - 1] as Extent);
  }
}

/** A block in memory: from word `at` of `from` on, `rows` of them, the first of which is row `firstRow` of its extent. */
export interface Block {
  readonly from: RowBytes;
  readonly at: number;
  readonly rows: number;
  readonly firstRow: number;
}

/** First word of row i of the block, and the word behind it. */
export function rowStart({ from, at, rows }: Block, i: number): number {
  if (i === 0) return at + HEAD_WORDS + 2 * rows;
  return at + (from.words[at + HEAD_WORDS + rows + i - 1] as number);
}

export function rowEnd({ from, at, rows }: Block, i: number): number {
  return at + (from.words[at + HEAD_WORDS + rows + i] as number);
}

/** Unsigned. */
export function hashAt({ from, at }: Block, i: number): number {
  return (from.words[at + HEAD_WORDS + i] as number) >>> 0;
}

/** The first row of the block whose hash is not below; `rows` where all are. */
export function firstOf(block: Block, hash: number): number {
  let low = 0;
  let high = block.rows;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (hashAt(block, middle) < hash) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Words of blocks from..to-1 of an extent. */
export function blocksWords(extent: Extent, from: number, to: number): number {
  return (extent.blockEnd(to - 1) - extent.blockAt(from)) >>> 2;
}

/** Reads blocks from..to-1 of an extent into memory, which is replaced if it is too small; how many words they are. @throws EvertError log_damaged */
export async function readBlocks(extent: Extent, from: number, to: number, into: RowBytes): Promise<number> {
  const words = blocksWords(extent, from, to);
  ensureWords(into, words);
  await readExactly(extent.file, into.bytes.subarray(0, words * 4), extent.blockAt(from));
  return words;
}

/** The block at a word of what was read; `length`: words that were read from there on. @throws EvertError log_damaged */
export function blockIn(
  extent: Extent,
  from: RowBytes,
  at: number,
  length: number,
): Block & { readonly end: number } {
  const { words } = from;
  const rows = words[at + 1] as number;
  const own = words[at + 3] as number;
  if (own < HEAD_WORDS || own > length || rows < 1 || HEAD_WORDS + 2 * rows > own)
    throw damaged(extent.file, "a block is not where it should be");
  checked(extent.file, words, at, own);
  return { from, at, rows, firstRow: words[at + 2] as number, end: at + own };
}

/** An extent that a checkpoint names. @throws EvertError log_damaged */
export async function openExtent(file: RunFile, place: ExtentPlace, id: number): Promise<Extent> {
  const index = new Int32Array(place.indexBytes >>> 2);
  await readExactly(file, new Uint8Array(index.buffer), place.indexAt);
  const [, , blocks = 0, filter = 0] = index;
  if (HEAD_WORDS + 2 * blocks + filter + 1 !== index.length)
    throw damaged(file, "an index is not where it should be");
  checked(file, index, 0, index.length);
  if (index[0] !== place.crc) throw damaged(file, "it is not the file that the checkpoint names");
  return new Extent(file, place, id, index);
}

async function readExactly(file: RunFile, target: Uint8Array, at: number): Promise<void> {
  const got = await readFully(file.file, target, at);
  if (got < target.length) throw damaged(file, `it ends ${target.length - got} bytes too early`);
}
