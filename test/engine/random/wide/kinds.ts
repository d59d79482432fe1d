/**
 * The types of wide cases, with values from their ends: the least and the greatest, infinities, years before Christ, nested arrays, a
 * label, a domain. As in ../kinds.ts, values that are equal look the same.
 */
import type { SeededRandom } from "../../../../src/testing/seeded-random.ts";
import { pick } from "../kinds.ts";

const literals = {
  int2: ["0", "1", "-2", "32767", "-32768"],
  int4: ["0", "1", "2", "-1", "2147483647", "-2147483648"],
  int8: ["0", "1", "-3", "9007199254740993", "9223372036854775807", "-9223372036854775808"],
  float4: ["0", "1.5", "-2.25", "NaN", "Infinity", "-Infinity", "1e30"],
  float8: ["0", "0.5", "-2.25", "NaN", "Infinity", "-Infinity", "1e300", "1048576.125"],
  numeric: ["0", "1", "1.5", "-2.25", "NaN", "Infinity", "-Infinity", "12345678901234567890.5", "1e25"],
  bool: ["true", "false"],
  text: ["a", "b", "", "B", "ab", "ä", "😀", "12", "-1"],
  varchar: ["a", "ab ", "x"],
  bpchar: ["a", "ab", "x"],
  date: ["2024-01-01", "2024-02-29", "infinity", "-infinity", "0044-03-15 BC"],
  time: ["00:00:00", "24:00:00", "12:34:56.789", "23:59:59.999999"],
  timestamp: [
    "2024-01-01 00:00:00",
    "2024-03-31 02:30:00",
    "infinity",
    "-infinity",
    "0044-03-15 12:00:00 BC",
  ],
  timestamptz: [
    "2024-01-01 00:00:00+00",
    "2024-03-31 01:30:00+00",
    "infinity",
    "-infinity",
    "1999-12-31 23:59:59.999999+00",
  ],
  interval: ["0", "1 day", "02:00:00", "-00:30:00", "1 year 2 mons", "infinity", "-infinity"],
  jsonb: ["null", "1", '"a"', "[1, 2, null]", '{"a": 1, "b": [2, "x"]}', "{}", "[]", "true"],
  ints: ["{}", "{1,2}", "{1,NULL,3}", "{{1,2},{3,4}}", "{5}"],
  texts: ["{}", "{a,b}", '{"",NULL}'],
  floats: ["{}", "{NaN,1}", "{0.5,-1}"],
  bytea: ["\\x", "\\x00ff", "\\x61"],
  uuid: ["00000000-0000-0000-0000-000000000001", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"],
  mood: ["sad", "ok", "happy"],
  pos: ["1", "7", "2147483647"],
} as const;

export type WideKind = keyof typeof literals;

/**
 * What a term may be: a kind; floats of which the last digits are open; or "shown", whose equal values may have several texts (json,
 * numeric of any scale): nothing is computed of it, and it is no key.
 */
export type TermKind = WideKind | "approx" | "shown";

export const wideKinds = Object.keys(literals) as readonly WideKind[];
export const ints: readonly WideKind[] = ["int2", "int4", "int8"];
export const numbers: readonly WideKind[] = [...ints, "float4", "float8", "numeric"];
export const arrays: readonly WideKind[] = ["ints", "texts", "floats"];
/** Of these PostgreSQL has neither min nor max. */
export const withoutMin: readonly WideKind[] = ["bool", "jsonb", "uuid"];

export const definitions: readonly { readonly name: string; readonly sql: string }[] = [
  { name: "mood", sql: "CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy')" },
  { name: "pos", sql: "CREATE DOMAIN pos AS int CHECK (value > 0)" },
];

export function isWide(kind: TermKind): kind is WideKind {
  return kind !== "approx" && kind !== "shown";
}

export function wideTypeName(kind: WideKind): string {
  switch (kind) {
    case "varchar":
      return "varchar(4)";
    case "bpchar":
      return "char(3)";
    case "ints":
      return "int4[]";
    case "texts":
      return "text[]";
    case "floats":
      return "float8[]";
    default:
      return kind;
  }
}

/** In SQL, with its type. */
export function wideLiteral(random: SeededRandom, kind: WideKind): string {
  return `'${pick<string>(random, literals[kind])}'::${wideTypeName(kind)}`;
}
