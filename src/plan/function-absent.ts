/**
 * What PostgreSQL has and we do not yet. It takes part in resolution, so that a call PostgreSQL would resolve to it is refused (0A000) and
 * never answered by something else.
 */
import {
  bpchar,
  bytea,
  date,
  float8,
  int2,
  int4,
  int8,
  interval,
  json,
  jsonb,
  type SqlType,
  text,
  time,
  timestamp,
  timestamptz,
} from "../batch/types.ts";
import { anyArray } from "./functions-of/entry.ts";

/** Overloads PostgreSQL has beside ours: "name" or "op" -> argument types. */
export const absentOverloads: Readonly<Record<string, readonly (readonly SqlType[])[]>> = {
  substring: [
    [text, text],
    [text, text, text],
    [bytea, int4],
    [bytea, int4, int4],
  ],
  substr: [
    [bytea, int4],
    [bytea, int4, int4],
  ],
  btrim: [[bytea, bytea]],
  ltrim: [[bytea, bytea]],
  rtrim: [[bytea, bytea]],
  position: [[bytea, bytea]],
  reverse: [[bytea]],
  length: [[bytea]],
  octet_length: [[bytea], [bpchar]],
  date_trunc: [
    [text, timestamptz, text],
    [text, timestamp],
    [text, interval],
  ],
  extract: [
    [text, date],
    [text, time],
    [text, timestamp],
    [text, interval],
  ],
  date_part: [
    [text, date],
    [text, time],
    [text, timestamp],
    [text, interval],
  ],
  to_timestamp: [[text, text]],
  "~": [[text, text], [bpchar, text], [int2], [int4], [int8]],
  "!~": [
    [text, text],
    [bpchar, text],
  ],
  "~*": [
    [text, text],
    [bpchar, text],
  ],
  "!~*": [
    [text, text],
    [bpchar, text],
  ],
  "~~": [
    [bpchar, text],
    [bytea, bytea],
  ],
  "!~~": [
    [bpchar, text],
    [bytea, bytea],
  ],
  "~~*": [[bpchar, text]],
  "!~~*": [[bpchar, text]],
  "-": [
    [jsonb, text],
    [jsonb, int4],
    [jsonb, anyArray],
  ],
  "&": [
    [int2, int2],
    [int4, int4],
    [int8, int8],
  ],
  "|": [
    [int2, int2],
    [int4, int4],
    [int8, int8],
  ],
  "#": [
    [int2, int2],
    [int4, int4],
    [int8, int8],
  ],
  "<<": [
    [int2, int4],
    [int4, int4],
    [int8, int4],
  ],
  ">>": [
    [int2, int4],
    [int4, int4],
    [int8, int4],
  ],
  "||/": [[float8]],
  "~>~": [[text, text]],
  "~<~": [[text, text]],
  "||": [
    [jsonb, jsonb],
    [bytea, bytea],
  ],
  "->": [
    [json, text],
    [json, int4],
    [jsonb, text],
    [jsonb, int4],
  ],
  "->>": [
    [json, text],
    [json, int4],
    [jsonb, text],
    [jsonb, int4],
  ],
  "#>": [
    [json, text],
    [jsonb, text],
  ],
  "#>>": [
    [json, text],
    [jsonb, text],
  ],
  "@>": [
    [jsonb, jsonb],
    [anyArray, anyArray],
  ],
  "<@": [
    [jsonb, jsonb],
    [anyArray, anyArray],
  ],
  "&&": [[anyArray, anyArray]],
  "?": [[jsonb, text]],
};

/** Functions PostgreSQL has and we do not yet: 0A000, not "does not exist". */
export const absentNames: ReadonlySet<string> = new Set(
  (
    "acos acosd acosh age array_agg array_append array_cat array_length array_position array_remove array_to_string ascii asin asind " +
    "asinh atan atan2 atan2d atand atanh bit_count bit_length casefold cbrt chr clock_timestamp convert_from convert_to cos cosd cosh cot " +
    "cotd crc32 crc32c current_database current_schema current_setting date_add date_bin date_subtract decode degrees div encode erf " +
    "erfc factorial format gamma gcd gen_random_uuid generate_series generate_subscripts get_bit get_byte isfinite json_build_array " +
    "json_build_object json_object jsonb_agg jsonb_array_elements jsonb_array_length jsonb_build_array jsonb_build_object jsonb_each " +
    "jsonb_extract_path jsonb_extract_path_text jsonb_object jsonb_object_keys jsonb_path_exists jsonb_path_query jsonb_pretty jsonb_set " +
    "jsonb_strip_nulls jsonb_typeof json_typeof justify_days justify_hours justify_interval lcm lgamma make_date make_interval make_time " +
    "make_timestamp make_timestamptz md5 min_scale normalize num_nonnulls num_nulls overlay parse_ident pg_sleep pg_typeof pi " +
    "quote_ident quote_literal quote_nullable radians random random_normal regexp_count regexp_instr regexp_like regexp_match " +
    "regexp_matches regexp_replace regexp_split_to_array regexp_split_to_table regexp_substr row_to_json scale set_bit set_byte setseed " +
    "sha224 sha256 sha384 sha512 similar_to_escape similar_escape sin sind sinh string_to_array string_to_table tan tand tanh timezone " +
    "to_ascii to_bin to_char to_date to_hex to_json to_jsonb to_number to_oct translate trim_array trim_scale unicode_assigned unistr " +
    "unnest uuidv4 uuidv7 version width_bucket xmlelement"
  ).split(" "),
);
