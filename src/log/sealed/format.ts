/**
 * A sealed segment: the commits of one full segment, clustered by topic, in compressed pages that are addressed by column.
 *
 *   sealed    := head page* directory tail
 *   head      := "EVRS" version:u16 zero:u16                         8 bytes
 *   tail      := 64 bytes, TAIL below                                the last of the file
 *   directory := page (a compressed text of the grammar), holding
 *                commitCount:varint firstTime:varint timeSpan:varint keyed:varint originalBytes:varint
 *                commitPages:varint commitPage{commitPages} runs:varint run{runs}
 *   commitPage:= commits:varint page
 *   run       := topicId:varint schemaVersion:varint baseOffset:varint rows:varint section:page
 *                                                                    the rows of a topic in one schema; by topic, then by offset
 *   section   := columns:varint layout:u8{columns} blocks:varint block{blocks}
 *   block     := flags:varint rows:varint commits:varint firstPosition:varint positions:varint firstTime:varint timeSpan:varint contentCrc:u32
 *                boundaries:page deletes:page? column{columns} opaque:page?
 *   column    := page nulls:varint bounds
 *   bounds    := 0:u8 | 1:u8 min:f64 max:f64 | 2:u8 text text        text := bytes:varint utf8
 *   page      := at:varint bytes:varint rawBytes:varint method:u8 crc:u32
 *
 * Positions and times in it are relative to the segment's first. `flags`: 1, some rows are deletes, and there is a page of a bit per row;
 * 2, *opaque*: nobody could say what the topic's columns are when the segment was sealed (it had been dropped), so that the block has one
 * page with the batch as it stood in its frame, and no columns; 4, the last commit goes on in the next block, whose first commit it is.
 *
 * Forward compatibility: a version, a flag, a method or a kind of bounds that is not known is refused with format_unsupported. Bytes behind what
 * the grammar says, in directory and section, are passed over: a later minor change may put something there.
 *
 * A boundaries page is three packed arrays (integers.ts), one number per commit with rows in the block: position and time, relative to the
 * segment's first, and where its rows end in the block. A commit page is one packed array of the times of consecutive commits, then
 * keyed:varint and, for each commit with an idempotency key, skipped:varint key digest, as in a frame.
 */
import { ByteWriter } from "../../base/bytes.ts";
import { crc32c } from "../../base/crc32c.ts";
import { VARINT_BYTES_MAX, VarintReader, writeVarint } from "../varint.ts";
import { type Bounds, type Page, STORED, ZSTD } from "./page.ts";

/** "EVRS" */
export const SEALED_MAGIC = 0x53525645;
export const SEALED_VERSION = 1;
export const HEAD_BYTES = 8;
export const TAIL_BYTES = 64;

export const HAS_DELETES = 1;
export const OPAQUE = 2;
export const CONTINUES = 4;

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
  readonly rows: number;
  readonly section: Page;
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

export function encodeHead(): Uint8Array {
  const bytes = new Uint8Array(HEAD_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, SEALED_MAGIC, true);
  view.setUint16(4, SEALED_VERSION, true);
  return bytes;
}

export function encodeTail({ logId, firstPosition, directory }: Omit<Tail, "version">): Uint8Array {
  const bytes = new Uint8Array(TAIL_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(TAIL.magic, SEALED_MAGIC, true);
  view.setUint16(TAIL.version, SEALED_VERSION, true);
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
  const { commitCount, firstTimeUs, lastTimeUs, keyed, originalBytes, commitPages, runs } = directory;
  for (const n of [commitCount, firstTimeUs, lastTimeUs - firstTimeUs, keyed, originalBytes])
    varint(writer, n);
  varint(writer, commitPages.length);
  for (const { commits, page } of commitPages) {
    varint(writer, commits);
    writePage(writer, page);
  }
  varint(writer, runs.length);
  for (const { topicId, schemaVersion, baseOffset, rows, section } of runs) {
    for (const n of [topicId, schemaVersion, baseOffset, rows]) varint(writer, n);
    writePage(writer, section);
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
        (block.continues ? CONTINUES : 0),
    );
    varint(writer, block.rows);
    varint(writer, block.commits);
    varint(writer, block.firstPosition - origin.firstPosition);
    varint(writer, block.lastPosition - block.firstPosition);
    varint(writer, block.firstTimeUs - origin.firstTimeUs);
    varint(writer, block.lastTimeUs - block.firstTimeUs);
    writer.u32(block.contentCrc);
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

export function readDirectory(bytes: Uint8Array): Directory | null {
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
    runs.push({ topicId, schemaVersion, baseOffset, rows, section: readPage(bytes, reader) });
  }
  if (reader.failed) return null;
  return { commitCount, firstTimeUs, lastTimeUs, keyed, originalBytes, commitPages, runs };
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
    if (flags > (HAS_DELETES | OPAQUE | CONTINUES)) throw new UnknownFormat(`a block with flags ${flags}`);
    const rows = reader.next();
    const commits = reader.next();
    const firstPosition = origin.firstPosition + reader.next();
    const lastPosition = firstPosition + reader.next();
    const firstTimeUs = origin.firstTimeUs + reader.next();
    const lastTimeUs = firstTimeUs + reader.next();
    const contentCrc = u32(bytes, reader);
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
    });
  }
  return reader.failed ? null : { layouts, blocks };
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
