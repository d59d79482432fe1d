/**
 * Memory for large frames, used again: slabs of one size outside the JavaScript heap.
 *
 * What is kept for a while and then let go is the worst garbage there is: V8 collects everything each time so many bytes of it have been made,
 * outside the heap too. A slab that comes back is the next frame's.
 */

/** A slab holds changes from its beginning on, and what tells them apart from its end. */
export const SLAB_BYTES: number = 128 * 1024;
/** More free slabs are left to the collector. */
const FREE_SLABS_MAX = 256;

export interface Slab {
  readonly U: Uint8Array;
  readonly I: Int32Array;
}

export class Slabs {
  readonly #free: Slab[] = [];

  take(): Slab {
    return this.#free.pop() ?? slabOf(SLAB_BYTES);
  }

  /** REQUIRES that nobody reads it any more. */
  give(slab: Slab): void {
    if (slab.U.length === SLAB_BYTES && this.#free.length < FREE_SLABS_MAX) this.#free.push(slab);
  }
}

/** One for itself. */
export function slabOf(bytes: number): Slab {
  const memory = new ArrayBuffer(Math.ceil(bytes / 4) * 4);
  return { U: new Uint8Array(memory), I: new Int32Array(memory) };
}
