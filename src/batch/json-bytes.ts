/**
 * Reading JSON where it lies, in its UTF-8 bytes: what the loop over JSON text (json-loop.ts) calls for all that is not in its commonest form.
 *
 * REQUIRES of every text: behind its end stands a byte 0 that may be read, and some more bytes (TEXT_SLACK) that may be looked at. No part of JSON
 * is a byte 0, so every loop here ends there by itself.
 *
 * `line`: the text is a line of NDJSON, where a line feed is no space but the end.
 */
import { decodeUtf8, decodeUtf8Strict, encodeUtf8 } from "../base/bytes.ts";
import { EvertError } from "../base/errors.ts";
import { daysFromCivil, daysInMonth } from "./format/calendar.ts";
import { parseJson } from "./lossless-json.ts";

/** How far behind the end of a text its reader may look. */
export const TEXT_SLACK = 40;

const quote = 0x22;
const backslash = 0x5c;

/** 1: a byte that stands for itself inside a string, and is ASCII. */
export const plainByte: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= 0x20 && byte < 0x80 && byte !== quote && byte !== backslash ? 1 : 0,
);

/** The second result of a function that has two, if that is a number: read it before the next call. */
export const second: Float64Array = new Float64Array(1);

/** The first byte at or after `at` that is no space. */
export function skipSpace(bytes: Uint8Array, at: number, line: boolean): number {
  for (let i = at; ; i++) {
    const byte = bytes[i] as number;
    if (byte !== 0x20 && byte !== 0x09 && byte !== 0x0d && (byte !== 0x0a || line)) return i;
  }
}

/** Where the value that begins at `at` ends, -1 when it does not. What lies between may be nonsense: reading it will tell. */
export function endOfValue(bytes: Uint8Array, at: number, line: boolean): number {
  let depth = 0;
  for (let i = at; ; ) {
    const byte = bytes[i] as number;
    if (byte === quote) {
      i = endOfString(bytes, i + 1);
      if (i === -1) return -1;
      if (depth === 0) return i;
      continue;
    }
    const curly = byte | 0x20; // a square bracket as a curly one
    if (curly === 0x7b) depth++;
    else if (curly === 0x7d) {
      if (depth === 0) return i;
      if (--depth === 0) return i + 1;
    } else if (depth === 0 && (byte === 0x2c || byte <= 0x20)) return i;
    else if (byte === 0 || (byte === 0x0a && line)) return -1;
    i++;
  }
}

function endOfString(bytes: Uint8Array, from: number): number {
  for (let i = from; ; i++) {
    const byte = bytes[i] as number;
    if (byte === quote) return i + 1;
    if (byte === backslash) i++;
    if ((bytes[i] as number) < 0x20) return -1;
  }
}

/** What `convert` makes of the value in bytes[from, to); undefined for what it, or JSON, refuses. */
export function convertedValue(
  convert: (value: unknown) => unknown,
  bytes: Uint8Array,
  from: number,
  to: number,
): unknown {
  const text = decodeUtf8Strict(bytes, from, to);
  if (text === null) return undefined;
  try {
    return convert(parseJson(text));
  } catch (error) {
    if (error instanceof EvertError) return undefined;
    throw error;
  }
}

/**
 * The rest of a string from its first byte that does not stand for itself, its text written to `data` from `to` on; `second` is where that ends.
 * The place behind the closing quote, or -1 for what is no text: an unfinished string, a control character, bytes that are no UTF-8, half a
 * surrogate pair, U+0000. Needs no more room than the string has bytes.
 */
export function restOfString(bytes: Uint8Array, at: number, data: Uint8Array, to: number): number {
  let d = to;
  for (let i = at; ; ) {
    const byte = bytes[i] as number;
    if (plainByte[byte] === 1) {
      data[d++] = byte;
      i++;
    } else if (byte === quote) {
      second[0] = d;
      return i + 1;
    } else if (byte === backslash) {
      i = escaped(bytes, i + 1, data, d);
      if (i === -1) return -1;
      d = second[0] as number;
    } else {
      const length = byte < 0x80 ? 0 : sequenceLength(bytes, i);
      if (length === 0) return -1;
      for (const end = i + length; i < end; i++) data[d++] = bytes[i] as number;
    }
  }
}

/** Bytes of the UTF-8 sequence that begins here with a byte over 0x7f; 0 when it is none. */
function sequenceLength(bytes: Uint8Array, at: number): number {
  const lead = bytes[at] as number;
  const next = bytes[at + 1] as number;
  if ((next & 0xc0) !== 0x80) return 0;
  if (lead < 0xe0) return lead >= 0xc2 ? 2 : 0;
  if (((bytes[at + 2] as number) & 0xc0) !== 0x80) return 0;
  if (lead < 0xf0) {
    // overlong forms, and surrogates
    return (lead === 0xe0 && next < 0xa0) || (lead === 0xed && next > 0x9f) ? 0 : 3;
  }
  if (((bytes[at + 3] as number) & 0xc0) !== 0x80) return 0;
  // overlong forms, and what is beyond U+10FFFF
  return (lead === 0xf0 && next < 0x90) || lead > 0xf4 || (lead === 0xf4 && next > 0x8f) ? 0 : 4;
}

const simpleEscapes: ReadonlyMap<number, number> = new Map([
  [quote, quote],
  [backslash, backslash],
  [0x2f, 0x2f],
  [0x62, 0x08],
  [0x66, 0x0c],
  [0x6e, 0x0a],
  [0x72, 0x0d],
  [0x74, 0x09],
]);

/** What stands behind a backslash, written; the place behind it, or -1. */
function escaped(bytes: Uint8Array, at: number, data: Uint8Array, to: number): number {
  const byte = bytes[at] as number;
  const simple = simpleEscapes.get(byte);
  if (simple !== undefined) {
    data[to] = simple;
    second[0] = to + 1;
    return at + 1;
  }
  if (byte !== 0x75) return -1;
  const unit = hex4(bytes, at + 1);
  if (!(unit > 0)) return -1;
  if (unit < 0xd800 || unit > 0xdfff) {
    second[0] = writeCodePoint(unit, data, to);
    return at + 5;
  }
  if (unit > 0xdbff || bytes[at + 5] !== backslash || bytes[at + 6] !== 0x75) return -1;
  const low = hex4(bytes, at + 7);
  if (!(low >= 0xdc00 && low <= 0xdfff)) return -1;
  second[0] = writeCodePoint(0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00), data, to);
  return at + 11;
}

/** Four hexadecimal digits; NaN for anything else. */
function hex4(bytes: Uint8Array, at: number): number {
  let value = 0;
  for (let i = at; i < at + 4; i++) {
    const byte = bytes[i] as number;
    const letter = byte | 0x20;
    if (byte >= 0x30 && byte <= 0x39) value = value * 16 + byte - 0x30;
    else if (letter >= 0x61 && letter <= 0x66) value = value * 16 + letter - 0x57;
    else return Number.NaN;
  }
  return value;
}

function writeCodePoint(code: number, data: Uint8Array, to: number): number {
  if (code < 0x80) {
    data[to] = code;
    return to + 1;
  }
  let at = to;
  if (code < 0x800) data[at++] = 0xc0 | (code >> 6);
  else {
    if (code < 0x1_0000) data[at++] = 0xe0 | (code >> 12);
    else {
      data[at++] = 0xf0 | (code >> 18);
      data[at++] = 0x80 | ((code >> 12) & 0x3f);
    }
    data[at++] = 0x80 | ((code >> 6) & 0x3f);
  }
  data[at++] = 0x80 | (code & 0x3f);
  return at;
}

/** The day read last, as yyyymmdd and since 1970: times of one day come together. */
let lastDate = -1;
let lastDay = 0;

/**
 * Days since 1970 of a string `YYYY-MM-DD` whose first digit stands at `at`, NaN for what is no such day from 1700 to 2199. What follows is
 * for the caller to look at.
 */
export function dayAt(bytes: Uint8Array, at: number): number {
  if (bytes[at + 4] !== 0x2d || bytes[at + 7] !== 0x2d) return Number.NaN;
  const year = pair(bytes, at) * 100 + pair(bytes, at + 2);
  const month = pair(bytes, at + 5);
  const day = pair(bytes, at + 8);
  if (year < 1700 || year >= 2200 || month < 1 || month > 12 || day < 1 || day > 31) return Number.NaN;
  const date = year * 10_000 + month * 100 + day;
  if (date === lastDate) return lastDay;
  if (day > daysInMonth(year, month)) return Number.NaN;
  lastDate = date;
  lastDay = daysFromCivil(year, month, day);
  return lastDay;
}

/** The minute read last, as its bytes `YYYY-MM-DDThh:mm` in four words, and its beginning in seconds since 1970: times of one minute come together. */
const epochMinute = new DataView(encodeUtf8("1970-01-01T00:00").buffer);
const lastMinute = Int32Array.from([0, 4, 8, 12], (at) => epochMinute.getInt32(at, true));
let lastMinuteSeconds = 0;

/** Microseconds that one has behind so many digits of a fraction. */
const fractionUnits = Int32Array.of(1_000_000, 100_000, 10_000, 1_000, 100, 10, 1);

/**
 * The place behind the last digit of a string `YYYY-MM-DDThh:mm:ss[.digits]` whose first digit stands at `at`, -1 for every other form; `second` is the time in microseconds
 * since 1970 (a double that a function gives back is an object on the heap). `view` is of the same bytes.
 */
export function timeAt(bytes: Uint8Array, view: DataView, at: number): number {
  const a = view.getInt32(at, true);
  const b = view.getInt32(at + 4, true);
  const c = view.getInt32(at + 8, true);
  const d = view.getInt32(at + 12, true);
  if (a !== lastMinute[0] || b !== lastMinute[1] || c !== lastMinute[2] || d !== lastMinute[3]) {
    const seconds = minuteAt(bytes, at);
    if (Number.isNaN(seconds)) return -1;
    lastMinuteSeconds = seconds;
    lastMinute[0] = a;
    lastMinute[1] = b;
    lastMinute[2] = c;
    lastMinute[3] = d;
  }
  const whole = pair(bytes, at + 17);
  if (bytes[at + 16] !== 0x3a || whole >= 60) return -1;
  let i = at + 19;
  let fraction = 0;
  if (bytes[i] === 0x2e) {
    const from = ++i;
    for (let digit = (bytes[i] as number) - 0x30; digit >= 0 && digit <= 9; ) {
      if (i === from + 6) return -1; // a seventh digit is rounded
      fraction = fraction * 10 + digit;
      digit = (bytes[++i] as number) - 0x30;
    }
    if (i === from) return -1;
    fraction *= fractionUnits[i - from] as number;
  }
  second[0] = (lastMinuteSeconds + whole) * 1_000_000 + fraction;
  return i;
}

/** Seconds since 1970 of `YYYY-MM-DDThh:mm`, NaN for every other form. */
function minuteAt(bytes: Uint8Array, at: number): number {
  const separator = bytes[at + 10];
  const hour = pair(bytes, at + 11);
  const minute = pair(bytes, at + 14);
  if ((separator !== 0x54 && separator !== 0x20) || bytes[at + 13] !== 0x3a) return Number.NaN;
  if (hour >= 24 || minute >= 60) return Number.NaN;
  return dayAt(bytes, at) * 86_400 + hour * 3600 + minute * 60;
}

/** More than any pair, also beside another: every comparison with a bound refuses it. */
const noPair = 1_000_000;

function pair(bytes: Uint8Array, at: number): number {
  const tens = (bytes[at] as number) - 0x30;
  const ones = (bytes[at + 1] as number) - 0x30;
  return tens >>> 0 <= 9 && ones >>> 0 <= 9 ? tens * 10 + ones : noPair;
}

/** Behind the quote that closes a time in UTC (`Z"` or `+00:00"` stands at `at`), or -1. */
export function endOfUtc(bytes: Uint8Array, at: number): number {
  if (bytes[at] === 0x5a) return bytes[at + 1] === quote ? at + 2 : -1;
  return bytes[at] === 0x2b && bytes[at + 6] === quote && decodeUtf8(bytes, at, at + 6) === "+00:00"
    ? at + 7
    : -1;
}
