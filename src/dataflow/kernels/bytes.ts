/** Functions of bytea, on its hex form `\x00ff`: two digits per byte behind two characters, so that cutting bytes is cutting text. */
import { createHash } from "node:crypto";
import { bytesToHex, hexToBytes } from "../../batch/format/bytes.ts";
import { fail, int4OutOfRange, scalarError } from "./errors.ts";
import { like } from "./like.ts";

const negativeLength = scalarError("invalid_argument", "negative substring length not allowed", {
  sqlstate: "22011",
});
const EMPTY = "\\x";

const encoder = new TextEncoder();

function lengthOf(hex: string): number {
  return (hex.length - 2) >> 1;
}

/** Bytes from..to-1, counted from 0. */
function cut(hex: string, from: number, to: number): string {
  return EMPTY + hex.slice(2 + 2 * Math.max(0, from), 2 + 2 * Math.max(0, to));
}

function latin1(hex: string): string {
  return String.fromCharCode(...hexToBytes(hex));
}

function concat(a: string, b: string): string {
  return a + b.slice(2);
}

function substring(hex: string, start: number): string {
  return cut(hex, start - 1, lengthOf(hex));
}

function substringFor(hex: string, start: number, length: number): string {
  if (length < 0) return fail(negativeLength, EMPTY);
  return cut(hex, start - 1, start - 1 + length);
}

function position(hex: string, part: string): number {
  const wanted = part.slice(2);
  for (let at = 2; ; at++) {
    at = hex.indexOf(wanted, at);
    if (at < 0) return 0;
    if (at % 2 === 0) return (at - 2) / 2 + 1;
  }
}

function overlay(hex: string, by: string, start: number, length: number): string {
  if (start <= 0) return fail(negativeLength, EMPTY);
  if (start + length > 2147483647) return fail(int4OutOfRange, EMPTY);
  return concat(concat(cut(hex, 0, start - 1), by), cut(hex, start - 1 + length, lengthOf(hex)));
}

function trim(hex: string, characters: string, atStart: boolean, atEnd: boolean): string {
  const bytes = hexToBytes(hex);
  const set = new Set(hexToBytes(characters));
  let from = 0;
  let to = bytes.length;
  if (atStart) while (from < to && set.has(bytes[from]!)) from++;
  if (atEnd) while (from < to && set.has(bytes[to - 1]!)) to--;
  return cut(hex, from, to);
}

// ---- single bytes and bits --------------------------------------------------------------------------------------

function outside(index: number | bigint, last: number) {
  return scalarError("invalid_argument", `index ${index} out of valid range, 0..${last}`, {
    sqlstate: "2202E",
  });
}

function getByte(hex: string, index: number): number {
  const bytes = hexToBytes(hex);
  return bytes[index] ?? fail(outside(index, bytes.length - 1), 0);
}

function setByte(hex: string, index: number, value: number): string {
  const bytes = hexToBytes(hex);
  if (index < 0 || index >= bytes.length) return fail(outside(index, bytes.length - 1), EMPTY);
  bytes[index] = value;
  return bytesToHex(bytes);
}

function getBit(hex: string, index: bigint): number {
  const bytes = hexToBytes(hex);
  if (index < 0n || index >= BigInt(bytes.length * 8)) return fail(outside(index, bytes.length * 8 - 1), 0);
  return (bytes[Number(index >> 3n)]! >> Number(index & 7n)) & 1;
}

function setBit(hex: string, index: bigint, value: number): string {
  const bytes = hexToBytes(hex);
  if (index < 0n || index >= BigInt(bytes.length * 8))
    return fail(outside(index, bytes.length * 8 - 1), EMPTY);
  if (value !== 0 && value !== 1)
    return fail(scalarError("invalid_argument", "new bit must be 0 or 1"), EMPTY);
  const mask = 1 << Number(index & 7n);
  const at = Number(index >> 3n);
  bytes[at] = value === 1 ? bytes[at]! | mask : bytes[at]! & ~mask;
  return bytesToHex(bytes);
}

function bitCount(hex: string): bigint {
  let count = 0;
  for (let byte of hexToBytes(hex)) for (; byte !== 0; byte &= byte - 1) count++;
  return BigInt(count);
}

// ---- text encodings ---------------------------------------------------------------------------------------------

function unknownEncoding(name: string) {
  return scalarError("invalid_argument", `unrecognized encoding: "${name}"`);
}

function encode(hex: string, format: string): string {
  switch (format.toLowerCase()) {
    case "hex":
      return hex.slice(2);
    case "base64":
      return base64(hexToBytes(hex));
    case "escape":
      return escaped(hexToBytes(hex));
    default:
      return fail(unknownEncoding(format), "");
  }
}

/** Lines of 76 characters, as MIME wants them. */
function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes)
    .toString("base64")
    .replace(/.{76}(?=.)/g, "$&\n");
}

function escaped(bytes: Uint8Array): string {
  let out = "";
  for (const byte of bytes) {
    if (byte === 0x5c) out += "\\\\";
    else if (byte === 0 || byte >= 0x80) out += `\\${byte.toString(8).padStart(3, "0")}`;
    else out += String.fromCharCode(byte);
  }
  return out;
}

function decode(text: string, format: string): string {
  switch (format.toLowerCase()) {
    case "hex":
      return decodeHex(text);
    case "base64":
      return decodeBase64(text);
    case "escape":
      return decodeEscape(text);
    default:
      return fail(unknownEncoding(format), EMPTY);
  }
}

function decodeHex(text: string): string {
  const packed = text.replace(/[ \n\t\r]/g, "").toLowerCase();
  const bad = /[^0-9a-f]/u.exec(packed);
  if (bad !== null) {
    const said = /[^0-9a-f \n\t\r]/iu.exec(text)![0];
    return fail(scalarError("invalid_argument", `invalid hexadecimal digit: "${said}"`), EMPTY);
  }
  if (packed.length % 2 === 1) {
    return fail(scalarError("invalid_argument", "invalid hexadecimal data: odd number of digits"), EMPTY);
  }
  return EMPTY + packed;
}

function decodeBase64(text: string): string {
  const packed = text.replace(/[ \n\t\r]/g, "");
  const bad = /[^A-Za-z0-9+/=]/u.exec(packed);
  if (bad !== null) {
    const message = `invalid symbol "${bad[0]}" found while decoding base64 sequence`;
    return fail(scalarError("invalid_argument", message), EMPTY);
  }
  const end = packed.indexOf("=");
  if (end >= 0 && (end % 4 < 2 || !/^=+$/.test(packed.slice(end)))) {
    return fail(scalarError("invalid_argument", 'unexpected "=" while decoding base64 sequence'), EMPTY);
  }
  if (packed.length % 4 !== 0) {
    const hint = "Input data is missing padding, is truncated, or is otherwise corrupted.";
    return fail(scalarError("invalid_argument", "invalid base64 end sequence", { hint }), EMPTY);
  }
  return bytesToHex(Buffer.from(packed, "base64"));
}

function decodeEscape(text: string): string {
  const bytes: number[] = [];
  for (const part of text.match(/\\\\|\\[0-3][0-7]{2}|[^\\]+|\\/g) ?? []) {
    if (part === "\\") {
      return fail(scalarError("invalid_text_representation", "invalid input syntax for type bytea"), EMPTY);
    }
    if (part === "\\\\") bytes.push(0x5c);
    else if (part.startsWith("\\")) bytes.push(Number.parseInt(part.slice(1), 8));
    else for (const byte of encoder.encode(part)) bytes.push(byte);
  }
  return bytesToHex(Uint8Array.from(bytes));
}

/** Names of character sets are compared without case and punctuation. */
function characterSet(name: string): "utf8" | "latin1" | undefined {
  const plain = name.toLowerCase().replace(/[^a-z0-9]/g, "");
  if (plain === "utf8" || plain === "unicode") return "utf8";
  return plain === "latin1" || plain === "iso88591" ? "latin1" : undefined;
}

/** The bytes of the first sequence that is no UTF-8 (or no character PostgreSQL has), as its message says them. */
function badUtf8(bytes: Uint8Array): string | undefined {
  for (let i = 0; i < bytes.length; ) {
    const lead = bytes[i]!;
    const size =
      lead === 0
        ? 0
        : lead < 0x80
          ? 1
          : lead < 0xc2
            ? 0
            : lead < 0xe0
              ? 2
              : lead < 0xf0
                ? 3
                : lead < 0xf5
                  ? 4
                  : 0;
    const second = bytes[i + 1] ?? 0;
    const low = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
    const high = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
    const right =
      size > 0 &&
      i + size <= bytes.length &&
      (size < 2 || (second >= low && second <= high)) &&
      bytes.subarray(i + 1, i + size).every((b) => (b & 0xc0) === 0x80);
    if (!right) {
      const said = lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf8 ? 4 : 1;
      return [...bytes.subarray(i, i + said)].map((b) => `0x${b.toString(16).padStart(2, "0")}`).join(" ");
    }
    i += size;
  }
  return undefined;
}

function convertFrom(hex: string, name: string): string {
  const set = characterSet(name);
  if (set === undefined) {
    return fail(scalarError("invalid_argument", `invalid source encoding name "${name}"`), "");
  }
  const bytes = hexToBytes(hex);
  const bad = set === "utf8" ? badUtf8(bytes) : bytes.includes(0) ? "0x00" : undefined;
  if (bad !== undefined) {
    const message = `invalid byte sequence for encoding "${set.toUpperCase()}": ${bad}`;
    return fail(scalarError("untranslatable_character", message, { sqlstate: "22021" }), "");
  }
  return set === "utf8" ? new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes) : latin1(hex);
}

function convertTo(text: string, name: string): string {
  const set = characterSet(name);
  if (set === undefined) {
    return fail(scalarError("invalid_argument", `invalid destination encoding name "${name}"`), EMPTY);
  }
  if (set === "utf8") return bytesToHex(encoder.encode(text));
  const foreign = /[^\0-\xff]/u.exec(text);
  if (foreign === null) return bytesToHex(Uint8Array.from(text, (c) => c.charCodeAt(0)));
  const bytes = [...encoder.encode(foreign[0])].map((b) => `0x${b.toString(16).padStart(2, "0")}`).join(" ");
  const message = `character with byte sequence ${bytes} in encoding "UTF8" has no equivalent in encoding "LATIN1"`;
  return fail(scalarError("untranslatable_character", message), EMPTY);
}

// ---- digests ----------------------------------------------------------------------------------------------------

function digest(algorithm: string): (hex: string) => string {
  return (hex) => EMPTY + createHash(algorithm).update(hexToBytes(hex)).digest("hex");
}

export function md5OfText(text: string): string {
  return createHash("md5").update(text, "utf8").digest("hex");
}

export const byteLibrary = {
  bytea_concat: concat,
  bytea_like: (a: string, b: string) => like(latin1(a), latin1(b)),
  bytea_not_like: (a: string, b: string) => !like(latin1(a), latin1(b)),
  bytea_length: lengthOf,
  bytea_octet_length: lengthOf,
  bytea_bit_length: (hex: string) => lengthOf(hex) * 8,
  bytea_bit_count: bitCount,
  bytea_substring: substring,
  bytea_substring_for: substringFor,
  bytea_position: position,
  bytea_overlay: (hex: string, by: string, start: number) => overlay(hex, by, start, lengthOf(by)),
  bytea_overlay_for: overlay,
  bytea_btrim: (hex: string, set: string) => trim(hex, set, true, true),
  bytea_ltrim: (hex: string, set: string) => trim(hex, set, true, false),
  bytea_rtrim: (hex: string, set: string) => trim(hex, set, false, true),
  bytea_get_byte: getByte,
  bytea_set_byte: setByte,
  bytea_get_bit: getBit,
  bytea_set_bit: setBit,
  bytea_encode: encode,
  bytea_decode: decode,
  bytea_convert_from: convertFrom,
  bytea_convert_to: convertTo,
  bytea_md5: (hex: string) => createHash("md5").update(hexToBytes(hex)).digest("hex"),
  bytea_sha224: digest("sha224"),
  bytea_sha256: digest("sha256"),
  bytea_sha384: digest("sha384"),
  bytea_sha512: digest("sha512"),
};
