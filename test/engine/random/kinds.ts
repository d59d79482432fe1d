/**
 * The types that random tables are made of, with few values of each, so that rows meet.
 *
 * Values that are equal look the same (no 1.0 beside 1.00, no -0, no '1 month' beside '30 days'): which one of them a group shows is
 * left to the order of rows. Where an expression may make such values, `keyed` puts them in one form before they become a key. Floats are
 * sums of few powers of two, so that no order of adding them matters.
 */
import type { SeededRandom } from "../../../src/testing/seeded-random.ts";

const literals = {
  int2: ["0", "1", "-2", "7", "3"],
  int4: ["0", "1", "2", "3", "-1", "5", "1000"],
  int8: ["0", "1", "2", "-3", "9007199254740993"],
  float8: ["0", "0.5", "1", "-2.25", "100", "NaN", "1048576.125"],
  price: ["0.00", "1.00", "2.50", "-3.75", "99.99"],
  numeric: ["0", "1", "1.5", "-2.25", "0.125", "12345678901234567890.5"],
  bool: ["true", "false"],
  text: ["a", "b", "", "B", "ab", "ä", "😀", "o''x", "a%_", "12"],
  varchar: ["a", "b", "ab ", "x"],
  timestamptz: [
    "2024-01-01 00:00:00+00",
    "2024-01-01 00:30:00+00",
    "2024-02-29 12:00:00.123456+00",
    "1999-12-31 23:59:59.999999+00",
  ],
  timestamp: ["2024-01-01 00:00:00", "2024-03-31 02:30:00", "0044-03-15 12:00:00 BC"],
  date: ["2024-01-01", "2024-02-29", "1999-12-31", "0044-03-15 BC"],
  interval: ["1 day", "02:00:00", "-00:30:00", "1 year 2 mons", "0"],
  jsonb: ["null", "1", "true", '"a"', "[1, 2, null]", '{"a": 1, "b": [2, "x"]}', "{}", "[]"],
  ints: ["{}", "{1,2}", "{1,NULL,3}", "{5}"],
  texts: ["{}", "{a,b}", '{"",NULL}'],
  bytea: ["\\x", "\\x00ff", "\\x61"],
  uuid: ["00000000-0000-0000-0000-000000000001", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"],
} as const;

export type Kind = keyof typeof literals;

/** What a column may hold: a kind, or floats of which the last digits are open. Nothing is computed of those. */
export type ColumnKind = Kind | "approx";

export const kinds = Object.keys(literals) as readonly Kind[];

const often: readonly Kind[] = [
  "int4",
  "int4",
  "int4",
  "text",
  "text",
  "int8",
  "numeric",
  "float8",
  "bool",
  "timestamptz",
];

export function typeName(kind: ColumnKind): string {
  switch (kind) {
    case "price":
      return "numeric(10,2)";
    case "varchar":
      return "varchar(4)";
    case "ints":
      return "int4[]";
    case "texts":
      return "text[]";
    case "approx":
      return "float8";
    default:
      return kind;
  }
}

export function pick<T>(random: SeededRandom, options: readonly T[]): T {
  return options[random.below(options.length)] as T;
}

export function someKind(random: SeededRandom): Kind {
  return pick(random, random.oneIn(3) ? kinds : often);
}

/** In SQL, with its type. */
export function literal(random: SeededRandom, kind: Kind): string {
  return `'${pick<string>(random, literals[kind])}'::${typeName(kind)}`;
}

export function simplest(kind: ColumnKind): string {
  return kind === "approx" ? "0::float8" : `'${literals[kind][0]}'::${typeName(kind)}`;
}

/** One form for all values that are equal. */
export function keyed(kind: Kind, sql: string): string {
  if (kind === "numeric") return `trim_scale(${sql})`;
  return kind === "float8" ? `(${sql} + 0::float8)` : sql;
}
