/**
 * Integers in as few bytes as they need: what a page of a sealed segment is made of.
 *
 *   packed := form:u8 base:signed first:signed? zero* payload zero*      header and payload each padded to 8 bytes
 *   form   := width (0, 1, 2, 4 or 8), + 16: differences
 *   signed := varint of 2v (v ≥ 0) or -2v - 1 (v < 0)
 *
 * - Values: each is base + an unsigned number of `width` bytes; base is the least of them. Width 0: all are equal, and there is no payload.
 * - Differences: the first value is `first`; each one is the value before it + base + an unsigned number of `width` bytes. Taken where that is
 *   narrower: sequence numbers take nothing, timestamps a byte or two. The payload has count - 1 numbers.
 * - Width 8 has base 0: the values themselves, as int64. Only there may a value lie beyond ±2^51.
 *
 * All little-endian. The payload is aligned, so that reading it is one loop over a typed array.
 */
import { VARINT_BYTES_MAX, VarintReader, writeVarint } from "../varint.ts";
import { type ColumnMemory, freshMemory } from "./column-memory.ts";

/** Within ±2^51 a difference of two, and its zigzag form, is exact in a double. */
const PACKED_MAX = 2 ** 51;
const DIFFERENCES = 16;
const HEADER_BYTES_MAX = 1 + 2 * VARINT_BYTES_MAX;

export type Unpacked = Int32Array | Float64Array;

/** Whether all may be packed narrowly; else they go in as they are (packWide). */
export function canPack(values: Float64Array, count: number): boolean {
  for (let i = 0; i < count; i++) {
    const value = values[i] as number;
    if (value > PACKED_MAX || value < -PACKED_MAX) return false;
  }
  return true;
}

/** REQUIRES safe integers that canPack, or int32. */
export function packIntegers(values: Unpacked, count: number): Uint8Array {
  if (count === 0) return packed(0, [0], 0).bytes;
  const first = values[0] as number;
  let min = first;
  let max = first;
  let minStep = Number.POSITIVE_INFINITY;
  let maxStep = Number.NEGATIVE_INFINITY;
  let previous = first;
  for (let i = 1; i < count; i++) {
    const value = values[i] as number;
    const step = value - previous;
    if (value < min) min = value;
    if (value > max) max = value;
    if (step < minStep) minStep = step;
    if (step > maxStep) maxStep = step;
    previous = value;
  }
  const width = widthOf(max - min);
  const stepWidth = count === 1 ? 0 : widthOf(maxStep - minStep);
  if (width > 0 && stepWidth < width) {
    const { bytes, payload } = packed(stepWidth + DIFFERENCES, [minStep, first], stepWidth * (count - 1));
    writeSteps(payload, stepWidth, values, count, minStep);
    return bytes;
  }
  const { bytes, payload } = packed(width, [width === 8 ? 0 : min], width * count);
  if (width === 8) {
    const words = new Int32Array(payload.buffer, payload.byteOffset, 2 * count);
    for (let i = 0; i < count; i++) setWords(words, i, values[i] as number);
  } else writeValues(payload, width, values, count, min);
  return bytes;
}

/** int64 as they are. */
export function packWide(values: BigInt64Array, count: number): Uint8Array {
  const { bytes, payload } = packed(8, [0], 8 * count);
  payload.set(new Uint8Array(values.buffer, values.byteOffset, 8 * count));
  return bytes;
}

/** An array whose payload is yet to be written, where it belongs. */
function packed(
  form: number,
  numbers: readonly number[],
  payloadBytes: number,
): { readonly bytes: Uint8Array; readonly payload: Uint8Array } {
  const header = new Uint8Array(HEADER_BYTES_MAX);
  header[0] = form;
  let at = 1;
  for (const number of numbers) at = writeVarint(header, at, number < 0 ? -2 * number - 1 : 2 * number);
  const from = aligned(at);
  const bytes = new Uint8Array(aligned(from + payloadBytes));
  bytes.set(header.subarray(0, at));
  return { bytes, payload: bytes.subarray(from, from + payloadBytes) };
}

function widthOf(range: number): number {
  if (range === 0) return 0;
  if (range <= 0xff) return 1;
  if (range <= 0xffff) return 2;
  return range <= 0xffff_ffff ? 4 : 8;
}

function writeValues(
  payload: Uint8Array,
  width: number,
  values: Unpacked,
  count: number,
  base: number,
): void {
  const target = arrayOf(payload, width);
  if (target !== null) for (let i = 0; i < count; i++) target[i] = (values[i] as number) - base;
}

function writeSteps(payload: Uint8Array, width: number, values: Unpacked, count: number, base: number): void {
  const target = arrayOf(payload, width);
  if (target === null) return;
  for (let i = 1; i < count; i++) {
    target[i - 1] = (values[i] as number) - (values[i - 1] as number) - base;
  }
}

type Unsigned = Uint8Array | Uint16Array | Uint32Array;

/** Null for width 0, which has no payload. REQUIRES an aligned beginning. */
function arrayOf(bytes: Uint8Array, width: number): Unsigned | null {
  const { buffer, byteOffset, length } = bytes;
  if (width === 1) return bytes;
  if (width === 2) return new Uint16Array(buffer, byteOffset, length >> 1);
  return width === 4 ? new Uint32Array(buffer, byteOffset, length >> 2) : null;
}

/** A packed array as it was found: where it ends is known before a value is read. */
export interface Packed {
  readonly width: number;
  readonly base: number;
  /** Null: values, not differences. */
  readonly first: number | null;
  readonly payload: Uint8Array;
  /** Behind it, aligned to 8 from the beginning of the page. */
  readonly next: number;
}

/** Null where the bytes follow no such grammar. REQUIRES that bytes begin at a multiple of 8 in their buffer. */
export function readPacked(bytes: Uint8Array, at: number, count: number): Packed | null {
  const form = bytes[at];
  if (form === undefined || at % 8 !== 0) return null;
  const differences = form >= DIFFERENCES;
  const width = form & (DIFFERENCES - 1);
  if (form > DIFFERENCES + 4 || ![0, 1, 2, 4, 8].includes(width)) return null;
  const reader = new VarintReader(bytes, at + 1, bytes.length);
  const base = signed(reader.next());
  const first = differences ? signed(reader.next()) : null;
  const from = aligned(reader.at);
  const to = from + width * (differences ? Math.max(0, count - 1) : count);
  if (reader.failed || to > bytes.length) return null;
  return { width, base, first, payload: bytes.subarray(from, to), next: aligned(to) };
}

/** The first `count` values, into target[0, count). REQUIRES packed values within the target's range. */
export function unpack(packed: Packed, count: number, target: Unpacked): void {
  const { width, base, first, payload } = packed;
  if (first !== null) {
    unpackSteps(arrayOf(payload, width), base, first, count, target);
    return;
  }
  if (width === 0) {
    target.fill(base, 0, count);
    return;
  }
  if (width === 8) {
    const words = new Int32Array(payload.buffer, payload.byteOffset, 2 * count);
    for (let i = 0; i < count; i++) {
      target[i] = (words[2 * i + 1] as number) * 0x1_0000_0000 + ((words[2 * i] as number) >>> 0);
    }
    return;
  }
  const source = arrayOf(payload, width) as Unsigned;
  // A loop for each width, so that each meets one kind of source only.
  if (source instanceof Uint8Array) for (let i = 0; i < count; i++) target[i] = base + (source[i] as number);
  else if (source instanceof Uint16Array)
    for (let i = 0; i < count; i++) target[i] = base + (source[i] as number);
  else for (let i = 0; i < count; i++) target[i] = base + (source[i] as number);
}

function unpackSteps(
  source: Unsigned | null,
  base: number,
  first: number,
  count: number,
  target: Unpacked,
): void {
  if (count === 0) return;
  let value = first;
  target[0] = value;
  if (source === null) for (let i = 1; i < count; i++) target[i] = value += base;
  else for (let i = 1; i < count; i++) target[i] = value += base + (source[i - 1] as number);
}

/** As unpack, as int64, in the memory given or in the page's own. `scratch` holds `count` doubles. */
export function unpackInt64(
  packed: Packed,
  count: number,
  scratch: Float64Array,
  memory: ColumnMemory = freshMemory,
): BigInt64Array {
  const { width, payload } = packed;
  if (width === 8) return new BigInt64Array(payload.buffer, payload.byteOffset, count);
  const values = memory.int64(count);
  const words = new Int32Array(values.buffer, values.byteOffset, 2 * count);
  unpack(packed, count, scratch);
  for (let i = 0; i < count; i++) setWords(words, i, scratch[i] as number);
  return values;
}

/** A safe integer as the two words of an int64. */
function setWords(words: Int32Array, i: number, value: number): void {
  words[2 * i] = value | 0;
  words[2 * i + 1] = Math.floor(value / 0x1_0000_0000);
}

function signed(zigzag: number): number {
  return zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2;
}

export function aligned(length: number): number {
  return Math.ceil(length / 8) * 8;
}
