/**
 * Verifies every byte of a closed log and tells what damage costs: which segment and bytes, which positions, which rows of which topics.
 *
 * 1. Frames are read in order, as recovery does. Where something is no sound frame, or breaks the order, a *gap* begins.
 * 2. The scan goes on at the next sound header of this log, in this segment or a later one. Between the last position before the gap
 *    and the first behind it lie the commits that are lost; between a topic's end before it and the topic's first offset
 *    behind it, its lost rows. A topic is only known to have lost rows once it appears again.
 * 3. Of a sealed segment every page is decompressed and decoded. What is damaged costs the rows of its topic that lie in it; where even the
 *    directory is, the whole segment is a gap. Beside a sound sealed form the frames it was made of are not looked at: they are to be removed.
 * 4. A gap that nothing follows is a torn tail: no acknowledged commit was in it, or it was the last. But where somebody beside the log knows that it
 *    had come further (a checkpoint is taken of what is durable, a backup says its position), what it lacks is lost.
 */
import { type Disk, joinPath } from "../base/disk.ts";
import { EvertError } from "../base/errors.ts";
import { FRAME_ALIGNMENT, type FrameHeader, readCommits, readDirectory } from "./frame.ts";
import { FrameOrder } from "./frame-order.ts";
import { LOG_DIRECTORY, lockDirectory } from "./lock.ts";
import type { TopicRange } from "./log.ts";
import { lacksEnd, type Reached } from "./reached.ts";
import { isLater, type TornTail } from "./recovery.ts";
import { refuseUnfinished } from "./repair/unfinished.ts";
import { type Scanned, Scanner } from "./scanner.ts";
import { openSealed, type SealedSegment } from "./sealed/sealed-segment.ts";
import { faults, openIfSound, turns } from "./sealed/verify.ts";
import { listSegments, parseSegmentName, type SegmentFiles, sealedName, segmentName } from "./segment.ts";

export interface Damage {
  readonly segment: string;
  readonly byteOffset: number;
  /** Up to the next sound frame, or the end of what is not zero. */
  readonly bytes: number;
  readonly reason: string;
  /** Positions that cannot be read; null when none is missing. */
  readonly firstPosition: number | null;
  readonly lastPosition: number | null;
  /** Rows that cannot be read; if several places were damaged since the topic was last seen, each names them. */
  readonly topics: readonly TopicRange[];
}

export interface CheckReport {
  readonly segments: number;
  /** Those of them in sealed form. */
  readonly sealed: number;
  readonly frames: number;
  readonly commits: number;
  /** Of sound frames and sealed segments. */
  readonly bytes: number;
  readonly lastPosition: number;
  /** Rows per topic, as far as known. */
  readonly topicEnds: ReadonlyMap<number, number>;
  readonly damages: readonly Damage[];
  /** Not damage: what a crash left of an unacknowledged write. Opening the log cuts it off. */
  readonly tornTail: TornTail | null;
  readonly older: readonly OlderForm[];
}

/**
 * A segment of which an earlier form is sound and stands for a later one, which is damaged: what was taken out of it in between is there again.
 * Opening the log removes the later one.
 */
export interface OlderForm {
  readonly segment: string;
  readonly instead: string;
}

/**
 * `reached`: what is missing up to there is damage, too. REQUIRES that no process has the log open. @throws EvertError directory_locked, not_found,
 * format_unsupported, io_error
 */
export async function checkLog(
  directory: string,
  disk: Disk,
  reached: Reached | null = null,
): Promise<CheckReport> {
  const lock = await lockDirectory(disk, directory);
  try {
    return await checkLocked(directory, disk, reached);
  } finally {
    await lock.release();
  }
}

/** The same, of who has the directory locked. */
export async function checkLocked(
  directory: string,
  disk: Disk,
  reached: Reached | null,
): Promise<CheckReport> {
  const log = joinPath(directory, LOG_DIRECTORY);
  refuseUnfinished(await disk.list(log));
  return new Check(disk, log).run(reached);
}

/** A place with no sound frame; what was there is not known before something sound follows. */
interface Gap {
  readonly segment: string;
  readonly byteOffset: number;
  readonly bytes: number;
  readonly reason: string;
  /** From the frame's header, where that is sound. */
  readonly positions: { readonly first: number; readonly last: number } | null;
}

/** A settled gap: topics that lost rows in it show up one by one. */
interface OpenDamage extends Damage {
  readonly topics: TopicRange[];
}

class Check {
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #order = new FrameOrder();
  readonly #damages: OpenDamage[] = [];
  /** How many damages there were when the topic was last seen: later ones may have cost it rows. */
  readonly #damagesSeen = new Map<number, number>();
  readonly #older: OlderForm[] = [];
  #gaps: Gap[] = [];
  /** Behind what was sound last. */
  #end: { readonly segment: string; readonly at: number } = { segment: LOG_DIRECTORY, at: 0 };
  #sealed = 0;
  #frames = 0;
  #commits = 0;
  #bytes = 0;

  constructor(disk: Disk, directory: string) {
    this.#disk = disk;
    this.#directory = directory;
  }

  async run(reached: Reached | null): Promise<CheckReport> {
    const segments = await listSegments(this.#disk, this.#directory);
    for (const files of segments) await this.#checkEither(files);
    // Nothing sound follows the last gap. The gaps before it are followed by its header.
    let tail = this.#gaps.pop() ?? null;
    this.#settle(tail?.positions?.first ?? this.#order.lastPosition + 1);
    if (reached !== null && lacksEnd(this.#order, reached)) {
      const end = { segment: this.#end.segment, byteOffset: this.#end.at, bytes: 0 };
      const reason = `the log ends there, and had come to position ${reached.position}`;
      const lost = { first: this.#order.lastPosition + 1, last: reached.position };
      this.#addDamage({ ...end, ...tail, reason, positions: null }, lost);
      tail = null;
    }
    return {
      segments: segments.length,
      sealed: this.#sealed,
      frames: this.#frames,
      commits: this.#commits,
      bytes: this.#bytes,
      lastPosition: this.#order.lastPosition,
      topicEnds: this.#order.topicEnds,
      damages: this.#damages,
      tornTail:
        tail === null ? null : { segment: tail.segment, byteOffset: tail.byteOffset, bytes: tail.bytes },
      older: this.#older,
    };
  }

  /** As opening chooses: the newest form that is sound, if there are several. */
  async #checkEither({ firstPosition, hasFrames, generations }: SegmentFiles): Promise<void> {
    const forms = generations.length + (hasFrames ? 1 : 0);
    let damaged: string | null = null;
    const stands = (segment: string, generation: number): void => {
      // What was sealed first has all that its frames have.
      if (damaged !== null && parseSegmentName(damaged)!.generation > generation)
        this.#older.push({ segment, instead: damaged });
    };
    for (const generation of generations) {
      const path = joinPath(this.#directory, sealedName(firstPosition, generation));
      const isLast = !hasFrames && generation === generations.at(-1);
      if (forms > 1 && !isLast && (await openIfSound(this.#disk, path, firstPosition, generation)) === null) {
        damaged ??= sealedName(firstPosition, generation);
        continue;
      }
      stands(sealedName(firstPosition, generation), generation);
      await this.#checkSealed(path, firstPosition, generation);
      return;
    }
    stands(segmentName(firstPosition), 0);
    await this.#checkFrames(firstPosition);
  }

  async #checkSealed(path: string, firstPosition: number, generation: number): Promise<void> {
    const name = sealedName(firstPosition, generation);
    this.#begin(name, firstPosition);
    let segment: SealedSegment;
    try {
      segment = await openSealed(this.#disk, path, firstPosition, generation);
    } catch (error) {
      if (!(error instanceof EvertError) || error.code !== "log_damaged") throw error;
      this.#gaps.push({
        segment: name,
        byteOffset: 0,
        bytes: 0,
        reason: error.detail ?? error.message,
        positions: null,
      });
      return;
    }
    const objection = this.#order.objectionToSealed(segment);
    for (const { topicId, baseOffset } of segment.directory.runs) this.#missingRows(topicId, baseOffset);
    if (objection !== null)
      this.#addDamage(
        { segment: name, byteOffset: 0, bytes: segment.bytes, reason: objection, positions: null },
        null,
      );
    for await (const { page, reason, rows } of faults(this.#disk, path, segment, turns())) {
      const gap = { segment: name, byteOffset: page.at, bytes: page.bytes, reason, positions: null };
      this.#addDamage(gap, null);
      if (rows !== null) this.#damages.at(-1)!.topics.push(rows);
    }
    this.#order.acceptSealed(segment);
    this.#end = { segment: name, at: segment.bytes };
    for (const { topicId } of segment.directory.runs) this.#damagesSeen.set(topicId, this.#damages.length);
    this.#sealed++;
    this.#commits += segment.directory.commitCount;
    this.#bytes += segment.bytes;
  }

  /** A segment begins: what is missing before it is known now. */
  #begin(name: string, firstPosition: number): void {
    const order = this.#order;
    if (this.#gaps.length === 0 && firstPosition !== order.lastPosition + 1) {
      const reason = `the segment does not follow position ${order.lastPosition}: one before it is missing`;
      this.#gaps.push({ segment: name, byteOffset: 0, bytes: 0, reason, positions: null });
    }
    // The segment was begun when everything before it was durable.
    this.#settle(firstPosition);
  }

  async #checkFrames(firstPosition: number): Promise<void> {
    const name = segmentName(firstPosition);
    const order = this.#order;
    this.#begin(name, firstPosition);
    const file = await this.#disk.open(joinPath(this.#directory, name), "read");
    try {
      const scanner = new Scanner(file, 0, await file.size(), true);
      for (;;) {
        const found = await scanner.next();
        if (found.kind === "frame") {
          this.#checkFrame(name, found);
          continue;
        }
        const rest = await scanner.findNonZero(found.at);
        if (rest === null) break;
        const later = await scanner.findHeader(found.at + FRAME_ALIGNMENT, (header) =>
          isLater(header, order),
        );
        this.#gaps.push({
          segment: name,
          byteOffset: found.at,
          bytes: (later?.at ?? rest.last + 1) - found.at,
          reason:
            found.kind === "blank" ? "zeros where a frame should be" : "the frame is not as it was written",
          positions: found.kind === "unsound" ? positionsOf(found.header) : null,
        });
        if (later === null) break;
        scanner.at = later.at;
      }
    } finally {
      await file.close();
    }
  }

  #checkFrame(segment: string, { at, header, bytes, offset }: Scanned & { kind: "frame" }): void {
    const order = this.#order;
    const commits = readCommits(bytes, offset, header);
    const batches = readDirectory(bytes, offset, header);
    const gap = (reason: string, positions: Gap["positions"]): Gap => {
      return { segment, byteOffset: at, bytes: header.frameBytes, reason, positions };
    };
    if (commits === null || batches === null) {
      this.#gaps.push(gap("the frame does not follow the format", positionsOf(header)));
      return;
    }
    if (order.logId !== null && order.logId !== header.logId) {
      this.#gaps.push(gap("the frame belongs to another log", null));
      return;
    }
    if (header.firstPosition <= order.lastPosition) {
      this.#gaps.push(gap("the frame repeats positions", null));
      return;
    }
    if (header.firstPosition > order.lastPosition + 1 && this.#gaps.length === 0) {
      this.#gaps.push(gap("frames before this one are missing", null));
    }
    this.#settle(header.firstPosition);
    const met = new Set<number>();
    for (const { topicId, baseOffset } of batches) {
      if (!met.has(topicId)) this.#missingRows(topicId, baseOffset);
      met.add(topicId);
    }
    const objection = order.objection(header, commits, batches);
    if (objection !== null) this.#addDamage(gap(objection, null), null);
    order.accept(header, commits, batches);
    this.#end = { segment, at: at + header.frameBytes };
    this.#frames++;
    this.#commits += header.commitCount;
    this.#bytes += header.frameBytes;
  }

  /** Something sound begins at `position`: now it is known what the gaps before it have cost. */
  #settle(position: number): void {
    let next = this.#order.lastPosition + 1;
    this.#gaps.forEach((gap, i) => {
      const end = gap.positions?.last ?? (this.#gaps[i + 1]?.positions?.first ?? position) - 1;
      const first = gap.positions?.first ?? next;
      this.#addDamage(gap, first <= end ? { first, last: end } : null);
      next = Math.max(next, end + 1);
    });
    this.#gaps = [];
    this.#order.lastPosition = position - 1;
  }

  #addDamage(gap: Gap, lost: Gap["positions"]): void {
    const { segment, byteOffset, bytes, reason } = gap;
    const [firstPosition, lastPosition] = lost === null ? [null, null] : [lost.first, lost.last];
    this.#damages.push({ segment, byteOffset, bytes, reason, firstPosition, lastPosition, topics: [] });
  }

  /** The topic goes on at `baseOffset`: rows between its end and there were in places damaged since it was last seen. */
  #missingRows(topicId: number, baseOffset: number): void {
    const end = this.#order.topicEnds.get(topicId) ?? 0;
    if (baseOffset > end) {
      const lost = { topicId, firstOffset: end, lastOffset: baseOffset - 1 };
      for (const damage of this.#damages.slice(this.#damagesSeen.get(topicId) ?? 0)) damage.topics.push(lost);
      this.#order.topicEnds.set(topicId, baseOffset);
    }
    this.#damagesSeen.set(topicId, this.#damages.length);
  }
}

function positionsOf(header: FrameHeader | null): Gap["positions"] {
  if (header === null || header.commitCount === 0) return null;
  return { first: header.firstPosition, last: header.firstPosition + header.commitCount - 1 };
}
