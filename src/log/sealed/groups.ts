/**
 * From a sealed segment back to groups.
 *
 * A group is the commits of a stretch of positions, with one batch per topic: what it was in the frames, but larger. (One step equals many small
 * ones; which commits shared an fdatasync is of no interest once they are durable.)
 *
 * - One topic: each of its chunks is a group, nothing is copied.
 * - Several topics, or all: their chunks are walked through side by side. A group ends where the first of the current chunks ends, and after
 *   about GROUP_ROWS rows; of the other chunks it takes the rows up to there, as slices.
 * - Groups begin and end with the positions asked for: no row of a commit beyond them is given out.
 * - A commit is never divided, and one with rows in topic 0, the catalog, stands in a group of its own, as it did in its frame: what follows may
 *   need the topics it makes.
 */
import type { Disk, DiskFile } from "../../base/disk.ts";
import { sliceBatch } from "../../batch/column.ts";
import type { CommitInfo, Group, Position, ReadOptions, TopicBatch } from "../log.ts";
import type { TopicRegistry } from "../topics.ts";
import { ChunkReader, type LoadedChunk } from "./chunk-reader.ts";
import { readCommitPages, type SealedSegment } from "./sealed-segment.ts";

/** The topic whose commits stand alone. */
const CATALOG_TOPIC = 0;
/** Rows of a group that is put together of several topics, about. */
const GROUP_ROWS = 16_384;

export interface SealedSource {
  readonly disk: Disk;
  readonly path: string;
  readonly segment: SealedSegment;
  readonly registry: TopicRegistry;
}

export interface SealedRequest extends Pick<ReadOptions, "columns" | "ranges"> {
  readonly from: Position;
  readonly to: Position;
  /** Null: all, and every commit, with or without rows. */
  readonly topics: ReadonlySet<number> | null;
  /** Every commit, also those without rows in these topics. */
  readonly everyGroup: boolean;
}

export async function* sealedGroups(
  source: SealedSource,
  request: SealedRequest,
): AsyncGenerator<Group, void, undefined> {
  const { disk, path, segment, registry } = source;
  const wantsAll = request.topics === null || request.everyGroup;
  const topics = topicsOf(segment).filter((topicId) => request.topics?.has(topicId) !== false);
  if (topics.length === 0 && !wantsAll) return;
  const file = await disk.open(path, "read");
  const chunks: ChunkReader[] = [];
  try {
    for (const topicId of topics) {
      const reader = await ChunkReader.open(file, segment, registry, {
        topicId,
        fromPosition: request.from,
        fromOffset: 0,
        toPosition: request.to,
        columns: request.columns?.(topicId) ?? null,
        // Whoever wants every position wants every row.
        ranges: wantsAll ? [] : (request.ranges?.(topicId) ?? []),
      });
      if (reader.peek() !== null) chunks.push(reader);
    }
    if (wantsAll) yield* mergedWithCommits(file, source, request, chunks);
    else if (chunks.length === 1 && chunks[0]!.topicId !== CATALOG_TOPIC)
      yield* topicGroups(chunks[0]!, request.from, request.to);
    else yield* merged(segment, request, chunks);
  } finally {
    await Promise.all(chunks.map((reader) => reader.settle()));
    await file.close();
  }
}

/** The topic's chunks from the one on that holds the offset. */
export async function* sealedTopicGroups(
  { disk, path, segment, registry }: SealedSource,
  topicId: number,
  fromOffset: number,
): AsyncGenerator<Group, void, undefined> {
  const file = await disk.open(path, "read");
  let reader: ChunkReader | null = null;
  try {
    reader = await ChunkReader.open(file, segment, registry, {
      topicId,
      fromPosition: 0,
      fromOffset,
      toPosition: segment.lastPosition,
      columns: null,
      ranges: [],
    });
    yield* topicGroups(reader, 0, segment.lastPosition);
  } finally {
    await reader?.settle();
    await file.close();
  }
}

async function* topicGroups(
  reader: ChunkReader,
  fromPosition: Position,
  toPosition: Position,
): AsyncGenerator<Group, void, undefined> {
  while (reader.peek() !== null) {
    const chunk = await reader.take();
    const { positions } = chunk;
    const from = firstAbove(positions, fromPosition - 1, 0);
    const to = firstAbove(positions, toPosition, from);
    if (from < to) yield new ChunkGroup({ chunk, from, to });
  }
}

/** Commits [from, to) of a chunk as a group. Their CommitInfo are made when somebody asks for them: a row may be a commit. */
class ChunkGroup implements Group {
  readonly firstPosition: Position;
  readonly lastPosition: Position;
  readonly batches: readonly TopicBatch[];
  readonly #part: Part;
  #commits: readonly CommitInfo[] | null = null;

  constructor(part: Part) {
    const { chunk, from, to } = part;
    this.#part = part;
    this.firstPosition = chunk.positions[from]!;
    this.lastPosition = chunk.positions[to - 1]!;
    const indexes = new Uint32Array(to - from);
    for (let i = 0; i < indexes.length; i++) indexes[i] = i;
    this.batches = [batchOf(part, indexes)];
  }

  get commits(): readonly CommitInfo[] {
    const { chunk, from, to } = this.#part;
    return (this.#commits ??= commitsOf(
      chunk.positions.subarray(from, to),
      chunk.timesUs.subarray(from, to),
    ));
  }
}

/** Commits [from, to) of a chunk. */
interface Part {
  readonly chunk: LoadedChunk;
  readonly from: number;
  readonly to: number;
}

function commitsOf(positions: Float64Array, timesUs: Float64Array): CommitInfo[] {
  return Array.from(positions, (position, i) => {
    return { position, timeUs: timesUs[i]!, idempotencyKey: null, requestDigest: null };
  });
}

/** A chunk that is partly in groups given out. */
interface Current {
  readonly chunk: LoadedChunk;
  /** Its commits given out so far. */
  commits: number;
}

/** Chunks side by side: what of them lies in a stretch of positions. */
class Merge {
  readonly #readers: readonly ChunkReader[];
  readonly #from: Position;
  readonly #current = new Map<ChunkReader, Current>();

  /** Of commits from `from` on. REQUIRES that each reader's first chunk ends there or later. */
  constructor(readers: readonly ChunkReader[], from: Position) {
    this.#readers = readers;
    this.#from = from;
  }

  /** The first position with rows that has not been given out; null: there is none. */
  get first(): Position | null {
    let first: Position | null = null;
    for (const reader of this.#readers) {
      const position = this.#firstOf(reader);
      if (position !== null && (first === null || position < first)) first = position;
    }
    return first;
  }

  /** Where a group that begins at `from` is to end, not beyond `to`. Loads the catalog's chunk to know. */
  async end(from: Position, to: Position): Promise<Position> {
    let end = to;
    for (const reader of this.#readers) {
      const last = this.#current.get(reader)?.chunk.positions.at(-1) ?? reader.peek()?.lastPosition;
      if (last !== undefined && last < end) end = last;
      if (reader.topicId !== CATALOG_TOPIC || this.#firstOf(reader) === null) continue;
      const { chunk, commits } = await this.#load(reader);
      const next = chunk.positions[commits]!;
      end = Math.min(end, next === from ? next : next - 1);
    }
    return Math.max(from, end);
  }

  /** Rows up to `end`, of all topics. REQUIRES an end that end() gave. */
  async take(end: Position): Promise<Part[]> {
    const taken: Part[] = [];
    for (const reader of this.#readers) {
      const first = this.#firstOf(reader);
      if (first === null || first > end) continue;
      const current = await this.#load(reader);
      const { positions } = current.chunk;
      const from = current.commits;
      const to = firstAbove(positions, end, from);
      if (from < to) taken.push({ chunk: current.chunk, from, to });
      current.commits = to;
      if (to === positions.length) this.#current.delete(reader);
    }
    return taken;
  }

  #firstOf(reader: ChunkReader): Position | null {
    const current = this.#current.get(reader);
    if (current !== undefined) return current.chunk.positions[current.commits]!;
    const next = reader.peek();
    return next === null ? null : Math.max(next.firstPosition, this.#from);
  }

  async #load(reader: ChunkReader): Promise<Current> {
    let current = this.#current.get(reader);
    if (current === undefined) {
      const chunk = await reader.take();
      current = { chunk, commits: firstAbove(chunk.positions, this.#from - 1, 0) };
      this.#current.set(reader, current);
    }
    return current;
  }
}

/** Groups of the commits with rows in the wanted topics. */
async function* merged(
  segment: SealedSegment,
  { from, to, topics }: SealedRequest,
  readers: readonly ChunkReader[],
): AsyncGenerator<Group, void, undefined> {
  const merge = new Merge(readers, from);
  const span = spanOf(segment, topics);
  for (let first = merge.first; first !== null && first <= to; first = merge.first) {
    const end = await merge.end(first, Math.min(to, segment.lastPosition, first + span - 1));
    const parts = await merge.take(end);
    // Where a chunk's first commit lies below `from` it was not known whether one lies here.
    if (parts.length === 0) continue;
    const positions = union(parts.map(({ chunk, from: a, to: b }) => chunk.positions.subarray(a, b)));
    const times = new Float64Array(positions.length);
    const batches = parts.map((part) => {
      const indexes = indexesIn(positions, part.chunk.positions, part.from, part.to);
      indexes.forEach((index, i) => {
        times[index] = part.chunk.timesUs[part.from + i]!;
      });
      return batchOf(part, indexes);
    });
    yield {
      commits: commitsOf(positions, times),
      firstPosition: positions[0]!,
      lastPosition: positions[positions.length - 1]!,
      batches,
    };
  }
}

/** Groups of all commits, with their keys. */
async function* mergedWithCommits(
  file: DiskFile,
  { segment }: SealedSource,
  { from, to, topics }: SealedRequest,
  readers: readonly ChunkReader[],
): AsyncGenerator<Group, void, undefined> {
  const merge = new Merge(readers, from);
  const span = spanOf(segment, topics);
  const withKeys = topics === null;
  for await (const page of readCommitPages(file, segment, from)) {
    const pageStart = page[0]!.position;
    const pageEnd = Math.min(to, page[page.length - 1]!.position);
    for (let first = Math.max(from, pageStart); first <= pageEnd; ) {
      const end = await merge.end(first, Math.min(pageEnd, first + span - 1));
      const parts = await merge.take(end);
      const commits = page.slice(first - pageStart, end + 1 - pageStart);
      const batches = parts.map((part) => {
        const positions = part.chunk.positions.subarray(part.from, part.to);
        return batchOf(
          part,
          Uint32Array.from(positions, (position) => position - first),
        );
      });
      yield {
        commits: withKeys ? commits : commits.map(withoutKey),
        firstPosition: first,
        lastPosition: end,
        batches,
      };
      first = end + 1;
    }
    if (pageEnd === to) return;
  }
}

/** The rows of a chunk's commits [from, to) as a batch of their group. */
function batchOf({ chunk, from, to }: Part, commitIndexes: Uint32Array): TopicBatch {
  const { run, baseOffset, batch, ops, ends } = chunk;
  const firstRow = from === 0 ? 0 : ends[from - 1]!;
  const lastRow = ends[to - 1]!;
  const isWhole = firstRow === 0 && lastRow === batch.length;
  const sliced = ops === null || isWhole ? ops : ops.subarray(firstRow, lastRow);
  return {
    topicId: run.topicId,
    schemaVersion: run.schemaVersion,
    baseOffset: baseOffset + firstRow,
    batch: sliceBatch(batch, firstRow, lastRow),
    // null when every row is an upsert, as everywhere.
    ops: sliced?.includes(1) === true ? sliced : null,
    commitIndexes,
    commitEnds: isWhole ? ends : ends.subarray(from, to).map((end) => end - firstRow),
  };
}

/** Positions per group, so that it comes to about GROUP_ROWS rows of the wanted topics. */
function spanOf(segment: SealedSegment, topics: ReadonlySet<number> | null): number {
  const { commitCount, runs } = segment.directory;
  let rows = 0;
  for (const run of runs) if (topics === null || topics.has(run.topicId)) rows += run.rows;
  return Math.max(1, Math.ceil((GROUP_ROWS * commitCount) / Math.max(1, rows)));
}

function topicsOf(segment: SealedSegment): number[] {
  return [...new Set(segment.directory.runs.map(({ topicId }) => topicId))];
}

function withoutKey(commit: CommitInfo): CommitInfo {
  return commit.idempotencyKey === null ? commit : { ...commit, idempotencyKey: null, requestDigest: null };
}

/** Index of the first value above `limit`, from `from` on, in an ascending list. */
function firstAbove(values: Float64Array, limit: number, from: number): number {
  let low = from;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (values[middle]! <= limit) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The numbers of ascending lists, ascending, each once. */
function union(lists: readonly Float64Array[]): Float64Array {
  if (lists.length === 1) return lists[0]!;
  const all = new Float64Array(lists.reduce((sum, list) => sum + list.length, 0));
  let length = 0;
  for (const list of lists) {
    all.set(list, length);
    length += list.length;
  }
  all.sort();
  let kept = 0;
  for (let i = 0; i < length; i++) if (i === 0 || all[i] !== all[i - 1]) all[kept++] = all[i]!;
  return all.subarray(0, kept);
}

/** Where each of chunkPositions[from, to) stands in `positions`, which holds them all. */
function indexesIn(
  positions: Float64Array,
  chunkPositions: Float64Array,
  from: number,
  to: number,
): Uint32Array {
  const indexes = new Uint32Array(to - from);
  let at = 0;
  for (let i = from; i < to; i++) {
    while (positions[at]! < chunkPositions[i]!) at++;
    indexes[i - from] = at;
  }
  return indexes;
}
