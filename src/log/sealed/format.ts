/**
 * A sealed segment: the commits of one full segment, clustered by topic, in compressed pages that are addressed by column. Version 1 has all their
 * rows, version 2 what is left of them.
 *
 *   sealed    := head page* directory tail
 *   head      := "EVRS" version:u16 zero:u16                         8 bytes
 *   tail      := 64 bytes, TAIL below                                the last of the file
 *   directory := page (a compressed text of the grammar), holding
 *                commitCount:varint firstTime:varint timeSpan:varint keyed:varint originalBytes:varint
 *                commitPages:varint commitPage{commitPages} runs:varint run{runs} (horizon:varint ranges:page)?
 *   commitPage:= commits:varint page
 *   run       := topicId:varint schemaVersion:varint baseOffset:varint rows:varint section:page (kept:varint flags:varint)?
 *                                                                    the rows of a topic in one schema; by topic, then by offset
 *   section   := columns:varint layout:u8{columns} blocks:varint block{blocks}
 *   block     := flags:varint rows:varint commits:varint firstPosition:varint positions:varint firstTime:varint timeSpan:varint contentCrc:u32
 *                (firstOffset:varint span:varint offsets:page?)? boundaries:page deletes:page? column{columns} opaque:page?
 *   column    := page nulls:varint bounds
 *   bounds    := 0:u8 | 1:u8 min:f64 max:f64 | 2:u8 text text        text := bytes:varint utf8
 *   page      := at:varint bytes:varint rawBytes:varint method:u8 crc:u32
 *
 * Positions and times in it are relative to the segment's first. `flags`: 1, some rows are deletes, and there is a page of a bit per row;
 * 2, *opaque*: nobody could say what the topic's columns are when the segment was sealed (it had been dropped), so that the block has one
 * page with the batch as it stood in its frame, and no columns; 4, the last commit goes on in the next block, whose first commit it is; 8, the
 * block says where it lies in the run (the others begin where the one before ended), and has a page of offsets where its rows have gaps.
 *
 * Version 2 has, of each run, `kept` and `flags`, and then `horizon` and `ranges`. A run's `rows` are the offsets it spans, `kept` those rows that
 * are there; without any it has no section. Its `flags`: 1, *trimmed*: the topic begins behind it; 2, *compacted*: of each key only the last row up
 * to `horizon` was kept. 4, *without deletes*: deletes went, too, or may have. `horizon` is the last position that was looked at when rows were taken
 * out, or by which the topic was dropped: from it on the segment's rows and those behind it give the state of every table. `ranges` says which rows
 * the commits with an idempotency key had (kept-ranges.ts).
 *
 * Forward compatibility: a version, a flag, a method or a kind of bounds that is not known is refused with format_unsupported. Bytes behind what
 * the grammar says, in directory and section, are passed over: a later minor change may put something there.
 *
 * A boundaries page is three packed arrays (integers.ts), one number per commit with rows in the block: position and time, relative to the
 * segment's first, and where its rows end in the block. A commit page is one packed array of the times of consecutive commits, then
 * keyed:varint and, for each commit with an idempotency key, skipped:varint key digest, as in a frame.
 */
import { assert } from "../../base/assert.ts";
import { ByteWriter } from "../../base/bytes.ts";
import { crc32c } from "../../base/crc32c.ts";
import { VARINT_BYTES_MAX, VarintReader, writeVarint } from "../varint.ts";
import { type Bounds, type Page, STORED, ZSTD } from "./page.ts";

/** "EVRS" */
export const SEALED_MAGIC = 0x53525645;
export const SEALED_VERSION = 1;
/** Of a segment that rows were taken out of. */
export const SEALED_VERSION_SPARSE = 2;
export const HEAD_BYTES = 8;
export const TAIL_BYTES = 64;

export const HAS_DELETES = 1;
export const OPAQUE = 2;
export const CONTINUES = 4;
export const PLACED = 8;

export const TRIMMED = 1;
export const COMPACTED = 2;
export const LACKS_DELETES = 4;

/** Byte offsets of the tail's fields. */
const TAIL = {
  magic: 0, // u32
  version: 4, // u16
  reserved: 6, // u16, zero
  logId: 8, // u64
  firstPosition: 16, // u64
  directoryAt: 24, // u64
  directoryBytes: 32, // u32
  directoryRawBytes: 36, // u32
  directoryMethod: 40, // u32
  directoryCrc: 44, // u32
  reserved2: 48, // 12 bytes, zero
  tailCrc: 60, // u32: CRC-32C of bytes 0 … 59
} as const;

export interface Tail {
  readonly version: number;
  readonly logId: number;
  readonly firstPosition: number;
  readonly directory: Page;
}

/** Rows of one topic in one schema. */
export interface Run {
  readonly topicId: number;
  readonly schemaVersion: number;
  readonly baseOffset: number;
  /** Offsets it spans. */
  readonly rows: number;
  readonly section: Page;
  /** Rows that are there. */
  readonly kept: number;
  /** The topic begins behind it. */
  readonly isTrimmed: boolean;
  /** Of each key only the last row up to the segment's horizon was kept. */
  readonly isCompacted: boolean;
  /** Deletes may have been taken out: who has earlier rows from elsewhere does not learn from it that they are gone. */
  readonly lacksDeletes: boolean;
}

export interface CommitPage {
  readonly commits: number;
  readonly page: Page;
}

export interface Directory {
  readonly commitCount: number;
  readonly firstTimeUs: number;
  readonly lastTimeUs: number;
  /** Commits with an idempotency key. */
  readonly keyed: number;
  /** Of the frames that the segment was made of. */
  readonly originalBytes: number;
  readonly commitPages: readonly CommitPage[];
  readonly runs: readonly Run[];
  /** What of version 2 only; null where no row was taken out. */
  readonly sparse: Sparse | null;
}

export interface Sparse {
  /** The last position that was looked at when rows were taken out. */
  readonly horizon: number;
  /** Which rows the commits with an idempotency key had. */
  readonly ranges: Page;
}

export interface ColumnPage extends Page {
  readonly nulls: number;
  readonly bounds: Bounds | null;
}

export interface Block {
  readonly rows: number;
  /** Commits with rows in it. */
  readonly commits: number;
  readonly firstPosition: number;
  readonly lastPosition: number;
  readonly firstTimeUs: number;
  readonly lastTimeUs: number;
  /** Checksum of the decoded columns. */
  readonly contentCrc: number;
  readonly boundaries: Page;
  readonly deletes: Page | null;
  readonly columns: readonly ColumnPage[];
  /** The batch in its frame's form, of a topic without a schema. */
  readonly opaque: Page | null;
  /** The last commit was cut: the next block begins with the rest of it. */
  readonly continues: boolean;
  /** Null: it begins where the block before ends, and has no gap. */
  readonly place: BlockPlace | null;
}

/** Where a block lies in its run. */
export interface BlockPlace {
  /** Of its first row, from the run's first. */
  readonly firstOffset: number;
  /** Offsets from its first row to its last, both counted in. */
  readonly span: number;
  /** Offsets of its rows from the first; null: they follow without a gap. */
  readonly offsets: Page | null;
}

export interface Section {
  /** By column: see page.ts. */
  readonly layouts: Uint8Array;
  readonly blocks: readonly Block[];
}

/** What positions and times in a segment are relative to. */
export interface Origin {
  readonly firstPosition: number;
  readonly firstTimeUs: number;
}

// ---- writing ----

export function encodeHead(version: number): Uint8Array {
  const bytes = new Uint8Array(HEAD_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, SEALED_MAGIC, true);
  view.setUint16(4, version, true);
  return bytes;
}

export function encodeTail({ version, logId, firstPosition, directory }: Tail): Uint8Array {
  const bytes = new Uint8Array(TAIL_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(TAIL.magic, SEALED_MAGIC, true);
  view.setUint16(TAIL.version, version, true);
  setU64(view, TAIL.logId, logId);
  setU64(view, TAIL.firstPosition, firstPosition);
  setU64(view, TAIL.directoryAt, directory.at);
  view.setUint32(TAIL.directoryBytes, directory.bytes, true);
  view.setUint32(TAIL.directoryRawBytes, directory.rawBytes, true);
  view.setUint32(TAIL.directoryMethod, directory.method, true);
  view.setUint32(TAIL.directoryCrc, directory.crc, true);
  view.setUint32(TAIL.tailCrc, crc32c(bytes, 0, TAIL.tailCrc), true);
  return bytes;
}

export function encodeDirectory(directory: Directory): Uint8Array {
  const writer = new ByteWriter(1024);
  const { commitCount, firstTimeUs, lastTimeUs, keyed, originalBytes, commitPages, runs, sparse } = directory;
  for (const n of [commitCount, firstTimeUs, lastTimeUs - firstTimeUs, keyed, originalBytes])
    varint(writer, n);
  varint(writer, commitPages.length);
  for (const { commits, page } of commitPages) {
    varint(writer, commits);
    writePage(writer, page);
  }
  varint(writer, runs.length);
  for (const run of runs) {
    const { topicId, schemaVersion, baseOffset, rows, section, kept } = run;
    for (const n of [topicId, schemaVersion, baseOffset, rows]) varint(writer, n);
    writePage(writer, section);
    if (sparse === null) continue;
    varint(writer, kept);
    varint(
      writer,
      (run.isTrimmed ? TRIMMED : 0) |
        (run.isCompacted ? COMPACTED : 0) |
        (run.lacksDeletes ? LACKS_DELETES : 0),
    );
  }
  if (sparse !== null) {
    varint(writer, sparse.horizon);
    writePage(writer, sparse.ranges);
  }
  return writer.finish();
}

export function encodeSection({ layouts, blocks }: Section, origin: Origin): Uint8Array {
  const writer = new ByteWriter(1024);
  varint(writer, layouts.length);
  writer.raw(layouts);
  varint(writer, blocks.length);
  for (const block of blocks) {
    varint(
      writer,
      (block.deletes === null ? 0 : HAS_DELETES) |
        (block.opaque === null ? 0 : OPAQUE) |
        (block.continues ? CONTINUES : 0) |
        (block.place === null ? 0 : PLACED),
    );
    varint(writer, block.rows);
    varint(writer, block.commits);
    varint(writer, block.firstPosition - origin.firstPosition);
    varint(writer, block.lastPosition - block.firstPosition);
    varint(writer, block.firstTimeUs - origin.firstTimeUs);
    varint(writer, block.lastTimeUs - block.firstTimeUs);
    writer.u32(block.contentCrc);
    if (block.place !== null) writePlace(writer, block.place, block.rows);
    writePage(writer, block.boundaries);
    if (block.deletes !== null) writePage(writer, block.deletes);
    for (const column of block.columns) {
      writePage(writer, column);
      varint(writer, column.nulls);
      writeBounds(writer, column.bounds);
    }
    if (block.opaque !== null) writePage(writer, block.opaque);
  }
  return writer.finish();
}

/** Where the span is as large as the rows are many, there is no gap. */
function writePlace(writer: ByteWriter, { firstOffset, span, offsets }: BlockPlace, rows: number): void {
  assert((offsets === null) === (span === rows), "a block has a page of offsets where its rows have gaps");
  varint(writer, firstOffset);
  varint(writer, span);
  if (offsets !== null) writePage(writer, offsets);
}

function writePage(writer: ByteWriter, { at, bytes, rawBytes, method, crc }: Page): void {
  varint(writer, at);
  varint(writer, bytes);
  varint(writer, rawBytes);
  writer.u8(method);
  writer.u32(crc);
}

function writeBounds(writer: ByteWriter, bounds: Bounds | null): void {
  if (bounds === null) {
    writer.u8(0);
    return;
  }
  writer.u8(bounds.kind === "number" ? 1 : 2);
  if (bounds.kind === "number") {
    writer.f64(bounds.min);
    writer.f64(bounds.max);
    return;
  }
  for (const text of [bounds.min, bounds.max]) {
    varint(writer, text.length);
    writer.raw(text);
  }
}

function varint(writer: ByteWriter, value: number): void {
  const from = writer.length;
  writer.advance(writeVarint(writer.reserve(VARINT_BYTES_MAX), from, value) - from);
}

// ---- reading: null where bytes whose checksum is right do not follow the grammar ----

/** The tail, or null if no sound one stands there. Its version is for the caller to look at. */
export function readTail(bytes: Uint8Array): Tail | null {
  if (bytes.length !== TAIL_BYTES) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, TAIL_BYTES);
  if (view.getUint32(TAIL.magic, true) !== SEALED_MAGIC) return null;
  if (view.getUint32(TAIL.tailCrc, true) !== crc32c(bytes, 0, TAIL.tailCrc)) return null;
  return {
    version: view.getUint16(TAIL.version, true),
    logId: getU64(view, TAIL.logId),
    firstPosition: getU64(view, TAIL.firstPosition),
    directory: {
      at: getU64(view, TAIL.directoryAt),
      bytes: view.getUint32(TAIL.directoryBytes, true),
      rawBytes: view.getUint32(TAIL.directoryRawBytes, true),
      method: view.getUint32(TAIL.directoryMethod, true),
      crc: view.getUint32(TAIL.directoryCrc, true),
    },
  };
}

/** Thrown inside the readers below for something a later version may have meant; callers make format_unsupported of it. */
export class UnknownFormat extends Error {}

export function readDirectory(bytes: Uint8Array, version: number): Directory | null {
  const isSparse = version === SEALED_VERSION_SPARSE;
  const reader = new VarintReader(bytes, 0, bytes.length);
  const commitCount = reader.next();
  const firstTimeUs = reader.next();
  const lastTimeUs = firstTimeUs + reader.next();
  const keyed = reader.next();
  const originalBytes = reader.next();
  const commitPages: CommitPage[] = [];
  for (let left = reader.next(); left > 0 && !reader.failed; left--) {
    commitPages.push({ commits: reader.next(), page: readPage(bytes, reader) });
  }
  const runs: Run[] = [];
  for (let left = reader.next(); left > 0 && !reader.failed; left--) {
    const topicId = reader.next();
    const schemaVersion = reader.next();
    const baseOffset = reader.next();
    const rows = reader.next();
    const section = readPage(bytes, reader);
    const kept = isSparse ? reader.next() : rows;
    const flags = isSparse ? reader.next() : 0;
    if (flags > (TRIMMED | COMPACTED | LACKS_DELETES)) throw new UnknownFormat(`a topic with flags ${flags}`);
    runs.push({
      topicId,
      schemaVersion,
      baseOffset,
      rows,
      section,
      kept,
      isTrimmed: (flags & TRIMMED) !== 0,
      isCompacted: (flags & COMPACTED) !== 0,
      lacksDeletes: (flags & LACKS_DELETES) !== 0,
    });
  }
  const sparse = isSparse ? { horizon: reader.next(), ranges: readPage(bytes, reader) } : null;
  if (reader.failed) return null;
  return { commitCount, firstTimeUs, lastTimeUs, keyed, originalBytes, commitPages, runs, sparse };
}

export function readSection(bytes: Uint8Array, origin: Origin): Section | null {
  const reader = new VarintReader(bytes, 0, bytes.length);
  const columnCount = reader.next();
  const layoutsAt = reader.skip(columnCount);
  if (reader.failed) return null;
  const layouts = bytes.subarray(layoutsAt, layoutsAt + columnCount);
  const blocks: Block[] = [];
  for (let left = reader.next(); left > 0 && !reader.failed; left--) {
    const flags = reader.next();
    if (flags > (HAS_DELETES | OPAQUE | CONTINUES | PLACED))
      throw new UnknownFormat(`a block with flags ${flags}`);
    const rows = reader.next();
    const commits = reader.next();
    const firstPosition = origin.firstPosition + reader.next();
    const lastPosition = firstPosition + reader.next();
    const firstTimeUs = origin.firstTimeUs + reader.next();
    const lastTimeUs = firstTimeUs + reader.next();
    const contentCrc = u32(bytes, reader);
    const place = (flags & PLACED) === 0 ? null : readPlace(bytes, reader, rows);
    const boundaries = readPage(bytes, reader);
    const deletes = (flags & HAS_DELETES) === 0 ? null : readPage(bytes, reader);
    const columns: ColumnPage[] = [];
    for (let k = 0; k < columnCount && (flags & OPAQUE) === 0 && !reader.failed; k++) {
      const page = readPage(bytes, reader);
      columns.push({ ...page, nulls: reader.next(), bounds: readBounds(bytes, reader) });
    }
    const opaque = (flags & OPAQUE) === 0 ? null : readPage(bytes, reader);
    blocks.push({
      rows,
      commits,
      firstPosition,
      lastPosition,
      firstTimeUs,
      lastTimeUs,
      contentCrc,
      boundaries,
      deletes,
      columns,
      opaque,
      continues: (flags & CONTINUES) !== 0,
      place,
    });
  }
  return reader.failed ? null : { layouts, blocks };
}

function readPlace(bytes: Uint8Array, reader: VarintReader, rows: number): BlockPlace {
  const firstOffset = reader.next();
  const span = reader.next();
  return { firstOffset, span, offsets: span === rows ? null : readPage(bytes, reader) };
}

/** A block in its run: where it begins and ends, as offsets of the topic. */
export interface PlacedBlock {
  readonly block: Block;
  readonly baseOffset: number;
  /** Exclusive. */
  readonly endOffset: number;
}

export function placedBlocks(
  { baseOffset: runOffset }: Pick<Run, "baseOffset">,
  blocks: readonly Block[],
): PlacedBlock[] {
  let next = runOffset;
  return blocks.map((block) => {
    const baseOffset = block.place === null ? next : runOffset + block.place.firstOffset;
    const endOffset = baseOffset + (block.place?.span ?? block.rows);
    next = endOffset;
    return { block, baseOffset, endOffset };
  });
}

function readPage(bytes: Uint8Array, reader: VarintReader): Page {
  const at = reader.next();
  const stored = reader.next();
  const rawBytes = reader.next();
  const methodAt = reader.skip(1);
  const method = reader.failed ? STORED : (bytes[methodAt] as number);
  if (method !== STORED && method !== ZSTD) throw new UnknownFormat(`a page of method ${method}`);
  return { at, bytes: stored, rawBytes, method, crc: u32(bytes, reader) };
}

function readBounds(bytes: Uint8Array, reader: VarintReader): Bounds | null {
  const kindAt = reader.skip(1);
  const kind = reader.failed ? 0 : bytes[kindAt];
  if (kind === 0) return null;
  if (kind === 1) {
    const at = reader.skip(16);
    if (reader.failed) return null;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return { kind: "number", min: view.getFloat64(at, true), max: view.getFloat64(at + 8, true) };
  }
  if (kind !== 2) throw new UnknownFormat(`bounds of kind ${kind}`);
  const min = reader.skip(reader.next());
  const minEnd = reader.at;
  const max = reader.skip(reader.next());
  return reader.failed
    ? null
    : { kind: "text", min: bytes.subarray(min, minEnd), max: bytes.subarray(max, reader.at) };
}

function u32(bytes: Uint8Array, reader: VarintReader): number {
  const at = reader.skip(4);
  if (reader.failed) return 0;
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(at, true);
}

/** A safe integer, not negative, as u64. */
function setU64(view: DataView, at: number, value: number): void {
  view.setUint32(at, value % 0x1_0000_0000, true);
  view.setUint32(at + 4, Math.floor(value / 0x1_0000_0000), true);
}

function getU64(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * 0x1_0000_0000;
}
