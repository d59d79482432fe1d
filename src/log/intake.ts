/**
 * The way into a log that follows another: what its leader has written, taken over as it stands.
 *
 * - A *frame* is verified (checksums, log, position, offsets, times follow), decoded, handed to the listeners of sealed groups and written, byte for
 *   byte, by the same writer that a leader's own groups go through: one in flight, each synced before it counts. So a crash leaves here what it
 *   leaves there.
 * - A *sealed segment* comes as a whole file, for positions whose frames the leader no longer has:
 *     1. it lies in the directory under another name, complete and synced; every byte of it is verified, and that it follows;
 *     2. it gets its name, and the directory is synced. A crash from here on leaves it, or it and the frames it takes over, which opening tells
 *        apart;
 *     3. the index knows it; then the frames go. Nothing of it is handed to listeners: whoever needs its groups reads them.
 *
 * Segments begin where the leader's do, and no segment has commits of two leaders. That is what lets a sealed segment take the place of the frames
 * that had come of it so far. Where a segment ends is known by where the next begins, so the active one grows as long as frames come for it.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { assert } from "../base/assert.ts";
import { crc32c } from "../base/crc32c.ts";
import { type Disk, joinPath } from "../base/disk.ts";
import { EvertError, toEvertError } from "../base/errors.ts";
import { decodeGroup } from "./decode-group.ts";
import {
  FORMAT_VERSION,
  FORMAT_VERSION_SEVERAL_BATCHES,
  type FrameHeader,
  type FrameMeta,
  frameCrcSeed,
  HEADER_BYTES,
  readCommits,
  readDirectory,
  readHeader,
} from "./frame.ts";
import type { FrameOrder } from "./frame-order.ts";
import type { KnownCommits } from "./known-commits.ts";
import type { LogIntake, Position, ReceivedFrame } from "./log.ts";
import type { LogIndex } from "./log-index.ts";
import { rememberKeys, rememberSealedKeys, sealedKeys } from "./recovery.ts";
import { openIfSound } from "./sealed/verify.ts";
import { INCOMING_NAME, parseSegmentName, segmentName } from "./segment.ts";
import type { Space, Where } from "./space.ts";
import type { TopicRegistry } from "./topics.ts";
import type { SealedGroup } from "./writer.ts";

/** So much is verified without returning to the event loop. */
const VERIFY_BYTES_MAX = 4 << 20;
/** More than the commit takes that begins an epoch. */
const LEAD_BYTES = 16 << 10;

export interface IntakeOptions {
  readonly disk: Disk;
  readonly directory: string;
  readonly logId: number;
  readonly registry: TopicRegistry;
  readonly index: LogIndex;
  /** What must hold from frame to frame; it knows where the log ends. */
  readonly order: FrameOrder;
  readonly knownCommits: KnownCommits;
  readonly space: Space;
  /** A frame is placed and to be written; its group is told to listeners. */
  readonly staged: (sealed: SealedGroup) => void;
  /** Resolves when everything staged is durable, or the disk has failed. */
  readonly drained: () => Promise<void>;
  /** The log has grown by a sealed segment, up to order.lastPosition. */
  readonly adopted: () => void;
  /** Why nothing can be written any more, or null. */
  readonly refusal: () => EvertError | null;
  readonly report: (message: string) => void;
}

export class Intake implements LogIntake {
  readonly #options: IntakeOptions;
  /** The leader's segment whose frames go to the active one. */
  #segment: Position | null;
  #waiter: { readonly resolve: () => void; readonly reject: (error: Error) => void } | null = null;
  /** Names of files that are not needed any more, and are still there. */
  readonly #replaced = new Set<string>();

  constructor(options: IntakeOptions) {
    this.#options = options;
    this.#segment = options.space.activePosition;
  }

  get end(): { readonly position: Position; readonly timeUs: number } {
    const { lastPosition, lastTimeUs } = this.#options.order;
    return { position: lastPosition, timeUs: lastTimeUs };
  }

  /** One at a time. @throws EvertError log_damaged, format_unsupported: what came is not taken; disk_full, io_error, shutting_down */
  async frame(segment: Position, bytes: Uint8Array): Promise<ReceivedFrame> {
    const { registry, order, knownCommits, space, staged } = this.#options;
    const header = await verified(bytes);
    const commits = readCommits(bytes, 0, header);
    const entries = readDirectory(bytes, 0, header);
    if (commits === null || commits.length === 0 || entries === null)
      throw notAsWritten("a frame does not follow the format");
    const objection = order.objection(header, commits, entries);
    if (objection !== null) throw notAsWritten(objection);
    const where = this.#segment === segment ? "active" : "next";
    await this.#room(bytes.length, where);
    // A topic that has been dropped has no schema any more, and nobody who reads it.
    const known = entries.filter((e) => registry.find(e.topicId, e.schemaVersion) !== null);
    const group = decodeGroup(bytes, 0, commits, known, registry);
    const placement = space.place(bytes.length, group, where);
    this.#segment = segment;
    order.accept(header, commits, entries);
    rememberKeys(knownCommits, commits, entries);
    knownCommits.expire(order.lastTimeUs);
    const durable = new Promise<void>((resolve, reject) => {
      const received = { bytes, batches: entries };
      staged({ group, meta: metaOf(header, bytes), received, placement, resolve, reject });
    });
    // Whoever waits is told; whoever does not learns it from onFailed.
    durable.catch(() => {});
    return { group, durable };
  }

  /** Where a sealed segment is to be written before adopt(): what lies there is nothing yet. */
  get incomingPath(): string {
    return joinPath(this.#options.directory, INCOMING_NAME);
  }

  /**
   * Takes over the sealed segment at incomingPath, which has this name. REQUIRES that it is synced, and that no frame is being received.
   * @throws EvertError log_damaged: it is not as it was written, or does not follow; the log is as it was
   */
  async adopt(name: string): Promise<{ readonly isWhole: boolean }> {
    const { disk, directory, logId, index, order, knownCommits, space } = this.#options;
    await this.#options.drained();
    const refusal = this.#options.refusal();
    if (refusal !== null) throw refusal;
    const parsed = parseSegmentName(name);
    if (parsed?.form !== "sealed") throw notAsWritten(`${JSON.stringify(name)} is no sealed segment`);
    const { firstPosition, generation } = parsed;
    const sealed = await openIfSound(disk, this.incomingPath, firstPosition, generation);
    if (sealed === null) throw notAsWritten(`its segment ${name} is not sound`);
    if (sealed.logId !== logId) throw notAsWritten("its segment belongs to another log");
    const last = index.segments.at(-1);
    const begun = last !== undefined && last.sealed === null && last.firstPosition === firstPosition;
    if (begun) {
      if (sealed.lastPosition < order.lastPosition)
        throw notAsWritten("its segment ends before the log does");
    } else {
      if (firstPosition <= order.lastPosition) throw beginsElsewhere(name);
      const objection = order.objectionToSealed(sealed);
      if (objection !== null) throw notAsWritten(objection);
    }
    // What came as frames is known, or has been forgotten.
    const keyed = (await sealedKeys(disk, this.incomingPath, sealed)).filter(
      ({ commit }) => commit.position > order.lastPosition,
    );
    await space.abandon();
    this.#segment = null;
    await disk.rename(this.incomingPath, joinPath(directory, name));
    await disk.syncDirectory(directory);
    // From here on nothing fails: what is taken is told of, and stepped.
    if (begun) index.extendBySealed(last, sealed);
    else index.addSealed(sealed);
    order.acceptSealed(sealed);
    rememberSealedKeys(knownCommits, keyed);
    knownCommits.expire(order.lastTimeUs);
    this.#options.adopted();
    if (begun) this.#replaced.add(segmentName(firstPosition));
    await this.#removeReplaced();
    return { isWhole: sealed.directory.sparse === null };
  }

  /** Frames that a sealed segment stands for: nobody reads them any more. What cannot be removed goes with the next ones, or at the next start. */
  async #removeReplaced(): Promise<void> {
    const { disk, directory, report } = this.#options;
    if (this.#replaced.size === 0) return;
    try {
      for (const name of this.#replaced) {
        await disk.unlink(joinPath(directory, name));
        this.#replaced.delete(name);
      }
      await disk.syncDirectory(directory);
    } catch (error) {
      report(`frames that a sealed segment stands for could not be removed: ${toEvertError(error).message}`);
    }
  }

  /** There may be more room than before. */
  admit(): void {
    this.#waiter?.resolve();
  }

  diskFull(error: EvertError): void {
    this.#waiter?.reject(error);
  }

  /** There is room for the segment that a leader begins with. REQUIRES that no frame is being received. @throws EvertError disk_full */
  roomToLead(): Promise<void> {
    return this.#room(LEAD_BYTES, "next");
  }

  async #room(bytes: number, where: Where): Promise<void> {
    const { space, refusal } = this.#options;
    assert(this.#waiter === null, "frames are received one at a time");
    for (;;) {
      const refused = refusal();
      if (refused !== null) throw refused;
      if (space.fits(bytes, where)) break;
      const waiting = new Promise<void>((resolve, reject) => {
        this.#waiter = { resolve, reject };
      });
      space.demand(bytes, where);
      try {
        await waiting;
      } finally {
        this.#waiter = null;
      }
    }
    space.demand(0);
  }
}

/** Every byte of it is looked at. */
async function verified(bytes: Uint8Array): Promise<FrameHeader> {
  const header = bytes.length < HEADER_BYTES ? null : readHeader(bytes, 0);
  if (header === null || header.frameBytes !== bytes.length)
    throw notAsWritten("a frame's header is not sound");
  const { formatVersion } = header;
  if (formatVersion < FORMAT_VERSION || formatVersion > FORMAT_VERSION_SEVERAL_BATCHES) {
    throw new EvertError(
      "format_unsupported",
      `the leader writes frames of format version ${formatVersion}`,
      {
        detail: `This release of Evert reads format versions ${FORMAT_VERSION} and ${FORMAT_VERSION_SEVERAL_BATCHES}.`,
        hint: "Run the leader's release here, or a newer one.",
      },
    );
  }
  let crc = frameCrcSeed(bytes);
  for (let from = HEADER_BYTES; from < bytes.length; from += VERIFY_BYTES_MAX) {
    if (from > HEADER_BYTES) await nextTurn();
    crc = crc32c(bytes, from, Math.min(bytes.length, from + VERIFY_BYTES_MAX), crc);
  }
  if (crc !== header.frameCrc) throw notAsWritten("a frame's checksum does not match");
  return header;
}

function metaOf(header: FrameHeader, bytes: Uint8Array): FrameMeta {
  const { commitsBytes, directoryBytes, columnsBytes, frameBytes } = header;
  const end = HEADER_BYTES + commitsBytes + directoryBytes;
  return { bytes: bytes.subarray(HEADER_BYTES, end), commitsBytes, directoryBytes, columnsBytes, frameBytes };
}

function beginsElsewhere(name: string): EvertError {
  return new EvertError("diverged", "segments of this log begin elsewhere than the leader's", {
    detail: `${name} cannot take the place of what came before it: its first commits stand in a segment with others.`,
    hint: "Follow with an empty directory.",
  });
}

function notAsWritten(detail: string): EvertError {
  return new EvertError("log_damaged", "what came from the leader is not as it was written", {
    detail: `${detail}; nothing of it is kept`,
    hint: "It is asked for again; if that goes on, run `evert check` on the leader's directory.",
  });
}
