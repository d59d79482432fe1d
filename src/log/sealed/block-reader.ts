/**
 * The rows of one topic in one sealed segment, block by block: only the blocks that can matter, and of them only the pages of the columns wanted.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { DiskFile } from "../../base/disk.ts";
import type { Batch, Column } from "../../batch/batch.ts";
import { BatchBuilder } from "../../batch/builder.ts";
import { decodeBatch } from "../../batch/codec.ts";
import { nullColumn } from "../../batch/column.ts";
import type { Schema } from "../../batch/schema.ts";
import type { Evolution } from "../evolution.ts";
import { readDeletes } from "../frame.ts";
import type { ColumnRange, Pause } from "../log.ts";
import { damaged } from "../scanner.ts";
import type { TopicRegistry } from "../topics.ts";
import { type BlockMemory, freshMemory, type ReaderMemory } from "./column-memory.ts";
import { type Boundaries, decodeBoundaries } from "./commits.ts";
import { type Block, type ColumnPage, type PlacedBlock, placedBlocks, type Run } from "./format.ts";
import { readPacked, unpack } from "./integers.ts";
import { decodeColumn, layoutCode, ownPage, type Page } from "./page.ts";
import { mayHold } from "./ranges.ts";
import { PageStream, pageDamaged, readRun, type SealedSegment } from "./sealed-segment.ts";

/** A block in memory; where the last commit was cut, with the blocks that hold the rest of it. */
export interface LoadedBlock extends Boundaries {
  readonly run: Run;
  /** The newest when the reader was opened. */
  readonly schemaVersion: number;
  readonly baseOffset: number;
  /** Of each row; null: they follow the first without a gap. */
  readonly offsets: Float64Array | null;
  readonly batch: Batch;
  readonly ops: Uint8Array | null;
}

export interface BlockRequest {
  readonly topicId: number;
  /** Blocks that end below it are left out. */
  readonly fromPosition: number;
  readonly fromOffset: number;
  readonly toPosition: number;
  /** Null: all. */
  readonly columns: ReadonlySet<number> | null;
  /** Blocks in which no row can satisfy all of them are left out. */
  readonly ranges: readonly ColumnRange[];
  /** Rows come in the schema that they were written in, and not in the newest. */
  readonly asWritten?: boolean;
  /** Rows in a later schema version are left out; absent: none are. REQUIRES that none is wanted in a schema that is yet to be registered. */
  readonly versionMax?: number;
  /** Asked before each page. */
  readonly pause: Pause;
  /** Null: blocks stay as long as anyone looks at them. Else a block is done with when the next is taken. */
  readonly memory: ReaderMemory | null;
}

/** A block that is wanted, and its run's streams. */
interface Item {
  readonly run: Run;
  readonly block: Block;
  readonly baseOffset: number;
  readonly streams: Streams;
  /** Which of the streams' pages are its own. */
  readonly index: number;
  /** To the schema that was the newest when the reader was opened; null: its own is that. */
  readonly evolution: Evolution | null;
}

export class BlockReader {
  readonly topicId: number;
  readonly #segment: SealedSegment;
  readonly #registry: TopicRegistry;
  readonly #items: readonly Item[];
  readonly #memory: ReaderMemory | null;
  /** Of the newest schema; null: all. */
  readonly #wanted: ReadonlySet<number> | null;
  #next = 0;
  /** Begun while the one before is worked on. */
  #ahead: Promise<LoadedBlock> | null = null;

  private constructor(
    segment: SealedSegment,
    registry: TopicRegistry,
    items: readonly Item[],
    { topicId, columns, memory }: BlockRequest,
  ) {
    this.#memory = memory;
    this.#wanted = columns;
    this.topicId = topicId;
    this.#segment = segment;
    this.#registry = registry;
    this.#items = items;
  }

  static async open(
    file: DiskFile,
    segment: SealedSegment,
    registry: TopicRegistry,
    request: BlockRequest,
  ): Promise<BlockReader> {
    const items: Item[] = [];
    const runs = segment.directory.runs.flatMap((run) => {
      if (run.topicId !== request.topicId || run.baseOffset + run.rows <= request.fromOffset) return [];
      if (run.schemaVersion > (request.versionMax ?? Number.POSITIVE_INFINITY)) return [];
      if (run.kept === 0 || !registry.canRead(run.topicId, run.schemaVersion)) return [];
      const isAhead = registry.isAhead(run.topicId, run.schemaVersion);
      // Before anything is waited for: the columns that are asked for are those of the newest schema of now.
      const isAsWritten = request.asWritten === true || isAhead;
      return [{ run, evolution: isAsWritten ? null : registry.evolution(run.topicId, run.schemaVersion) }];
    });
    for (const { run, evolution } of runs) {
      const { blocks, layouts } = await readRun(file, segment, run);
      const ranges = evolution?.rangesBefore(request.ranges) ?? request.ranges;
      const wanted: PlacedBlock[] = [];
      let cut = false;
      for (const placed of placedBlocks(run, blocks)) {
        const { block, endOffset } = placed;
        const within =
          block.lastPosition >= request.fromPosition &&
          block.firstPosition <= request.toPosition &&
          endOffset > request.fromOffset;
        // What was cut belongs together: it is taken whole.
        if (cut || (within && (block.continues || mayHold(block, ranges)))) {
          wanted.push(placed);
          cut = block.continues;
        }
      }
      if (wanted.length === 0) continue;
      checkLayouts(segment, run, layouts, wanted[0]!.block, registry);
      const streams = new Streams(
        file,
        segment.name,
        wanted.map(({ block }) => block),
        evolution === null ? request.columns : evolution.columnsBefore(request.columns),
        request.pause,
      );
      wanted.forEach(({ block, baseOffset: at }, index) => {
        items.push({ run, block, baseOffset: at, streams, index, evolution });
      });
    }
    return new BlockReader(segment, registry, items, request);
  }

  /** Where the next block begins and ends; null: there is none. */
  peek(): { readonly firstPosition: number; readonly lastPosition: number } | null {
    const first = this.#items[this.#next];
    if (first === undefined) return null;
    return {
      firstPosition: first.block.firstPosition,
      lastPosition: this.#items[this.#endOf(this.#next) - 1]!.block.lastPosition,
    };
  }

  /** The next block; from the second on, the one after it is begun. REQUIRES peek() */
  async take(): Promise<LoadedBlock> {
    const isFirst = this.#next === 0;
    const loaded = await (this.#ahead ?? this.#load());
    this.#ahead = null;
    this.#next = this.#endOf(this.#next);
    if (!isFirst && this.#next < this.#items.length) {
      this.#ahead = this.#load();
      this.#ahead.catch(() => {}); // whoever takes it hears of it
    }
    return loaded;
  }

  /** Waits for what is on its way: the file may be closed afterwards. */
  async settle(): Promise<void> {
    await Promise.allSettled([this.#ahead]);
  }

  /** Behind item `i` and those in which its last commit goes on. */
  #endOf(i: number): number {
    while (this.#items[i]!.block.continues && i + 1 < this.#items.length) i++;
    return i + 1;
  }

  async #load(): Promise<LoadedBlock> {
    const end = this.#endOf(this.#next);
    const parts: LoadedBlock[] = [];
    // Those of a cut commit are put together from all of them.
    const memory = end - this.#next === 1 ? (this.#memory?.next(this.topicId) ?? null) : null;
    for (let i = this.#next; i < end; i++) parts.push(await this.#loadOne(this.#items[i]!, memory));
    return parts.length === 1 ? parts[0]! : await concatenated(parts);
  }

  async #loadOne(
    { run, block, baseOffset, streams, index, evolution }: Item,
    memory: BlockMemory | null,
  ): Promise<LoadedBlock> {
    const { schema } = this.#registry.version(run.topicId, run.schemaVersion);
    const rawBoundaries = await streams.boundaries.read(index);
    const boundaries =
      decodeBoundaries(rawBoundaries, block.commits, this.#segment) ??
      pageDamaged(this.#segment.name, block.boundaries);
    if (memory !== null) {
      for (const { buffer } of [boundaries.positions, boundaries.timesUs, boundaries.ends])
        memory.own(buffer);
      ownPage(memory, block.boundaries, rawBoundaries);
    }
    if (boundaries.ends[block.commits - 1] !== block.rows) throw this.#malformed(block.boundaries);
    let offsets: Float64Array | null = null;
    const gaps = block.place?.offsets ?? null;
    if (gaps !== null) {
      offsets =
        decodeOffsets(await streams.offsetsOf(gaps), block.rows) ?? pageDamaged(this.#segment.name, gaps);
      for (let i = 0; i < offsets.length; i++) offsets[i]! += baseOffset;
    }
    let ops: Uint8Array | null = null;
    if (block.deletes !== null) ops = readDeletes(await streams.deletesOf(block.deletes), 0, block.rows);
    const batch =
      block.opaque === null
        ? {
            schema,
            length: block.rows,
            columns: await this.#columns(schema, block, streams, index, memory),
            weights: null,
          }
        : decodeBatch(await streams.opaqueOf(block.opaque), 0, schema, block.rows).batch;
    const loaded = { ...boundaries, run, baseOffset, offsets, ops };
    if (evolution === null) return { ...loaded, schemaVersion: run.schemaVersion, batch };
    return { ...loaded, schemaVersion: evolution.schemaVersion, batch: evolution.batch(batch, this.#wanted) };
  }

  async #columns(
    schema: Schema,
    block: Block,
    streams: Streams,
    index: number,
    memory: BlockMemory | null,
  ): Promise<Column[]> {
    const columns: Column[] = [];
    for (let k = 0; k < schema.fields.length; k++) {
      const { type } = schema.fields[k]!;
      const stream = streams.columns[k];
      if (stream === null || stream === undefined) {
        columns.push(absentColumn(type, block.rows));
        continue;
      }
      const page = block.columns[k]!;
      const raw = await stream.read(index);
      const column = decodeColumn(raw, type, block.rows, page.nulls, memory?.column(k) ?? freshMemory);
      if (memory !== null) ownPage(memory, page, raw);
      columns.push(column ?? pageDamaged(this.#segment.name, page));
    }
    return columns;
  }

  #malformed(page: Page): Error {
    return damaged(this.#segment.name, page.at, "a sound page that does not follow the format");
  }
}

/** The pages of a run's wanted blocks, by column. */
class Streams {
  readonly boundaries: PageStream;
  /** Null for a column that is not wanted. */
  readonly columns: readonly (PageStream | null)[];
  readonly #offsets: Rare;
  readonly #deletes: Rare;
  readonly #opaque: Rare;

  constructor(
    file: DiskFile,
    name: string,
    blocks: readonly Block[],
    wanted: ReadonlySet<number> | null,
    pause: Pause,
  ) {
    this.boundaries = new PageStream(
      file,
      name,
      blocks.map(({ boundaries }) => boundaries),
      pause,
    );
    this.columns = (blocks[0]?.columns ?? []).map((_, k) =>
      wanted === null || wanted.has(k)
        ? new PageStream(
            file,
            name,
            blocks.map(({ columns }) => columns[k] as ColumnPage),
            pause,
          )
        : null,
    );
    this.#offsets = new Rare(
      file,
      name,
      blocks.map(({ place }) => place?.offsets ?? null),
      pause,
    );
    this.#deletes = new Rare(
      file,
      name,
      blocks.map(({ deletes }) => deletes),
      pause,
    );
    this.#opaque = new Rare(
      file,
      name,
      blocks.map(({ opaque }) => opaque),
      pause,
    );
  }

  offsetsOf(page: Page): Promise<Uint8Array> {
    return this.#offsets.read(page);
  }

  deletesOf(page: Page): Promise<Uint8Array> {
    return this.#deletes.read(page);
  }

  opaqueOf(page: Page): Promise<Uint8Array> {
    return this.#opaque.read(page);
  }
}

/** Pages that only some blocks have. */
class Rare {
  readonly #pages: readonly Page[];
  readonly #stream: PageStream;

  constructor(file: DiskFile, name: string, pages: readonly (Page | null)[], pause: Pause) {
    this.#pages = pages.filter((page) => page !== null);
    this.#stream = new PageStream(file, name, this.#pages, pause);
  }

  read(page: Page): Promise<Uint8Array> {
    return this.#stream.read(this.#pages.indexOf(page));
  }
}

/** @throws EvertError log_damaged where the segment has other columns than the schema says. */
export function checkLayouts(
  segment: SealedSegment,
  run: Run,
  layouts: Uint8Array,
  block: Block,
  registry: TopicRegistry,
): void {
  if (block.opaque !== null) return;
  const { fields } = registry.version(run.topicId, run.schemaVersion).schema;
  if (fields.length === layouts.length && fields.every(({ type }, k) => layoutCode(type) === layouts[k]))
    return;
  throw damaged(
    segment.name,
    run.section.at,
    `topic ${run.topicId} has other columns there than schema version ${run.schemaVersion}`,
  );
}

/** Of each row of a block from its first; null where the page follows no such grammar. */
export function decodeOffsets(raw: Uint8Array, rows: number): Float64Array | null {
  const packed = readPacked(raw, 0, rows);
  if (packed === null) return null;
  const offsets = new Float64Array(rows);
  unpack(packed, rows, offsets);
  return offsets;
}

/** A turn of the event loop after each: a commit may have any size. */
async function concatenated(parts: readonly LoadedBlock[]): Promise<LoadedBlock> {
  const first = parts[0]!;
  const builder = new BatchBuilder(first.batch.schema);
  const positions: number[] = [];
  const timesUs: number[] = [];
  const ends: number[] = [];
  const rows = parts.reduce((sum, { batch }) => sum + batch.length, 0);
  const ops = parts.some((part) => part.ops !== null) ? new Uint8Array(rows) : null;
  const offsets = new Float64Array(rows);
  let isDense = true;
  for (const part of parts) {
    const base = builder.length;
    part.positions.forEach((position, i) => {
      if (positions.at(-1) === position) ends.pop();
      else {
        positions.push(position);
        timesUs.push(part.timesUs[i]!);
      }
      ends.push(base + part.ends[i]!);
    });
    if (part.ops !== null) ops!.set(part.ops, base);
    for (let i = 0; i < part.batch.length; i++) {
      const offset = part.offsets === null ? part.baseOffset + i : part.offsets[i]!;
      offsets[base + i] = offset;
      if (offset !== first.baseOffset + base + i) isDense = false;
    }
    builder.appendBatch(part.batch, 0, part.batch.length, true);
    await nextTurn();
  }
  return {
    run: first.run,
    schemaVersion: first.schemaVersion,
    baseOffset: first.baseOffset,
    offsets: isDense ? null : offsets,
    positions: Float64Array.from(positions),
    timesUs: Float64Array.from(timesUs),
    ends: Uint32Array.from(ends),
    batch: builder.finish(),
    ops,
  };
}

/** Columns nobody reads are all the same: made once per type and length. */
const absent = new Map<string, Column>();
const ABSENT_MAX = 64;

export function absentColumn(type: Column["type"], rows: number): Column {
  const key = `${layoutCode(type)} ${rows}`;
  let column = absent.get(key);
  if (column === undefined) {
    if (absent.size >= ABSENT_MAX) absent.clear();
    absent.set(key, (column = nullColumn(type, rows)));
  }
  return column.type === type ? column : { ...column, type };
}
