/**
 * Sealed groups to the disk: in order, one frame in flight, each one write that is synced (write and fdatasync in one, see base/disk.ts).
 *
 * A failure is believed and final: the frame, everything behind it and everything to come is refused. (After a failed fdatasync
 * nobody can say what the disk holds, and a second one would say "fine" because the kernel has already given up the pages.)
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { crc32c } from "../base/crc32c.ts";
import { type Disk, writeFully } from "../base/disk.ts";
import { encodeFrame, type FrameMeta, finishFrame, frameCrcSeed, HEADER_BYTES } from "./frame.ts";
import type { Group } from "./log.ts";
import type { WritableSegment } from "./segment.ts";
import type { Placement } from "./space.ts";

/** So much is checksummed without returning to the event loop. */
const CHECKSUM_BYTES_MAX = 4 << 20;
const BUFFER_BYTES_MIN = 64 * 1024;
/** A larger buffer, made for one large frame, is let go. */
const BUFFER_BYTES_KEPT_MAX = 16 << 20;

export interface SealedGroup {
  readonly group: Group;
  readonly meta: FrameMeta;
  readonly placement: Placement;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export interface WriterOptions {
  readonly disk: Disk;
  readonly directory: string;
  readonly logId: number;
  /** On the disk, for good. */
  readonly durable: (sealed: SealedGroup) => void;
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
    for (let sealed = this.#queue[0]; sealed !== undefined; sealed = this.#queue[0]) {
      try {
        await this.#write(sealed);
      } catch (error) {
        this.#running = null;
        failed(error, this.stop());
        return;
      }
      if (this.#stopped) break; // the disk failed elsewhere meanwhile: what it holds is not known, nothing is acknowledged
      this.#queue.shift();
      durable(sealed);
    }
    this.#running = null;
    if (!this.#stopped) idle();
  }

  async #write({ group, meta, placement }: SealedGroup): Promise<void> {
    const { segment, at } = placement;
    const frame = this.#frameBuffer(meta.frameBytes);
    encodeFrame(group, meta, this.#options.logId, frame);
    let crc = frameCrcSeed(frame);
    for (let from = HEADER_BYTES; from < frame.length; from += CHECKSUM_BYTES_MAX) {
      if (from > HEADER_BYTES) await nextTurn();
      crc = crc32c(frame, from, Math.min(frame.length, from + CHECKSUM_BYTES_MAX), crc);
    }
    finishFrame(frame, crc);

    if (segment !== this.#segment) {
      await this.#segment?.close();
      this.#segment = segment;
    }
    if (!segment.published) await segment.publish(this.#options.disk, this.#options.directory);
    await writeFully(segment.frames, frame, at);
    if (this.#buffer.length > BUFFER_BYTES_KEPT_MAX) this.#buffer = new Uint8Array(BUFFER_BYTES_MIN);
  }

  #frameBuffer(bytes: number): Uint8Array {
    if (this.#buffer.length < bytes) this.#buffer = new Uint8Array(Math.max(bytes, this.#buffer.length * 2));
    return this.#buffer.subarray(0, bytes);
  }
}
