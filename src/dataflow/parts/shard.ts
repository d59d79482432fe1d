/**
 * Which rows are a shard's: those whose key columns have a hash that falls to it. Equal values have equal hashes, whatever batch they come
 * in, so all rows that an operator brings together by these columns are in one shard.
 */
import type { Batch, Column, Utf8Column } from "../../batch/batch.ts";
import { getBit } from "../../batch/bitmap.ts";

const TWO_32 = 2 ** 32;

export interface Shard {
  readonly index: number;
  readonly count: number;
}

/** Writes which of the batch's rows `from`..`to` are the shard's; how many. `hashes` has room for all of them. */
export function rowsOfShard(
  batch: Batch,
  keys: readonly number[],
  { index, count }: Shard,
  from: number,
  to: number,
  rows: Int32Array,
  hashes: Int32Array,
): number {
  hashes.fill(0, 0, to - from);
  for (const key of keys) addHashes(batch.columns[key] as Column, from, to, hashes);
  let found = 0;
  for (let i = 0; i < to - from; i++) {
    if (shardOf(hashes[i] as number, count) === index) rows[found++] = from + i;
  }
  return found;
}

let scratch = new Int32Array(0);

/** Writes the first `length` rows, those of the first shard first, each shard's in their order; where those of each end. */
export function listShards(
  keys: readonly Column[],
  length: number,
  count: number,
  rows: Int32Array,
): number[] {
  if (scratch.length < length) scratch = new Int32Array(Math.max(length, 2 * scratch.length));
  const hashes = scratch;
  hashes.fill(0, 0, length);
  for (const key of keys) addHashes(key, 0, length, hashes);
  const next = new Int32Array(count + 1);
  for (let i = 0; i < length; i++) {
    const shard = shardOf(hashes[i] as number, count);
    hashes[i] = shard;
    (next[shard + 1] as number)++;
  }
  for (let s = 1; s <= count; s++) (next[s] as number) += next[s - 1] as number;
  for (let i = 0; i < length; i++) {
    const shard = hashes[i] as number;
    rows[next[shard] as number] = i;
    (next[shard] as number)++;
  }
  return [...next.subarray(0, count)];
}

function shardOf(hash: number, count: number): number {
  // The upper bits of a product are the well mixed ones.
  return Math.floor(((Math.imul(hash, 0x9e3779b1) >>> 0) / TWO_32) * count);
}

function addHashes(column: Column, from: number, to: number, hashes: Int32Array): void {
  switch (column.kind) {
    case "fixed": {
      const { values } = column;
      if (values instanceof Float64Array) {
        addWordHashes(values, from, to, hashes);
        break;
      }
      const stride = values.BYTES_PER_ELEMENT / 4;
      const words = new Int32Array(values.buffer, values.byteOffset, values.length * stride);
      for (let row = from, i = 0; row < to; row++, i++) {
        let hash = mix(hashes[i] as number, words[row * stride] as number);
        if (stride === 2) hash = mix(hash, words[row * 2 + 1] as number);
        hashes[i] = hash;
      }
      break;
    }
    case "bits":
      for (let row = from, i = 0; row < to; row++, i++)
        hashes[i] = mix(hashes[i] as number, getBit(column.values, row) ? 1 : 0);
      break;
    case "utf8":
      addTextHashes(column, from, to, hashes);
  }
  // What lies under a null is not said to be zero.
  if (column.validity === null) return;
  for (let row = from, i = 0; row < to; row++, i++) if (!getBit(column.validity, row)) hashes[i] = 0;
}

/** Integers of 64 bits that came as doubles (shared-rows.ts): what their words would give. */
function addWordHashes(values: Float64Array, from: number, to: number, hashes: Int32Array): void {
  for (let row = from, i = 0; row < to; row++, i++) {
    const value = values[row] as number;
    hashes[i] = mix(mix(hashes[i] as number, value | 0), Math.floor(value / TWO_32) | 0);
  }
}

function addTextHashes({ data, offsets }: Utf8Column, from: number, to: number, hashes: Int32Array): void {
  for (let row = from, i = 0; row < to; row++, i++) {
    let hash = hashes[i] as number;
    const end = offsets[row + 1] as number;
    for (let at = offsets[row] as number; at < end; at++)
      hash = Math.imul(hash ^ (data[at] as number), 0x01000193);
    hashes[i] = mix(hash, 0);
  }
}

function mix(hash: number, word: number): number {
  const h = Math.imul(hash ^ word, 0x85ebca6b);
  return h ^ (h >>> 15);
}
