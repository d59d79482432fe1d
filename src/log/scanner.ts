/**
 * Frames of one segment, one after the other, in large sequential reads. Each frame's every byte is verified.
 *
 * Memory: one chunk, or one frame if that is larger. With `reuse` the same buffer serves all chunks and a frame's bytes are only
 * valid until the next one is asked for; without it they stay as long as anyone looks at them.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { crc32c } from "../base/crc32c.ts";
import { type DiskFile, readFully } from "../base/disk.ts";
import { EvertError } from "../base/errors.ts";
import {
  FORMAT_VERSION,
  FORMAT_VERSION_SEVERAL_BATCHES,
  FRAME_ALIGNMENT,
  type FrameHeader,
  frameCrcSeed,
  HEADER_BYTES,
  readHeader,
} from "./frame.ts";

const CHUNK_BYTES_MIN = 64 * 1024;
const CHUNK_BYTES_MAX = 1 << 20;
/** So much is verified without returning to the event loop: some 2 ms. */
const VERIFY_BYTES_MAX = 4 << 20;

export type Scanned =
  | {
      readonly kind: "frame";
      readonly at: number;
      readonly header: FrameHeader;
      readonly bytes: Uint8Array;
      readonly offset: number;
    }
  /** Zeros, or nothing, where the next frame's header would be. */
  | { readonly kind: "blank"; readonly at: number }
  /** Something that is no sound frame. `header` if at least that is sound. */
  | { readonly kind: "unsound"; readonly at: number; readonly header: FrameHeader | null };

export class Scanner {
  /** Where the next frame begins. */
  at: number;
  readonly #file: DiskFile;
  readonly #end: number;
  readonly #reuse: boolean;
  #chunkBytes: number;
  #buffer = new Uint8Array(0);
  /** What of the file is in the buffer: [#from, #to). */
  #from = 0;
  #to = 0;

  /** Scans [from, end) of the file, or up to where it ends. */
  constructor(file: DiskFile, from: number, end: number, reuse: boolean) {
    this.#file = file;
    this.at = from;
    this.#end = end;
    this.#reuse = reuse;
    this.#chunkBytes = reuse ? CHUNK_BYTES_MAX : CHUNK_BYTES_MIN;
  }

  /** @throws EvertError format_unsupported, io_error */
  async next(): Promise<Scanned> {
    const at = this.at;
    const available = await this.#load(at, HEADER_BYTES);
    const offset = at - this.#from;
    if (available < HEADER_BYTES) {
      const blank = isZero(this.#buffer, offset, offset + available);
      return blank ? { kind: "blank", at } : { kind: "unsound", at, header: null };
    }
    const header = readHeader(this.#buffer, offset);
    if (header === null) {
      const blank = isZero(this.#buffer, offset, offset + HEADER_BYTES);
      return blank ? { kind: "blank", at } : { kind: "unsound", at, header: null };
    }
    if (header.formatVersion < FORMAT_VERSION || header.formatVersion > FORMAT_VERSION_SEVERAL_BATCHES)
      throw unsupported(header.formatVersion);
    if (at + header.frameBytes > this.#end) return { kind: "unsound", at, header };
    if ((await this.#load(at, header.frameBytes)) < header.frameBytes) return { kind: "unsound", at, header };
    const bytes = this.#buffer;
    const frameAt = at - this.#from;
    if ((await checksum(bytes, frameAt, header)) !== header.frameCrc) return { kind: "unsound", at, header };
    this.at = at + header.frameBytes;
    return { kind: "frame", at, header, bytes, offset: frameAt };
  }

  /**
   * The next place at or after `from` where a sound header stands that `accept`s, or null. Every byte is looked at once; only
   * places where a frame can begin are considered.
   */
  async findHeader(
    from: number,
    accept: (header: FrameHeader) => boolean,
  ): Promise<{ at: number; header: FrameHeader } | null> {
    for (let at = from; ; ) {
      const available = await this.#load(at, CHUNK_BYTES_MIN);
      if (available < HEADER_BYTES) return null;
      const last = at + available - HEADER_BYTES;
      for (; at <= last; at += FRAME_ALIGNMENT) {
        const header = readHeader(this.#buffer, at - this.#from);
        if (header !== null && accept(header)) return { at, header };
      }
    }
  }

  /** The first and the last byte in [from, end) that is not zero, or null. */
  async findNonZero(from: number): Promise<{ first: number; last: number } | null> {
    let first = -1;
    let last = -1;
    for (let at = from; ; ) {
      const available = await this.#load(at, CHUNK_BYTES_MIN);
      if (available === 0) return first < 0 ? null : { first, last };
      const base = at - this.#from;
      const bytes = this.#buffer.subarray(base, base + available);
      for (let i = nextNonZero(bytes, 0); i < available; i = nextNonZero(bytes, i + 1)) {
        last = at + i;
        if (first < 0) first = last;
      }
      at += available;
    }
  }

  /** Has at least `wanted` bytes from `at` on in the buffer, or all there are; returns how many there are. */
  async #load(at: number, wanted: number): Promise<number> {
    if (at >= this.#from && at + wanted <= this.#to) return this.#to - at;
    const kept =
      at >= this.#from && at < this.#to
        ? this.#buffer.subarray(at - this.#from, this.#to - this.#from)
        : null;
    const size = Math.min(Math.max(this.#chunkBytes, wanted), Math.max(0, this.#end - at));
    this.#chunkBytes = Math.min(this.#chunkBytes * 2, CHUNK_BYTES_MAX);
    const reusable = this.#reuse && this.#buffer.length >= size;
    const target = reusable ? this.#buffer : new Uint8Array(size);
    const keptBytes = kept?.length ?? 0;
    if (kept !== null) target.set(kept);
    const readBytes = Math.max(0, Math.min(size - keptBytes, this.#end - at - keptBytes));
    const count = await readFully(
      this.#file,
      target.subarray(keptBytes, keptBytes + readBytes),
      at + keptBytes,
    );
    this.#buffer = target;
    this.#from = at;
    this.#to = at + keptBytes + count;
    return this.#to - at;
  }
}

async function checksum(bytes: Uint8Array, at: number, header: FrameHeader): Promise<number> {
  let crc = frameCrcSeed(bytes, at);
  const end = at + header.frameBytes;
  for (let from = at + HEADER_BYTES; from < end; from += VERIFY_BYTES_MAX) {
    if (from > at + HEADER_BYTES) await nextTurn();
    crc = crc32c(bytes, from, Math.min(end, from + VERIFY_BYTES_MAX), crc);
  }
  return crc;
}

function unsupported(formatVersion: number): EvertError {
  return new EvertError("format_unsupported", `the log was written in format version ${formatVersion}`, {
    detail: `This release of Evert reads format versions ${FORMAT_VERSION} and ${FORMAT_VERSION_SEVERAL_BATCHES}.`,
    hint: "Run the release that wrote it, or a newer one.",
  });
}

function isZero(bytes: Uint8Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (bytes[i] !== 0) return false;
  return true;
}

/** Something in the log is not what was written. */
export function damaged(segment: string, at: number, detail: string): EvertError {
  return new EvertError("log_damaged", `the log is damaged in segment ${segment} at byte ${at}`, {
    detail,
    hint: "Run `evert check` to see what is affected; restore the segment from a backup.",
  });
}

/** Index of the first byte at or after `from` that is not zero, or the length. Four bytes at a time: it passes over whole segments. */
function nextNonZero(bytes: Uint8Array, from: number): number {
  const { length } = bytes;
  if (from < length && bytes[from] !== 0) return from;
  let i = from;
  while (i < length && (bytes.byteOffset + i) % 4 !== 0) {
    if (bytes[i] !== 0) return i;
    i++;
  }
  if (i >= length) return length;
  const words = new Int32Array(bytes.buffer, bytes.byteOffset + i, (length - i) >> 2);
  let w = 0;
  while (w < words.length && words[w] === 0) w++;
  i += w * 4;
  while (i < length && bytes[i] === 0) i++;
  return i;
}
