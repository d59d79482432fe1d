/** Text functions that write values in another form: characters by number, quoting for SQL, digits in other bases, splitting into arrays. */
import { isWellFormed } from "../../base/bytes.ts";
import { quoteIdent } from "../../base/quoted-name.ts";
import { formatArray, listOf } from "../../batch/format/array.ts";
import { md5OfText } from "./bytes.ts";
import { fail, int4OutOfRange, type ScalarError, scalarError } from "./errors.ts";
import { like } from "./like.ts";
import * as txt from "./text.ts";

function limit(message: string): ScalarError {
  return scalarError("invalid_argument", message, { sqlstate: "54000" });
}

function chr(code: number): string {
  if (code < 0) return fail(scalarError("invalid_argument", "character number must be positive"), "");
  if (code === 0) return fail(limit("null character not permitted"), "");
  if (code > 0x10ffff) return fail(limit(`requested character too large for encoding: ${code}`), "");
  if (code >= 0xd800 && code <= 0xdfff) {
    return fail(limit(`requested character not valid for encoding: ${code}`), "");
  }
  return String.fromCodePoint(code);
}

/** Each character of `from` becomes the one at its place in `to`, or goes; the first of equal ones counts. */
function translate(s: string, from: string, to: string): string {
  const targets = Array.from(to);
  const map = new Map<string, string>();
  for (const [i, c] of Array.from(from).entries()) if (!map.has(c)) map.set(c, targets[i] ?? "");
  let out = "";
  for (const c of s) out += map.get(c) ?? c;
  return out;
}

function overlay(s: string, by: string, start: number, length: number): string {
  if (start <= 0) return txt.substringFor(s, 1, -1); // refuses a negative length
  if (start + length > 2147483647) return fail(int4OutOfRange, "");
  return txt.concat(txt.concat(txt.substringFor(s, 1, start - 1), by), txt.substring(s, start + length));
}

// ---- quoting ----------------------------------------------------------------------------------------------------

export function quoteLiteral(s: string): string {
  const quoted = `'${s.replaceAll("'", "''").replaceAll("\\", "\\\\")}'`;
  return s.includes("\\") ? `E${quoted}` : quoted;
}

// ---- digits and characters --------------------------------------------------------------------------------------

function digits4(base: number): (n: number) => string {
  return (n) => (n >>> 0).toString(base);
}

function digits8(base: number): (n: bigint) => string {
  return (n) => BigInt.asUintN(64, n).toString(base);
}

const normalForms: ReadonlySet<string> = new Set(["nfc", "nfd", "nfkc", "nfkd"]);

function normalize(s: string, form: string): string {
  if (normalForms.has(form.toLowerCase())) return s.normalize(form.toUpperCase());
  return fail(scalarError("invalid_argument", `invalid normalization form: ${form}`), "");
}

const badEscape = scalarError("syntax_error", "invalid Unicode escape", {
  hint: "Unicode escapes must be \\XXXX, \\+XXXXXX, \\uXXXX, or \\UXXXXXXXX.",
});

const badCodePoint = scalarError("syntax_error", "invalid Unicode code point: 0000", { sqlstate: "22023" });
const badPair = scalarError("syntax_error", "invalid Unicode surrogate pair");

/** \XXXX, \+XXXXXX, \uXXXX and \UXXXXXXXX become characters, two backslashes one. */
function unistr(s: string): string {
  const escapes = /\\(?:\\|u?([0-9a-fA-F]{4})|\+([0-9a-fA-F]{6})|U([0-9a-fA-F]{8}))|\\/g;
  let error: ScalarError | null = null;
  const out = s.replace(escapes, (all, four, six, eight) => {
    if (all === "\\\\") return "\\";
    const code = Number.parseInt(four ?? six ?? eight ?? "", 16);
    if (all === "\\") error = badEscape;
    else if (code === 0 || code > 0x10ffff) error = badCodePoint;
    else return code <= 0xffff ? String.fromCharCode(code) : String.fromCodePoint(code);
    return "";
  });
  if (error !== null) return fail(error, "");
  return isWellFormed(out) ? out : fail(badPair, "");
}

/** Parts between delimiters; without one (null) the characters. What reads as `nullText` is null. */
export function splitToItems(
  s: string,
  delimiter: string | null,
  nullText: string | null,
): (string | null)[] {
  if (s === "") return [];
  const parts = delimiter === null ? Array.from(s) : delimiter === "" ? [s] : s.split(delimiter);
  return nullText === null ? parts : parts.map((p) => (p === nullText ? null : p));
}

function splitToArray(s: string | null, delimiter: string | null, nullText: string | null): string | null {
  return s === null ? null : formatArray(listOf(splitToItems(s, delimiter, nullText)));
}

const ordered = (test: (d: number) => boolean, compare: (a: string, b: string) => number) => {
  return (a: string, b: string) => test(compare(a, b));
};

export function textForms(compare: (a: string, b: string) => number) {
  return {
    bpchar_like: like,
    bpchar_not_like: (s: string, pattern: string) => !like(s, pattern),
    bpchar_ilike: (s: string, pattern: string) => like(txt.lower(s), txt.lower(pattern)),
    bpchar_not_ilike: (s: string, pattern: string) => !like(txt.lower(s), txt.lower(pattern)),
    bpchar_octet_length: txt.octetLength,
    text_bit_length: (s: string) => txt.octetLength(s) * 8,
    text_ascii: (s: string) => s.codePointAt(0) ?? 0,
    text_chr: chr,
    text_translate: translate,
    text_overlay: (s: string, by: string, start: number) => overlay(s, by, start, txt.charLength(by)),
    text_overlay_for: overlay,
    text_md5: md5OfText,
    int4_to_hex: digits4(16),
    int8_to_hex: digits8(16),
    int4_to_oct: digits4(8),
    int8_to_oct: digits8(8),
    int4_to_bin: digits4(2),
    int8_to_bin: digits8(2),
    text_quote_ident: quoteIdent,
    text_quote_literal: quoteLiteral,
    text_quote_nullable: (s: string | null) => (s === null ? "NULL" : quoteLiteral(s)),
    text_normalize: (s: string) => s.normalize("NFC"),
    text_normalize_to: normalize,
    text_is_normalized: (s: string) => s.normalize("NFC") === s,
    text_is_normalized_to: (s: string, form: string) => normalize(s, form) === s,
    text_unistr: unistr,
    text_split: (s: string | null, delimiter: string | null) => splitToArray(s, delimiter, null),
    text_split_nulls: splitToArray,
    text_pattern_lt: ordered((d) => d < 0, compare),
    text_pattern_le: ordered((d) => d <= 0, compare),
    text_pattern_gt: ordered((d) => d > 0, compare),
    text_pattern_ge: ordered((d) => d >= 0, compare),
  };
}
