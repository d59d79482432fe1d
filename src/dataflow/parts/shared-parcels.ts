/**
 * Memory of parcels that many threads read, used again and again. New shared memory costs more than what is put into it (0038), and no collector
 * hears of it: it would stay until each thread that ever saw it has collected something else.
 *
 * A parcel has holders: whoever made it, each inlet that is about to send it, and for each shard that it went to the task that it went with. With the
 * last of them its memory is free. Where a thread has ended, or a part was dropped, nobody says that it is done: that memory is left to the
 * collector.
 */
import { assert } from "../../base/assert.ts";

const BYTES_MIN_LOG2 = 12;
/** Of memory that nobody holds; more is left to the collector. */
const FREE_BYTES_MAX = 32 << 20;

export class SharedParcels {
  /** Free memory, by the logarithm of its size. */
  readonly #free: SharedArrayBuffer[][] = [];
  #freeBytes = 0;
  readonly #holders = new WeakMap<ArrayBufferLike, number>();

  /** A parcel with anything in it, which the caller holds. */
  take(bytes: number): Uint8Array {
    const size = Math.max(BYTES_MIN_LOG2, 32 - Math.clz32(Math.max(bytes, 1) - 1));
    let buffer = this.#free[size]?.pop();
    if (buffer === undefined) buffer = new SharedArrayBuffer(2 ** size);
    else this.#freeBytes -= 2 ** size;
    this.#holders.set(buffer, 1);
    return new Uint8Array(buffer, 0, bytes);
  }

  /** Memory that another thread has made, for as much again: the caller holds it. REQUIRES a size that is a power of two. */
  adopt({ buffer }: Uint8Array): void {
    if (!this.#holders.has(buffer)) this.#holders.set(buffer, 1);
  }

  hold({ buffer }: Uint8Array): void {
    this.#holders.set(buffer, this.#held(buffer) + 1);
  }

  release({ buffer }: Uint8Array): void {
    const left = this.#held(buffer) - 1;
    this.#holders.set(buffer, left);
    const { byteLength } = buffer;
    if (left > 0 || this.#freeBytes + byteLength > FREE_BYTES_MAX) return;
    this.#freeBytes += byteLength;
    const size = 31 - Math.clz32(byteLength);
    (this.#free[size] ??= []).push(buffer as SharedArrayBuffer);
  }

  #held(buffer: ArrayBufferLike): number {
    const count = this.#holders.get(buffer) ?? 0;
    assert(count > 0, "a parcel is held by whoever holds or releases it");
    return count;
  }
}
