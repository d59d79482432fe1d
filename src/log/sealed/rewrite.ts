/**
 * One full segment, written anew in the form of format.ts.
 *
 * 1. Its frames are read one after the other. Rows go to their topic's block writer, commits to pages of their own; what is full is compressed
 *    at once, in the thread pool, one page at a time.
 * 2. When all frames are read, pages get their places: topic by topic, and within a topic column by column. The file is written under a name
 *    that means nothing, and synced.
 * 3. It is read back: every page is decompressed and decoded, and must come to the checksum that its rows had before. Only then may the caller
 *    give it its name, and only afterwards take the frames away.
 *
 * Memory: the compressed pages of one segment, one block per topic being gathered, one frame. The event loop has a turn after each column of a
 * block, and between frames.
 */
import { type Disk, joinPath } from "../../base/disk.ts";
import { EvertError } from "../../base/errors.ts";
import { readCommits, readDirectory } from "../frame.ts";
import type { CommitInfo } from "../log.ts";
import type { SegmentExtent } from "../log-index.ts";
import { damaged, Scanner } from "../scanner.ts";
import { segmentName, unfinishedName } from "../segment.ts";
import type { TopicRegistry } from "../topics.ts";
import { BlockWriter, type PendingPage, pendingPage } from "./block-writer.ts";
import { encodeCommits } from "./commits.ts";
import { FileWriter, type Manners, pauseOf } from "./file-writer.ts";
import {
  type CommitPage,
  encodeDirectory,
  encodeHead,
  encodeSection,
  encodeTail,
  type Origin,
  type Run,
  SEALED_VERSION,
} from "./format.ts";
import { openSealed, type SealedSegment } from "./sealed-segment.ts";
import { findFault } from "./verify.ts";

const COMMITS_PER_PAGE = 8192;
export interface RewriteSource extends Manners {
  readonly disk: Disk;
  readonly directory: string;
  readonly registry: TopicRegistry;
  readonly logId: number;
}

/** Where the rewritten segment lies, under its meaningless name. */
export interface Rewritten {
  readonly path: string;
  readonly segment: SealedSegment;
}

/** The segment's frames. */
export type FrameExtent = Pick<SegmentExtent, "firstPosition" | "end">;

/** REQUIRES a segment whose every frame is durable and that nobody writes to. @throws EvertError log_damaged, disk_full, io_error */
export async function rewriteSegment(source: RewriteSource, extent: FrameExtent): Promise<Rewritten> {
  const gathered = await gather(source, extent);
  const path = joinPath(source.directory, unfinishedName(extent.firstPosition));
  await writeOut(source, extent, gathered, path);
  const segment = await openSealed(source.disk, path, extent.firstPosition);
  const fault = await findFault(source.disk, path, segment, pauseOf(source));
  if (fault !== null) {
    throw new EvertError(
      "io_error",
      `the sealed form of ${segmentName(extent.firstPosition)} is not what it should be`,
      {
        detail: `Byte ${fault.page.at}: ${fault.reason}; the segment stays as it was.`,
      },
    );
  }
  return { path, segment };
}

interface Gathered {
  readonly origin: Origin;
  readonly writers: readonly BlockWriter[];
  readonly commitPages: readonly { readonly commits: number; readonly page: PendingPage }[];
  readonly commitCount: number;
  readonly lastTimeUs: number;
  readonly keyed: number;
}

async function gather(source: RewriteSource, extent: FrameExtent): Promise<Gathered> {
  const { disk, directory, registry } = source;
  const name = segmentName(extent.firstPosition);
  const pause = pauseOf(source);
  /** Complete ones, and by topic the one that is being filled. */
  const writers: BlockWriter[] = [];
  const open = new Map<number, BlockWriter>();
  const commitPages: { commits: number; page: PendingPage }[] = [];
  let waiting: CommitInfo[] = [];
  let origin: Origin | null = null;
  let commitCount = 0;
  let lastTimeUs = 0;
  let keyed = 0;

  const file = await disk.open(joinPath(directory, name), "read");
  try {
    const scanner = new Scanner(file, 0, extent.end, true);
    while (scanner.at < extent.end) {
      const frame = await scanner.next();
      if (frame.kind !== "frame") throw damaged(name, frame.at, "the frame there is not as it was written");
      const { at, header, bytes, offset } = frame;
      const commits = readCommits(bytes, offset, header);
      const entries = readDirectory(bytes, offset, header);
      if (commits === null || entries === null)
        throw damaged(name, at, "a sound frame that does not follow the format");
      if (commits.length === 0) continue; // a closing mark says nothing that the next segment's existence does not say
      origin ??= { firstPosition: extent.firstPosition, firstTimeUs: commits[0]!.timeUs };
      commitCount += commits.length;
      lastTimeUs = commits[commits.length - 1]!.timeUs;
      for (const commit of commits) {
        waiting.push(commit);
        if (commit.idempotencyKey !== null) keyed++;
        if (waiting.length === COMMITS_PER_PAGE) {
          commitPages.push({
            commits: waiting.length,
            page: await pendingPage(encodeCommits(waiting, origin)),
          });
          waiting = [];
        }
      }
      for (const entry of entries) {
        let writer = open.get(entry.topicId);
        if (writer === undefined || writer.schemaVersion !== entry.schemaVersion) {
          if (writer !== undefined) await writer.finish();
          const topic = registry.find(entry.topicId, entry.schemaVersion);
          writer = new BlockWriter(entry, topic, origin, pause);
          open.set(entry.topicId, writer);
          writers.push(writer);
        }
        await writer.add(bytes, offset, entry, commits);
      }
      await pause(header.frameBytes - header.columnsBytes);
    }
  } finally {
    await file.close();
  }
  if (origin === null) throw damaged(name, 0, "a full segment without commits");
  if (waiting.length > 0)
    commitPages.push({ commits: waiting.length, page: await pendingPage(encodeCommits(waiting, origin)) });
  for (const writer of open.values()) await writer.finish();
  writers.sort((a, b) => a.topicId - b.topicId || a.baseOffset - b.baseOffset);
  return { origin, writers, commitPages, commitCount, lastTimeUs, keyed };
}

async function writeOut(
  source: RewriteSource,
  extent: FrameExtent,
  { origin, writers, commitPages, commitCount, lastTimeUs, keyed }: Gathered,
  path: string,
): Promise<void> {
  const file = await source.disk.open(path, "write");
  try {
    await file.truncate(0);
    const out = new FileWriter(file, source.checkStopped);
    await out.put(encodeHead(SEALED_VERSION));
    const runs: Run[] = [];
    for (const writer of writers) {
      const { topicId, schemaVersion, baseOffset, rows, layouts } = writer;
      const { blocks, pages } = writer.place(out.at);
      for (const page of pages) await out.put(page);
      const section = await out.putPage(await pendingPage(encodeSection({ layouts, blocks }, origin)));
      runs.push({
        topicId,
        schemaVersion,
        baseOffset,
        rows,
        section,
        kept: rows,
        isTrimmed: false,
        isCompacted: false,
        lacksDeletes: false,
      });
    }
    const placedCommits: CommitPage[] = [];
    for (const { commits, page } of commitPages)
      placedCommits.push({ commits, page: await out.putPage(page) });
    const directory = await out.putPage(
      await pendingPage(
        encodeDirectory({
          commitCount,
          firstTimeUs: origin.firstTimeUs,
          lastTimeUs,
          keyed,
          originalBytes: extent.end,
          commitPages: placedCommits,
          runs,
          sparse: null,
        }),
      ),
    );
    const { firstPosition } = extent;
    await out.put(encodeTail({ version: SEALED_VERSION, logId: source.logId, firstPosition, directory }));
    await out.end();
  } finally {
    await file.close();
  }
}
