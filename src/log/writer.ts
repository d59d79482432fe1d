/**
 * Sealed groups to the disk: in order, one frame in flight, each one write that is synced (write and fdatasync in one, see base/disk.ts).
 *
 * Groups that wait while a frame is in flight share the next one, as far as they can stand in one frame (join-groups.ts) and in one segment. So
 * however small the groups are, as those of transactions that wait for each other, a sync serves all that came during the one before.
 *
 * A failure is believed and final: the frame, everything behind it and everything to come is refused. (After a failed fdatasync
 * nobody can say what the disk holds, and a second one would say "fine" because the kernel has already given up the pages.)
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { crc32c } from "../base/crc32c.ts";
import { type Disk, type DiskDirectory, writeFully } from "../base/disk.ts";
import { encodeFrame, encodeMeta, type FrameMeta, finishFrame, frameCrcSeed, HEADER_BYTES } from "./frame.ts";
import { joinable, joinGroups } from "./join-groups.ts";
import type { Group } from "./log.ts";
import type { IndexedBatch } from "./log-index.ts";
import type { WritableSegment } from "./segment.ts";
import { type Placement, placeFrame } from "./space.ts";

/** So much is checksummed without returning to the event loop. */
const CHECKSUM_BYTES_MAX = 4 << 20;
const BUFFER_BYTES_MIN = 64 * 1024;
/** A larger buffer, made for one large frame, is let go. */
const BUFFER_BYTES_KEPT_MAX = 16 << 20;
/** Groups are joined in one stretch of some milliseconds: no more of them, and no more bytes. */
const JOINED_GROUPS_MAX = 1024;
const JOINED_BYTES_MAX = 1 << 20;

export interface SealedGroup {
  readonly group: Group;
  readonly meta: FrameMeta;
  readonly placement: Placement;
  /** The frame as a leader has written it; absent: it is encoded here. */
  readonly received?: { readonly bytes: Uint8Array; readonly batches: readonly IndexedBatch[] };
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** A frame as it was written: one group, or several that were sealed one after the other. */
export interface WrittenFrame {
  readonly group: Group;
  readonly segment: WritableSegment;
  readonly at: number;
  readonly frameBytes: number;
  readonly sealed: readonly SealedGroup[];
}

export interface WriterOptions {
  readonly disk: Disk;
  readonly directory: string;
  /** The directory, held open: what has been accepted needs no descriptor any more. */
  readonly held: DiskDirectory;
  readonly logId: number;
  /** On the disk, for good. */
  readonly durable: (frame: WrittenFrame) => void;
  /** Everything sealed so far is durable. */
  readonly idle: () => void;
  /** Called once; `refused` are the groups that will never be durable. */
  readonly failed: (error: unknown, refused: readonly SealedGroup[]) => void;
}

export class Writer {
  readonly #options: WriterOptions;
  readonly #queue: SealedGroup[] = [];
  #running: Promise<void> | null = null;
  #stopped = false;
  #buffer = new Uint8Array(BUFFER_BYTES_MIN);
  #segment: WritableSegment | null;

  /** `segment`: the one with the last frame, which the writer closes when it is done with it. */
  constructor(options: WriterOptions, segment: WritableSegment | null) {
    this.#options = options;
    this.#segment = segment;
  }

  get busy(): boolean {
    return this.#running !== null;
  }

  enqueue(sealed: SealedGroup): void {
    this.#queue.push(sealed);
    if (this.#running === null && !this.#stopped) this.#running = this.#run();
  }

  /** Refuses what has not been begun. */
  stop(): SealedGroup[] {
    this.#stopped = true;
    return this.#queue.splice(0);
  }

  async drained(): Promise<void> {
    await this.#running;
  }

  /** REQUIRES that nothing is on its way. */
  async close(): Promise<void> {
    await this.#segment?.close();
  }

  async #run(): Promise<void> {
    const { durable, idle, failed } = this.#options;
    while (this.#queue.length > 0) {
      let frame: WrittenFrame;
      try {
        frame = await this.#write();
      } catch (error) {
        this.#running = null;
        failed(error, this.stop());
        return;
      }
      if (this.#stopped) break; // the disk failed elsewhere meanwhile: what it holds is not known, nothing is acknowledged
      this.#queue.splice(0, frame.sealed.length);
      durable(frame);
    }
    this.#running = null;
    if (!this.#stopped) idle();
  }

  /** Writes the first groups of the queue, which stay in it. */
  async #write(): Promise<WrittenFrame> {
    const { sealed, group, meta } = this.#next();
    const { placement, received } = sealed[0]!;
    const { segment } = placement;
    const { frameBytes } = meta;
    const at = placeFrame(
      sealed.map(({ placement }) => placement),
      frameBytes,
    );
    const frame = received?.bytes ?? (await this.#encode(group, meta));
    if (segment !== this.#segment) {
      await this.#segment?.close();
      this.#segment = segment;
    }
    if (!segment.published) {
      const { disk, directory, held } = this.#options;
      await segment.publish(disk, directory, held);
    }
    await writeFully(segment.frames, frame, at);
    if (this.#buffer.length > BUFFER_BYTES_KEPT_MAX) this.#buffer = new Uint8Array(BUFFER_BYTES_MIN);
    return { group, segment, at, frameBytes, sealed };
  }

  /** The groups of the next frame, and what they are together. */
  #next(): { readonly sealed: readonly SealedGroup[]; readonly group: Group; readonly meta: FrameMeta } {
    const first = this.#queue[0]!;
    // A leader's frames stay what they are.
    const joinable = first.received === undefined ? this.#joinable() : 1;
    for (let count = joinable; count > 1; count >>= 1) {
      const sealed = this.#queue.slice(0, count);
      const group = joinGroups(sealed.map((one) => one.group));
      const meta = encodeMeta(group);
      if (meta.frameBytes <= sealed.reduce((sum, { placement }) => sum + placement.bytes, 0))
        return { sealed, group, meta };
    }
    return { sealed: [first], group: first.group, meta: first.meta };
  }

  #joinable(): number {
    const { segment } = this.#queue[0]!.placement;
    if (this.#queue.length === 1) return 1;
    const near: Group[] = [];
    let bytes = 0;
    for (const { group, placement } of this.#queue) {
      bytes += placement.bytes;
      if (near.length > 0 && (placement.segment !== segment || bytes > JOINED_BYTES_MAX)) break;
      if (near.push(group) >= JOINED_GROUPS_MAX) break;
    }
    return joinable(near);
  }

  async #encode(group: Group, meta: FrameMeta): Promise<Uint8Array> {
    const frame = this.#frameBuffer(meta.frameBytes);
    encodeFrame(group, meta, this.#options.logId, frame);
    let crc = frameCrcSeed(frame);
    for (let from = HEADER_BYTES; from < frame.length; from += CHECKSUM_BYTES_MAX) {
      if (from > HEADER_BYTES) await nextTurn();
      crc = crc32c(frame, from, Math.min(frame.length, from + CHECKSUM_BYTES_MAX), crc);
    }
    finishFrame(frame, crc);
    return frame;
  }

  #frameBuffer(bytes: number): Uint8Array {
    if (this.#buffer.length < bytes) this.#buffer = new Uint8Array(Math.max(bytes, this.#buffer.length * 2));
    return this.#buffer.subarray(0, bytes);
  }
}
