/** The tables that mutants are about: those of the other tests and of docs/SQL.md, and one with a column of each type; with rows at the ends of these types, and random changes. */
import type { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { standardHistory, standardTables } from "../support/standard-tables.ts";

/** In the order in which they can be made. */
export const definitions: readonly string[] = [
  ...standardTables,
  "CREATE TABLE s (k int, at timestamptz) WITH (append_only)",
  "CREATE TABLE a (k int PRIMARY KEY, n int DEFAULT 5, s text DEFAULT 'none')",
  "CREATE TABLE b (n int, t text)",
  "CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy')",
  `CREATE TABLE w (k int PRIMARY KEY, i2 int2, i8 int8, n numeric, n2 numeric(10,2), f4 float4, f8 float8, x text, v varchar(5), p char(3), g bool, da date, ti time,
   ts timestamp, tz timestamptz, iv interval, id uuid, y bytea, j jsonb, js json, ai int[], ax text[], m mood)`,
];

export const tableNames = ["t", "u", "n", "p", "e", "s", "a", "b", "w"];

export function forPostgres(definition: string): string {
  return definition.replace(" WITH (append_only)", "");
}

const valuesOf: Readonly<Record<string, readonly string[]>> = {
  i2: ["0", "1", "-1", "32767", "-32768"],
  i8: ["0", "1", "2", "-1", "9007199254740993", "9223372036854775807", "-9223372036854775808"],
  n: [
    "0",
    "1",
    "1.0",
    "1.50",
    "-2.5",
    "1e20",
    "0.000001",
    "'NaN'",
    "'Infinity'",
    "'-Infinity'",
    "12345678901234567890.123",
  ],
  n2: ["0", "1", "1.5", "-2.25", "99999999.99", "0.01"],
  f4: ["0", "'-0'", "1.5", "0.1", "3.4e38", "'NaN'", "'Infinity'", "1e-45"],
  f8: ["0", "'-0'", "1.5", "0.1", "1e308", "'NaN'", "'-Infinity'", "5e-324", "1e15"],
  x: [
    "''",
    "'a'",
    "'A'",
    "'ab c'",
    "'é'",
    "'\u{1F600}'",
    "' a '",
    "'1'",
    "'NULL'",
    "'%'",
    `'{"a": 1}'`,
    "E'a\\nb'",
    "'2024-01-01'",
  ],
  v: ["''", "'a'", "'abcde'", "'a  '"],
  p: ["''", "'a'", "'abc'", "'a  '"],
  g: ["true", "false"],
  da: [
    "'2024-02-29'",
    "'infinity'",
    "'-infinity'",
    "'0044-03-15 BC'",
    "'4714-11-24 BC'",
    "'5874897-12-31'",
    "'1970-01-01'",
  ],
  ti: ["'00:00'", "'24:00'", "'12:34:56.789012'"],
  ts: [
    "'2024-02-29 12:00'",
    "'infinity'",
    "'-infinity'",
    "'0001-01-01 00:00:00 BC'",
    "'1969-12-31 23:59:59.999999'",
    "'4714-11-24 00:00 BC'",
  ],
  tz: [
    "'2024-02-29 12:00Z'",
    "'infinity'",
    "'-infinity'",
    "'2024-01-01 00:00+05:30'",
    "'0044-03-15 00:00Z BC'",
    "'1970-01-01Z'",
  ],
  iv: [
    "'0'",
    "'1 mon'",
    "'30 days'",
    "'-1 year 2 days 03:04:05.000006'",
    "'infinity'",
    "'-infinity'",
    "'178000000 years'",
    "'24:00'",
  ],
  id: [
    "'00000000-0000-0000-0000-000000000000'",
    "'ffffffff-ffff-ffff-ffff-ffffffffffff'",
    "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'",
  ],
  y: ["'\\x'", "'\\x00'", "'\\x00ff'", "'abc'"],
  j: [
    "'null'",
    "'{}'",
    "'[]'",
    "'1'",
    "'1.0'",
    `'"a"'`,
    `'{"a": [1, {"b": null}], "": 1e400}'`,
    `'[1, "a", null, [true]]'`,
  ],
  js: ["'null'", "'{}'", `'{"a": 1,  "a": 2}'`, "'[1, 2.0, \"x\"]'"],
  ai: ["'{}'", "'{1,2,3}'", "'{NULL}'", "'{{1,2},{3,4}}'", "'[5:6]={1,2}'"],
  ax: ["'{}'", "'{a,b}'", `'{"", NULL, "a b"}'`],
  m: ["'sad'", "'ok'", "'happy'"],
};
const wideColumns = Object.keys(valuesOf);

function pick<T>(random: SeededRandom, from: readonly T[]): T {
  return from[random.below(from.length)]!;
}

function cell(random: SeededRandom, column: string): string {
  return random.oneIn(5) ? "NULL" : pick(random, valuesOf[column]!);
}

/** The first rows of all tables; each a statement. */
export function filling(random: SeededRandom): string[] {
  const rows = Array.from(
    { length: 5 },
    (_, k) => `(${[k + 1, ...wideColumns.map((c) => cell(random, c))].join(", ")})`,
  );
  return [
    ...standardHistory(random, 1).flat(),
    "INSERT INTO s VALUES (1, '2024-01-01 00:00Z'), (2, '2024-01-01 00:30Z'), (1, '2024-01-01 02:00Z'), (NULL, NULL)",
    "INSERT INTO a VALUES (1, 10, 'x'), (2, 20, 'y'), (3, 30, 'z'), (4, NULL, 'x')",
    "INSERT INTO b VALUES (1, 'x'), (2, 'q'), (7, 'z'), (NULL, 'n')",
    `INSERT INTO w VALUES ${rows.join(", ")}`,
  ];
}

/** Small commits, each a list of statements. */
export function changes(random: SeededRandom, count: number): string[][] {
  // The first of a history fills the tables, and they are filled.
  const standard = standardHistory(random, count + 1).slice(1);
  return standard.map((statements) =>
    random.oneIn(2) ? statements : [wide(random), ...(random.oneIn(3) ? statements : [])],
  );
}

function wide(random: SeededRandom): string {
  const column = pick(random, wideColumns);
  const key = 1 + random.below(7);
  switch (random.below(7)) {
    case 0:
      return `DELETE FROM w WHERE k = ${key}`;
    case 1:
      return `INSERT INTO s VALUES (${key}, ${pick(random, valuesOf["tz"]!)})`;
    case 2:
      return `INSERT INTO b VALUES (${key}, ${cell(random, "x")})`;
    case 3: {
      const row = [key, ...wideColumns.map((c) => cell(random, c))].join(", ");
      return `INSERT INTO w VALUES (${row}) ON CONFLICT (k) DO UPDATE SET x = excluded.x, f8 = excluded.f8, j = excluded.j, n = excluded.n`;
    }
    case 4:
      return `UPDATE a SET n = ${random.below(4)} WHERE k = ${key}`;
    default:
      return `UPDATE w SET ${column} = ${cell(random, column)} WHERE k ${pick(random, ["=", "<", ">="])} ${key}`;
  }
}
