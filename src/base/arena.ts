/**
 * Memory for many small arrays: they lie one behind the other in a buffer that several share.
 *
 * An array of more than 64 bytes has memory of its own outside the heap, which costs V8 a microsecond to get, and as much again to free; a view of
 * memory that is there costs a fiftieth. A buffer lives as long as any of the arrays in it, so what is kept for long does not belong into one.
 */
const BUFFER_BYTES = 64 * 1024;
/** Smaller ones lie in the heap. */
const OWN_BYTES_MAX = 64;
/** Larger ones cost more to copy than to get. */
const SHARED_BYTES_MAX = 4096;
/** Any array can begin there. */
const ALIGNMENT = 8;

type Numbers = Int32Array | Float64Array | BigInt64Array | Uint8Array;

export class Arena {
  #buffer = new ArrayBuffer(0);
  #at = 0;

  /** Whether an array of so many bytes is better copied than given away with memory of its own. */
  holds(bytes: number): boolean {
    return bytes <= SHARED_BYTES_MAX;
  }

  int32(source: Int32Array, length: number): Int32Array {
    const at = this.#place(length * 4);
    return at < 0 ? source.slice(0, length) : put(new Int32Array(this.#buffer, at, length), source);
  }

  float64(source: Float64Array, length: number): Float64Array {
    const at = this.#place(length * 8);
    return at < 0 ? source.slice(0, length) : put(new Float64Array(this.#buffer, at, length), source);
  }

  int64(source: BigInt64Array, length: number): BigInt64Array {
    const at = this.#place(length * 8);
    return at < 0 ? source.slice(0, length) : put(new BigInt64Array(this.#buffer, at, length), source);
  }

  bytes(source: Uint8Array, length: number): Uint8Array {
    const at = this.#place(length);
    return at < 0 ? source.slice(0, length) : put(new Uint8Array(this.#buffer, at, length), source);
  }

  /** Where in the buffer so many bytes may lie; -1: they are to have memory of their own. */
  #place(bytes: number): number {
    if (bytes <= OWN_BYTES_MAX || bytes > SHARED_BYTES_MAX) return -1;
    let at = this.#at;
    if (at + bytes > this.#buffer.byteLength) {
      this.#buffer = new ArrayBuffer(BUFFER_BYTES);
      at = 0;
    }
    this.#at = Math.ceil((at + bytes) / ALIGNMENT) * ALIGNMENT;
    return at;
  }
}

/** REQUIRES a source at least as long as the target. */
function put<T extends Numbers>(target: T, source: T): T {
  target.set(source.subarray(0, target.length) as never);
  return target;
}
