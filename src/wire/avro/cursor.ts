/**
 * Avro's binary encoding, read from front to back. Nothing is believed of what the bytes say: a length is held against the bytes that there are, and a count against
 * what its items take at least, before anything is made of it.
 */
import { EvertError } from "../../base/errors.ts";

const EMPTY = new Uint8Array(0);
/** Values within one record are read in one go: so many at most take some tens of milliseconds. */
const VALUES_MAX = 2 ** 20;

export class Cursor {
  bytes: Uint8Array = EMPTY;
  at = 0;
  end = 0;
  /** Values within the record that is read: items, and what is passed over. */
  values = 0;
  #view: DataView = new DataView(EMPTY.buffer);

  over(bytes: Uint8Array, from: number, to: number): this {
    if (bytes !== this.bytes) this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.bytes = bytes;
    this.at = from;
    this.end = to;
    this.values = 0;
    return this;
  }

  get left(): number {
    return this.end - this.at;
  }

  /** Counts values within a record. @throws EvertError where they are too many: a byte can be hundreds, by what a schema nests. */
  spend(values: number): void {
    this.values += values;
    if (this.values > VALUES_MAX) throw malformed(`there are more than ${VALUES_MAX} values within it`);
  }

  byte(): number {
    if (this.at >= this.end) throw cutOff();
    return this.bytes[this.at++] as number;
  }

  bool(): boolean {
    const byte = this.byte();
    if (byte > 1) throw malformed(`${byte} is no boolean`);
    return byte === 1;
  }

  int(): number {
    const value = this.long();
    if (typeof value === "number" && (value | 0) === value) return value;
    throw malformed(`${value} is no int`);
  }

  /** A number while that is safe. */
  long(): number | bigint {
    const { bytes, end } = this;
    let at = this.at;
    let low = 0;
    // Four bytes are 28 bits, which integers hold.
    for (let shift = 0; shift < 28; shift += 7) {
      if (at >= end) throw cutOff();
      const byte = bytes[at++] as number;
      low |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        this.at = at;
        return (low >>> 1) ^ -(low & 1);
      }
    }
    let high = 0;
    for (let shift = 0; shift < 21; shift += 7) {
      if (at >= end) throw cutOff();
      const byte = bytes[at++] as number;
      high |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        this.at = at;
        const half = (high * 0x1000_0000 + low - (low & 1)) / 2;
        return (low & 1) === 0 ? half : -half - 1;
      }
    }
    let wide = BigInt(high) * 0x1000_0000n + BigInt(low);
    for (let shift = 49n; ; shift += 7n) {
      if (at >= end) throw cutOff();
      const byte = bytes[at++] as number;
      if (shift === 63n && byte > 1) throw malformed("a long has more than 64 bits");
      wide |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    this.at = at;
    const value = (wide & 1n) === 0n ? wide >> 1n : -(wide >> 1n) - 1n;
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  }

  float(): number {
    const at = this.#pass(4);
    return this.#view.getFloat32(at, true);
  }

  double(): number {
    const at = this.#pass(8);
    return this.#view.getFloat64(at, true);
  }

  /** Goes on behind bytes that say their length before themselves: they end where it is then. Returns where they begin. */
  measured(): number {
    const length = this.long();
    if (typeof length !== "number" || length < 0) throw malformed(`${length} is no length`);
    return this.#pass(length);
  }

  /** Goes on behind so many bytes, and returns where they begin. */
  fixed(length: number): number {
    return this.#pass(length);
  }

  /** Of a union's or an enum's so many. */
  choice(among: number, of: string): number {
    const index = this.long();
    if (typeof index === "number" && index >= 0 && index < among) return index;
    throw malformed(`${index} is none of the ${among} ${of}`);
  }

  /**
   * How many items stand in the next block of an array or a map; 0: that was the last. `emptyMax`: each takes a byte at least, or there are at most so many of
   * those that take none.
   */
  block(emptyMax: number | null): number {
    let count = this.long();
    if (typeof count === "number" && count < 0) {
      count = -count;
      const bytes = this.long();
      if (typeof bytes !== "number" || bytes < 0 || bytes > this.left) throw malformed("a block's length");
    }
    if (typeof count === "number" && count <= (emptyMax ?? this.left)) return count;
    throw malformed(`a block of ${count} items does not fit into the ${this.left} bytes that are left`);
  }

  #pass(length: number): number {
    const { at } = this;
    if (length > this.end - at) throw cutOff();
    this.at = at + length;
    return at;
  }
}

export function malformed(detail: string): EvertError {
  return new EvertError("invalid_text_representation", `not a value of the writer's schema: ${detail}`);
}

function cutOff(): EvertError {
  return malformed("the bytes end before it does");
}
