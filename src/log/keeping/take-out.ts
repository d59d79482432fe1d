/**
 * A sealed segment without some of its rows, as a new file: the next generation.
 *
 * 1. Runs of which all rows stay are copied as they lie; of a run of which some go, what stays is gathered into blocks anew; one of which all go
 *    leaves only the offsets it spanned. Commits are copied: their positions, times and idempotency keys stay, and which rows those with a key had is
 *    written down.
 * 2. The file is written under a name that means nothing, synced, and read back: every page is decompressed and decoded, and must come to the
 *    checksum that its rows had before. Only then may the caller give it its name, and only afterwards take the file away that it was made of.
 */
import { type Disk, type DiskFile, joinPath, readFully } from "../../base/disk.ts";
import { EvertError } from "../../base/errors.ts";
import type { TopicRange } from "../log.ts";
import { damaged } from "../scanner.ts";
import { BlockWriter, pendingPage } from "../sealed/block-writer.ts";
import { FileWriter, type Manners, pauseOf } from "../sealed/file-writer.ts";
import {
  type CommitPage,
  encodeDirectory,
  encodeHead,
  encodeSection,
  encodeTail,
  type Run,
  SEALED_VERSION_SPARSE,
  type Section,
} from "../sealed/format.ts";
import { decodeKeptRanges, encodeKeptRanges } from "../sealed/kept-ranges.ts";
import type { Page } from "../sealed/page.ts";
import {
  openSealed,
  pageDamaged,
  readCommitPages,
  readPage,
  readRun,
  type SealedSegment,
  sealedPath,
} from "../sealed/sealed-segment.ts";
import { findFault, rangesByPosition } from "../sealed/verify.ts";
import { compactingName } from "../segment.ts";
import type { TopicRegistry } from "../topics.ts";
import { blocksOf, type EachRow, type TopicKeys } from "./topic-keys.ts";

const COPY_BYTES = 1 << 20;

export interface TakeOutSource extends Manners {
  readonly disk: Disk;
  readonly directory: string;
  readonly registry: TopicRegistry;
}

/** What becomes of a segment's rows; a topic that is in neither keeps them. */
export interface Taken {
  /** All rows of these go, and the topic begins behind them. */
  readonly trimmed: ReadonlySet<number>;
  readonly filtered: ReadonlyMap<number, RowFilter>;
  /** States from it on can be had without what goes. */
  readonly horizon: number;
  /** Idempotency keys of earlier commits are forgotten by now. */
  readonly knownFromUs: number;
}

export interface RowFilter {
  readonly keys: TopicKeys;
  readonly keeps: (...of: Parameters<EachRow>) => boolean;
  /** A row that goes because a later one of its key is there: whoever gets that lacks nothing. */
  readonly isReplaced: (...of: Parameters<EachRow>) => boolean;
  /** Of each key only the last row up to the horizon stays. */
  readonly compacts: boolean;
}

/** The new file's name is that of compactingName. @throws EvertError log_damaged, disk_full, io_error; shutting_down */
export async function takeOut(
  source: TakeOutSource,
  segment: SealedSegment,
  taken: Taken,
): Promise<SealedSegment> {
  const { disk, directory } = source;
  const path = joinPath(directory, compactingName(segment.firstPosition));
  const generation = segment.generation + 1;
  const old = await disk.open(sealedPath(directory, segment), "read");
  try {
    const file = await disk.open(path, "write");
    try {
      await file.truncate(0);
      await new Rewriting(source, old, segment, taken, new FileWriter(file, source.checkStopped)).run();
    } finally {
      await file.close();
    }
  } finally {
    await old.close();
  }
  const made = await openSealed(disk, path, segment.firstPosition, generation);
  const fault = await findFault(disk, path, made, pauseOf(source));
  if (fault !== null || made.directory.commitCount !== segment.directory.commitCount) {
    throw new EvertError("io_error", `what is left of ${segment.name} is not what it should be`, {
      detail: `${fault === null ? "commits are missing" : `byte ${fault.page.at}: ${fault.reason}`}; the segment stays as it was`,
    });
  }
  return made;
}

class Rewriting {
  readonly #source: TakeOutSource;
  readonly #old: DiskFile;
  readonly #segment: SealedSegment;
  readonly #taken: Taken;
  readonly #out: FileWriter;

  constructor(source: TakeOutSource, old: DiskFile, segment: SealedSegment, taken: Taken, out: FileWriter) {
    this.#source = source;
    this.#old = old;
    this.#segment = segment;
    this.#taken = taken;
    this.#out = out;
  }

  async run(): Promise<void> {
    const { logId, firstPosition, directory: before } = this.#segment;
    const out = this.#out;
    await out.put(encodeHead(SEALED_VERSION_SPARSE));
    const runs: Run[] = [];
    for (let i = 0; i < before.runs.length; ) {
      const { topicId } = before.runs[i]!;
      let end = i;
      while (end < before.runs.length && before.runs[end]!.topicId === topicId) end++;
      runs.push(...(await this.#topic(topicId, before.runs.slice(i, end))));
      i = end;
    }
    const commitPages: CommitPage[] = [];
    for (const { commits, page } of before.commitPages) {
      const at = out.at;
      await this.#copy(page.at, page.at + page.bytes);
      commitPages.push({ commits, page: { ...page, at } });
    }
    const ranges = await out.putPage(await pendingPage(encodeKeptRanges(await this.#ranges())));
    const horizon = Math.max(before.sparse?.horizon ?? 0, this.#taken.horizon);
    const directory = await out.putPage(
      await pendingPage(encodeDirectory({ ...before, commitPages, runs, sparse: { horizon, ranges } })),
    );
    await out.put(encodeTail({ version: SEALED_VERSION_SPARSE, logId, firstPosition, directory }));
    await out.end();
  }

  async #topic(topicId: number, runs: readonly Run[]): Promise<Run[]> {
    const filter = this.#taken.filtered.get(topicId);
    if (this.#taken.trimmed.has(topicId)) return runs.map((run) => emptied(run, { isTrimmed: true }));
    if (filter !== undefined) return this.#filter(topicId, runs, filter);
    const copied: Run[] = [];
    for (const run of runs) copied.push(run.kept === 0 ? run : await this.#copyRun(run));
    return copied;
  }

  /** Its pages lie one behind the other, and the section behind them. */
  async #copyRun(run: Run): Promise<Run> {
    const section = await readRun(this.#old, this.#segment, run);
    const from = Math.min(...pagesOf(section).map((page) => page.at));
    const moved = this.#out.at - from;
    await this.#copy(from, run.section.at);
    return { ...run, section: await this.#putSection(movedBy(section, moved)) };
  }

  /** Those that stay are gathered; runs come as the reader gives their blocks. */
  async #filter(
    topicId: number,
    runs: readonly Run[],
    { keys, keeps, isReplaced, compacts }: RowFilter,
  ): Promise<Run[]> {
    const { registry } = this.#source;
    const pause = pauseOf(this.#source);
    const writers = new Map<Run, BlockWriter>();
    const withoutDeletes = new Set<Run>();
    for await (const block of blocksOf(this.#old, this.#segment, registry, topicId, null)) {
      const { run } = block;
      let writer = writers.get(run);
      if (writer === undefined) {
        const topic = registry.version(topicId, run.schemaVersion);
        writers.set(run, (writer = new BlockWriter(run, topic, this.#segment, pause, true)));
      }
      const keep = new Uint8Array(block.batch.length);
      await keys.eachRow(block, pause, (of, row, digest, isDelete) => {
        keep[row] = keeps(of, row, digest, isDelete) ? 1 : 0;
        if (isDelete && keep[row] === 0 && !isReplaced(of, row, digest, isDelete)) withoutDeletes.add(run);
      });
      await writer.addKept(block, keep);
    }
    const made: Run[] = [];
    for (const run of runs) {
      const writer = writers.get(run);
      await writer?.finish();
      const marks = {
        isCompacted: compacts || run.isCompacted,
        lacksDeletes: withoutDeletes.has(run) || run.lacksDeletes,
      };
      if (writer === undefined || writer.rows === 0) {
        made.push(emptied(run, marks));
        continue;
      }
      const { blocks, pages } = writer.place(this.#out.at);
      for (const page of pages) await this.#out.put(page);
      const section = await this.#putSection({ layouts: writer.layouts, blocks });
      made.push({ ...run, ...marks, section, kept: writer.rows });
    }
    return made;
  }

  async #putSection(section: Section): Promise<Page> {
    return this.#out.putPage(await pendingPage(encodeSection(section, this.#segment)));
  }

  async #copy(from: number, to: number): Promise<void> {
    const pause = pauseOf(this.#source);
    for (let at = from; at < to; ) {
      const piece = new Uint8Array(Math.min(COPY_BYTES, to - at));
      if ((await readFully(this.#old, piece, at)) < piece.length)
        throw damaged(this.#segment.name, at, "the file is too short");
      await this.#out.put(piece);
      await pause(piece.length);
      at += piece.length;
    }
  }

  /** Which rows each commit with a key had; none where the key is forgotten by now. */
  async #ranges(): Promise<readonly (readonly TopicRange[])[]> {
    const { keyed, sparse } = this.#segment.directory;
    if (sparse !== null) {
      const raw = await readPage(this.#old, this.#segment.name, sparse.ranges);
      return decodeKeptRanges(raw, keyed) ?? pageDamaged(this.#segment.name, sparse.ranges);
    }
    const positions: number[] = [];
    const known = new Set<number>();
    for await (const commits of readCommitPages(this.#old, this.#segment, this.#segment.firstPosition)) {
      for (const { position, timeUs, idempotencyKey } of commits) {
        if (idempotencyKey === null) continue;
        positions.push(position);
        if (timeUs >= this.#taken.knownFromUs) known.add(position);
      }
    }
    const ranges =
      known.size === 0
        ? new Map<number, TopicRange[]>()
        : await rangesByPosition(
            this.#source.disk,
            sealedPath(this.#source.directory, this.#segment),
            this.#segment,
            known,
          );
    return positions.map((position) => ranges.get(position) ?? []);
  }
}

const NO_PAGE: Page = { at: 0, bytes: 0, rawBytes: 0, method: 0, crc: 0 };

/** Nothing is left but what it spanned. */
function emptied(run: Run, marks: Partial<Pick<Run, "isTrimmed" | "isCompacted" | "lacksDeletes">>): Run {
  return { ...run, ...marks, kept: 0, section: NO_PAGE };
}

function pagesOf({ blocks }: Section): Page[] {
  return blocks.flatMap(({ boundaries, deletes, columns, opaque, place }) =>
    [boundaries, deletes, ...columns, opaque, place?.offsets ?? null].filter((page) => page !== null),
  );
}

function movedBy({ layouts, blocks }: Section, bytes: number): Section {
  const move = <P extends Page | null>(page: P): P =>
    page === null ? page : { ...page, at: page.at + bytes };
  return {
    layouts,
    blocks: blocks.map((block) => ({
      ...block,
      boundaries: move(block.boundaries),
      deletes: move(block.deletes),
      columns: block.columns.map(move),
      opaque: move(block.opaque),
      place: block.place === null ? null : { ...block.place, offsets: move(block.place.offsets) },
    })),
  };
}
