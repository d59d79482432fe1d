/**
 * Rows of one topic in one schema on their way into a sealed segment: gathered commit by commit, cut into blocks, encoded, compressed.
 *
 * A block is closed at BLOCK_ROWS or about BLOCK_BYTES, where a commit ends. Only a commit larger than a block is cut; it begins a block, which then
 * *continues* in the next. What waits for the rest of its segment waits compressed.
 */
import { crc32c } from "../../base/crc32c.ts";
import type { Batch } from "../../batch/batch.ts";
import { BatchBuilder } from "../../batch/builder.ts";
import { decodeBatch } from "../../batch/codec.ts";
import { batchBytes } from "../../batch/commit-bytes.ts";
import { type BatchEntry, readDeletes } from "../frame.ts";
import { type CommitInfo, type LogTopic, OP_DELETE } from "../log.ts";
import type { LoadedBlock } from "./block-reader.ts";
import { type Boundaries, encodeBoundaries } from "./commits.ts";
import type { Block, BlockPlace, ColumnPage, Origin, Run } from "./format.ts";
import { packIntegers } from "./integers.ts";
import {
  type Bounds,
  clearNulls,
  columnCrc,
  compressPage,
  encodeColumn,
  layoutCode,
  type Page,
  pageAt,
} from "./page.ts";

/** Some thousands of rows: few pages per megabyte, and little beside what one is looking for. */
export const BLOCK_ROWS = 16_384;
export const BLOCK_BYTES = 1 << 20;

/** A page that has no place yet. */
export interface PendingPage {
  readonly stored: Uint8Array;
  readonly method: number;
  readonly rawBytes: number;
}

interface PendingColumn extends PendingPage {
  readonly nulls: number;
  readonly bounds: Bounds | null;
}

interface PendingBlock extends Omit<Block, "boundaries" | "deletes" | "columns" | "opaque" | "place"> {
  readonly place: (Omit<BlockPlace, "offsets"> & { readonly offsets: PendingPage | null }) | null;
  readonly boundaries: PendingPage;
  readonly deletes: PendingPage | null;
  readonly columns: readonly PendingColumn[];
  readonly opaque: PendingPage | null;
}

/** What a worker does between two pieces of work, of so many bytes each, so that nobody waits for it. */
export type Pause = (bytes: number) => Promise<void>;

export async function pendingPage(raw: Uint8Array): Promise<PendingPage> {
  const { stored, method } = await compressPage(raw);
  return { stored, method, rawBytes: raw.length };
}

export class BlockWriter {
  readonly topicId: number;
  readonly schemaVersion: number;
  readonly baseOffset: number;
  rows = 0;
  readonly layouts: Uint8Array;
  readonly #origin: Origin;
  readonly #pause: Pause;
  readonly #topic: LogTopic | null;
  readonly #builder: BatchBuilder | null;
  readonly #blocks: PendingBlock[] = [];
  /** Of the block being gathered. */
  #positions: number[] = [];
  #timesUs: number[] = [];
  #ends: number[] = [];
  #ops: Uint8Array | null = null;
  #rows = 0;
  /** Offsets of its rows, where some have been left out. */
  readonly #offsets: Float64Array | null;

  /** `topic` null: nobody knows its columns. `isSparse`: not all rows will come. */
  constructor(
    run: Pick<Run, "topicId" | "schemaVersion" | "baseOffset">,
    topic: LogTopic | null,
    origin: Origin,
    pause: Pause,
    isSparse = false,
  ) {
    this.topicId = run.topicId;
    this.schemaVersion = run.schemaVersion;
    this.baseOffset = run.baseOffset;
    this.#offsets = isSparse ? new Float64Array(BLOCK_ROWS) : null;
    this.layouts = Uint8Array.from(topic?.schema.fields ?? [], ({ type }) => layoutCode(type));
    this.#origin = origin;
    this.#pause = pause;
    this.#topic = topic;
    this.#builder = topic === null ? null : new BatchBuilder(topic.schema);
  }

  /** A batch of a frame that begins at `at`. Its bytes are not needed any more afterwards. */
  async add(bytes: Uint8Array, at: number, entry: BatchEntry, commits: readonly CommitInfo[]): Promise<void> {
    if (this.#topic === null) {
      await this.#addOpaque(bytes, at, entry, commits);
      return;
    }
    const { rows, commitIndexes, commitEnds } = entry;
    const columns = bytes.subarray(at + entry.columnsAt, at + entry.columnsAt + entry.columnsBytes);
    const { batch } = decodeBatch(columns, 0, this.#topic.schema, rows);
    const ops = entry.deletesAt < 0 ? null : readDeletes(bytes, at + entry.deletesAt, rows);
    const rowsMax = Math.max(1, Math.min(BLOCK_ROWS, Math.floor((BLOCK_BYTES * rows) / entry.columnsBytes)));
    if (this.#bytes() >= BLOCK_BYTES) await this.#close(false);
    let c = 0;
    let first = 0;
    for (let row = 0; row < rows; ) {
      const commit = commits[commitIndexes[c]!]!;
      const left = commitEnds[c]! - row;
      const room = rowsMax - this.#rows;
      const isCut = this.#positions.at(-1) === commit.position;
      // Only a commit that fills a block by itself is cut; any other one that does not fit begins the next.
      if (this.#rows > 0 && (isCut ? room <= 0 : left > room)) {
        this.#append(batch, ops, first, row);
        first = row;
        await this.#close(isCut);
        continue;
      }
      const taken = Math.min(left, room);
      this.#boundary(commit, taken);
      row += taken;
      if (row === commitEnds[c]!) c++;
    }
    this.#append(batch, ops, first, rows);
    await this.#pause(entry.columnsBytes);
  }

  /** Rows of a block that was sealed before: those with a 1 in `keep`. REQUIRES a sparse writer of a known topic. */
  async addKept(block: LoadedBlock, keep: Uint8Array): Promise<void> {
    const { batch, positions, timesUs, ends } = block;
    const rowsMax = Math.max(
      1,
      Math.min(BLOCK_ROWS, Math.floor((BLOCK_BYTES * batch.length) / batchBytes(batch))),
    );
    if (this.#bytes() >= BLOCK_BYTES) await this.#close(false);
    let row = 0;
    for (let c = 0; c < ends.length; c++) {
      const end = ends[c]!;
      let left = 0;
      for (let i = row; i < end; i++) left += keep[i]!;
      // As above: only a commit that fills a block by itself is cut.
      if (left > 0 && this.#rows > 0 && left > rowsMax - this.#rows) await this.#close(false);
      while (left > 0) {
        if (this.#rows >= rowsMax) await this.#close(true);
        const taken = Math.min(left, rowsMax - this.#rows);
        row = this.#appendKept(block, keep, row, taken);
        this.#boundary({ position: positions[c]!, timeUs: timesUs[c]! }, taken);
        left -= taken;
      }
      row = end;
    }
    await this.#pause(batchBytes(batch));
  }

  /** The rest. Afterwards everything is compressed. */
  async finish(): Promise<void> {
    if (this.#rows > 0) await this.#close(false);
  }

  /** Gives every page its place, column by column, in the order in which they are to be written. */
  place(at: number): { readonly blocks: Block[]; readonly pages: Uint8Array[]; readonly end: number } {
    const pages: Uint8Array[] = [];
    const put = ({ stored, method, rawBytes }: PendingPage): Page => {
      const page = pageAt(at, stored, method, rawBytes);
      pages.push(stored);
      at += stored.length;
      return page;
    };
    const offsets = this.#blocks.map(({ place }) => (place?.offsets == null ? null : put(place.offsets)));
    const boundaries = this.#blocks.map((block) => put(block.boundaries));
    const deletes = this.#blocks.map((block) => (block.deletes === null ? null : put(block.deletes)));
    const columns: ColumnPage[][] = this.#blocks.map(() => []);
    for (let k = 0; k < this.layouts.length; k++) {
      this.#blocks.forEach((block, i) => {
        const column = block.columns[k]!;
        columns[i]!.push({ ...put(column), nulls: column.nulls, bounds: column.bounds });
      });
    }
    const opaque = this.#blocks.map((block) => (block.opaque === null ? null : put(block.opaque)));
    const blocks = this.#blocks.map((block, i) => ({
      ...block,
      boundaries: boundaries[i]!,
      deletes: deletes[i]!,
      columns: columns[i]!,
      opaque: opaque[i]!,
      place: block.place === null ? null : { ...block.place, offsets: offsets[i]! },
    }));
    return { blocks, pages, end: at };
  }

  #bytes(): number {
    return this.#builder?.byteLength ?? 0;
  }

  #boundary({ position, timeUs }: Pick<CommitInfo, "position" | "timeUs">, rows: number): void {
    this.#rows += rows;
    const last = this.#positions.length - 1;
    if (last >= 0 && this.#positions[last] === position) {
      this.#ends[last] = this.#rows;
      return;
    }
    this.#positions.push(position);
    this.#timesUs.push(timeUs);
    this.#ends.push(this.#rows);
  }

  #append(batch: Batch, ops: Uint8Array | null, from: number, to: number): void {
    const before = this.#rows - (to - from);
    this.#builder!.appendBatch(batch, from, to, true);
    this.rows += to - from;
    if (ops === null) return;
    this.#ops ??= new Uint8Array(BLOCK_ROWS);
    this.#ops.set(ops.subarray(from, to), before);
  }

  /** The next `count` rows that are kept, from `row` on; returns the row behind the last of them. */
  #appendKept(
    { batch, ops, baseOffset, offsets }: LoadedBlock,
    keep: Uint8Array,
    row: number,
    count: number,
  ): number {
    let at = this.#rows;
    for (const end = at + count; at < end; ) {
      while (keep[row] === 0) row++;
      const first = row;
      while (row < batch.length && keep[row] === 1 && at + row - first < end) row++;
      this.#builder!.appendBatch(batch, first, row, true);
      if (ops !== null) {
        this.#ops ??= new Uint8Array(BLOCK_ROWS);
        this.#ops.set(ops.subarray(first, row), at);
      }
      for (let i = first; i < row; i++)
        this.#offsets![at++] = offsets === null ? baseOffset + i : offsets[i]!;
    }
    this.rows += count;
    return row;
  }

  async #close(continues: boolean): Promise<void> {
    // The builder's own memory, which the next block is gathered in.
    const builder = this.#builder!;
    const batch = builder.look();
    const ops = this.#ops?.includes(OP_DELETE) === true ? this.#ops.subarray(0, this.#rows) : null;
    const gaps = this.#takeOffsets(batch.length);
    const boundaries = this.#takeBoundaries();
    for (const column of batch.columns) clearNulls(column);
    const contentCrc = blockCrc(boundaries, gaps?.offsets ?? null, ops, batch);
    const columns: PendingColumn[] = [];
    // One page is compressed while the next column is encoded, and never two: the thread pool is the commits' as well.
    let compressing: Promise<unknown> | null = null;
    for (const [k, column] of batch.columns.entries()) {
      const { raw, nulls, bounds } = encodeColumn(column, batch.length);
      await compressing;
      compressing = pendingPage(raw).then((page) => {
        columns[k] = { ...page, nulls, bounds };
      });
      await this.#pause(raw.length);
    }
    await compressing;
    this.#blocks.push({
      ...(await this.#head(boundaries, ops, batch.length, contentCrc)),
      place:
        gaps === null
          ? null
          : {
              firstOffset: gaps.firstOffset,
              span: gaps.span,
              offsets:
                gaps.offsets === null ? null : await pendingPage(packIntegers(gaps.offsets, batch.length)),
            },
      columns,
      opaque: null,
      continues,
    });
    // A bitmap of nulls is made by the first null: where there is one, memory goes with it.
    if (batch.columns.some(({ validity }) => validity !== null)) builder.finish();
    else builder.truncate(0);
  }

  async #addOpaque(
    bytes: Uint8Array,
    at: number,
    entry: BatchEntry,
    commits: readonly CommitInfo[],
  ): Promise<void> {
    let row = 0;
    entry.commitIndexes.forEach((index, i) => {
      this.#boundary(commits[index]!, entry.commitEnds[i]! - row);
      row = entry.commitEnds[i]!;
    });
    const ops = entry.deletesAt < 0 ? null : readDeletes(bytes, at + entry.deletesAt, entry.rows);
    const raw = bytes.slice(at + entry.columnsAt, at + entry.columnsAt + entry.columnsBytes);
    const boundaries = this.#takeBoundaries();
    const contentCrc = crc32c(raw, 0, raw.length, blockCrc(boundaries, null, ops, null));
    this.rows += entry.rows;
    this.#blocks.push({
      ...(await this.#head(boundaries, ops, entry.rows, contentCrc)),
      place: null,
      columns: [],
      opaque: await pendingPage(raw),
      continues: false,
    });
    await this.#pause(raw.length);
  }

  /** Where the gathered block lies; null: where the one before ends. */
  #takeOffsets(rows: number): { firstOffset: number; span: number; offsets: Float64Array | null } | null {
    const all = this.#offsets;
    if (all === null) return null;
    const first = all[0]!;
    const span = all[rows - 1]! - first + 1;
    const offsets = span === rows ? null : all.subarray(0, rows).map((offset) => offset - first);
    return { firstOffset: first - this.baseOffset, span, offsets };
  }

  #takeBoundaries(): Boundaries {
    const boundaries = {
      positions: Float64Array.from(this.#positions),
      timesUs: Float64Array.from(this.#timesUs),
      ends: Uint32Array.from(this.#ends),
    };
    this.#positions = [];
    this.#timesUs = [];
    this.#ends = [];
    this.#ops = null;
    this.#rows = 0;
    return boundaries;
  }

  async #head(
    boundaries: Boundaries,
    ops: Uint8Array | null,
    rows: number,
    contentCrc: number,
  ): Promise<Omit<PendingBlock, "columns" | "opaque" | "continues" | "place">> {
    const { positions, timesUs } = boundaries;
    const last = positions.length - 1;
    return {
      rows,
      commits: positions.length,
      firstPosition: positions[0]!,
      lastPosition: positions[last]!,
      firstTimeUs: timesUs[0]!,
      lastTimeUs: timesUs[last]!,
      contentCrc,
      boundaries: await pendingPage(encodeBoundaries(boundaries, this.#origin)),
      deletes: ops === null ? null : await pendingPage(bitsOf(ops)),
    };
  }
}

/** Checksum of a block as it is in memory; `offsets` null: without gaps; `batch` null: only what stands beside it. */
export function blockCrc(
  boundaries: Boundaries,
  offsets: Float64Array | null,
  ops: Uint8Array | null,
  batch: Batch | null,
): number {
  let crc = 0;
  const { positions, timesUs, ends } = boundaries;
  for (const numbers of [positions, timesUs, ends, offsets]) {
    if (numbers === null) continue;
    const { buffer, byteOffset, byteLength } = numbers;
    crc = crc32c(new Uint8Array(buffer, byteOffset, byteLength), 0, byteLength, crc);
  }
  if (ops !== null) crc = crc32c(ops, 0, ops.length, crc);
  for (const column of batch?.columns ?? []) crc = columnCrc(column, crc);
  return crc;
}

/** Lowest bit first; set: the row deletes its key. As in a frame. */
function bitsOf(ops: Uint8Array): Uint8Array {
  const bits = new Uint8Array((ops.length + 7) >> 3);
  ops.forEach((op, row) => {
    if (op === OP_DELETE) bits[row >> 3]! |= 1 << (row & 7);
  });
  return bits;
}
