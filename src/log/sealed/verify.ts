/**
 * Every byte of a sealed segment, looked at: each page's checksum, and, without asking anyone for a schema, what it decodes to against the checksum
 * taken of the rows when the segment was sealed.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { assert } from "../../base/assert.ts";
import { crc32c } from "../../base/crc32c.ts";
import type { Disk, DiskFile } from "../../base/disk.ts";
import { EvertError } from "../../base/errors.ts";
import type { Column } from "../../batch/batch.ts";
import type { Layout } from "../../batch/column.ts";
import { bool, float8, int4, int8, type SqlType, text } from "../../batch/types.ts";
import { readDeletes } from "../frame.ts";
import type { TopicRange } from "../log.ts";
import { decodeOffsets } from "./block-reader.ts";
import { blockCrc, type Pause } from "./block-writer.ts";
import { type ColumnMemory, ReusedMemory } from "./column-memory.ts";
import { decodeBoundaries, decodeCommits } from "./commits.ts";
import { type Block, placedBlocks, type Run, type Section } from "./format.ts";
import { decodeKeptRanges } from "./kept-ranges.ts";
import { columnCrc, decodeColumn, layoutName, type Page } from "./page.ts";
import { openSealed, pageDamaged, readPage, readRun, type SealedSegment } from "./sealed-segment.ts";

/** The first page that is not as it was written. */
export interface Fault {
  readonly page: Page;
  readonly reason: string;
  /** Rows that cannot be read because of it. */
  readonly rows: TopicRange | null;
}

/** Decoded without a turn of the event loop: less than a millisecond. */
const TURN_BYTES = 256 * 1024;

/** A type with each layout: the layout is all that decoding asks for. */
const typeOf: Readonly<Record<Layout, SqlType>> = {
  int32: int4,
  float64: float8,
  int64: int8,
  bits: bool,
  utf8: text,
};

/** @throws EvertError io_error */
export async function findFault(
  disk: Disk,
  path: string,
  segment: SealedSegment,
  pause: Pause,
): Promise<Fault | null> {
  for await (const fault of faults(disk, path, segment, pause)) return fault;
  return null;
}

/** All of them. @throws EvertError io_error */
export async function* faults(
  disk: Disk,
  path: string,
  segment: SealedSegment,
  pause: Pause,
): AsyncGenerator<Fault, void, undefined> {
  const file = await disk.open(path, "read");
  try {
    yield* commitFaults(file, segment);
    yield* rangesFaults(file, segment);
    for (const run of segment.directory.runs) {
      const { topicId, baseOffset, rows } = run;
      if (run.kept === 0) continue;
      const all = { topicId, firstOffset: baseOffset, lastOffset: baseOffset + rows - 1 };
      const section = await unlessDamaged(() => readRun(file, segment, run));
      if (section === null) {
        yield { page: run.section, reason: "the section is not as it was written", rows: all };
        continue;
      }
      yield* runFaults(file, segment, run, section, pause);
    }
  } finally {
    await file.close();
  }
}

/** The segment if every byte of it is as it was written, else null. @throws EvertError format_unsupported, io_error */
export async function openIfSound(
  disk: Disk,
  path: string,
  firstPosition: number,
  generation = 0,
): Promise<SealedSegment | null> {
  const segment = await unlessDamaged(() => openSealed(disk, path, firstPosition, generation));
  if (segment === null || (await findFault(disk, path, segment, turns())) !== null) return null;
  return segment;
}

/** Which rows the commits at these positions have. REQUIRES a segment that no row was taken out of. @throws EvertError log_damaged, io_error */
export async function rangesByPosition(
  disk: Disk,
  path: string,
  segment: SealedSegment,
  wanted: ReadonlySet<number>,
): Promise<Map<number, TopicRange[]>> {
  const ranges = new Map<number, TopicRange[]>();
  const file = await disk.open(path, "read");
  try {
    for (const run of segment.directory.runs) {
      const { topicId } = run;
      if (run.kept === 0) continue;
      for (const placed of placedBlocks(run, (await readRun(file, segment, run)).blocks)) {
        const { block, baseOffset: offset } = placed;
        assert(block.place === null, "where rows are gone the segment says which ranges there were");
        const raw = await readPage(file, segment.name, block.boundaries);
        const boundaries = decodeBoundaries(raw, block.commits, segment);
        if (boundaries === null) pageDamaged(segment.name, block.boundaries);
        const { positions, ends } = boundaries;
        positions.forEach((position, i) => {
          if (!wanted.has(position)) return;
          const firstOffset = offset + (i === 0 ? 0 : ends[i - 1]!);
          const lastOffset = offset + ends[i]! - 1;
          let list = ranges.get(position);
          if (list === undefined) ranges.set(position, (list = []));
          const before = list.at(-1);
          // The rest of a commit that was cut.
          if (before?.topicId === topicId) list[list.length - 1] = { ...before, lastOffset };
          else list.push({ topicId, firstOffset, lastOffset });
        });
      }
    }
  } finally {
    await file.close();
  }
  return ranges;
}

/** A turn of the event loop after some milliseconds of work. */
export function turns(): Pause {
  let worked = 0;
  return async (bytes) => {
    worked += bytes;
    if (worked < TURN_BYTES) return;
    worked = 0;
    await nextTurn();
  };
}

async function* commitFaults(file: DiskFile, segment: SealedSegment): AsyncGenerator<Fault, void, undefined> {
  let position = segment.firstPosition;
  for (const { commits, page } of segment.directory.commitPages) {
    const raw = await unlessDamaged(() => readPage(file, segment.name, page));
    if (raw === null || decodeCommits(raw, commits, position, segment) === null)
      yield { page, reason: "the page of commits is not as it was written", rows: null };
    position += commits;
  }
}

async function* runFaults(
  file: DiskFile,
  segment: SealedSegment,
  run: Run,
  { layouts, blocks }: Section,
  pause: Pause,
): AsyncGenerator<Fault, void, undefined> {
  const types = Array.from(layouts, (code) => layoutName(code)).map((name) =>
    name === undefined ? null : typeOf[name],
  );
  // Nobody looks at a column any more when the next one is decoded.
  const memory = new ReusedMemory();
  const { topicId } = run;
  let kept = 0;
  let end = run.baseOffset;
  let inOrder = true;
  for (const { block, baseOffset, endOffset } of placedBlocks(run, blocks)) {
    const rows = { topicId, firstOffset: baseOffset, lastOffset: endOffset - 1 };
    const fault = await blockFault(file, segment, block, types, memory, pause);
    if (fault !== null) yield { ...fault, rows };
    inOrder &&= baseOffset >= end && endOffset - baseOffset >= block.rows;
    kept += block.rows;
    end = endOffset;
  }
  if (kept !== run.kept || end > run.baseOffset + run.rows || !inOrder) {
    const rows = {
      topicId,
      firstOffset: run.baseOffset,
      lastOffset: run.baseOffset + run.rows - 1,
    };
    yield { page: run.section, reason: "the section's blocks are not the rows it should hold", rows };
  }
}

async function blockFault(
  file: DiskFile,
  segment: SealedSegment,
  block: Block,
  types: readonly (SqlType | null)[],
  memory: ColumnMemory,
  pause: Pause,
): Promise<Omit<Fault, "rows"> | null> {
  const read = (page: Page): Promise<Uint8Array | null> =>
    unlessDamaged(() => readPage(file, segment.name, page));
  const fault = (page: Page, what: string): Omit<Fault, "rows"> => {
    return { page, reason: `the page of ${what} is not as it was written` };
  };
  const rawBoundaries = await read(block.boundaries);
  const boundaries = rawBoundaries === null ? null : decodeBoundaries(rawBoundaries, block.commits, segment);
  if (boundaries === null) return fault(block.boundaries, "commit boundaries");
  const deletes = block.deletes === null ? null : await read(block.deletes);
  if (block.deletes !== null && deletes === null) return fault(block.deletes, "deletes");
  let offsets: Float64Array | null = null;
  if (block.place !== null && block.place.offsets !== null) {
    const rawOffsets = await read(block.place.offsets);
    offsets = rawOffsets === null ? null : decodeOffsets(rawOffsets, block.rows);
    if (offsets === null || !ascendWithin(offsets, block.place.span))
      return fault(block.place.offsets, "offsets");
  }
  const ops = deletes === null ? null : readDeletes(deletes, 0, block.rows);
  let crc = blockCrc(boundaries, offsets, ops, null);
  for (let k = 0; k < block.columns.length; k++) {
    const page = block.columns[k]!;
    const type = types[k] ?? null;
    const raw = await read(page);
    const column: Column | null =
      raw === null || type === null ? null : decodeColumn(raw, type, block.rows, page.nulls, memory);
    if (column === null) return fault(page, `column ${k}`);
    crc = columnCrc(column, crc);
    await pause(page.rawBytes);
  }
  if (block.opaque !== null) {
    const raw = await read(block.opaque);
    if (raw === null) return fault(block.opaque, "columns");
    crc = crc32c(raw, 0, raw.length, crc);
  }
  if (crc !== block.contentCrc)
    return { page: block.boundaries, reason: "the block's rows are not those that were sealed" };
  return null;
}

function ascendWithin(offsets: Float64Array, span: number): boolean {
  if (offsets[0] !== 0 || offsets[offsets.length - 1] !== span - 1) return false;
  for (let i = 1; i < offsets.length; i++) if (offsets[i]! <= offsets[i - 1]!) return false;
  return true;
}

async function* rangesFaults(file: DiskFile, segment: SealedSegment): AsyncGenerator<Fault, void, undefined> {
  const { sparse, keyed } = segment.directory;
  if (sparse === null) return;
  const raw = await unlessDamaged(() => readPage(file, segment.name, sparse.ranges));
  if (raw === null || decodeKeptRanges(raw, keyed) === null)
    yield { page: sparse.ranges, reason: "the page of ranges is not as it was written", rows: null };
}

async function unlessDamaged<T>(read: () => Promise<T>): Promise<T | null> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof EvertError && error.code === "log_damaged") return null;
    throw error;
  }
}
