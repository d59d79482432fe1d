/**
 * Rows on disk that links lead to, as they lie in runs at one moment, some at a time: for who meets so many of them at once that they are not to come
 * back, and has met those that are in memory.
 *
 * What is where at that moment is noted: of each extent, which rows are here. Meanwhile rows come back, and are told from where they were: the slots
 * in which they are now are marked (`back`), for who is not yet at the end of those in memory. REQUIRES that no row goes out before he is.
 *
 * Links may lead to a row twice, or to a row of another key with the same hash: a row is told once, and who takes it compares keys.
 */
import { firstAbove } from "../../base/search.ts";
import { Marks } from "../marks.ts";
import type { BlockReads, Wanted } from "./block-reads.ts";
import type { Extent } from "./extent.ts";
import { mixed } from "./filter.ts";
import { filesOf, inOrder } from "./links.ts";
import type { RowBytes } from "./row-bytes.ts";
import { type Block, firstOf, hashAt, type Run, rowStart } from "./run.ts";

/** Hashes looked for at once: each is asked of every run. */
const HASHES_AT_ONCE = 2_048;

/** Takes the row at a word of what has been read, and the hash by which it lies in its run. */
export type TakeRow = (from: RowBytes, at: number, hash: number) => void;

interface Part {
  readonly extents: readonly Extent[];
  /** Of each its first hash. */
  readonly firsts: Uint32Array;
}

export class LinkedScan {
  /** Slots of rows that have come back since. */
  readonly back: Marks = new Marks();
  readonly #hashes: Uint32Array;
  readonly #closed: () => void;
  readonly #reads: BlockReads;
  readonly #parts: readonly Part[];
  /** By extent: which of its rows are yet to be told from there. */
  readonly #here = new Map<Extent, Int32Array>();
  #next = 0;
  #isClosed = false;

  /** `hashes`: those by which rows lie in runs. */
  constructor(runs: readonly Run[], hashes: Uint32Array, reads: BlockReads, closed: () => void) {
    this.#hashes = hashes;
    this.#reads = reads;
    this.#closed = closed;
    this.#parts = runs.map((run) => {
      const extents = run.extents.filter((extent) => extent.live > 0);
      return { extents, firsts: Uint32Array.from(extents, (extent) => extent.firstHash) };
    });
    for (const { extents } of this.#parts) {
      for (const extent of extents) {
        extent.file.hold();
        this.#here.set(extent, extent.here.slice());
      }
    }
  }

  /** In memory. */
  get bytes(): number {
    let bytes = this.#hashes.buffer.byteLength;
    for (const here of this.#here.values()) bytes += here.byteLength;
    return bytes;
  }

  /** A row has gone out. It was told from where it was, or was in memory at the moment. */
  left(slot: number): void {
    this.back.unmark(slot);
  }

  /**
   * Reads some more of the rows, those of `most` hashes, if there are any, and gives them to `take`; null: there are no more hashes. @throws
   * EvertError log_damaged, io_error
   */
  read(take: TakeRow, most: number = HASHES_AT_ONCE): Promise<void> | null {
    if (this.#isClosed || this.#next >= this.#hashes.length) return null;
    const from = this.#next;
    this.#next = Math.min(this.#hashes.length, from + Math.min(most, HASHES_AT_ONCE));
    const wanted: Wanted[] = [];
    for (let i = from; i < this.#next; i++) this.#lookFor(this.#hashes[i] as number, wanted);
    return this.#read(inOrder(wanted), take);
  }

  async #read(wanted: readonly Wanted[], take: TakeRow): Promise<void> {
    const files = filesOf(wanted);
    for (const file of files) file.hold();
    try {
      await this.#reads.read(wanted, (all, from, to, block) => {
        if (this.#isClosed) return;
        for (let w = from; w < to; w++) this.#tell(all[w] as Wanted, block, take);
      });
    } finally {
      for (const file of files) file.release();
    }
  }

  #lookFor(hash: number, wanted: Wanted[]): void {
    const filtered = mixed(hash | 0);
    for (const { extents, firsts } of this.#parts) {
      const behind = firstAbove(firsts, hash);
      if (behind === 0) continue;
      const extent = extents[behind - 1] as Extent;
      if (extent.hasEntered(filtered)) wanted.push({ extent, block: extent.blockOf(hash), hash });
    }
  }

  #tell({ extent, hash }: Wanted, block: Block, take: TakeRow): void {
    const here = this.#here.get(extent) as Int32Array;
    for (let i = firstOf(block, hash); i < block.rows && hashAt(block, i) === hash; i++) {
      const row = block.firstRow + i;
      const bit = 1 << (row & 31);
      if (((here[row >>> 5] as number) & bit) === 0) continue;
      here[row >>> 5] = (here[row >>> 5] as number) & ~bit;
      take(block.from, rowStart(block, i), hash);
    }
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#closed();
    for (const extent of this.#here.keys()) extent.file.release();
    this.#here.clear();
  }
}
