/**
 * Text functions. PostgreSQL counts characters (code points), JavaScript UTF-16 units: the two differ only in strings with
 * surrogates, which are looked for once and then handled as arrays of code points.
 */
import { fail, type ScalarError, scalarError } from "./errors.ts";

/** No function makes a longer text than this, in UTF-16 units: 256 MiB of ASCII. */
const LENGTH_MAX = 2 ** 28;

const tooLong: ScalarError = scalarError("record_too_large", "requested length too large");
const negativeLength = scalarError("invalid_argument", "negative substring length not allowed", {
  sqlstate: "22011",
});
const zeroField = scalarError("invalid_argument", "field position must not be zero");

const surrogates = /[\ud800-\udfff]/;

function isPlain(s: string): boolean {
  return !surrogates.test(s);
}

export function charLength(s: string): number {
  if (isPlain(s)) return s.length;
  let count = 0;
  for (const _ of s) count++;
  return count;
}

export function octetLength(s: string): number {
  let bytes = s.length;
  for (let i = 0; i < s.length; i++) {
    const c = s.charCodeAt(i);
    if (c >= 0xd800 && c < 0xdc00) {
      bytes += 2; // four bytes for the two units
      i++;
    } else if (c >= 0x800) bytes += 2;
    else if (c >= 0x80) bytes += 1;
  }
  return bytes;
}

/** Characters from..to-1, counted from 0. */
function charSlice(s: string, from: number, to: number): string {
  return isPlain(s) ? s.slice(from, to) : Array.from(s).slice(from, to).join("");
}

// ---- case: one code point to one code point ---------------------------------------------------------------------

/** Simple uppercase of characters whose full mapping in JavaScript is longer. */
function simpleUpper(c: string): string {
  const upper = c.toUpperCase();
  if (upper.length <= c.length) return upper;
  const code = c.codePointAt(0)!;
  // Greek with iota subscript: the form with iota beside it.
  if (code >= 0x1f80 && code <= 0x1faf) return String.fromCodePoint(code | 8);
  if (code === 0x1fb3 || code === 0x1fc3 || code === 0x1ff3) return String.fromCodePoint(code + 9);
  return c;
}

function simpleLower(c: string): string {
  return c === "\u0130" ? "i" : c.toLowerCase();
}

const ascii = /^[\0-\x7f]*$/;

export function lower(s: string): string {
  return ascii.test(s) ? s.toLowerCase() : Array.from(s, simpleLower).join("");
}

export function upper(s: string): string {
  return ascii.test(s) ? s.toUpperCase() : Array.from(s, simpleUpper).join("");
}

export function initcap(s: string): string {
  return s.replace(/[\p{L}\p{N}]+/gu, (word) => {
    const first = String.fromCodePoint(word.codePointAt(0)!);
    return upper(first) + lower(word.slice(first.length));
  });
}

// ---- parts ----------------------------------------------------------------------------------------------------

export function substring(s: string, start: number): string {
  return start <= 1 ? s : charSlice(s, start - 1, s.length);
}

export function substringFor(s: string, start: number, length: number): string {
  if (length < 0) return fail(negativeLength, "");
  const end = start - 1 + length;
  return end <= 0 ? "" : charSlice(s, Math.max(0, start - 1), end);
}

export function left(s: string, n: number): string {
  return n >= 0 ? charSlice(s, 0, n) : charSlice(s, 0, Math.max(0, charLength(s) + n));
}

export function right(s: string, n: number): string {
  if (n === -2147483648) return s; // PostgreSQL negates it in 32 bits, where it is its own negative
  const length = charLength(s);
  return charSlice(s, n >= 0 ? Math.max(0, length - n) : Math.min(length, -n), length);
}

function trim(s: string, characters: string, atStart: boolean, atEnd: boolean): string {
  const set = new Set(characters);
  const all = Array.from(s);
  let from = 0;
  let to = all.length;
  if (atStart) while (from < to && set.has(all[from]!)) from++;
  if (atEnd) while (from < to && set.has(all[to - 1]!)) to--;
  return all.slice(from, to).join("");
}

export function btrim(s: string, characters: string): string {
  return trim(s, characters, true, true);
}

export function ltrim(s: string, characters: string): string {
  return trim(s, characters, true, false);
}

export function rtrim(s: string, characters: string): string {
  return trim(s, characters, false, true);
}

export function position(s: string, part: string): number {
  const at = s.indexOf(part);
  return at < 0 ? 0 : charLength(s.slice(0, at)) + 1;
}

export function splitPart(s: string, delimiter: string, n: number): string {
  if (n === 0) return fail(zeroField, "");
  if (s === "") return "";
  if (delimiter === "") return n === 1 || n === -1 ? s : "";
  if (n < 0) {
    const parts = s.split(delimiter);
    return parts[parts.length + n] ?? "";
  }
  let from = 0;
  for (let field = 1; field < n; field++) {
    const at = s.indexOf(delimiter, from);
    if (at < 0) return "";
    from = at + delimiter.length;
  }
  const end = s.indexOf(delimiter, from);
  return end < 0 ? s.slice(from) : s.slice(from, end);
}

export function reverse(s: string): string {
  return Array.from(s).reverse().join("");
}

// ---- making longer --------------------------------------------------------------------------------------------

export function concat(a: string, b: string): string {
  return a.length + b.length > LENGTH_MAX ? fail(tooLong, "") : a + b;
}

/** concat(...): nulls count as nothing. */
export function concatAll(...parts: (string | null)[]): string {
  return joinAll("", parts);
}

/** concat_ws(separator, ...): null without a separator. */
export function concatWithSeparator(separator: string | null, ...parts: (string | null)[]): string | null {
  return separator === null ? null : joinAll(separator, parts);
}

function joinAll(separator: string, parts: readonly (string | null)[]): string {
  const present = parts.filter((p) => p !== null);
  const length = present.reduce((sum, p) => sum + p.length + separator.length, 0);
  return length > LENGTH_MAX ? fail(tooLong, "") : present.join(separator);
}

export function replace(s: string, from: string, to: string): string {
  if (from === "" || s === "") return s;
  if (to.length > from.length) {
    let count = 0;
    for (let at = s.indexOf(from); at >= 0; at = s.indexOf(from, at + from.length)) count++;
    if (s.length + count * (to.length - from.length) > LENGTH_MAX) return fail(tooLong, "");
  }
  return s.replaceAll(from, () => to);
}

export function repeat(s: string, n: number): string {
  if (n <= 0 || s === "") return "";
  return s.length * n > LENGTH_MAX ? fail(tooLong, "") : s.repeat(n);
}

/** The padding that brings `have` characters to `want`. */
function padding(have: number, want: number, fill: string): string {
  const missing = want - have;
  if (missing <= 0 || fill === "") return "";
  if (want > LENGTH_MAX) return fail(tooLong, "");
  const count = charLength(fill);
  return charSlice(fill.repeat(Math.ceil(missing / count)), 0, missing);
}

export function lpad(s: string, length: number, fill: string): string {
  const have = charLength(s);
  return have >= length ? charSlice(s, 0, Math.max(0, length)) : padding(have, length, fill) + s;
}

export function rpad(s: string, length: number, fill: string): string {
  const have = charLength(s);
  return have >= length ? charSlice(s, 0, Math.max(0, length)) : s + padding(have, length, fill);
}
