/**
 * All rows of a store as they are alive at one moment, while rows go out and come back.
 *
 * What is where at that moment is noted: of each extent, which rows are here. The reader goes through the slots first (`at` tells how far it has
 * come, isElsewhere() which of them to leave out), then read() and take() give the cold rows. Meanwhile
 *
 * - a row that comes back is told from where it was: its new slot is marked, and left out;
 * - a row that goes out before the reader has come to its slot is noted with the run that it went to, and told from there.
 *
 * So each row is told once, and a reader that pins the store's epoch holds up nobody.
 */
import { Marks } from "../marks.ts";
import type { Extent } from "./extent.ts";
import type { TakeRow } from "./linked-scan.ts";
import { type RowBytes, rowBytes } from "./row-bytes.ts";
import type { RowCodec } from "./row-codec.ts";
import { type Block, blockIn, hashAt, readBlocks, rowStart } from "./run.ts";

/** Some 128 KiB. */
const BLOCKS_AT_ONCE = 32;

export class ColdScan {
  /** The first slot that the reader has not looked at; Infinity: it has looked at all. */
  readonly #at: () => number;
  /** Slots of rows that have come back. */
  readonly back = new Marks();
  readonly #codec: RowCodec;
  readonly #closed: () => void;
  /** By extent: which of its rows are told from there. */
  readonly #parts = new Map<Extent, Int32Array>();
  readonly #order: Extent[] = [];
  #part = 0;
  #nextBlock = 0;
  readonly #buffer: RowBytes = rowBytes(1024);
  #word = 0;
  #words = 0;
  #block: (Block & { readonly end: number }) | null = null;
  #row = 0;
  #isClosed = false;

  constructor(codec: RowCodec, extents: readonly Extent[], at: () => number, closed: () => void) {
    this.#at = at;
    this.#codec = codec;
    this.#closed = closed;
    for (const extent of extents) this.#note(extent, extent.here.slice());
  }

  #note(extent: Extent, bits: Int32Array): Int32Array {
    extent.file.hold();
    this.#parts.set(extent, bits);
    this.#order.push(extent);
    return bits;
  }

  /** In memory. */
  get bytes(): number {
    let bytes = this.#buffer.bytes.byteLength;
    for (const bits of this.#parts.values()) bytes += bits.byteLength;
    return bytes;
  }

  /** Whether what is in the slot is told from a run. */
  isElsewhere(slot: number): boolean {
    return this.back.has(slot);
  }

  /** The row in the slot has gone to a row of an extent. */
  left(slot: number, extent: Extent, row: number): void {
    if (this.back.unmark(slot) || slot < this.#at()) return;
    const bits = this.#parts.get(extent) ?? this.#note(extent, new Int32Array(extent.here.length));
    bits[row >>> 5] = (bits[row >>> 5] as number) | (1 << (row & 31));
  }

  /** Rows that take() has to give now. */
  get hasRows(): boolean {
    return this.#block !== null || this.#word < this.#words;
  }

  /** Reads on, when take() has given all it had; null: there is nothing more. REQUIRES that all slots have been looked at. */
  read(): Promise<void> | null {
    while (this.#part < this.#order.length) {
      const extent = this.#order[this.#part] as Extent;
      if (this.#nextBlock < extent.blocks) return this.#read(extent);
      this.#parts.delete(extent);
      extent.file.release();
      this.#part++;
      this.#nextBlock = 0;
    }
    return null;
  }

  async #read(extent: Extent): Promise<void> {
    const from = this.#nextBlock;
    const to = Math.min(extent.blocks, from + BLOCKS_AT_ONCE);
    extent.file.hold();
    try {
      this.#words = await readBlocks(extent, from, to, this.#buffer);
    } finally {
      extent.file.release();
    }
    this.#nextBlock = to;
    this.#word = 0;
  }

  /** Puts up to `most` rows into slots 0.. of memory of the store's layout; how many. Their texts are counted by nobody. */
  take(into: { readonly I: Int32Array; readonly F: Float64Array }, most: number): number {
    let n = 0;
    return this.tell((from, at) => this.#codec.decode(from, at, into, n++), most);
  }

  /** Gives up to `most` rows to who takes them as they lie there; how many. */
  tell(take: TakeRow, most: number): number {
    const extent = this.#order[this.#part] as Extent;
    const bits = this.#parts.get(extent) as Int32Array;
    let n = 0;
    while (n < most && this.hasRows) {
      this.#block ??= blockIn(extent, this.#buffer, this.#word, this.#words - this.#word);
      const block = this.#block;
      for (; this.#row < block.rows && n < most; this.#row++) {
        const row = block.firstRow + this.#row;
        if ((((bits[row >>> 5] as number) >>> (row & 31)) & 1) === 0) continue;
        take(this.#buffer, rowStart(block, this.#row), hashAt(block, this.#row));
        n++;
      }
      if (this.#row < block.rows) break;
      this.#block = null;
      this.#row = 0;
      this.#word = block.end;
    }
    return n;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#closed();
    for (const extent of this.#parts.keys()) extent.file.release();
    this.#parts.clear();
  }
}
