/** The pages of a sealed segment that say which commit is which; grammar in format.ts. */
import { joinBytes } from "../../base/bytes.ts";
import type { CommitInfo } from "../log.ts";
import { VARINT_BYTES_MAX, VarintReader, writeVarint } from "../varint.ts";
import { readText, writeText } from "../varint-text.ts";
import type { Origin } from "./format.ts";
import { packIntegers, readPacked, unpack } from "./integers.ts";

/** The commits with rows in a block. */
export interface Boundaries {
  readonly positions: Float64Array;
  readonly timesUs: Float64Array;
  /** Where each one's rows end in the block. */
  readonly ends: Uint32Array;
}

export function encodeBoundaries({ positions, timesUs, ends }: Boundaries, origin: Origin): Uint8Array {
  const count = positions.length;
  return joinBytes([
    packIntegers(
      positions.map((p) => p - origin.firstPosition),
      count,
    ),
    packIntegers(
      timesUs.map((t) => t - origin.firstTimeUs),
      count,
    ),
    packIntegers(Float64Array.from(ends), count),
  ]);
}

/** Null where the page follows no such grammar. */
export function decodeBoundaries(raw: Uint8Array, count: number, origin: Origin): Boundaries | null {
  const positions = new Float64Array(count);
  const timesUs = new Float64Array(count);
  const ends = new Float64Array(count);
  let at = 0;
  for (const target of [positions, timesUs, ends]) {
    const packed = readPacked(raw, at, count);
    if (packed === null) return null;
    unpack(packed, count, target);
    at = packed.next;
  }
  for (let i = 0; i < count; i++) {
    positions[i] = (positions[i] as number) + origin.firstPosition;
    timesUs[i] = (timesUs[i] as number) + origin.firstTimeUs;
  }
  return { positions, timesUs, ends: Uint32Array.from(ends) };
}

export function encodeCommits(commits: readonly CommitInfo[], origin: Origin): Uint8Array {
  const times = Float64Array.from(commits, ({ timeUs }) => timeUs - origin.firstTimeUs);
  const keyed = commits.filter(({ idempotencyKey }) => idempotencyKey !== null);
  let bound = VARINT_BYTES_MAX;
  for (const { idempotencyKey, requestDigest } of keyed) {
    bound += 3 * VARINT_BYTES_MAX + 3 * (idempotencyKey!.length + (requestDigest?.length ?? 0));
  }
  const bytes = new Uint8Array(bound);
  let at = writeVarint(bytes, 0, keyed.length);
  let next = commits[0]?.position ?? 0;
  for (const { position, idempotencyKey, requestDigest } of keyed) {
    at = writeVarint(bytes, at, position - next);
    at = writeText(bytes, at, idempotencyKey);
    at = writeText(bytes, at, requestDigest);
    next = position + 1;
  }
  return joinBytes([packIntegers(times, commits.length), bytes.subarray(0, at)]);
}

/** Consecutive commits from `firstPosition` on; null where the page follows no such grammar. */
export function decodeCommits(
  raw: Uint8Array,
  count: number,
  firstPosition: number,
  origin: Origin,
): CommitInfo[] | null {
  const packed = readPacked(raw, 0, count);
  if (packed === null) return null;
  const times = new Float64Array(count);
  unpack(packed, count, times);
  const commits: CommitInfo[] = [];
  for (let i = 0; i < count; i++) {
    const timeUs = (times[i] as number) + origin.firstTimeUs;
    commits.push({ position: firstPosition + i, timeUs, idempotencyKey: null, requestDigest: null });
  }
  const reader = new VarintReader(raw, packed.next, raw.length);
  let next = 0;
  for (let left = reader.next(); left > 0 && !reader.failed; left--) {
    const index = next + reader.next();
    const commit = commits[index];
    const idempotencyKey = readText(raw, reader);
    const requestDigest = readText(raw, reader);
    if (commit === undefined || idempotencyKey === null) return null;
    commits[index] = { ...commit, idempotencyKey, requestDigest };
    next = index + 1;
  }
  return reader.failed || reader.at !== raw.length ? null : commits;
}
