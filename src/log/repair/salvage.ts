/**
 * What is left of the log, as files: frames as they stand; a sealed segment without its damaged blocks; and in the place of commits that nothing is
 * left of, a sealed segment of commits without rows.
 *
 * Pages are copied as they lie, none is decoded but those of commits. A block with a damaged page goes whole: a row of which a column is not known is
 * not served. So do the blocks in which a commit goes on that had rows in it. Where a page of commits is damaged, the times of commits with rows are
 * taken from the blocks, the others have the time of the one before; their idempotency keys are lost.
 */
import { type Disk, type DiskFile, joinPath, readFully, writeFully } from "../../base/disk.ts";
import { EvertError } from "../../base/errors.ts";
import type { CommitInfo, TopicRange } from "../log.ts";
import { damaged } from "../scanner.ts";
import { pendingPage } from "../sealed/block-writer.ts";
import { decodeBoundaries, decodeCommits, encodeCommits } from "../sealed/commits.ts";
import { FileWriter } from "../sealed/file-writer.ts";
import {
  type Block,
  type CommitPage,
  type Directory,
  encodeDirectory,
  encodeHead,
  encodeSection,
  encodeTail,
  type PlacedBlock,
  placedBlocks,
  type Run,
  SEALED_VERSION_SPARSE,
} from "../sealed/format.ts";
import { decodeKeptRanges, encodeKeptRanges } from "../sealed/kept-ranges.ts";
import type { Page } from "../sealed/page.ts";
import { readPage, readRun, type SealedSegment } from "../sealed/sealed-segment.ts";
import { openIfSound } from "../sealed/verify.ts";
import type { LostPiece } from "./pieces.ts";
import type { SealedFile } from "./survey.ts";

const COPY_BYTES = 1 << 20;
const COMMITS_PER_PAGE = 8192;
const NO_PAGE: Page = { at: 0, bytes: 0, rawBytes: 0, method: 0, crc: 0 };

/** Rows that are lost, of commits within these positions. */
export interface LostRows extends TopicRange {
  readonly firstPosition: number;
  readonly lastPosition: number;
}

/** First and last of commits among which some had idempotency keys that are lost: sent again under them, a request is taken for one that is new. */
export interface LostKeys {
  readonly first: number;
  readonly last: number;
}

export interface Stretch {
  readonly path: string;
  readonly from: number;
  readonly to: number;
}

/** A segment of the frames that stand there. */
export async function copyFrames(disk: Disk, stretches: readonly Stretch[], into: string): Promise<void> {
  const target = await disk.open(into, "write");
  try {
    await target.truncate(0);
    let at = 0;
    for (const { path, from, to } of stretches) {
      const source = await disk.open(path, "read");
      try {
        const piece = new Uint8Array(Math.min(COPY_BYTES, to - from));
        for (let next = from; next < to; ) {
          const part = piece.subarray(0, Math.min(piece.length, to - next));
          if ((await readFully(source, part, next)) < part.length)
            throw new EvertError("io_error", `${path} ends before byte ${to}`);
          await writeFully(target, part, at);
          next += part.length;
          at += part.length;
        }
      } finally {
        await source.close();
      }
    }
    await target.datasync();
  } finally {
    await target.close();
  }
}

/** A sealed segment of commits without rows, in the place of those that are lost. */
export async function writeLost(disk: Disk, path: string, logId: number, piece: LostPiece): Promise<void> {
  const { firstPosition, lastPosition, timeUs, runs } = piece;
  const origin = { firstPosition, firstTimeUs: timeUs };
  const file = await disk.open(path, "write");
  try {
    await file.truncate(0);
    const out = new FileWriter(file, () => {});
    await out.put(encodeHead(SEALED_VERSION_SPARSE));
    const commitPages: CommitPage[] = [];
    for (let first = firstPosition; first <= lastPosition; first += COMMITS_PER_PAGE) {
      const count = Math.min(COMMITS_PER_PAGE, lastPosition - first + 1);
      const commits = Array.from({ length: count }, (_, i) => unkeyed(first + i, timeUs));
      commitPages.push({
        commits: count,
        page: await out.putPage(await pendingPage(encodeCommits(commits, origin))),
      });
    }
    const empty = { section: NO_PAGE, kept: 0, isTrimmed: false, isCompacted: false, lacksDeletes: true };
    await end(out, { logId, firstPosition }, [], {
      commitCount: lastPosition - firstPosition + 1,
      firstTimeUs: timeUs,
      lastTimeUs: timeUs,
      keyed: 0,
      originalBytes: 0,
      commitPages,
      runs: [...runs].sort((a, b) => a.topicId - b.topicId).map((run) => ({ ...run, ...empty })),
      sparse: null,
    });
  } finally {
    await file.close();
  }
}

/** The segment without what is damaged in it. Returns what that is. */
export async function salvage(
  disk: Disk,
  of: SealedFile,
  into: string,
): Promise<Pick<Salvage, "lost" | "keys">> {
  const source = await disk.open(of.path, "read");
  try {
    const file = await disk.open(into, "write");
    try {
      await file.truncate(0);
      const salvaging = new Salvage(source, of, new FileWriter(file, () => {}));
      await salvaging.run();
      return salvaging;
    } finally {
      await file.close();
    }
  } finally {
    await source.close();
  }
}

/** @throws EvertError internal where what was made is not what was meant */
export async function checkMade(
  disk: Disk,
  directory: string,
  segment: Pick<SealedSegment, "firstPosition" | "generation" | "name">,
): Promise<void> {
  const { name, firstPosition, generation } = segment;
  if ((await openIfSound(disk, joinPath(directory, name), firstPosition, generation)) !== null) return;
  throw new EvertError("internal", `${name}, made anew, is not sound`, {
    detail: "Nothing has been changed.",
  });
}

class Salvage {
  readonly lost: LostRows[] = [];
  readonly keys: LostKeys[] = [];
  readonly #source: DiskFile;
  readonly #segment: SealedSegment;
  readonly #faults: SealedFile["faults"];
  readonly #out: FileWriter;
  /** Times of commits with rows, and the rows of each, as far as blocks are sound. */
  readonly #times = new Map<number, number>();
  readonly #ranges = new Map<number, TopicRange[]>();

  constructor(source: DiskFile, { segment, faults }: SealedFile, out: FileWriter) {
    this.#source = source;
    this.#segment = segment;
    this.#faults = faults;
    this.#out = out;
  }

  async run(): Promise<void> {
    const { directory } = this.#segment;
    await this.#out.put(encodeHead(SEALED_VERSION_SPARSE));
    const runs: Run[] = [];
    for (const run of directory.runs) runs.push(run.kept === 0 ? run : await this.#run(run));
    const { commitPages, keyed } = await this.#commits();
    const ranges = await this.#keptRanges(keyed);
    await end(this.#out, this.#segment, ranges, { ...directory, keyed: keyed.length, commitPages, runs });
  }

  /** What of the run stays: chains of blocks in which every page is sound. */
  async #run(run: Run): Promise<Run> {
    const { topicId, baseOffset, rows } = run;
    const gone = this.#faults.flatMap((fault) => (fault.rows?.topicId === topicId ? [fault.rows] : []));
    const isGone = (first: number, last: number): boolean =>
      gone.some(({ firstOffset, lastOffset }) => firstOffset <= first && last <= lastOffset);
    if (isGone(baseOffset, baseOffset + rows - 1)) {
      const { firstPosition, lastPosition } = this.#segment;
      this.lost.push({
        topicId,
        firstOffset: baseOffset,
        lastOffset: baseOffset + rows - 1,
        firstPosition,
        lastPosition,
      });
      return { ...run, kept: 0, section: NO_PAGE };
    }
    const section = await readRun(this.#source, this.#segment, run);
    const kept: PlacedBlock[] = [];
    for (const chain of chains(placedBlocks(run, section.blocks))) {
      if (!chain.some((placed) => isGone(placed.baseOffset, placed.endOffset - 1))) {
        kept.push(...chain);
        continue;
      }
      const [first, last] = [chain[0]!, chain.at(-1)!];
      this.lost.push({
        topicId,
        firstOffset: first.baseOffset,
        lastOffset: last.endOffset - 1,
        firstPosition: first.block.firstPosition,
        lastPosition: last.block.lastPosition,
      });
    }
    if (kept.length === 0) return { ...run, kept: 0, section: NO_PAGE };
    for (const placed of kept) await this.#noteCommits(topicId, placed);
    const isWhole = kept.length === section.blocks.length;
    const blocks = await this.#copyBlocks(
      kept.map(({ block, baseOffset: at, endOffset }): Block => {
        const offsets = block.place?.offsets ?? null;
        return isWhole
          ? block
          : { ...block, place: { firstOffset: at - baseOffset, span: endOffset - at, offsets } };
      }),
    );
    const page = await pendingPage(encodeSection({ layouts: section.layouts, blocks }, this.#segment));
    return {
      ...run,
      kept: blocks.reduce((sum, block) => sum + block.rows, 0),
      section: await this.#out.putPage(page),
    };
  }

  /** Pages of a kind lie one behind the other, as readers ask for them. */
  async #copyBlocks(blocks: readonly Block[]): Promise<Block[]> {
    const moved: Block[] = [];
    const each = async <P extends Page | null>(of: (block: Block) => P): Promise<P[]> => {
      const pages: P[] = [];
      for (const block of blocks) pages.push(await this.#copy(of(block)));
      return pages;
    };
    const offsets = await each(({ place }) => place?.offsets ?? null);
    const boundaries = await each((block) => block.boundaries);
    const deletes = await each((block) => block.deletes);
    const columns: Awaited<ReturnType<typeof each<Block["columns"][number]>>>[] = [];
    for (let k = 0; k < blocks[0]!.columns.length; k++)
      columns.push(await each((block) => block.columns[k]!));
    const opaque = await each((block) => block.opaque);
    blocks.forEach((block, i) => {
      moved.push({
        ...block,
        place: block.place === null ? null : { ...block.place, offsets: offsets[i]! },
        boundaries: boundaries[i]!,
        deletes: deletes[i]!,
        columns: columns.map((pages) => pages[i]!),
        opaque: opaque[i]!,
      });
    });
    return moved;
  }

  async #copy<P extends Page | null>(page: P): Promise<P> {
    if (page === null) return page;
    const stored = new Uint8Array(page.bytes);
    if ((await readFully(this.#source, stored, page.at)) < stored.length)
      throw damaged(this.#segment.name, page.at, "the file is too short");
    const { at } = this.#out;
    await this.#out.put(stored);
    return { ...page, at };
  }

  async #noteCommits(topicId: number, { block, baseOffset }: PlacedBlock): Promise<void> {
    if (this.#segment.directory.keyed === 0 && !this.#faults.some(({ rows }) => rows === null)) return;
    const raw = await readPage(this.#source, this.#segment.name, block.boundaries);
    const boundaries = decodeBoundaries(raw, block.commits, this.#segment);
    if (boundaries === null) return;
    const { positions, timesUs, ends } = boundaries;
    positions.forEach((position, i) => {
      this.#times.set(position, timesUs[i]!);
      // Where rows are gone, offsets are not counted from the first.
      if (block.place?.offsets != null) return;
      const firstOffset = baseOffset + (i === 0 ? 0 : ends[i - 1]!);
      const lastOffset = baseOffset + ends[i]! - 1;
      const list = this.#ranges.get(position) ?? [];
      const before = list.at(-1);
      if (before?.topicId === topicId) list[list.length - 1] = { ...before, lastOffset };
      else list.push({ topicId, firstOffset, lastOffset });
      this.#ranges.set(position, list);
    });
  }

  /** Pages of commits, and the positions of those with a key; null for one that stands for some that are not known. */
  async #commits(): Promise<{ commitPages: CommitPage[]; keyed: number[] }> {
    const { directory, firstPosition } = this.#segment;
    const commitPages: CommitPage[] = [];
    const keyed: number[] = [];
    const unknown: LostKeys[] = [];
    let position = firstPosition;
    let timeUs = directory.firstTimeUs;
    for (const { commits: count, page } of directory.commitPages) {
      const known = await this.#readCommits(page, count, position);
      if (known === null) {
        unknown.push({ first: position, last: position + count - 1 });
        const commits = Array.from({ length: count }, (_, i) => {
          timeUs = Math.max(timeUs, this.#times.get(position + i) ?? timeUs);
          return unkeyed(position + i, timeUs);
        });
        const made = await this.#out.putPage(await pendingPage(encodeCommits(commits, this.#segment)));
        commitPages.push({ commits: count, page: made });
      } else {
        for (const commit of known) if (commit.idempotencyKey !== null) keyed.push(commit.position);
        timeUs = known.at(-1)?.timeUs ?? timeUs;
        commitPages.push({ commits: count, page: await this.#copy(page) });
      }
      position += count;
    }
    if (keyed.length < directory.keyed) this.keys.push(...unknown);
    return { commitPages, keyed };
  }

  async #readCommits(page: Page, count: number, position: number): Promise<CommitInfo[] | null> {
    if (this.#faults.some((fault) => fault.rows === null && fault.page.at === page.at)) return null;
    return decodeCommits(
      await readPage(this.#source, this.#segment.name, page),
      count,
      position,
      this.#segment,
    );
  }

  /** Which rows the commits with a key had; where the segment does not say any more, which of them are left. */
  async #keptRanges(keyed: readonly number[]): Promise<readonly (readonly TopicRange[])[]> {
    const { sparse, keyed: count } = this.#segment.directory;
    const isSound = sparse !== null && !this.#faults.some(({ page }) => page.at === sparse.ranges.at);
    if (isSound && keyed.length === count) {
      const raw = await readPage(this.#source, this.#segment.name, sparse.ranges);
      const ranges = decodeKeptRanges(raw, count);
      if (ranges !== null) return ranges;
    }
    return keyed.map((position) => this.#ranges.get(position) ?? []);
  }
}

/** Blocks in which a commit goes on belong together. */
function* chains(blocks: readonly PlacedBlock[]): Generator<PlacedBlock[]> {
  let chain: PlacedBlock[] = [];
  for (const placed of blocks) {
    chain.push(placed);
    if (placed.block.continues) continue;
    yield chain;
    chain = [];
  }
  if (chain.length > 0) yield chain;
}

function unkeyed(position: number, timeUs: number): CommitInfo {
  return { position, timeUs, idempotencyKey: null, requestDigest: null };
}

async function end(
  out: FileWriter,
  { logId, firstPosition }: Pick<SealedSegment, "logId" | "firstPosition">,
  ranges: readonly (readonly TopicRange[])[],
  directory: Directory,
): Promise<void> {
  const page = await out.putPage(await pendingPage(encodeKeptRanges(ranges)));
  const sparse = { horizon: directory.sparse?.horizon ?? 0, ranges: page };
  const placed = await out.putPage(await pendingPage(encodeDirectory({ ...directory, sparse })));
  await out.put(encodeTail({ version: SEALED_VERSION_SPARSE, logId, firstPosition, directory: placed }));
  await out.end();
}
