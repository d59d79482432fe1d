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
import { type BatchEntry, readDeletes } from "../frame.ts";
import { type CommitInfo, type LogTopic, OP_DELETE } from "../log.ts";
import { type Boundaries, encodeBoundaries } from "./commits.ts";
import type { Block, ColumnPage, Origin } from "./format.ts";
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

interface PendingBlock extends Omit<Block, "boundaries" | "deletes" | "columns" | "opaque"> {
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

  /** `topic` null: nobody knows its columns. */
  constructor(entry: BatchEntry, topic: LogTopic | null, origin: Origin, pause: Pause) {
    this.topicId = entry.topicId;
    this.schemaVersion = entry.schemaVersion;
    this.baseOffset = entry.baseOffset;
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
    }));
    return { blocks, pages, end: at };
  }

  #bytes(): number {
    return this.#builder?.byteLength ?? 0;
  }

  #boundary({ position, timeUs }: CommitInfo, rows: number): void {
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

  async #close(continues: boolean): Promise<void> {
    // The builder's own memory, which the next block is gathered in.
    const builder = this.#builder!;
    const batch = builder.look();
    const ops = this.#ops?.includes(OP_DELETE) === true ? this.#ops.subarray(0, this.#rows) : null;
    const boundaries = this.#takeBoundaries();
    for (const column of batch.columns) clearNulls(column);
    const contentCrc = blockCrc(boundaries, ops, batch);
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
    const contentCrc = crc32c(raw, 0, raw.length, blockCrc(boundaries, ops, null));
    this.rows += entry.rows;
    this.#blocks.push({
      ...(await this.#head(boundaries, ops, entry.rows, contentCrc)),
      columns: [],
      opaque: await pendingPage(raw),
      continues: false,
    });
    await this.#pause(raw.length);
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
  ): Promise<Omit<PendingBlock, "columns" | "opaque" | "continues">> {
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

/** Checksum of a block as it is in memory; `batch` null: only what stands beside it. */
export function blockCrc(boundaries: Boundaries, ops: Uint8Array | null, batch: Batch | null): number {
  let crc = 0;
  for (const { buffer, byteOffset, byteLength } of [
    boundaries.positions,
    boundaries.timesUs,
    boundaries.ends,
  ]) {
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
