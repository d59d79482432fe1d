/**
 * Bytes and UTF-8, with nothing that only Node has (this runs in browsers too), but for what writes texts faster where it is.
 *
 * Short strings are the common case and calls into the platform's encoders cost more than the strings themselves, so
 * short ASCII goes through a loop; everything else through the platform.
 */

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const strictDecoder = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });

/**
 * What Node's Buffer writes a text with, which asks only for bytes: it needs no view of the place and no object for an answer, so that it takes 25 to
 * 45 ns for up to a thousand characters where TextEncoder.encodeInto takes 60 to 85, and an eighth of its time for Latin letters beyond ASCII. Null
 * where there is none, or where it is another's, which may ask for more.
 */
const writeText = platformWrite();
/** Up to here a loop is faster (measured on V8 13). */
const LOOP_ENCODE_MAX = writeText === null ? 32 : 16;
/** Up to here a loop is faster than TextDecoder.decode: V8 copies strings below 13 units and chains longer ones. */
const LOOP_DECODE_MAX = 12;

export const EMPTY_BYTES = new Uint8Array(0);

/** A fresh array holding the UTF-8 form. Lone surrogates become U+FFFD: refuse them before, with isWellFormed. */
export function encodeUtf8(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(text);
}

/**
 * Writes the UTF-8 form at `at` and returns the offset after it.
 * REQUIRES room for it: 3 bytes per UTF-16 unit of `text` are always enough.
 */
export function writeUtf8(text: string, target: Uint8Array, at: number): number {
  const length = text.length;
  if (length <= LOOP_ENCODE_MAX) {
    let i = 0;
    for (; i < length; i++) {
      const unit = text.charCodeAt(i);
      if (unit > 0x7f) break;
      target[at + i] = unit;
    }
    if (i === length) return at + length;
  }
  if (writeText !== null) return at + writeText.call(target, text, at);
  return at + encoder.encodeInto(text, target.subarray(at)).written;
}

type WriteText = (this: Uint8Array, text: string, at: number) => number;

function platformWrite(): WriteText | null {
  const { Buffer: platform } = globalThis as {
    Buffer?: { readonly prototype?: { readonly write?: WriteText } };
  };
  const write = platform?.prototype?.write;
  if (typeof write !== "function") return null;
  const text = "a\u00e9\u20ac\ud83d\ude00";
  const bytes = new Uint8Array(16);
  try {
    const written = write.call(bytes, text, 1);
    return compareBytes(bytes.subarray(1, 1 + written), encoder.encode(text)) === 0 ? write : null;
  } catch {
    return null; // one made of JavaScript finds on a plain array none of the methods that it is made of
  }
}

/** Bytes of the UTF-8 form (a lone surrogate counts 3, as U+FFFD would). */
export function utf8Length(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    if (unit < 0x800) bytes += 1;
    else if (unit >= 0xd800 && unit < 0xdc00 && isLowSurrogate(text.charCodeAt(i + 1))) {
      bytes += 2;
      i++;
    } else bytes += 2;
  }
  return bytes;
}

/** The text in bytes[from, to). REQUIRES valid UTF-8 there: what is not becomes U+FFFD. */
export function decodeUtf8(bytes: Uint8Array, from = 0, to: number = bytes.length): string {
  if (to - from <= LOOP_DECODE_MAX) {
    let text = "";
    let i = from;
    for (; i < to; i++) {
      const byte = bytes[i] as number;
      if (byte > 0x7f) break;
      text += String.fromCharCode(byte);
    }
    if (i === to) return text;
  }
  return decoder.decode(bytes.subarray(from, to));
}

/** The text in bytes[from, to), or null when that is not valid UTF-8. */
export function decodeUtf8Strict(bytes: Uint8Array, from = 0, to: number = bytes.length): string | null {
  try {
    return strictDecoder.decode(bytes.subarray(from, to));
  } catch {
    return null; // the one thing a fatal decoder throws for
  }
}

/** Whether bytes[from, to) are ASCII: a word at a time, where decoding them to find out would cost four times as much. */
export function isAscii(bytes: Uint8Array, from: number, to: number): boolean {
  let seen = 0;
  let i = from;
  for (; i < to && ((bytes.byteOffset + i) & 3) !== 0; i++) seen |= bytes[i] as number;
  if (to - i >= 4) {
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset + i, (to - i) >>> 2);
    for (let k = 0; k < words.length; k++) seen |= words[k] as number;
    i += words.byteLength;
  }
  for (; i < to; i++) seen |= bytes[i] as number;
  return (seen & 0x8080_8080) === 0;
}

/** Whether every code unit of `text` belongs to a code point: no lone surrogate. */
export const isWellFormed: (text: string) => boolean =
  "isWellFormed" in String.prototype
    ? (text) => (text as string & { isWellFormed(): boolean }).isWellFormed()
    : (text) => !/\p{Surrogate}/u.test(text);

function isLowSurrogate(unit: number): boolean {
  return unit >= 0xdc00 && unit < 0xe000;
}

/** Order and equality of bytes, as memcmp has them. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shorter = Math.min(a.length, b.length);
  for (let i = 0; i < shorter; i++) {
    const difference = (a[i] as number) - (b[i] as number);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** The bytes behind a typed array, without a copy. */
export function bytesOf(view: ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

/** A growing byte buffer; all numbers little-endian. */
export class ByteWriter {
  #bytes: Uint8Array<ArrayBuffer>;
  #view: DataView;
  #length = 0;

  constructor(capacity = 256) {
    this.#bytes = new Uint8Array(Math.max(16, capacity));
    this.#view = new DataView(this.#bytes.buffer);
  }

  get length(): number {
    return this.#length;
  }

  u8(value: number): void {
    this.reserve(1);
    this.#bytes[this.#length++] = value;
  }

  u32(value: number): void {
    this.reserve(4);
    this.#view.setUint32(this.#length, value, true);
    this.#length += 4;
  }

  f64(value: number): void {
    this.reserve(8);
    this.#view.setFloat64(this.#length, value, true);
    this.#length += 8;
  }

  raw(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** The UTF-8 form, without its length. */
  utf8(text: string): void {
    this.reserve(text.length * 3);
    this.#length = writeUtf8(text, this.#bytes, this.#length);
  }

  /** The array itself, to write up to `count` bytes at `length` by other means; then call `advance`. */
  reserve(count: number): Uint8Array {
    const needed = this.#length + count;
    if (needed > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
      grown.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    return this.#bytes;
  }

  advance(count: number): void {
    this.#length += count;
  }

  /** What was written, and the writer is empty again. The bytes belong to the caller. */
  finish(): Uint8Array<ArrayBuffer> {
    const bytes = this.#bytes.slice(0, this.#length);
    this.#length = 0;
    return bytes;
  }
}

/** The parts one behind the other, in an array of their own. */
export function joinBytes(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
