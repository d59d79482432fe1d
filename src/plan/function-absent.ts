/**
 * What PostgreSQL has and we do not yet. It takes part in resolution, so that a call PostgreSQL would resolve to it is refused (0A000) and
 * never answered by something else.
 */
import {
  bytea,
  float4,
  float8,
  int4,
  int8,
  interval,
  numeric,
  type SqlType,
  text,
  timestamp,
  timestamptz,
} from "../batch/types.ts";

/** Overloads PostgreSQL has beside ours: "name" or "op" -> argument types. */
export const absentOverloads: Readonly<Record<string, readonly (readonly SqlType[])[]>> = {
  reverse: [[bytea]],
  age: [[timestamp], [timestamptz]],
  to_char: [
    [interval, text],
    [numeric, text],
    [int4, text],
    [int8, text],
    [float4, text],
    [float8, text],
  ],
  to_timestamp: [[text, text]],
};

/** Functions PostgreSQL has and we do not yet: 0A000, not "does not exist". */
export const absentNames: ReadonlySet<string> = new Set(
  (
    "array_agg casefold clock_timestamp crc32 crc32c current_database current_schema current_setting date_add date_subtract erf erfc " +
    "gamma gen_random_uuid generate_series generate_subscripts jsonb_agg jsonb_array_elements jsonb_each jsonb_object_keys " +
    "jsonb_path_exists jsonb_path_query lgamma parse_ident pg_sleep pg_typeof random random_normal regexp_matches " +
    "regexp_split_to_table row_to_json setseed similar_escape string_to_table to_ascii to_date to_number unicode_assigned " +
    "unnest uuidv4 uuidv7 version xmlelement"
  ).split(" "),
);
