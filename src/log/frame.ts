/**
 * A frame: one group of commits as it lies in a segment. All numbers little-endian; `varint` is varint.ts.
 *
 *   segment   := frame* zero*
 *   frame     := header commits directory columns zero{0..7}      its length is a multiple of 8, so is its offset
 *   header    := 64 bytes, HEADER below
 *   commits   := commit{commitCount}                              position = firstPosition + index
 *   commit    := timeDelta:varint key                             µs since the commit before; the first one's is 0
 *   key       := 0:varint | (keyBytes + 1):varint utf8 digest     the idempotency key, if any
 *   digest    := 0:varint | (digestBytes + 1):varint utf8
 *   directory := batch{batchCount}                                by topic; of a topic by offset
 *   batch     := topicId:varint schemaVersion:varint baseOffset:varint rows:varint columnsBytes:varint
 *                flags:varint                                     1 = some rows are deletes
 *                boundaryCount:varint boundary{boundaryCount}
 *   boundary  := skipped:varint rows:varint                       commits without rows here, then this commit's rows
 *   columns   := (batchBytes deletes?){batchCount}                in the directory's order; batchBytes is batch/codec.ts
 *   deletes   := bit{rows} padded to bytes                        lowest bit first; set = the row deletes its key
 *
 * The header has its own checksum, so that its lengths may be believed before the rest is there; the frame's checksum covers
 * every byte of the frame but the eight bytes of the two checksums. A frame without commits is a *closing mark*: it says that what stands
 * before it was durable.
 *
 * Commits and directory stand before the columns and need no schema: recovery, checking and readers of other topics skip
 * the columns undecoded.
 */
import { assert } from "../base/assert.ts";
import { crc32c } from "../base/crc32c.ts";
import { EncodedBatch, encodeBatch, encodedSize } from "../batch/codec.ts";
import type { CommitInfo, Group, TopicBatch } from "./log.ts";
import { OP_DELETE } from "./log.ts";
import { VARINT_BYTES_MAX, VarintReader, writeVarint } from "./varint.ts";
import { readText, writeText } from "./varint-text.ts";

/** "EVRT" */
export const MAGIC = 0x54525645;
export const FORMAT_VERSION = 1;
/** A frame with several batches of one topic, which readers of version 1 take for damage. */
export const FORMAT_VERSION_SEVERAL_BATCHES = 2;
export const HEADER_BYTES = 64;
export const FRAME_ALIGNMENT = 8;

/** Byte offsets of the header's fields. */
const HEADER = {
  magic: 0, // u32
  formatVersion: 4, // u16
  reserved: 6, // u16, zero
  logId: 8, // u64: the same in all frames of a log, random between logs
  firstPosition: 16, // u64
  firstTimeUs: 24, // u64
  commitCount: 32, // u32
  batchCount: 36, // u32
  commitsBytes: 40, // u32
  directoryBytes: 44, // u32
  columnsBytes: 48, // u32
  reserved2: 52, // u32, zero
  headerCrc: 56, // u32: CRC-32C of bytes 0 … 55
  frameCrc: 60, // u32: CRC-32C of bytes 0 … 55 and 64 … end
} as const;

export interface FrameHeader {
  readonly formatVersion: number;
  readonly logId: number;
  readonly firstPosition: number;
  readonly firstTimeUs: number;
  readonly commitCount: number;
  readonly batchCount: number;
  readonly commitsBytes: number;
  readonly directoryBytes: number;
  readonly columnsBytes: number;
  readonly frameCrc: number;
  /** Length of the whole frame, padding included. */
  readonly frameBytes: number;
}

/** A batch as the directory describes it; nothing of it is decoded. */
export interface BatchEntry {
  readonly topicId: number;
  readonly schemaVersion: number;
  readonly baseOffset: number;
  readonly rows: number;
  /** From the beginning of the frame. */
  readonly columnsAt: number;
  readonly columnsBytes: number;
  /** Where the bitmap of deletes begins, or -1. */
  readonly deletesAt: number;
  readonly commitIndexes: Uint32Array;
  readonly commitEnds: Uint32Array;
}

// ---- writing ----

/** What stands between header and columns, and how long the columns will be: enough to know the frame's size. */
export interface FrameMeta {
  readonly bytes: Uint8Array;
  readonly commitsBytes: number;
  readonly directoryBytes: number;
  readonly columnsBytes: number;
  readonly frameBytes: number;
}

/** Upper bound of what a commit adds to a frame besides its rows. */
export function commitBytesMax(keyLength: number, digestLength: number): number {
  return 3 * VARINT_BYTES_MAX + 3 * (keyLength + digestLength);
}

/** Upper bound of what a batch adds to a frame besides columns, boundaries and deletes. */
export const BATCH_ENTRY_BYTES_MAX = 7 * VARINT_BYTES_MAX;

/** A boundary counts commits and rows of one frame: two numbers below 2^32. */
export const BOUNDARY_BYTES_MAX = 10;

/** Where it is put together, until its length is known: from group to group the same, so long as none is large. */
let draft = new Uint8Array(64 * 1024);
const DRAFT_BYTES_KEPT_MAX = 1 << 20;

export function encodeMeta(group: Group): FrameMeta {
  let bytes = draft;
  let at = 0;
  let timeUs = group.commits.length > 0 ? group.commits[0]!.timeUs : 0;
  for (const commit of group.commits) {
    const { idempotencyKey, requestDigest } = commit;
    const bound = at + commitBytesMax(idempotencyKey?.length ?? 0, requestDigest?.length ?? 0);
    if (bound > bytes.length) bytes = grown(bytes, at, bound);
    at = writeVarint(bytes, at, commit.timeUs - timeUs);
    timeUs = commit.timeUs;
    at = writeText(bytes, at, idempotencyKey);
    if (idempotencyKey !== null) at = writeText(bytes, at, requestDigest);
  }
  const commitsBytes = at;
  let columnsBytes = 0;
  for (const batch of group.batches) {
    const bound = at + BATCH_ENTRY_BYTES_MAX + BOUNDARY_BYTES_MAX * batch.commitIndexes.length;
    if (bound > bytes.length) bytes = grown(bytes, at, bound);
    const rows = batch.batch.length;
    const batchBytes = encodedSize(batch.batch);
    columnsBytes += batchBytes + (batch.ops === null ? 0 : deletesBytes(rows));
    at = writeVarint(bytes, at, batch.topicId);
    at = writeVarint(bytes, at, batch.schemaVersion);
    at = writeVarint(bytes, at, batch.baseOffset);
    at = writeVarint(bytes, at, rows);
    at = writeVarint(bytes, at, batchBytes);
    at = writeVarint(bytes, at, batch.ops === null ? 0 : 1);
    at = writeBoundaries(bytes, at, batch);
  }
  if (bytes.length <= DRAFT_BYTES_KEPT_MAX) draft = bytes;
  return {
    bytes: bytes.slice(0, at),
    commitsBytes,
    directoryBytes: at - commitsBytes,
    columnsBytes,
    frameBytes: align(HEADER_BYTES + at + columnsBytes),
  };
}

function grown(bytes: Uint8Array, used: number, needed: number): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(Math.max(needed, bytes.length * 2));
  larger.set(bytes.subarray(0, used));
  return larger;
}

/** Batches of one topic stand side by side. */
function versionOf({ batches }: Group): number {
  for (let i = 1; i < batches.length; i++)
    if (batches[i]!.topicId === batches[i - 1]!.topicId) return FORMAT_VERSION_SEVERAL_BATCHES;
  return FORMAT_VERSION;
}

/** Writes the frame to target[0, meta.frameBytes), all but its checksum, which `finishFrame` puts in. */
export function encodeFrame(group: Group, meta: FrameMeta, logId: number, target: Uint8Array): void {
  const view = new DataView(target.buffer, target.byteOffset, HEADER_BYTES);
  target.fill(0, 0, HEADER_BYTES);
  view.setUint32(HEADER.magic, MAGIC, true);
  view.setUint16(HEADER.formatVersion, versionOf(group), true);
  setU64(view, HEADER.logId, logId);
  setU64(view, HEADER.firstPosition, group.firstPosition);
  setU64(view, HEADER.firstTimeUs, group.commits.length > 0 ? group.commits[0]!.timeUs : 0);
  view.setUint32(HEADER.commitCount, group.commits.length, true);
  view.setUint32(HEADER.batchCount, group.batches.length, true);
  view.setUint32(HEADER.commitsBytes, meta.commitsBytes, true);
  view.setUint32(HEADER.directoryBytes, meta.directoryBytes, true);
  view.setUint32(HEADER.columnsBytes, meta.columnsBytes, true);
  view.setUint32(HEADER.headerCrc, crc32c(target, 0, HEADER.headerCrc), true);

  target.set(meta.bytes, HEADER_BYTES);
  let at = HEADER_BYTES + meta.bytes.length;
  const { batches } = group;
  for (let i = 0; i < batches.length; ) {
    const { batch, ops } = batches[i]!;
    const encoded = encodedTogether(batches, i);
    if (encoded > 0) {
      const { bytes, from } = batch as EncodedBatch;
      const { to } = batches[i + encoded - 1]!.batch as EncodedBatch;
      target.set(bytes.subarray(from, to), at);
      at += to - from;
      i += encoded;
      continue;
    }
    at = encodeBatch(batch, target, at);
    if (ops !== null) at = writeDeletes(target, at, ops, batch.length);
    i++;
  }
  assert(
    at === HEADER_BYTES + meta.bytes.length + meta.columnsBytes,
    "a batch is as long as encodedSize said",
  );
  target.fill(0, at, meta.frameBytes);
}

/** How many batches from there on lie one behind the other as they will in the frame: rows that were staged so. */
function encodedTogether(batches: readonly TopicBatch[], first: number): number {
  let count = 0;
  let bytes: Uint8Array | null = null;
  let end = 0;
  for (let i = first; i < batches.length; i++, count++) {
    const { batch, ops } = batches[i]!;
    if (!(batch instanceof EncodedBatch) || ops !== null) break;
    if (bytes !== null && (batch.bytes !== bytes || batch.from !== end)) break;
    ({ bytes, to: end } = batch);
  }
  return count;
}

/** The checksum of a frame begins with that of its header's fields; `from` … `to` continues it. */
export function frameCrcSeed(frame: Uint8Array, at = 0): number {
  return crc32c(frame, at, at + HEADER.headerCrc);
}

export function finishFrame(frame: Uint8Array, crc: number): void {
  new DataView(frame.buffer, frame.byteOffset, HEADER_BYTES).setUint32(HEADER.frameCrc, crc, true);
}

function writeBoundaries(target: Uint8Array, at: number, batch: TopicBatch): number {
  at = writeVarint(target, at, batch.commitIndexes.length);
  let nextCommit = 0;
  let row = 0;
  for (let i = 0; i < batch.commitIndexes.length; i++) {
    const commit = batch.commitIndexes[i]!;
    const end = batch.commitEnds[i]!;
    at = writeVarint(target, at, commit - nextCommit);
    at = writeVarint(target, at, end - row);
    nextCommit = commit + 1;
    row = end;
  }
  return at;
}

export function deletesBytes(rows: number): number {
  return (rows + 7) >> 3;
}

function writeDeletes(target: Uint8Array, at: number, ops: Uint8Array, rows: number): number {
  const end = at + deletesBytes(rows);
  target.fill(0, at, end);
  for (let row = 0; row < rows; row++) {
    if (ops[row] === OP_DELETE) target[at + (row >> 3)]! |= 1 << (row & 7);
  }
  return end;
}

// ---- reading ----

/** The header at `at`, or null if no sound one stands there. REQUIRES HEADER_BYTES bytes there. */
export function readHeader(bytes: Uint8Array, at: number): FrameHeader | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, HEADER_BYTES);
  if (view.getUint32(HEADER.magic, true) !== MAGIC) return null;
  if (view.getUint32(HEADER.headerCrc, true) !== crc32c(bytes, at, at + HEADER.headerCrc)) return null;
  const commitsBytes = view.getUint32(HEADER.commitsBytes, true);
  const directoryBytes = view.getUint32(HEADER.directoryBytes, true);
  const columnsBytes = view.getUint32(HEADER.columnsBytes, true);
  return {
    formatVersion: view.getUint16(HEADER.formatVersion, true),
    logId: getU64(view, HEADER.logId),
    firstPosition: getU64(view, HEADER.firstPosition),
    firstTimeUs: getU64(view, HEADER.firstTimeUs),
    commitCount: view.getUint32(HEADER.commitCount, true),
    batchCount: view.getUint32(HEADER.batchCount, true),
    commitsBytes,
    directoryBytes,
    columnsBytes,
    frameCrc: view.getUint32(HEADER.frameCrc, true),
    frameBytes: align(HEADER_BYTES + commitsBytes + directoryBytes + columnsBytes),
  };
}

/** Null if the bytes do not follow the grammar, which a sound frame's always do. */
export function readCommits(bytes: Uint8Array, at: number, header: FrameHeader): CommitInfo[] | null {
  const end = at + HEADER_BYTES + header.commitsBytes;
  const reader = new VarintReader(bytes, at + HEADER_BYTES, end);
  const commits: CommitInfo[] = [];
  let timeUs = header.firstTimeUs;
  for (let index = 0; index < header.commitCount && !reader.failed; index++) {
    timeUs += reader.next();
    const idempotencyKey = readText(bytes, reader);
    const requestDigest = idempotencyKey === null ? null : readText(bytes, reader);
    commits.push({ position: header.firstPosition + index, timeUs, idempotencyKey, requestDigest });
  }
  return reader.failed || reader.at !== end ? null : commits;
}

/** Null if the bytes do not follow the grammar, which a sound frame's always do. */
export function readDirectory(bytes: Uint8Array, at: number, header: FrameHeader): BatchEntry[] | null {
  const from = at + HEADER_BYTES + header.commitsBytes;
  const end = from + header.directoryBytes;
  const reader = new VarintReader(bytes, from, end);
  const entries: BatchEntry[] = [];
  let columnsAt = HEADER_BYTES + header.commitsBytes + header.directoryBytes;
  for (let index = 0; index < header.batchCount && !reader.failed; index++) {
    const topicId = reader.next();
    const schemaVersion = reader.next();
    const baseOffset = reader.next();
    const rows = reader.next();
    const columnsBytes = reader.next();
    const flags = reader.next();
    const boundaryCount = reader.next();
    if (flags > 1 || boundaryCount > header.commitCount) return null;
    const commitIndexes = new Uint32Array(boundaryCount);
    const commitEnds = new Uint32Array(boundaryCount);
    let nextCommit = 0;
    let row = 0;
    for (let i = 0; i < boundaryCount; i++) {
      const commit = nextCommit + reader.next();
      row += reader.next();
      commitIndexes[i] = commit;
      commitEnds[i] = row;
      nextCommit = commit + 1;
    }
    if (row !== rows || nextCommit > header.commitCount) return null;
    const deletesAt = flags === 1 ? columnsAt + columnsBytes : -1;
    entries.push({
      topicId,
      schemaVersion,
      baseOffset,
      rows,
      columnsAt,
      columnsBytes,
      deletesAt,
      commitIndexes,
      commitEnds,
    });
    columnsAt += columnsBytes + (flags === 1 ? deletesBytes(rows) : 0);
  }
  const complete = HEADER_BYTES + header.commitsBytes + header.directoryBytes + header.columnsBytes;
  return reader.failed || reader.at !== end || columnsAt !== complete ? null : entries;
}

/** One byte per row: OP_UPSERT or OP_DELETE. */
export function readDeletes(bytes: Uint8Array, at: number, rows: number): Uint8Array {
  const ops = new Uint8Array(rows);
  for (let row = 0; row < rows; row++) ops[row] = (bytes[at + (row >> 3)]! >> (row & 7)) & 1;
  return ops;
}

export function align(length: number): number {
  return Math.ceil(length / FRAME_ALIGNMENT) * FRAME_ALIGNMENT;
}

/** A safe integer, not negative, as u64. */
function setU64(view: DataView, at: number, value: number): void {
  view.setUint32(at, value % 0x1_0000_0000, true);
  view.setUint32(at + 4, Math.floor(value / 0x1_0000_0000), true);
}

function getU64(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * 0x1_0000_0000;
}
