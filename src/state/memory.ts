/**
 * Memory that grows in place, outside the JavaScript heap.
 *
 * A WebAssembly.Memory reserves its address space when it is made, so `grow` maps more pages and copies nothing: no step pays
 * for a doubling, and the garbage collector never walks what lies here. Growing detaches the typed arrays, so every owner
 * takes them anew after `ensure` (see README: reserve first, then hoist).
 *
 * What is small is an ordinary buffer that doubles: most stores of a query that is answered once never become large, and eight gibibytes
 * of address space for each are soon all there is.
 *
 * Why not flat typed arrays (doubling 5 M rows stops the world for 250 ms), pages of typed arrays or a resizable
 * ArrayBuffer (both 1.3 to 2 times slower per random access): docs/decisions/0002-state-memory.md.
 */
import { EvertError } from "../base/errors.ts";

const PAGE_BYTES = 65_536;
const PAGES_MAX = 65_536;
/** What a memory begins with: hundreds of views have thousands of stores and indexes, most of them nearly empty. */
const FIRST_BYTES = 1024;
/** Up to here doubling is cheap: a copy of half of it takes a tenth of a millisecond. */
const SMALL_BYTES_MAX = 1 << 20;

export class GrowingMemory {
  I: Int32Array;
  F: Float64Array;
  U8: Uint8Array;
  /** Null while it is small. */
  #memory: WebAssembly.Memory | null = null;

  /**
   * `importable`: a WebAssembly.Memory from the beginning, of so many bytes, which WebAssembly code works on. `shared`: one that another thread has
   * filled, and nobody else uses any more.
   */
  constructor(importable = 0, shared: WebAssembly.Memory | null = null) {
    this.#memory = shared;
    if (importable > 0) {
      const initial = Math.ceil(importable / PAGE_BYTES);
      this.#memory = new WebAssembly.Memory({ initial, maximum: PAGES_MAX });
    }
    const buffer = this.#memory?.buffer ?? new ArrayBuffer(FIRST_BYTES);
    this.I = new Int32Array(buffer);
    this.F = new Float64Array(buffer);
    this.U8 = new Uint8Array(buffer);
  }

  /** What to import; null while it is small. */
  get memory(): WebAssembly.Memory | null {
    return this.#memory;
  }

  get bytes(): number {
    return this.U8.length;
  }

  /** Makes room for `bytes` in all; true when the typed arrays were replaced. @throws EvertError out_of_memory at 4 GiB. */
  ensure(bytes: number): boolean {
    const have = this.U8.length;
    if (bytes <= have) return false;
    if (this.#memory === null && bytes <= SMALL_BYTES_MAX) {
      let wanted = have;
      while (wanted < bytes) wanted *= 2;
      this.#copyTo(new ArrayBuffer(wanted));
      return true;
    }
    // Half more than asked: untouched pages cost nothing, and each grow makes buffers of which the collector thinks that they are new memory (with an
    // eighth it came three times as often).
    const wanted = Math.max(bytes, have + (have >>> 1));
    const pages = Math.min(PAGES_MAX, Math.ceil(wanted / PAGE_BYTES));
    if (pages * PAGE_BYTES < bytes) {
      throw new EvertError("out_of_memory", "a collection of the engine has reached 4 GiB of state", {
        hint: "Narrow the view that holds it (fewer columns, a filter), or drop it.",
      });
    }
    try {
      if (this.#memory === null) {
        this.#memory = new WebAssembly.Memory({ initial: pages, maximum: PAGES_MAX });
        this.#copyTo(this.#memory.buffer);
        return true;
      }
      this.#memory.grow(pages - have / PAGE_BYTES);
    } catch (cause) {
      throw new EvertError("out_of_memory", "the machine has no memory left for state", { cause });
    }
    this.#take(this.#memory.buffer);
    return true;
  }

  /** Gives back all of it; it begins again, empty. */
  clear(): void {
    this.#memory = null;
    this.#take(new ArrayBuffer(FIRST_BYTES));
  }

  #copyTo(buffer: ArrayBuffer): void {
    const old = this.U8;
    this.#take(buffer);
    this.U8.set(old);
  }

  #take(buffer: ArrayBuffer): void {
    this.I = new Int32Array(buffer);
    this.F = new Float64Array(buffer);
    this.U8 = new Uint8Array(buffer);
  }
}

/** An empty memory that can be handed to another thread, in which it goes on as any other. */
export function sharedMemory(): WebAssembly.Memory {
  return new WebAssembly.Memory({ initial: 1, maximum: PAGES_MAX, shared: true });
}

/** How often in a row most of a large list may have been left unused. */
const ROOMY_MAX = 1024;

/** A list of int32 that grows by doubling; for journals and free lists, which stay small or short-lived. */
export class Int32List {
  array: Int32Array = new Int32Array(16);
  length = 0;
  #roomy = 0;

  push(value: number): void {
    if (this.length === this.array.length) this.#grow();
    this.array[this.length++] = value;
  }

  pushAll(values: Int32Array, count: number): void {
    while (this.length + count > this.array.length) this.#grow();
    this.array.set(values.subarray(0, count), this.length);
    this.length += count;
  }

  pop(): number {
    return this.array[--this.length] as number;
  }

  clear(): void {
    this.length = 0;
    if (this.array.length > 65_536) this.array = new Int32Array(16);
  }

  /**
   * As clear(), of a list that is filled again and again: room is given back when it has not been needed for long. To grow to it costs copies, and
   * garbage.
   */
  refill(): void {
    const isRoomy = this.array.length > 65_536 && this.length * 4 < this.array.length;
    this.#roomy = isRoomy ? this.#roomy + 1 : 0;
    if (this.#roomy >= ROOMY_MAX) this.clear();
    else this.length = 0;
  }

  #grow(): void {
    const larger = new Int32Array(this.array.length * 2);
    larger.set(this.array);
    this.array = larger;
  }
}

/** First in, first out, of int32; a ring that doubles when full. */
export class Int32Queue {
  #ring = new Int32Array(64);
  #head = 0;
  length = 0;

  push(value: number): void {
    if (this.length === this.#ring.length) this.#grow();
    this.#ring[(this.#head + this.length++) & (this.#ring.length - 1)] = value;
  }

  pushAll(values: Int32Array, count: number): void {
    while (this.length + count > this.#ring.length) this.#grow();
    const ring = this.#ring;
    const at = (this.#head + this.length) & (ring.length - 1);
    const before = Math.min(count, ring.length - at);
    ring.set(values.subarray(0, before), at);
    ring.set(values.subarray(before, count), 0);
    this.length += count;
  }

  peek(): number {
    return this.#ring[this.#head] as number;
  }

  shift(): number {
    const value = this.#ring[this.#head] as number;
    this.#head = (this.#head + 1) & (this.#ring.length - 1);
    this.length--;
    return value;
  }

  clear(): void {
    this.#ring = new Int32Array(64);
    this.#head = 0;
    this.length = 0;
  }

  #grow(): void {
    const old = this.#ring;
    const ring = new Int32Array(old.length * 2);
    const tail = old.length - this.#head;
    ring.set(old.subarray(this.#head), 0);
    ring.set(old.subarray(0, this.#head), tail);
    this.#ring = ring;
    this.#head = 0;
  }
}
