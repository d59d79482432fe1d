import type { Random } from "../base/random.ts";

/** Random numbers that repeat for the same seed (the generator is Marsaglia's xorshift128). */
export class SeededRandom implements Random {
  #x: number;
  #y = 0x9e3779b9 | 0;
  #z = 0x243f6a88 | 0;
  #w = 0xb7e15162 | 0;

  constructor(seed: number) {
    this.#x = seed | 0 || 1;
    for (let i = 0; i < 16; i++) this.u32();
  }

  u32(): number {
    const t = this.#x ^ (this.#x << 11);
    this.#x = this.#y;
    this.#y = this.#z;
    this.#z = this.#w;
    this.#w = this.#w ^ (this.#w >>> 19) ^ t ^ (t >>> 8);
    return this.#w >>> 0;
  }

  /** A whole number from 0 to `bound` - 1. */
  below(bound: number): number {
    return Math.floor((this.u32() / 0x1_0000_0000) * bound);
  }

  /** True once in `odds` times. */
  oneIn(odds: number): boolean {
    return this.below(odds) === 0;
  }

  bytes<T extends Uint8Array<ArrayBuffer>>(target: T): T {
    for (let i = 0; i < target.length; i++) target[i] = this.u32();
    return target;
  }
}
