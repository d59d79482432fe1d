/**
 * From the files of a log to what it knows in memory: its last position, every topic's end, where things are, the idempotency
 * keys of the last 24 hours. Segments of frames are read once, sequentially, every byte verified, no batch decoded. Of a sealed segment the
 * directory is read, and where it holds keys that are still known, its commits; its pages are verified when they are read.
 *
 * How a torn tail is told from damage. One frame is in flight at a time, and a frame is begun only when the one before it is on the disk. So:
 * 1. After the last sound frame of the *last* segment there may be anything a power cut left of the one frame in flight. Nobody
 *    was told that it is durable. It is cut off: overwritten with zeros, which are synced, and reported.
 * 2. But if, behind the place where frames stop being sound, a sound *header* of this log stands, or another segment exists, then
 *    what stood at that place was durable once: it is damage, named with segment and byte, and the log is not opened.
 *    (A text in the torn frame cannot pass for a header: it would have to know the log's random id.)
 * 3. A log that was closed ends in a closing mark, a frame without commits: so damage to its last commit is damage, too.
 * 4. Who knows that the log had come further (log-options.ts, `examine`) is asked before anything is cut off.
 *
 * A segment with several forms was being sealed, or compacted, when the process died. The newest form was complete and synced before it got its name;
 * once more it is looked at, every byte, and then the others go. If it is not sound it goes instead, and is made anew.
 *
 * Afterwards the last frame is written again, as it stands, and synced. Its fdatasync may have failed in the life before; the
 * kernel then shows the bytes, calls them clean and forgets them at the next power cut. Frames before it were synced before
 * it was begun. That goes for a closing mark, too: what is appended behind one that is forgotten would stand behind a gap.
 */
import { type Disk, type DiskFile, joinPath, writeFully } from "../base/disk.ts";
import { type BatchEntry, FRAME_ALIGNMENT, type FrameHeader, readCommits, readDirectory } from "./frame.ts";
import { FrameOrder } from "./frame-order.ts";
import { KNOWN_FOR_US, KnownCommits } from "./known-commits.ts";
import type { CommitInfo, TopicRange } from "./log.ts";
import { LogIndex } from "./log-index.ts";
import type { LogOptions } from "./log-options.ts";
import { damaged, Scanner } from "./scanner.ts";
import { decodeKeptRanges } from "./sealed/kept-ranges.ts";
import {
  openSealed,
  pageDamaged,
  readCommitPages,
  readPage,
  type SealedSegment,
  sealedPath,
} from "./sealed/sealed-segment.ts";
import { openIfSound, rangesByPosition } from "./sealed/verify.ts";
import { listSegments, type SegmentFiles, sealedName, segmentName } from "./segment.ts";

export interface TornTail {
  readonly segment: string;
  readonly byteOffset: number;
  readonly bytes: number;
}

/** What opening the log found. */
export interface RecoveryReport {
  readonly segments: number;
  readonly frames: number;
  readonly bytes: number;
  readonly lastPosition: number;
  /** Whether the log had been closed, rather than left by a crash. */
  readonly closedCleanly: boolean;
  /** What a crash left of a write nobody was told about; it has been cut off. */
  readonly tornTail: TornTail | null;
}

export interface Recovered {
  readonly report: RecoveryReport;
  readonly order: FrameOrder;
  readonly index: LogIndex;
  readonly knownCommits: KnownCommits;
}

interface LastFrame {
  readonly at: number;
  readonly header: FrameHeader;
}

/** Sealed segments whose directories are read beside each other: a log of many begins no later for it. */
const OPENED_AT_ONCE = 16;

/** @throws EvertError log_damaged, format_unsupported, io_error; what `examine` throws */
export async function recover(
  disk: Disk,
  directory: string,
  examine?: LogOptions["examine"],
): Promise<Recovered> {
  const order = new FrameOrder();
  const index = new LogIndex();
  const knownCommits = new KnownCommits();
  const files = await listSegments(disk, directory);
  const segments: { readonly firstPosition: number; readonly sealed: SealedSegment | null }[] = [];
  for (let i = 0; i < files.length; i += OPENED_AT_ONCE) {
    const opened = await Promise.allSettled(
      files.slice(i, i + OPENED_AT_ONCE).map((file) => chooseForm(disk, directory, file)),
    );
    for (const one of opened) {
      if (one.status === "rejected") throw one.reason;
      segments.push(one.value);
    }
  }
  // Idempotency keys older than this are forgotten anyway.
  const knownFromUs =
    (segments.findLast(({ sealed }) => sealed !== null)?.sealed?.directory.lastTimeUs ?? 0) - KNOWN_FOR_US;
  let frames = 0;
  let last: LastFrame | null = null;
  let tornTail: TornTail | null = null;

  for (let i = 0; i < segments.length; i++) {
    const { firstPosition, sealed } = segments[i]!;
    const isLast = i === segments.length - 1;
    const name = sealed === null ? segmentName(firstPosition) : sealed.name;
    if (firstPosition !== order.lastPosition + 1) {
      const [segment, at] = i === 0 ? [name, 0] : [nameOf(segments[i - 1]!), index.segments[i - 1]!.end];
      throw damaged(segment, at, `positions ${order.lastPosition + 1} to ${firstPosition - 1} are missing`);
    }
    if (sealed !== null) {
      const objection = order.objectionToSealed(sealed);
      if (objection !== null) throw damaged(name, 0, objection);
      order.acceptSealed(sealed);
      index.addSealed(sealed);
      if (sealed.directory.lastTimeUs >= knownFromUs)
        rememberSealedKeys(knownCommits, await sealedKeys(disk, sealedPath(directory, sealed), sealed));
      knownCommits.expire(order.lastTimeUs);
      last = null;
      continue;
    }
    index.addSegment(firstPosition);
    const file = await disk.open(joinPath(directory, name), isLast ? "write" : "read");
    try {
      const size = await file.size();
      let scanner = new Scanner(file, 0, size, true);
      for (let doubted = -1; ; ) {
        const found = await scanner.next();
        if (found.kind === "unsound" && found.at !== doubted) {
          // Nothing is cut off, or called damaged, that was not read twice: the first time may have gone wrong on the way.
          doubted = found.at;
          scanner = new Scanner(file, found.at, size, true);
          continue;
        }
        if (found.kind !== "frame") break;
        const { at, header, bytes, offset } = found;
        const commits = readCommits(bytes, offset, header);
        const batches = readDirectory(bytes, offset, header);
        if (commits === null || batches === null)
          throw damaged(name, at, "a sound frame that does not follow the format");
        const objection = order.objection(header, commits, batches);
        if (objection !== null) throw damaged(name, at, objection);
        order.accept(header, commits, batches);
        index.addFrame(at, header);
        index.addBatches(at, header.firstTimeUs, batches);
        rememberKeys(knownCommits, commits, batches);
        knownCommits.expire(order.lastTimeUs);
        last = { at, header };
        frames++;
      }
      tornTail = await examineTail(scanner, name, isLast, order);
      if (!isLast) continue;
      await examine?.(order);
      await repairTail(
        file,
        name,
        tornTail,
        last !== null && last.at + last.header.frameBytes === scanner.at ? last : null,
      );
    } finally {
      await file.close();
    }
  }
  if (segments.at(-1)?.sealed !== null) await examine?.(order);
  return {
    report: {
      segments: segments.length,
      frames,
      bytes: index.bytes,
      lastPosition: order.lastPosition,
      closedCleanly:
        last === null ? segments.length === 0 : last.header.commitCount === 0 && tornTail === null,
      tornTail,
    },
    order,
    index,
    knownCommits,
  };
}

function nameOf({ firstPosition, sealed }: { firstPosition: number; sealed: SealedSegment | null }): string {
  return sealed === null ? segmentName(firstPosition) : sealed.name;
}

/**
 * Where several forms of a segment are there, all but one go. The newest that is sound stays: each was whole before the ones it was made of were
 * removed.
 */
async function chooseForm(
  disk: Disk,
  directory: string,
  { firstPosition, hasFrames, generations }: SegmentFiles,
): Promise<{ firstPosition: number; sealed: SealedSegment | null }> {
  const pathOf = (generation: number): string => joinPath(directory, sealedName(firstPosition, generation));
  const [newest] = generations;
  if (newest === undefined) return { firstPosition, sealed: null };
  if (!hasFrames && generations.length === 1)
    return { firstPosition, sealed: await openSealed(disk, pathOf(newest), firstPosition, newest) };
  let sealed: SealedSegment | null = null;
  const others: string[] = [];
  for (const generation of generations) {
    const path = pathOf(generation);
    sealed ??= await openIfSound(disk, path, firstPosition, generation);
    if (sealed?.generation !== generation) others.push(path);
  }
  if (sealed === null && !hasFrames) {
    // None is as it was written: the newest says what is wrong with it, and nothing is removed.
    return { firstPosition, sealed: await openSealed(disk, pathOf(newest), firstPosition, newest) };
  }
  if (sealed !== null && hasFrames) others.push(joinPath(directory, segmentName(firstPosition)));
  for (const path of others) await disk.unlink(path);
  await disk.syncDirectory(directory);
  return { firstPosition, sealed };
}

/** What stands behind the last sound frame of a segment: nothing (null), or a torn tail. @throws log_damaged */
async function examineTail(
  scanner: Scanner,
  name: string,
  isLast: boolean,
  order: FrameOrder,
): Promise<TornTail | null> {
  const from = scanner.at;
  const rest = await scanner.findNonZero(from);
  if (rest === null) return null;
  const later = await scanner.findHeader(from + FRAME_ALIGNMENT, (header) => isLater(header, order));
  if (!isLast)
    throw damaged(name, from, "the frame there is not as it was written, and a later segment exists");
  if (later !== null) {
    throw damaged(
      name,
      from,
      `the frame there is not as it was written, and a later one stands at byte ${later.at}`,
    );
  }
  return { segment: name, byteOffset: from, bytes: rest.last + 1 - from };
}

/** Whether a header found behind the place where the next frame is expected belongs to a later frame of this log. */
export function isLater(header: FrameHeader, order: FrameOrder): boolean {
  return (order.logId === null || header.logId === order.logId) && header.firstPosition > order.lastPosition;
}

/** The same bytes once more, so that the kernel takes them for changed. They are verified: a bit that is read wrong is not to become one that is. */
async function rewriteFrame(file: DiskFile, { at, header }: LastFrame, name: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const found = await new Scanner(file, at, at + header.frameBytes, true).next();
    if (found.kind === "frame") {
      await writeFully(file, found.bytes.subarray(found.offset, found.offset + header.frameBytes), at);
      return;
    }
    if (attempt === READS_MAX)
      throw damaged(name, at, "the last frame was sound, and is not when it is read again");
  }
}

export function rememberKeys(
  known: KnownCommits,
  commits: readonly CommitInfo[],
  batches: readonly BatchEntry[],
): void {
  if (commits.every((commit) => commit.idempotencyKey === null)) return;
  const ranges: TopicRange[][] = commits.map(() => []);
  for (const { topicId, baseOffset, commitIndexes, commitEnds } of batches) {
    commitIndexes.forEach((commit, i) => {
      const firstOffset = baseOffset + (i === 0 ? 0 : commitEnds[i - 1]!);
      ranges[commit]!.push({ topicId, firstOffset, lastOffset: baseOffset + commitEnds[i]! - 1 });
    });
  }
  commits.forEach((commit, i) => {
    rememberKey(known, commit, ranges[i]!);
  });
}

function rememberKey(
  known: KnownCommits,
  { idempotencyKey, requestDigest, position, timeUs }: CommitInfo,
  ranges: readonly TopicRange[],
): void {
  if (idempotencyKey !== null) known.add(idempotencyKey, timeUs, { position, requestDigest, ranges });
}

/** A commit that was sent under a key, and where its rows are. */
export interface KeyedCommit {
  readonly commit: CommitInfo;
  readonly ranges: readonly TopicRange[];
}

/** Of a sealed segment, in the order of their positions. */
export async function sealedKeys(disk: Disk, path: string, segment: SealedSegment): Promise<KeyedCommit[]> {
  if (segment.directory.keyed === 0) return [];
  const keyed: CommitInfo[] = [];
  const { sparse } = segment.directory;
  const file = await disk.open(path, "read");
  try {
    for await (const commits of readCommitPages(file, segment, segment.firstPosition)) {
      for (const commit of commits) if (commit.idempotencyKey !== null) keyed.push(commit);
    }
    if (sparse !== null) {
      const kept = decodeKeptRanges(await readPage(file, segment.name, sparse.ranges), keyed.length);
      if (kept === null) pageDamaged(segment.name, sparse.ranges);
      return keyed.map((commit, k) => ({ commit, ranges: kept[k]! }));
    }
  } finally {
    await file.close();
  }
  const ranges = await rangesByPosition(disk, path, segment, new Set(keyed.map(({ position }) => position)));
  return keyed.map((commit) => ({ commit, ranges: ranges.get(commit.position) ?? [] }));
}

/** REQUIRES that nothing later is known yet: what is known is forgotten in the order in which it comes. */
export function rememberSealedKeys(known: KnownCommits, keyed: readonly KeyedCommit[]): void {
  for (const { commit, ranges } of keyed) rememberKey(known, commit, ranges);
}

const REPAIR_BYTES = 1 << 20;
/** What is read wrong once may be right the next time. */
const READS_MAX = 3;

async function repairTail(
  file: DiskFile,
  name: string,
  tornTail: TornTail | null,
  last: LastFrame | null,
): Promise<void> {
  if (tornTail === null && last === null) return;
  if (tornTail !== null) {
    const zeros = new Uint8Array(Math.min(tornTail.bytes, REPAIR_BYTES));
    const end = tornTail.byteOffset + tornTail.bytes;
    for (let at = tornTail.byteOffset; at < end; at += zeros.length) {
      await writeFully(file, zeros.subarray(0, Math.min(zeros.length, end - at)), at);
    }
  }
  if (last !== null) await rewriteFrame(file, last, name);
  await file.datasync();
}
