/**
 * The bytes of a dictionary's values, in blocks of one memory, and at its beginning a window through which whole columns of texts come in.
 *
 *   [0, 256 KiB)   texts as they lie in a batch      then   where each begins and ends, their hashes, their ids, those not met lately
 *   then   values met lately      then   blocks
 *
 * What is done to every byte is text-loops.ts. Which values there are is the dictionary's affair.
 */
import { assert } from "../base/assert.ts";
import { EvertError } from "../base/errors.ts";
import { GrowingMemory, Int32List } from "./memory.ts";
import { RECENT, type TextLoops, textLoops } from "./text-loops.ts";

const WINDOW_BYTES = 256 * 1024;
/** Blocks up to here are of every size. */
const SMALL_UNITS = 32;
/** A call that copies costs as much as some forty bytes one by one. */
const COPIED_AT_ONCE = 40;
/** Rows that are no further apart than that, on average, lie close together. */
const CLOSE = 4;
/** As many as a chunk has. */
const WINDOW_ROWS = 4096;
// Reading eight bytes at a time may read seven behind the last text.
const TEXTS_AT = WINDOW_BYTES + 8;
const HASHES_AT = TEXTS_AT + WINDOW_ROWS * 8;
const IDS_AT = HASHES_AT + WINDOW_ROWS * 4;
const MISSED_AT = IDS_AT + WINDOW_ROWS * 4;
const RECENT_AT = MISSED_AT + WINDOW_ROWS * 4;
const RECENT_WORDS = 4;
const BLOCKS_AT = RECENT_AT + RECENT * RECENT_WORDS * 4;

/** Words of I: of each text in the window where it begins and where it ends, as addresses; of each its hash. */
export const TEXTS_WORD: number = TEXTS_AT / 4;
export const HASHES_WORD: number = HASHES_AT / 4;
/** After findRecent(): ids, -1 where the text was not met lately; and numbers of those texts. */
export const IDS_WORD: number = IDS_AT / 4;
export const MISSED_WORD: number = MISSED_AT / 4;

export class TextHeap {
  readonly #memory = new GrowingMemory(BLOCKS_AT);
  /** 1 if the bytes at two addresses are the same. */
  readonly equal: TextLoops["equal"];
  readonly #hashAll: TextLoops["hashAll"];
  readonly #copy: TextLoops["copy"];
  readonly #findRecent: TextLoops["findRecent"];
  /** By block size in units of 8 bytes: free blocks. Up to SMALL_UNITS, and beyond. */
  readonly #freeSmall: readonly Int32List[] = Array.from({ length: SMALL_UNITS + 1 }, () => new Int32List());
  readonly #freeLarge = new Map<number, Int32List>();
  #end = BLOCKS_AT / 8; // units of 8 bytes
  #usedUnits = 0;

  constructor() {
    const { memory } = this.#memory;
    assert(memory !== null, "an importable memory is one from the beginning");
    const loops = textLoops(memory);
    this.equal = loops.equal;
    this.#hashAll = loops.hashAll;
    this.#copy = loops.copy;
    this.#findRecent = loops.findRecent;
  }

  /** Replaced when it grows. */
  get U8(): Uint8Array {
    return this.#memory.U8;
  }

  /** The same, by words. */
  get I(): Int32Array {
    return this.#memory.I;
  }

  /** Bytes of blocks in use. */
  get bytes(): number {
    return this.#usedUnits * 8;
  }

  /** A block for so many bytes; its address in units of 8 bytes. Nothing of the window is lost. */
  allocate(length: number): number {
    const units = unitsFor(length);
    if (units === 0) return 0;
    this.#usedUnits += units;
    const blocks = units <= SMALL_UNITS ? this.#freeSmall[units] : this.#freeLarge.get(units);
    if (blocks !== undefined && blocks.length > 0) return blocks.pop();
    const offset = this.#end;
    this.#memory.ensure((offset + units) * 8);
    this.#end = offset + units;
    return offset;
  }

  free(offset: number, length: number): void {
    const units = unitsFor(length);
    if (units === 0) return;
    let blocks = units <= SMALL_UNITS ? this.#freeSmall[units] : this.#freeLarge.get(units);
    if (blocks === undefined) this.#freeLarge.set(units, (blocks = new Int32List()));
    blocks.push(offset);
    this.#usedUnits -= units;
  }

  /** Bytes from elsewhere into a block. */
  write(offset: number, source: Uint8Array, start: number, end: number): void {
    const { U8 } = this;
    const to = offset * 8;
    const length = end - start;
    if (length > COPIED_AT_ONCE) U8.set(source.subarray(start, end), to);
    else for (let i = 0; i < length; i++) U8[to + i] = source[start + i] as number;
  }

  /** Bytes from an address of the window into a block. */
  keep(offset: number, from: number, length: number): void {
    this.#copy(offset * 8, from, length);
  }

  /** Looks for the first `rows` texts of the window among the values met lately; how many are not there. */
  findRecent(rows: number): number {
    return this.#findRecent(rows, TEXTS_AT, HASHES_AT, RECENT_AT, IDS_AT, MISSED_AT);
  }

  /** The value was met: `offset` is its block. */
  remember(id: number, hash: number, length: number, offset: number): void {
    const { I } = this;
    const at = RECENT_AT / 4 + (hash & (RECENT - 1)) * RECENT_WORDS;
    I[at] = hash;
    I[at + 1] = length;
    I[at + 2] = offset * 8;
    I[at + 3] = id;
  }

  /** The value is no more. What stands there then is the empty text, whose hash and id are 0. */
  forget(id: number, hash: number): void {
    const { I } = this;
    const at = RECENT_AT / 4 + (hash & (RECENT - 1)) * RECENT_WORDS;
    if (I[at + 3] === id) I.fill(0, at, at + RECENT_WORDS);
  }

  /**
   * Takes texts `from`.. of a column into the window, as many before `to` as it has room for, and hashes them. Gives the row behind the last: `from`
   * itself where one text alone is too large.
   */
  load(data: Uint8Array, offsets: Int32Array, from: number, to: number): number {
    const first = offsets[from] as number;
    let end = Math.min(to, from + WINDOW_ROWS);
    while ((offsets[end] as number) - first > WINDOW_BYTES) end = from + ((end - from) >>> 1);
    if (end === from) return from;
    const { U8, I } = this;
    U8.set(data.subarray(first, offsets[end] as number), 0);
    for (let row = from, at = TEXTS_WORD; row < end; row++, at += 2) {
      I[at] = (offsets[row] as number) - first;
      I[at + 1] = (offsets[row + 1] as number) - first;
    }
    this.#hashAll(end - from, TEXTS_AT, HASHES_AT);
    return end;
  }

  /**
   * The same for the texts of rows[from], .., which ascend; gives a place in `rows`. Where they lie close together, what is between them is copied,
   * too.
   */
  loadRows(data: Uint8Array, offsets: Int32Array, rows: Int32Array, from: number, to: number): number {
    const stretch = (rows[to - 1] as number) - (rows[from] as number);
    const end =
      stretch < (to - from) * CLOSE
        ? this.#loadStretch(data, offsets, rows, from, to)
        : this.#gather(data, offsets, rows, from, to);
    if (end > from) this.#hashAll(end - from, TEXTS_AT, HASHES_AT);
    return end;
  }

  #loadStretch(data: Uint8Array, offsets: Int32Array, rows: Int32Array, from: number, to: number): number {
    const first = offsets[rows[from] as number] as number;
    const behind = (i: number): number => offsets[(rows[i - 1] as number) + 1] as number;
    let end = Math.min(to, from + WINDOW_ROWS);
    while (end > from && behind(end) - first > WINDOW_BYTES) end = from + ((end - from) >>> 1);
    if (end === from) return from;
    const { U8, I } = this;
    U8.set(data.subarray(first, behind(end)), 0);
    for (let i = from, at = TEXTS_WORD; i < end; i++, at += 2) {
      const row = rows[i] as number;
      I[at] = (offsets[row] as number) - first;
      I[at + 1] = (offsets[row + 1] as number) - first;
    }
    return end;
  }

  /** Text by text. */
  #gather(data: Uint8Array, offsets: Int32Array, rows: Int32Array, from: number, to: number): number {
    const last = Math.min(to, from + WINDOW_ROWS);
    const { U8, I } = this;
    let end = from;
    for (let at = TEXTS_WORD, filled = 0; end < last; end++, at += 2) {
      const row = rows[end] as number;
      const start = offsets[row] as number;
      const length = (offsets[row + 1] as number) - start;
      if (filled + length > WINDOW_BYTES) break;
      I[at] = filled;
      if (length > COPIED_AT_ONCE) U8.set(data.subarray(start, start + length), filled);
      else for (let i = 0; i < length; i++) U8[filled + i] = data[start + i] as number;
      I[at + 1] = filled += length;
    }
    return end;
  }
}

/** Block sizes: every 8 bytes up to 256, then eight sizes per doubling, so that freed blocks find takers. */
function unitsFor(length: number): number {
  const units = (length + 7) >>> 3;
  if (units <= SMALL_UNITS) return units;
  if (units > 1 << 28) throw new EvertError("record_too_large", "a single value is larger than 2 GiB");
  const step = 1 << (29 - Math.clz32(units - 1));
  return Math.ceil(units / step) * step;
}
