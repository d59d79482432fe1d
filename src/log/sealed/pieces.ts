/**
 * Rows of a sealed segment in pieces, for threads that read side by side: some blocks of one topic, told by plain data that any thread understands,
 * who needs nothing but the open file. Rows alone: which commit has which is not read.
 *
 * Where a topic has been changed since, a piece brings both schemas along, and its rows come in the newest.
 */
import type { DiskFile } from "../../base/disk.ts";
import type { Batch, Column } from "../../batch/batch.ts";
import { decodeBatch } from "../../batch/codec.ts";
import type { Schema } from "../../batch/schema.ts";
import { Evolution } from "../evolution.ts";
import type { ColumnRange, LogTopic, Pause, PieceBlock, PiecePage, SealedPiece } from "../log.ts";
import { absentColumn, checkLayouts } from "./block-reader.ts";
import { BlockMemory, type ColumnMemory } from "./column-memory.ts";
import { type Block, type ColumnPage, placedBlocks } from "./format.ts";
import type { SealedSource } from "./groups.ts";
import { decodeColumn, ownPage, type Page } from "./page.ts";
import { mayHold } from "./ranges.ts";
import { PageStream, pageDamaged, readRun } from "./sealed-segment.ts";

/** A piece ends with the block that brings it to so many rows, or bytes of its pages. */
const PIECE_ROWS = 49_152;
const PIECE_BYTES = 4 << 20;

export interface PieceRequest {
  readonly topicId: number;
  /** Blocks that end below this offset are left out. */
  readonly from: number;
  /** Of `to`. */
  readonly columns: readonly number[];
  /** The schema that rows are to come in. */
  readonly to: LogTopic;
  /** Blocks in which no row can satisfy all of them are left out. */
  readonly ranges: readonly ColumnRange[];
}

/** All pieces of a topic in the segment, in their order. @throws EvertError log_damaged, io_error */
export async function piecesOf(
  { file, segment, registry }: SealedSource,
  { topicId, from, columns: wanted, to, ranges }: PieceRequest,
): Promise<SealedPiece[]> {
  const pieces: SealedPiece[] = [];
  for (const run of segment.directory.runs) {
    if (run.topicId !== topicId || run.baseOffset + run.rows <= from || run.kept === 0) continue;
    if (!registry.canRead(topicId, run.schemaVersion)) continue;
    const { blocks, layouts } = await readRun(file, segment, run);
    const version = registry.version(topicId, run.schemaVersion);
    const isOfTo = to.schemaVersion === run.schemaVersion || to.columnIds === undefined;
    const evolution = isOfTo ? null : new Evolution(version, to);
    const rangesThen = evolution?.rangesBefore(ranges) ?? ranges;
    const held = placedBlocks(run, blocks).flatMap(({ block, endOffset }) =>
      endOffset > from && mayHold(block, rangesThen) ? [block] : [],
    );
    if (held.length === 0) continue;
    checkLayouts(segment, run, layouts, held[0]!, registry);
    const of = {
      topicId,
      segment: segment.name,
      columns: wanted,
      from: version,
      to: isOfTo ? null : to,
    };
    const asked = new Set(wanted);
    const columns = evolution?.columnsBefore(asked) ?? asked;
    for (const some of inPieces(held.map((block) => pieceBlock(block, columns)))) {
      const [rows, bytes] = [sumOf(some, ({ rows }) => rows), sumOf(some, bytesOf)];
      pieces.push({ ...of, rows, bytes, blocks: some });
    }
  }
  return pieces;
}

function pieceBlock({ rows, columns, opaque }: Block, wanted: ReadonlySet<number>): PieceBlock {
  return {
    rows,
    opaque,
    columns: columns.map((page, k) => (wanted.has(k) ? piecePage(page) : null)),
  };
}

/** Without its bounds. */
function piecePage({ at, bytes, rawBytes, method, crc, nulls }: ColumnPage): PiecePage {
  return { at, bytes, rawBytes, method, crc, nulls };
}

function inPieces(blocks: readonly PieceBlock[]): PieceBlock[][] {
  const pieces: PieceBlock[][] = [];
  let [rows, bytes] = [PIECE_ROWS, 0];
  for (const block of blocks) {
    if (rows >= PIECE_ROWS || bytes >= PIECE_BYTES) {
      pieces.push([]);
      [rows, bytes] = [0, 0];
    }
    pieces.at(-1)!.push(block);
    rows += block.rows;
    bytes += bytesOf(block);
  }
  return pieces;
}

function bytesOf({ columns, opaque }: PieceBlock): number {
  return sumOf(columns, (page) => page?.rawBytes ?? 0) + (opaque?.rawBytes ?? 0);
}

function sumOf<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((sum, item) => sum + of(item), 0);
}

/**
 * The piece's rows, a batch for each block. Numbers are put into the memory; what else a column has is done with when the next batch is asked for.
 * `pause` is asked before each page. @throws EvertError log_damaged, io_error
 */
export async function* readPiece(
  file: Pick<DiskFile, "read">,
  piece: SealedPiece,
  memory: ColumnMemory,
  pause: Pause,
): AsyncGenerator<Batch, void, undefined> {
  const { segment, blocks, from, to } = piece;
  const { schema } = from;
  const evolution = to === null ? null : new Evolution(from, to);
  const wanted = new Set(piece.columns);
  const stream = (pages: readonly (Page | null)[]) =>
    new PageStream(
      file,
      segment,
      pages.filter((page) => page !== null),
      pause,
      true,
    );
  const streams = schema.fields.map((_, k) => stream(blocks.map(({ columns }) => columns[k] ?? null)));
  const opaques = stream(blocks.map(({ opaque }) => opaque));
  const pages = new BlockMemory();
  let [opaque, clear] = [0, 0];
  for (const block of blocks) {
    pages.begin();
    let batch: Batch;
    if (block.opaque !== null) {
      batch = decodeBatch(await opaques.read(opaque++), 0, schema, block.rows).batch;
    } else {
      const columns = await columnsOf(segment, schema, block, streams, clear++, memory, pages);
      batch = { schema, length: block.rows, columns, weights: null };
    }
    yield evolution === null ? batch : evolution.batch(batch, wanted);
  }
  // A collector that has to find these looks at all of the heap for it, in each thread that reads.
  pages.begin();
  for (const each of streams) each.release();
}

async function columnsOf(
  segment: string,
  schema: Schema,
  block: PieceBlock,
  streams: readonly PageStream[],
  index: number,
  memory: ColumnMemory,
  pages: BlockMemory,
): Promise<Column[]> {
  const columns: Column[] = [];
  for (const [k, { type }] of schema.fields.entries()) {
    const page = block.columns[k] ?? null;
    if (page === null) {
      columns.push(absentColumn(type, block.rows));
      continue;
    }
    const raw = await streams[k]!.read(index);
    columns.push(decodeColumn(raw, type, block.rows, page.nulls, memory) ?? pageDamaged(segment, page));
    ownPage(pages, page, raw);
  }
  return columns;
}
