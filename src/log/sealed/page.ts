/**
 * Pages: what a sealed segment is made of, each compressed, checksummed and addressed by itself.
 *
 *   column page := values nulls? data?                    by the column's layout; nulls only if the directory counts some
 *   values      := packed                                 int32, int64: integers.ts; a null's value stands for the one before it
 *                | f64{rows}                              float64
 *                | bit{rows}, padded to 8 bytes           bits
 *                | packed                                 utf8: the length of each value, 0 for a null
 *   nulls       := bit{rows}, padded to 8 bytes           Arrow's: 1 = not null
 *   data        := byte*                                  utf8: the values, one behind the other
 *
 * A page is stored as zstd made it, or as it is where zstd would save less than a sixteenth. The checksum is that of the bytes as stored, so
 * that `evert check` and a reader know of damage before they decompress.
 */
import { promisify } from "node:util";
import { isMainThread } from "node:worker_threads";
import { constants, zstdCompress, zstdCompressSync, zstdDecompress, zstdDecompressSync } from "node:zlib";
import { joinBytes } from "../../base/bytes.ts";
import { crc32c } from "../../base/crc32c.ts";
import type { Column, Utf8Column } from "../../batch/batch.ts";
import { bitmapBytes } from "../../batch/bitmap.ts";
import { type Layout, layoutOf } from "../../batch/column.ts";
import type { SqlType } from "../../batch/types.ts";
import { type BlockMemory, type ColumnMemory, freshMemory } from "./column-memory.ts";
import { aligned, canPack, packIntegers, packWide, readPacked, unpack, unpackInt64 } from "./integers.ts";

/** Measured: docs/decisions/0029-sealed-segments.md. */
export const ZSTD_LEVEL = 1;
/** On the first thread a larger page is decompressed in the thread pool: this much takes less than a millisecond. */
const INLINE_BYTES_MAX = 256 * 1024;
/** What is shorter is stored as it is: zstd would save next to nothing, and its own header is worth a dozen bytes. */
const COMPRESSED_BYTES_MIN = 128;

export const STORED = 0;
export const ZSTD = 1;

/** Where a page lies and what it is. */
export interface Page {
  /** From the beginning of the file. */
  readonly at: number;
  readonly bytes: number;
  readonly rawBytes: number;
  readonly method: number;
  /** CRC-32C of the bytes as stored. */
  readonly crc: number;
}

const compressAsync = promisify(zstdCompress);
const decompressAsync = promisify(zstdDecompress);

/**
 * A page as it will be stored. On the first thread it is made in the pool, so that everyone else has a turn; beside it where it is called, for there
 * nobody waits, and the pool is the commits' as well: while others compress in it, appends are a quarter slower
 * (docs/decisions/0041-sealing-in-a-thread.md).
 */
export async function compressPage(
  raw: Uint8Array,
  level = ZSTD_LEVEL,
): Promise<{ readonly stored: Uint8Array; readonly method: number }> {
  if (raw.length < COMPRESSED_BYTES_MIN) return { stored: raw, method: STORED };
  const options = {
    params: { [constants.ZSTD_c_compressionLevel]: level },
    chunkSize: outputBytes(raw.length),
    // The stream would not know it at its beginning, and give other bytes.
    pledgedSrcSize: raw.length,
  };
  const compressed = isMainThread ? await compressAsync(raw, options) : zstdCompressSync(raw, options);
  return compressed.length > raw.length - (raw.length >> 4)
    ? { stored: raw, method: STORED }
    : { stored: compressed, method: ZSTD };
}

export function pageAt(at: number, stored: Uint8Array, method: number, rawBytes: number): Page {
  return { at, bytes: stored.length, rawBytes, method, crc: crc32c(stored) };
}

/** The page's bytes as they were before compression, aligned. Null where they are not as they were written. */
export function openPage(page: Page, stored: Uint8Array): Uint8Array | null | Promise<Uint8Array | null> {
  if (stored.length !== page.bytes || crc32c(stored) !== page.crc) return null;
  if (page.method === STORED) {
    if (page.rawBytes !== page.bytes) return null;
    // Read-ahead buffers hold pages at any place; a column wants its numbers aligned.
    return stored.byteOffset % 8 === 0 ? stored : new Uint8Array(stored);
  }
  const options = { chunkSize: outputBytes(page.rawBytes), maxOutputLength: page.rawBytes };
  if (isMainThread && page.rawBytes > INLINE_BYTES_MAX)
    return decompressAsync(stored, options).then((raw) => alignedRaw(raw, page), failed);
  try {
    return alignedRaw(zstdDecompressSync(stored, options), page);
  } catch (error) {
    return failed(error);
  }
}

/** Notes what openPage gave for the page, if that is memory of its own. */
export function ownPage(memory: BlockMemory, page: Page, raw: Uint8Array): void {
  // Stored ones lie where they were read, small ones in Node's pool, which is at least twice as large as anything in it.
  if (page.method === ZSTD && raw.buffer.byteLength === outputBytes(page.rawBytes)) memory.own(raw.buffer);
}

/** What zstd says of bytes whose checksum is right: they were no page when they were written. */
function failed(_: unknown): null {
  return null;
}

function alignedRaw(raw: Uint8Array, page: Page): Uint8Array | null {
  if (raw.length !== page.rawBytes) return null;
  return raw.byteOffset % 8 === 0 ? raw : new Uint8Array(raw);
}

/** Output buffers of zlib: one piece for what is expected. */
function outputBytes(bytes: number): number {
  return Math.max(64, bytes + 64);
}

// ---- columns ----

/**
 * Least and greatest value that is not null. Of texts, in the order of their bytes, at most the first BOUND_BYTES_MAX bytes; where the
 * greatest was cut, `max` stands for every text that begins so.
 */
export type Bounds =
  | { readonly kind: "number"; readonly min: number; readonly max: number }
  | { readonly kind: "text"; readonly min: Uint8Array; readonly max: Uint8Array };

export const BOUND_BYTES_MAX = 24;

export interface EncodedColumn {
  readonly raw: Uint8Array;
  readonly nulls: number;
  /** Null where there are none: for bits, for nothing but nulls, for a NaN or an int64 beyond ±2^51 among the values. */
  readonly bounds: Bounds | null;
}

const layoutCodes: readonly Layout[] = ["int32", "float64", "int64", "bits", "utf8"];

export function layoutCode(type: SqlType): number {
  return layoutCodes.indexOf(layoutOf(type));
}

export function layoutName(code: number): Layout | undefined {
  return layoutCodes[code];
}

/** REQUIRES a column of `rows` rows that begins at its arrays' beginning; its nulls' values are set to zero. */
export function encodeColumn(column: Column, rows: number): EncodedColumn {
  const nulls = countNulls(column.validity, rows);
  const validity = nulls === 0 ? null : column.validity;
  switch (column.kind) {
    case "bits":
      return {
        raw: joinBytes([paddedBits(column.values, rows), bitsOf(validity, rows)]),
        nulls,
        bounds: null,
      };
    case "utf8": {
      const { offsets, data } = column;
      const lengths = new Int32Array(rows);
      for (let i = 0; i < rows; i++) lengths[i] = (offsets[i + 1] as number) - (offsets[i] as number);
      const text = data.subarray(offsets[0], offsets[rows]);
      const raw = joinBytes([packIntegers(lengths, rows), bitsOf(validity, rows), text]);
      return { raw, nulls, bounds: textBounds(column, validity, rows) };
    }
    case "fixed": {
      const { values } = column;
      if (values instanceof Float64Array) {
        const bytes = new Uint8Array(values.buffer, values.byteOffset, 8 * rows);
        return {
          raw: joinBytes([bytes, bitsOf(validity, rows)]),
          nulls,
          bounds: boundsOf(values, validity, rows),
        };
      }
      if (values instanceof Int32Array) {
        const bounds = boundsOf(values, validity, rows);
        return {
          raw: withBits(packNarrow(values, validity, rows), validity, rows),
          nulls,
          bounds,
        };
      }
      const doubles = doublesOf(values, rows);
      if (canPack(doubles, rows)) {
        const bounds = boundsOf(doubles, validity, rows);
        return {
          raw: withBits(packNarrow(doubles, validity, rows), validity, rows),
          nulls,
          bounds,
        };
      }
      return { raw: withBits(packWide(values, rows), validity, rows), nulls, bounds: null };
    }
  }
}

/** The column, its numbers in the memory given or in the page's own; null where the page follows no such grammar. */
export function decodeColumn(
  raw: Uint8Array,
  type: SqlType,
  rows: number,
  nulls: number,
  memory: ColumnMemory = freshMemory,
): Column | null {
  const layout = layoutOf(type);
  const validityBytes = nulls === 0 ? 0 : aligned(bitmapBytes(rows));
  const validityAt = (at: number): Uint8Array | null =>
    nulls === 0 ? null : raw.subarray(at, at + bitmapBytes(rows));
  if (layout === "float64" || layout === "bits") {
    const at = layout === "bits" ? aligned(bitmapBytes(rows)) : 8 * rows;
    if (raw.length !== at + validityBytes) return null;
    const validity = validityAt(at);
    return layout === "bits"
      ? { kind: "bits", type, length: rows, validity, values: raw.subarray(0, bitmapBytes(rows)) }
      : {
          kind: "fixed",
          type,
          length: rows,
          validity,
          values: new Float64Array(raw.buffer, raw.byteOffset, rows),
        };
  }
  const packed = readPacked(raw, 0, rows);
  if (packed === null || raw.length < packed.next + validityBytes) return null;
  const validity = validityAt(packed.next);
  switch (layout) {
    case "int32": {
      const values = memory.int32(rows);
      unpack(packed, rows, values);
      zeroNulls(values, validity, 0);
      return { kind: "fixed", type, length: rows, validity, values };
    }
    case "int64": {
      if (memory.doubles !== undefined && packed.width !== 8) {
        const values = memory.doubles(rows);
        unpack(packed, rows, values);
        zeroNulls(values, validity, 0);
        return { kind: "fixed", type, length: rows, validity, values };
      }
      const values = unpackInt64(packed, rows, scratchOf(rows), memory);
      zeroNulls(values, validity, 0n);
      return { kind: "fixed", type, length: rows, validity, values };
    }
    case "utf8": {
      const data = raw.subarray(packed.next + validityBytes);
      const offsets = memory.int32(rows + 1);
      unpack(packed, rows, offsets);
      offsets[rows] = 0;
      let end = 0;
      for (let i = 0; i <= rows; i++) {
        const length = offsets[i] as number;
        offsets[i] = end;
        end += length;
      }
      if (offsets[rows] !== data.length) return null;
      return { kind: "utf8", type, length: rows, validity, offsets, data };
    }
  }
}

/** Nulls' values become zero, whatever the batch they came in had there: what is read back is the same every time. */
export function clearNulls(column: Column): void {
  if (column.validity === null || column.kind !== "fixed") return;
  if (column.values instanceof BigInt64Array) zeroNulls(column.values, column.validity, 0n);
  else zeroNulls(column.values, column.validity, 0);
}

/** Checksum of what the column says, in memory: is what is read back what was put in? */
export function columnCrc(column: Column, previous: number): number {
  const rows = column.length;
  let crc = column.validity === null ? previous : crc32c(column.validity, 0, bitmapBytes(rows), previous);
  if (column.kind === "bits") return crc32c(column.values, 0, bitmapBytes(rows), crc);
  if (column.kind === "fixed") {
    const { buffer, byteOffset, BYTES_PER_ELEMENT } = column.values;
    return crc32c(
      new Uint8Array(buffer, byteOffset, rows * BYTES_PER_ELEMENT),
      0,
      rows * BYTES_PER_ELEMENT,
      crc,
    );
  }
  const { offsets, data } = column;
  crc = crc32c(new Uint8Array(offsets.buffer, offsets.byteOffset, 4 * (rows + 1)), 0, 4 * (rows + 1), crc);
  return crc32c(data, offsets[0], offsets[rows], crc);
}

function zeroNulls<T extends Int32Array | Float64Array | BigInt64Array>(
  values: T,
  validity: Uint8Array | null,
  zero: T[number],
): void {
  if (validity === null) return;
  for (let i = 0; i < values.length; i++) {
    if ((((validity[i >>> 3] as number) >>> (i & 7)) & 1) === 0) values[i] = zero;
  }
}

let scratch = new Float64Array(0);

function scratchOf(rows: number): Float64Array {
  if (scratch.length < rows) scratch = new Float64Array(Math.max(rows, 16_384));
  return scratch;
}

function countNulls(validity: Uint8Array | null, rows: number): number {
  if (validity === null) return 0;
  let nulls = 0;
  for (let i = 0; i < rows; i++) nulls += (((validity[i >>> 3] as number) >>> (i & 7)) & 1) ^ 1;
  return nulls;
}

/** With each null's value replaced by the one before it, which costs the fewest bytes. */
function packNarrow(
  values: Int32Array | Float64Array,
  validity: Uint8Array | null,
  rows: number,
): Uint8Array {
  if (validity === null) return packIntegers(values, rows);
  const filled = values.slice(0, rows);
  let previous = 0;
  let first = 0;
  while (first < rows && (((validity[first >>> 3] as number) >>> (first & 7)) & 1) === 0) first++;
  if (first < rows) previous = filled[first] as number;
  for (let i = 0; i < rows; i++) {
    if ((((validity[i >>> 3] as number) >>> (i & 7)) & 1) === 0) filled[i] = previous;
    else previous = filled[i] as number;
  }
  return packIntegers(filled, rows);
}

/** Beyond 2^53 rounded, which is all that is asked: such values are not packed. In the scratch, until it is used again. */
function doublesOf(values: BigInt64Array, rows: number): Float64Array {
  const words = new Int32Array(values.buffer, values.byteOffset, 2 * rows);
  const doubles = scratchOf(rows);
  for (let i = 0; i < rows; i++) {
    doubles[i] = (words[2 * i + 1] as number) * 0x1_0000_0000 + ((words[2 * i] as number) >>> 0);
  }
  return doubles;
}

function boundsOf(
  values: Int32Array | Float64Array,
  validity: Uint8Array | null,
  rows: number,
): Bounds | null {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < rows; i++) {
    if (validity !== null && (((validity[i >>> 3] as number) >>> (i & 7)) & 1) === 0) continue;
    const value = values[i] as number;
    if (Number.isNaN(value)) return null;
    if (value < min) min = value;
    if (value > max) max = value;
  }
  return min > max ? null : { kind: "number", min, max };
}

function textBounds({ offsets, data }: Utf8Column, validity: Uint8Array | null, rows: number): Bounds | null {
  let min = -1;
  let max = -1;
  for (let i = 0; i < rows; i++) {
    if (validity !== null && (((validity[i >>> 3] as number) >>> (i & 7)) & 1) === 0) continue;
    if (min < 0) min = max = i;
    else if (compareTexts(data, offsets, i, min) < 0) min = i;
    else if (compareTexts(data, offsets, i, max) > 0) max = i;
  }
  if (min < 0) return null;
  const cut = (i: number): Uint8Array => {
    const from = offsets[i] as number;
    return data.slice(from, Math.min(offsets[i + 1] as number, from + BOUND_BYTES_MAX));
  };
  return { kind: "text", min: cut(min), max: cut(max) };
}

/** Order of the first bytes, as far as bounds keep them. */
function compareTexts(data: Uint8Array, offsets: Int32Array, a: number, b: number): number {
  let i = offsets[a] as number;
  let j = offsets[b] as number;
  const iEnd = Math.min(offsets[a + 1] as number, i + BOUND_BYTES_MAX);
  const jEnd = Math.min(offsets[b + 1] as number, j + BOUND_BYTES_MAX);
  for (; i < iEnd && j < jEnd; i++, j++) {
    const difference = (data[i] as number) - (data[j] as number);
    if (difference !== 0) return difference;
  }
  return iEnd - i - (jEnd - j);
}

function paddedBits(bits: Uint8Array, rows: number): Uint8Array {
  const bytes = new Uint8Array(aligned(bitmapBytes(rows)));
  bytes.set(bits.subarray(0, bitmapBytes(rows)));
  return bytes;
}

function withBits(packed: Uint8Array, validity: Uint8Array | null, rows: number): Uint8Array {
  return validity === null ? packed : joinBytes([packed, paddedBits(validity, rows)]);
}

function bitsOf(validity: Uint8Array | null, rows: number): Uint8Array {
  return validity === null ? new Uint8Array(0) : paddedBits(validity, rows);
}
