/**
 * CRC-32C (Castagnoli, RFC 3720), the checksum of every frame of the log.
 *
 * Algorithm: *slicing by 16*. Table k holds, for each byte value, the remainder of that byte followed by k zero bytes. Sixteen
 * input bytes are consumed at once: the first four are xored with the running remainder, each of the sixteen is looked up in
 * the table that stands for its distance from the end of the block, and the sixteen results are xored together.
 *
 * The same loop runs twice as fast in a small hand-assembled WebAssembly module (crc32c-wasm.ts) that keeps two
 * independent remainders going at once; it is taken where WebAssembly may be used (a browser's content security policy
 * may forbid it). Measurement: docs/decisions/0007-crc32c.md.
 */
import { instantiateWasmCrc, type WasmCrc } from "./crc32c-wasm.ts";

const POLYNOMIAL = 0x82f63b78;
export const SLICES = 16;

/** Slice k occupies entries 256 k … 256 k + 255. */
const slices = buildSlices();
const [t0, t1, t2, t3, t4, t5, t6, t7, t8, t9, t10, t11, t12, t13, t14, t15] = Array.from(
  { length: SLICES },
  (_, k) => slices.slice(256 * k, 256 * (k + 1)),
) as [
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
];

const wasm: WasmCrc | null = instantiateWasmCrc(slices);

/** Below this many bytes the call into WebAssembly costs more than it saves. */
const WASM_BYTES_MIN = 96;

/**
 * Checksum of bytes[from, to). `previous` is the checksum of what stands before them, so that
 * crc32c(b, 0, n) === crc32c(b, m, n, crc32c(b, 0, m)).
 */
export function crc32c(bytes: Uint8Array, from = 0, to = bytes.length, previous = 0): number {
  const remainder =
    wasm !== null && to - from >= WASM_BYTES_MIN
      ? wasm(bytes, from, to, ~previous)
      : slicing16(bytes, from, to, ~previous);
  return ~remainder >>> 0;
}

/** The same in plain JavaScript, whatever WebAssembly may do: the fallback, and the judge in tests. */
export function crc32cPlain(bytes: Uint8Array, from = 0, to = bytes.length, previous = 0): number {
  return ~slicing16(bytes, from, to, ~previous) >>> 0;
}

function slicing16(b: Uint8Array, from: number, to: number, remainder: number): number {
  let r = remainder;
  let i = from;
  for (; i + 16 <= to; i += 16) {
    const a = r ^ (b[i]! | (b[i + 1]! << 8) | (b[i + 2]! << 16) | (b[i + 3]! << 24));
    r =
      t15[a & 255]! ^
      t14[(a >>> 8) & 255]! ^
      t13[(a >>> 16) & 255]! ^
      t12[a >>> 24]! ^
      t11[b[i + 4]!]! ^
      t10[b[i + 5]!]! ^
      t9[b[i + 6]!]! ^
      t8[b[i + 7]!]! ^
      t7[b[i + 8]!]! ^
      t6[b[i + 9]!]! ^
      t5[b[i + 10]!]! ^
      t4[b[i + 11]!]! ^
      t3[b[i + 12]!]! ^
      t2[b[i + 13]!]! ^
      t1[b[i + 14]!]! ^
      t0[b[i + 15]!]!;
  }
  for (; i < to; i++) r = t0[(r ^ b[i]!) & 255]! ^ (r >>> 8);
  return r;
}

function buildSlices(): Int32Array {
  const table = new Int32Array(SLICES * 256);
  for (let value = 0; value < 256; value++) {
    let r = value;
    for (let bit = 0; bit < 8; bit++) r = r & 1 ? (r >>> 1) ^ POLYNOMIAL : r >>> 1;
    table[value] = r;
  }
  for (let at = 256; at < table.length; at++) {
    const shorter = table[at - 256]!;
    table[at] = table[shorter & 255]! ^ (shorter >>> 8);
  }
  return table;
}
