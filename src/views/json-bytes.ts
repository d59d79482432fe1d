/**
 * JSON written as UTF-8 bytes into room that grows: what is encoded for subscribers never is a JavaScript string on the way.
 *
 * Everything here writes what batch/json.ts would give for the same value; a test compares the two for every type.
 */
import { writeUtf8 } from "../base/bytes.ts";
import { digitsRoom, writeDigits } from "../state/decimal-digits.ts";

const ROOM_MIN = 64 * 1024;
/** More room than that, made for one large row, is let go. */
const ROOM_KEPT_MAX = 4 << 20;
const QUOTE = 34;
const BACKSLASH = 92;
const MINUS = 45;
const ZERO = 48;
const NINE = 57;
/** An escape is a backslash and five characters at most. */
const ESCAPE_MAX = 6;
const HEX = new TextEncoder().encode("0123456789abcdef");
/** By control character, the letter of its short escape; 0: it has none. */
const SHORT = new Uint8Array(32);
for (const [code, letter] of [
  [8, "b"],
  [9, "t"],
  [10, "n"],
  [12, "f"],
  [13, "r"],
] as const)
  SHORT[code] = letter.charCodeAt(0);

export class JsonBytes {
  /** Replaced when it grows. */
  U: Uint8Array = new Uint8Array(ROOM_MIN);
  /** Bytes written. */
  at = 0;

  clear(): void {
    this.at = 0;
    if (this.U.length > ROOM_KEPT_MAX) this.U = new Uint8Array(ROOM_MIN);
  }

  /** Makes room for so many bytes. */
  room(bytes: number): void {
    if (this.at + bytes <= this.U.length) return;
    const larger = new Uint8Array(Math.max(this.at + bytes, this.U.length * 2));
    larger.set(this.U.subarray(0, this.at));
    this.U = larger;
  }

  /** Bytes as they are. */
  raw(bytes: Uint8Array): void {
    const { length } = bytes;
    this.room(length);
    const { U, at } = this;
    for (let i = 0; i < length; i++) U[at + i] = bytes[i] as number;
    this.at = at + length;
  }

  /** A text that is JSON already. */
  string(text: string): void {
    this.room(text.length * 3);
    this.at = writeUtf8(text, this.U, this.at);
  }

  /** Bytes of another memory, as they are. */
  copy(source: Uint8Array, from: number, length: number): void {
    this.room(length);
    const { U, at } = this;
    if (length > 40) U.set(source.subarray(from, from + length), at);
    else for (let i = 0; i < length; i++) U[at + i] = source[from + i] as number;
    this.at = at + length;
  }

  /** A numeric's text: what is no number is a JSON string. */
  numeric(source: Uint8Array, from: number, length: number): void {
    const first = source[source[from] === MINUS ? from + 1 : from] as number;
    if (first > NINE) this.text(source, from, length);
    else this.copy(source, from, length);
  }

  /** UTF-8 as a JSON string. */
  text(source: Uint8Array, from: number, length: number): void {
    this.room(length + 2);
    let { U, at } = this;
    const end = from + length;
    U[at++] = QUOTE;
    for (let i = from; i < end; i++) {
      const byte = source[i] as number;
      if (byte >= 32 && byte !== QUOTE && byte !== BACKSLASH) {
        U[at++] = byte;
        continue;
      }
      this.at = at;
      this.room(end - i + ESCAPE_MAX);
      this.#escape(byte);
      ({ U, at } = this);
    }
    U[at++] = QUOTE;
    this.at = at;
  }

  /** A safe integer. */
  integer(value: number): void {
    this.room(20);
    const { U } = this;
    let { at } = this;
    let rest = value;
    if (rest < 0) {
      U[at++] = MINUS;
      rest = -rest;
    }
    if (rest >= 1e9) {
      // Two parts, so that the digits are taken off by division of small integers.
      const high = Math.floor(rest / 1e9);
      let low = (rest - high * 1e9) | 0;
      this.at = at;
      this.integer(high);
      at = this.at + 9;
      this.at = at;
      for (let i = 0; i < 9; i++) {
        const tens = (low / 10) | 0;
        U[--at] = ZERO + (low - tens * 10);
        low = tens;
      }
      return;
    }
    let small = rest | 0;
    let digits = 1;
    for (let bound = 10; bound <= small; bound *= 10) digits++;
    at += digits;
    this.at = at;
    for (let i = 0; i < digits; i++) {
      const tens = (small / 10) | 0;
      U[--at] = ZERO + (small - tens * 10);
      small = tens;
    }
  }

  /** A safe integer with a point before its last `scale` digits. */
  decimal(unscaled: number, scale: number): void {
    const room = digitsRoom(scale);
    this.room(room);
    const { U, at } = this;
    const end = at + room;
    const from = writeDigits(U, end, unscaled, scale);
    U.copyWithin(at, from, end);
    this.at = at + end - from;
  }

  #escape(byte: number): void {
    const { U } = this;
    let { at } = this;
    U[at++] = BACKSLASH;
    const letter = byte < 32 ? (SHORT[byte] as number) : byte;
    if (letter !== 0) U[at++] = letter;
    else {
      U[at++] = 117; // u
      U[at++] = ZERO;
      U[at++] = ZERO;
      U[at++] = HEX[byte >> 4] as number;
      U[at++] = HEX[byte & 15] as number;
    }
    this.at = at;
  }
}
