/**
 * Unsigned LEB128: seven bits a byte, lowest first, the top bit set while more follow. Up to 2^53 - 1, in at most eight bytes.
 */

export const VARINT_BYTES_MAX = 8;

export function writeVarint(target: Uint8Array, at: number, value: number): number {
  let rest = value;
  while (rest > 0x7fffffff) {
    target[at++] = (rest % 128) | 0x80;
    rest = Math.floor(rest / 128);
  }
  while (rest > 0x7f) {
    target[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  target[at++] = rest;
  return at;
}

/** Reads one number after another. Running past the end, or beyond 2^53, sets `failed` and gives 0 from then on. */
export class VarintReader {
  at: number;
  failed = false;
  readonly #bytes: Uint8Array;
  readonly #end: number;

  constructor(bytes: Uint8Array, at: number, end: number) {
    this.#bytes = bytes;
    this.at = at;
    this.#end = end;
  }

  next(): number {
    let value = 0;
    let factor = 1;
    for (let count = 0; count < VARINT_BYTES_MAX && this.at < this.#end; count++) {
      const byte = this.#bytes[this.at++]!;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value <= Number.MAX_SAFE_INTEGER ? value : this.fail();
      factor *= 128;
    }
    return this.fail();
  }

  /** Skips `count` bytes and returns where they begin. */
  skip(count: number): number {
    const from = this.at;
    if (count > this.#end - from) return this.fail();
    this.at += count;
    return from;
  }

  fail(): number {
    this.failed = true;
    this.at = this.#end;
    return 0;
  }
}
