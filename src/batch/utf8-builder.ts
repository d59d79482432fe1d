/** A growing column of texts: their bytes one behind the other, and where each ends. */
import type { Arena } from "../base/arena.ts";
import { isWellFormed, writeUtf8 } from "../base/bytes.ts";
import { EvertError } from "../base/errors.ts";
import type { Column, Utf8Column } from "./batch.ts";
import { clearBit, setBit } from "./bitmap.ts";
import { GrowingColumn, ROWS_KEPT_MAX } from "./growing-column.ts";

/** Buffers up to this many bytes of text are kept from batch to batch. */
const BYTES_KEPT_MAX = 65_536;
const EXPECTED_BYTES_MAX = 1 << 20;
/** Offsets are Int32. */
const TEXT_BYTES_MAX = 2 ** 31 - 1;
/** Longer strings are encoded apart, so that not three times their length is reserved. */
const ENCODE_IN_PLACE_MAX = 8192;
/** Fewer bytes are copied sooner than a view of them is made. */
const COPY_BY_LOOP_MAX = 48;

/** text, jsonb, unconstrained numeric. */
export abstract class Utf8Builder extends GrowingColumn {
  readonly rowBytes = 4;
  /** One more than rows; offsets[length] is the end of the data. The row loop writes it, too. */
  offsets = new Int32Array(1);
  #data = new Uint8Array(0);
  /** Of the next batch's data: about as many as the one before had, so that it need not grow from nothing. */
  #expectedBytes = 0;

  abstract append(value: unknown): void;

  protected resize(capacity: number): void {
    const offsets = new Int32Array(capacity + 1);
    offsets.set(this.offsets.subarray(0, this.length + 1));
    this.offsets = offsets;
  }

  push(text: string): void {
    if (this.length === this.capacity) this.grow(this.length + 1);
    const from = this.offsets[this.length] as number;
    let to: number;
    if (text.length <= ENCODE_IN_PLACE_MAX) {
      if (from + text.length * 3 > this.#data.length) this.#growData(from + text.length * 3);
      to = writeUtf8(text, this.#data, from);
    } else {
      const bytes = new TextEncoder().encode(text);
      to = from + bytes.length;
      if (to > this.#data.length) this.#growData(to);
      this.#data.set(bytes, from);
    }
    this.offsets[this.length + 1] = to;
    if (this.validity !== null) setBit(this.validity, this.length);
    this.length++;
  }

  /** A text as it is encoded. REQUIRES valid UTF-8 without NUL. */
  pushBytes(bytes: Uint8Array, from: number, end: number): void {
    if (this.length === this.capacity) this.grow(this.length + 1);
    const at = this.offsets[this.length] as number;
    const to = at + end - from;
    if (to > this.#data.length) this.#growData(to);
    const data = this.#data;
    if (end - from > COPY_BY_LOOP_MAX) data.set(bytes.subarray(from, end), at);
    else for (let i = from, k = at; i < end; i++, k++) data[k] = bytes[i] as number;
    this.offsets[this.length + 1] = to;
    if (this.validity !== null) setBit(this.validity, this.length);
    this.length++;
  }

  /** Room for about so many bytes of text more. */
  reserveTexts(bytes: number): void {
    const wanted = (this.offsets[this.length] as number) + bytes + 3 * ENCODE_IN_PLACE_MAX;
    if (wanted > this.#data.length) this.#growData(wanted);
  }

  /**
   * The texts of the open block, one behind the other, so far measured by `offsets` in UTF-16 units from the block's beginning.
   * False, and nothing of them counts, if one of them is no text.
   */
  encodeBlock(joined: string, rows: number): boolean {
    if (joined.includes("\0")) return false;
    const { offsets, length } = this;
    const from = offsets[length] as number;
    if (from + joined.length * 3 > this.#data.length) this.#growData(from + joined.length * 3);
    const isAscii = writeUtf8(joined, this.#data, from) - from === joined.length;
    if (!isAscii) return isWellFormed(joined) && this.#measureBlock(from, rows);
    for (let row = length + 1; row <= length + rows; row++) offsets[row] = (offsets[row] as number) + from;
    return true;
  }

  /** From UTF-16 units to bytes. False where two texts with half a surrogate pair each made a whole one. */
  #measureBlock(from: number, rows: number): boolean {
    const { offsets, length } = this;
    const data = this.#data;
    let at = from;
    let unit = 0;
    for (let row = length + 1; row <= length + rows; row++) {
      const end = offsets[row] as number;
      while (unit < end) {
        const lead = data[at] as number;
        at += lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
        unit += lead < 0xf0 ? 1 : 2;
      }
      if (unit !== end) return false;
      offsets[row] = at;
    }
    return true;
  }

  /** The texts of the open block's first rows, which `offsets` has already measured, one behind the other in `texts`. */
  appendTexts(texts: Uint8Array, rows: number): void {
    const from = this.offsets[this.length] as number;
    const to = this.offsets[this.length + rows] as number;
    if (to > this.#data.length) this.#growData(to);
    this.#data.set(texts.subarray(0, to - from), from);
  }

  #growData(size: number): void {
    if (size > TEXT_BYTES_MAX) {
      throw new EvertError("record_too_large", "a batch cannot hold more than 2 GiB of text in one column");
    }
    const wanted = Math.max(size, this.#data.length * 2, this.#expectedBytes, 64);
    const data = new Uint8Array(Math.min(TEXT_BYTES_MAX, wanted));
    data.set(this.#data.subarray(0, this.offsets[this.length]));
    this.#data = data;
  }

  appendNull(): void {
    if (this.length === this.capacity) this.grow(this.length + 1);
    this.offsets[this.length + 1] = this.offsets[this.length] as number;
    clearBit(this.nulls(), this.length);
    this.length++;
  }

  appendColumn(column: Column, from: number, to: number): void {
    if (this.length + to - from > this.capacity) this.grow(this.length + to - from);
    const { offsets, data } = column as Utf8Column;
    const start = offsets[from] as number;
    const end = offsets[to] as number;
    const at = this.offsets[this.length] as number;
    if (at + end - start > this.#data.length) this.#growData(at + end - start);
    this.copyValidity(column, from, to);
    this.#data.set(data.subarray(start, end), at);
    const shift = at - start;
    const target = this.offsets;
    for (let i = from, k = this.length; i < to; i++) target[++k] = (offsets[i + 1] as number) + shift;
    this.length += to - from;
  }

  truncate(length: number): void {
    this.length = length;
  }

  get dataBytes(): number {
    return this.offsets[this.length] as number;
  }

  look(): Column {
    const { length, type } = this;
    const offsets = this.offsets.subarray(0, length + 1);
    const data = this.#data.subarray(0, this.offsets[length] as number);
    return { kind: "utf8", type, length, validity: this.validitySoFar(), offsets, data };
  }

  take(arena?: Arena): Column {
    const { length, type } = this;
    const bytes = this.offsets[length] as number;
    const offsets = arena?.int32(this.offsets, length + 1) ?? this.offsets.slice(0, length + 1);
    const validity = this.takeValidity();
    const given = bytes * 2 >= this.#data.length && arena?.holds(bytes) !== true;
    const data = given
      ? this.#data.subarray(0, bytes)
      : (arena?.bytes(this.#data, bytes) ?? this.#data.slice(0, bytes));
    // Behind the last text but one there is to be room for three times the last. Of a thousand topics with a short row each, the buffers are to be small.
    this.#expectedBytes = Math.min(bytes + 3 * Math.min(bytes, ENCODE_IN_PLACE_MAX), EXPECTED_BYTES_MAX);
    if (given || this.#data.length > BYTES_KEPT_MAX) this.#data = new Uint8Array(0);
    this.length = 0;
    if (this.capacity > ROWS_KEPT_MAX) {
      this.offsets = new Int32Array(1);
      this.capacity = 0;
    }
    return { kind: "utf8", type, length, validity, offsets, data };
  }
}
