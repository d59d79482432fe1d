/**
 * From a sealed segment back to groups.
 *
 * A group is the commits of a stretch of positions, with one batch per topic: what it was in the frames, but larger and put together. (One step
 * equals many small ones; which commits shared an fdatasync is of no interest once they are durable.)
 *
 * - One topic: each of its blocks is a group, nothing is copied.
 * - Several topics, or all: their blocks are walked through side by side. A group ends where the first of the current blocks ends, and after
 *   about GROUP_ROWS rows; of the other blocks it takes the rows up to there, as slices.
 * - Groups begin and end with the positions asked for: no row of a commit beyond them is given out.
 * - A commit is never divided, and one with rows in topic 0, the catalog, stands in a group of its own, as it did in its frame: what follows may
 *   need the topics it makes.
 */
import type { DiskFile } from "../../base/disk.ts";
import { firstAbove } from "../../base/search.ts";
import { sliceBatch } from "../../batch/column.ts";
import type { CommitInfo, Group, Pause, Position, ReadOptions, TopicBatch } from "../log.ts";
import type { TopicRegistry } from "../topics.ts";
import { BlockReader, type LoadedBlock } from "./block-reader.ts";
import type { ReaderMemory } from "./column-memory.ts";
import { readCommitPages, type SealedSegment } from "./sealed-segment.ts";

/** The topic whose commits stand alone. */
const CATALOG_TOPIC = 0;
/** Rows of a group that is put together of several topics, about. */
const GROUP_ROWS = 16_384;

/** The file is closed when its groups have been read. */
export interface SealedSource {
  readonly file: DiskFile;
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
  /** Rows of the topic below it have been given up, also those that are there. */
  readonly startOf: (topicId: number) => number;
}

export async function* sealedGroups(
  source: SealedSource,
  request: SealedRequest,
  pause: Pause,
  memory: ReaderMemory | null,
): AsyncGenerator<Group, void, undefined> {
  const { file, segment, registry } = source;
  const wantsAll = request.topics === null || request.everyGroup;
  const topics = topicsOf(segment).filter((topicId) => request.topics?.has(topicId) !== false);
  const blocks: BlockReader[] = [];
  try {
    for (const topicId of topics) {
      const reader = await BlockReader.open(file, segment, registry, {
        topicId,
        fromPosition: request.from,
        fromOffset: request.startOf(topicId),
        toPosition: request.to,
        columns: request.columns?.(topicId) ?? null,
        // Whoever wants every position wants every row.
        ranges: wantsAll ? [] : (request.ranges?.(topicId) ?? []),
        pause,
        memory,
      });
      if (reader.peek() !== null) blocks.push(reader);
    }
    if (wantsAll) yield* mergedWithCommits(source, request, blocks, pause);
    else if (blocks.length === 1 && blocks[0]!.topicId !== CATALOG_TOPIC)
      yield* topicGroups(blocks[0]!, request.from, request.to);
    else yield* merged(segment, request, blocks);
  } finally {
    await Promise.all(blocks.map((reader) => reader.settle()));
    await file.close();
  }
}

/** The topic's blocks from the one on that holds the offset. Rows in a later schema version are left out. */
export async function* sealedTopicGroups(
  { file, segment, registry }: SealedSource,
  topicId: number,
  fromOffset: number,
  versionMax: number,
  pause: Pause,
): AsyncGenerator<Group, void, undefined> {
  let reader: BlockReader | null = null;
  try {
    reader = await BlockReader.open(file, segment, registry, {
      topicId,
      fromPosition: 0,
      fromOffset,
      toPosition: segment.lastPosition,
      columns: null,
      ranges: [],
      versionMax,
      pause,
      memory: null,
    });
    yield* topicGroups(reader, 0, segment.lastPosition);
  } finally {
    await reader?.settle();
    await file.close();
  }
}

async function* topicGroups(
  reader: BlockReader,
  fromPosition: Position,
  toPosition: Position,
): AsyncGenerator<Group, void, undefined> {
  while (reader.peek() !== null) {
    const block = await reader.take();
    const { positions } = block;
    const from = firstAbove(positions, fromPosition - 1, 0);
    const to = firstAbove(positions, toPosition, from);
    if (from < to) yield new BlockGroup({ block, from, to });
  }
}

/** Commits [from, to) of a block as a group. Their CommitInfo are made when somebody asks for them: a row may be a commit. */
class BlockGroup implements Group {
  readonly firstPosition: Position;
  readonly lastPosition: Position;
  readonly batches: readonly TopicBatch[];
  readonly #part: Part;
  #commits: readonly CommitInfo[] | null = null;

  constructor(part: Part) {
    const { block, from, to } = part;
    this.#part = part;
    this.firstPosition = block.positions[from]!;
    this.lastPosition = block.positions[to - 1]!;
    const indexes = new Uint32Array(to - from);
    for (let i = 0; i < indexes.length; i++) indexes[i] = i;
    this.batches = [batchOf(part, indexes)];
  }

  get commits(): readonly CommitInfo[] {
    const { block, from, to } = this.#part;
    return (this.#commits ??= commitsOf(
      block.positions.subarray(from, to),
      block.timesUs.subarray(from, to),
    ));
  }
}

/** Commits [from, to) of a block. */
interface Part {
  readonly block: LoadedBlock;
  readonly from: number;
  readonly to: number;
}

function commitsOf(positions: Float64Array, timesUs: Float64Array): CommitInfo[] {
  return Array.from(positions, (position, i) => {
    return { position, timeUs: timesUs[i]!, idempotencyKey: null, requestDigest: null };
  });
}

/** A block that is partly in groups given out. */
interface Current {
  readonly block: LoadedBlock;
  /** Its commits given out so far. */
  commits: number;
}

/** Blocks side by side: what of them lies in a stretch of positions. */
class Merge {
  readonly #readers: readonly BlockReader[];
  readonly #from: Position;
  readonly #current = new Map<BlockReader, Current>();

  /** Of commits from `from` on. REQUIRES that each reader's first block ends there or later. */
  constructor(readers: readonly BlockReader[], from: Position) {
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

  /** Where a group that begins at `from` is to end, not beyond `to`. Loads the catalog's block to know. */
  async end(from: Position, to: Position): Promise<Position> {
    let end = to;
    for (const reader of this.#readers) {
      const last = this.#current.get(reader)?.block.positions.at(-1) ?? reader.peek()?.lastPosition;
      if (last !== undefined && last < end) end = last;
      if (reader.topicId !== CATALOG_TOPIC || this.#firstOf(reader) === null) continue;
      const { block, commits } = await this.#load(reader);
      const next = block.positions[commits]!;
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
      const { positions } = current.block;
      const from = current.commits;
      const to = firstAbove(positions, end, from);
      if (from < to) taken.push({ block: current.block, from, to });
      current.commits = to;
      if (to === positions.length) this.#current.delete(reader);
    }
    return taken;
  }

  #firstOf(reader: BlockReader): Position | null {
    const current = this.#current.get(reader);
    if (current !== undefined) return current.block.positions[current.commits]!;
    const next = reader.peek();
    return next === null ? null : Math.max(next.firstPosition, this.#from);
  }

  async #load(reader: BlockReader): Promise<Current> {
    let current = this.#current.get(reader);
    if (current === undefined) {
      const block = await reader.take();
      current = { block, commits: firstAbove(block.positions, this.#from - 1, 0) };
      this.#current.set(reader, current);
    }
    return current;
  }
}

/** Groups of the commits with rows in the wanted topics. */
async function* merged(
  segment: SealedSegment,
  { from, to, topics }: SealedRequest,
  readers: readonly BlockReader[],
): AsyncGenerator<Group, void, undefined> {
  const merge = new Merge(readers, from);
  const span = spanOf(segment, topics);
  for (let first = merge.first; first !== null && first <= to; first = merge.first) {
    const end = await merge.end(first, Math.min(to, segment.lastPosition, first + span - 1));
    const parts = await merge.take(end);
    // Where a block's first commit lies below `from` it was not known whether one lies here.
    if (parts.length === 0) continue;
    const positions = union(parts.map(({ block, from: a, to: b }) => block.positions.subarray(a, b)));
    const times = new Float64Array(positions.length);
    const batches = parts.map((part) => {
      const indexes = indexesIn(positions, part.block.positions, part.from, part.to);
      indexes.forEach((index, i) => {
        times[index] = part.block.timesUs[part.from + i]!;
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
  { file, segment }: SealedSource,
  { from, to, topics }: SealedRequest,
  readers: readonly BlockReader[],
  pause: Pause,
): AsyncGenerator<Group, void, undefined> {
  const merge = new Merge(readers, from);
  const span = spanOf(segment, topics);
  const withKeys = topics === null;
  for await (const page of readCommitPages(file, segment, from, pause)) {
    const pageStart = page[0]!.position;
    const pageEnd = Math.min(to, page[page.length - 1]!.position);
    for (let first = Math.max(from, pageStart); first <= pageEnd; ) {
      const end = await merge.end(first, Math.min(pageEnd, first + span - 1));
      const parts = await merge.take(end);
      const commits = page.slice(first - pageStart, end + 1 - pageStart);
      const batches = parts.map((part) => {
        const positions = part.block.positions.subarray(part.from, part.to);
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

/** The rows of a block's commits [from, to) as a batch of their group. */
function batchOf({ block, from, to }: Part, commitIndexes: Uint32Array): TopicBatch {
  const { run, schemaVersion, baseOffset, offsets, batch, ops, ends } = block;
  const firstRow = from === 0 ? 0 : ends[from - 1]!;
  const lastRow = ends[to - 1]!;
  const isWhole = firstRow === 0 && lastRow === batch.length;
  const sliced = ops === null || isWhole ? ops : ops.subarray(firstRow, lastRow);
  return {
    topicId: run.topicId,
    schemaVersion,
    baseOffset: offsets === null ? baseOffset + firstRow : offsets[firstRow]!,
    ...(offsets === null ? {} : { offsets: offsets.subarray(firstRow, lastRow) }),
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
  for (const run of runs) if (topics === null || topics.has(run.topicId)) rows += run.kept;
  return Math.max(1, Math.ceil((GROUP_ROWS * commitCount) / Math.max(1, rows)));
}

function topicsOf(segment: SealedSegment): number[] {
  return [...new Set(segment.directory.runs.filter(({ kept }) => kept > 0).map(({ topicId }) => topicId))];
}

function withoutKey(commit: CommitInfo): CommitInfo {
  return commit.idempotencyKey === null ? commit : { ...commit, idempotencyKey: null, requestDigest: null };
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

/** Where each of blockPositions[from, to) stands in `positions`, which holds them all. */
function indexesIn(
  positions: Float64Array,
  blockPositions: Float64Array,
  from: number,
  to: number,
): Uint32Array {
  const indexes = new Uint32Array(to - from);
  let at = 0;
  for (let i = from; i < to; i++) {
    while (positions[at]! < blockPositions[i]!) at++;
    indexes[i - from] = at;
  }
  return indexes;
}
