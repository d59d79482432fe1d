/** Operators and functions of bytea. */
import { bool, bytea, int4, int8, text } from "../../batch/types.ts";
import { type Entry, F, fn, operator } from "./entry.ts";

export const byteFunctions = {
  bytea_concat: operator("||", [bytea, bytea], bytea, F),
  bytea_like: operator("~~", [bytea, bytea], bool, F),
  bytea_not_like: operator("!~~", [bytea, bytea], bool, F),
  bytea_length: fn("length", [bytea], int4),
  bytea_octet_length: fn("octet_length", [bytea], int4),
  bytea_bit_length: fn("bit_length", [bytea], int4),
  bytea_bit_count: fn("bit_count", [bytea], int8),
  bytea_substring: fn("substring substr", [bytea, int4], bytea),
  bytea_substring_for: fn("substring substr", [bytea, int4, int4], bytea, F),
  bytea_position: fn("position", [bytea, bytea], int4),
  bytea_overlay: fn("overlay", [bytea, bytea, int4], bytea, F),
  bytea_overlay_for: fn("overlay", [bytea, bytea, int4, int4], bytea, F),
  bytea_btrim: fn("btrim", [bytea, bytea], bytea),
  bytea_ltrim: fn("ltrim", [bytea, bytea], bytea),
  bytea_rtrim: fn("rtrim", [bytea, bytea], bytea),
  bytea_get_byte: fn("get_byte", [bytea, int4], int4, F),
  bytea_set_byte: fn("set_byte", [bytea, int4, int4], bytea, F),
  bytea_get_bit: fn("get_bit", [bytea, int8], int4, F),
  bytea_set_bit: fn("set_bit", [bytea, int8, int4], bytea, F),
  bytea_encode: fn("encode", [bytea, text], text, F),
  bytea_decode: fn("decode", [text, text], bytea, F),
  bytea_convert_from: fn("convert_from", [bytea, text], text, F),
  bytea_convert_to: fn("convert_to", [text, text], bytea, F),
  bytea_md5: fn("md5", [bytea], text),
  bytea_sha224: fn("sha224", [bytea], bytea),
  bytea_sha256: fn("sha256", [bytea], bytea),
  bytea_sha384: fn("sha384", [bytea], bytea),
  bytea_sha512: fn("sha512", [bytea], bytea),
} as const satisfies Record<string, Entry>;
