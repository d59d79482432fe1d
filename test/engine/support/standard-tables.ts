/** The tables that queries/*.sql are about, and random histories of them: few values, so that rows meet; nulls; keys that come back. */
import type { SeededRandom } from "../../../src/testing/seeded-random.ts";

/** t and u have a key, n has none, s only grows; p is a tree (parent) and e a graph. */
export const standardTables: readonly string[] = [
  `CREATE TABLE t (k int PRIMARY KEY, a int, b bigint, c text, d numeric, f float8, g bool, h timestamptz)`,
  `CREATE TABLE u (k int PRIMARY KEY, a int NOT NULL, b bigint, c text NOT NULL)`,
  `CREATE TABLE n (a int, c text, d numeric)`,
  `CREATE TABLE p (id int PRIMARY KEY, parent int, name text)`,
  `CREATE TABLE e (x int NOT NULL, y int NOT NULL, PRIMARY KEY (x, y))`,
];

interface Column {
  readonly name: string;
  readonly values: readonly string[];
}

interface Table {
  readonly name: string;
  readonly key: readonly string[];
  readonly columns: readonly Column[];
}

const ints = ["0", "1", "2", "3", "5"];
const orNull = (values: readonly string[]): string[] => [...values, "NULL"];
const texts = ["'a'", "'b'", "'B'", "'ab'", "''", "'é'"];
const numerics = ["0", "1.5", "1.50", "-2", "1e3"];
const bigints = ["0", "1", "2", "9007199254740993"];
const floats = ["0", "1.5", "-2.25", "0.1", "'NaN'"];
const times = ["'2024-01-01 00:00+00'", "'2024-01-01 00:30+00'", "'2024-02-29 12:00+00'"];

const tables: readonly Table[] = [
  {
    name: "t",
    key: ["k"],
    columns: [
      { name: "k", values: ["1", "2", "3", "4", "5", "6", "7", "8"] },
      { name: "a", values: orNull(ints) },
      { name: "b", values: orNull(bigints) },
      { name: "c", values: orNull(texts) },
      { name: "d", values: orNull(numerics) },
      { name: "f", values: orNull(floats) },
      { name: "g", values: orNull(["true", "false"]) },
      { name: "h", values: orNull(times) },
    ],
  },
  {
    name: "u",
    key: ["k"],
    columns: [
      { name: "k", values: ["1", "2", "3", "4", "5", "6"] },
      { name: "a", values: ints },
      { name: "b", values: orNull(bigints) },
      { name: "c", values: texts },
    ],
  },
  {
    name: "n",
    key: [],
    columns: [
      { name: "a", values: orNull(ints) },
      { name: "c", values: orNull(texts) },
      { name: "d", values: orNull(numerics) },
    ],
  },
  {
    name: "p",
    key: ["id"],
    columns: [
      { name: "id", values: ["1", "2", "3", "4", "5", "6", "7"] },
      { name: "parent", values: orNull(["1", "2", "3", "4", "5", "6", "7"]) },
      { name: "name", values: texts },
    ],
  },
  {
    name: "e",
    key: ["x", "y"],
    columns: [
      { name: "x", values: ["1", "2", "3", "4", "5"] },
      { name: "y", values: ["1", "2", "3", "4", "5"] },
    ],
  },
];

/** Transactions, each a list of statements that both PostgreSQL and Evert understand. */
export function standardHistory(random: SeededRandom, commits = 14): string[][] {
  return Array.from({ length: commits }, (_, i) =>
    Array.from({ length: i === 0 ? 5 : 1 + random.below(3) }, (_unused, j) =>
      statement(random, i === 0 ? tables[j]! : pick(random, tables), i === 0),
    ),
  );
}

function pick<T>(random: SeededRandom, items: readonly T[]): T {
  return items[random.below(items.length)]!;
}

function statement(random: SeededRandom, table: Table, first: boolean): string {
  const kind = first ? 0 : random.below(4);
  if (kind <= 1) return insert(random, table);
  const column = pick(random, table.columns);
  const where = `${column.name} ${pick(random, ["=", "=", "IS DISTINCT FROM", ">"])} ${pick(random, column.values)}`;
  const free = table.columns.filter((c) => !table.key.includes(c.name));
  if (kind === 2 || free.length === 0) return `DELETE FROM ${table.name} WHERE ${where}`;
  const set = pick(random, free);
  return `UPDATE ${table.name} SET ${set.name} = ${pick(random, set.values)} WHERE ${where}`;
}

function insert(random: SeededRandom, table: Table): string {
  const rows = Array.from({ length: 1 + random.below(5) }, () =>
    table.columns.map((c) => pick(random, c.values)),
  );
  const keyOf = (row: readonly string[]): string =>
    JSON.stringify(table.columns.flatMap((c, i) => (table.key.includes(c.name) ? [row[i]] : [])));
  // ON CONFLICT may not meet one row twice.
  const once = table.key.length === 0 ? rows : [...new Map(rows.map((row) => [keyOf(row), row])).values()];
  const others = table.columns.filter((c) => !table.key.includes(c.name));
  const action =
    others.length === 0
      ? "DO NOTHING"
      : `DO UPDATE SET ${others.map((c) => `${c.name} = excluded.${c.name}`).join(", ")}`;
  const conflict = table.key.length === 0 ? "" : ` ON CONFLICT (${table.key.join(", ")}) ${action}`;
  const names = table.columns.map((c) => c.name).join(", ");
  return `INSERT INTO ${table.name} (${names}) VALUES ${once.map((row) => `(${row.join(", ")})`).join(", ")}${conflict}`;
}
