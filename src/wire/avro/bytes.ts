/** A growing buffer in Avro's binary encoding. */
import { encodeUtf8 } from "../../base/bytes.ts";

export class AvroBytes {
  #bytes = new Uint8Array(1024);
  #view = new DataView(this.#bytes.buffer);
  #at = 0;

  get length(): number {
    return this.#at;
  }

  /** What there is, in memory of its own; then it is empty. */
  take(): Uint8Array<ArrayBuffer> {
    const taken = this.#bytes.slice(0, this.#at);
    this.#at = 0;
    return taken;
  }

  byte(value: number): void {
    this.#room(1);
    this.#bytes[this.#at++] = value;
  }

  /** Four bytes, the first one highest, as lengths of frames and ids of schemas are. */
  u32(value: number): void {
    this.#room(4);
    this.#view.setUint32(this.#at, value);
    this.#at += 4;
  }

  /** The same over bytes that are there. */
  setU32(at: number, value: number): void {
    this.#view.setUint32(at, value);
  }

  long(value: number | bigint): void {
    this.#room(10);
    const number = Number(value);
    if ((number | 0) === number) {
      let zigzag = ((number << 1) ^ (number >> 31)) >>> 0;
      for (; zigzag > 0x7f; zigzag >>>= 7) this.#bytes[this.#at++] = (zigzag & 0x7f) | 0x80;
      this.#bytes[this.#at++] = zigzag;
      return;
    }
    // Twice the number has to be safe, too.
    if (number > -(2 ** 51) && number < 2 ** 51) {
      let zigzag = number < 0 ? -2 * number - 1 : 2 * number;
      for (; zigzag > 0x7f; zigzag = Math.floor(zigzag / 128))
        this.#bytes[this.#at++] = (zigzag % 128) | 0x80;
      this.#bytes[this.#at++] = zigzag;
      return;
    }
    const wide = BigInt(value);
    let zigzag = wide < 0n ? -2n * wide - 1n : 2n * wide;
    for (; zigzag > 0x7fn; zigzag >>= 7n) this.#bytes[this.#at++] = Number(zigzag & 0x7fn) | 0x80;
    this.#bytes[this.#at++] = Number(zigzag);
  }

  float(value: number): void {
    this.#room(4);
    this.#view.setFloat32(this.#at, value, true);
    this.#at += 4;
  }

  double(value: number): void {
    this.#room(8);
    this.#view.setFloat64(this.#at, value, true);
    this.#at += 8;
  }

  raw(bytes: Uint8Array, from = 0, to: number = bytes.length): void {
    this.#room(to - from);
    this.#bytes.set(bytes.subarray(from, to), this.#at);
    this.#at += to - from;
  }

  /** Bytes with their length before them. */
  measured(bytes: Uint8Array, from: number, to: number): void {
    this.long(to - from);
    this.raw(bytes, from, to);
  }

  text(text: string): void {
    const bytes = encodeUtf8(text);
    this.measured(bytes, 0, bytes.length);
  }

  /** Two's complement in as few bytes as it takes, the first one highest. */
  decimal(unscaled: bigint): void {
    let length = 1;
    while (BigInt.asIntN(8 * length, unscaled) !== unscaled) length++;
    this.long(length);
    this.#room(length);
    for (let i = length - 1; i >= 0; i--)
      this.#bytes[this.#at++] = Number((unscaled >> BigInt(8 * i)) & 0xffn);
  }

  #room(bytes: number): void {
    if (this.#at + bytes <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(this.#at + bytes, 2 * this.#bytes.length));
    larger.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = larger;
    this.#view = new DataView(larger.buffer);
  }
}
