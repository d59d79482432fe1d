/**
 * Blocks of a checkpoint on their way to the disk, one behind the other in one buffer that is used again and again: what a checkpoint writes
 * makes no garbage, however much it is.
 *
 *   block := magic:u32 kind:u32 length:u32 crc32:u32 payload[length], padded to 8 bytes
 */
import { crc32 } from "node:zlib";
import { assert } from "../base/assert.ts";

export const BLOCK_MAGIC = 0x4b435645; // "EVCK"
export const BLOCK_HEADER_BYTES = 16;

/** It is written out when it holds so many bytes. */
export const FLUSH_BYTES: number = 1 << 20;

/** What a buffer is as long as nothing makes it larger than it should become. */
const FULL_BYTES = FLUSH_BYTES + (FLUSH_BYTES >> 1);
/** What it begins with, and grows from by doubling: most checkpoints have little to write. */
const FIRST_BYTES = 1 << 14;

export class BlockBuffer {
  /** Both over the same memory; replaced by begin(). */
  bytes: Uint8Array;
  words: Int32Array;
  /** Bytes of whole blocks. */
  length = 0;
  #payload = -1;

  constructor() {
    const buffer = new ArrayBuffer(FIRST_BYTES);
    this.bytes = new Uint8Array(buffer);
    this.words = new Int32Array(buffer);
  }

  /** Room for a block of up to `payloadBytes`; where its payload begins, in words. */
  begin(payloadBytes: number): number {
    const end = this.length + BLOCK_HEADER_BYTES + ((payloadBytes + 7) & ~7);
    if (end > this.bytes.length) {
      // A value that is larger than the full buffer gets its room; the next clear() gives that back.
      const larger = new ArrayBuffer(Math.max((end + 7) & ~7, Math.min(2 * this.bytes.length, FULL_BYTES)));
      new Uint8Array(larger).set(this.bytes.subarray(0, this.length));
      this.bytes = new Uint8Array(larger);
      this.words = new Int32Array(larger);
    }
    this.#payload = this.length + BLOCK_HEADER_BYTES;
    return this.#payload >> 2;
  }

  /** Ends the block begun. */
  end(kind: number, payloadBytes: number): void {
    const from = this.#payload;
    assert(from >= 0, "a block that ends has begun");
    const at = this.length >> 2;
    const to = from + payloadBytes;
    const next = (to + 7) & ~7;
    this.bytes.fill(0, to, next);
    this.words[at] = BLOCK_MAGIC;
    this.words[at + 1] = kind;
    this.words[at + 2] = payloadBytes;
    this.words[at + 3] = crc32(this.bytes.subarray(from, to)) | 0;
    this.length = next;
    this.#payload = -1;
  }

  /** The blocks have been written. */
  clear(): void {
    this.length = 0;
    if (this.bytes.length <= 2 * FLUSH_BYTES) return;
    const buffer = new ArrayBuffer(FULL_BYTES);
    this.bytes = new Uint8Array(buffer);
    this.words = new Int32Array(buffer);
  }
}
