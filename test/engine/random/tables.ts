/** Random tables: keyed by one column or two, keyless, streams. */
import type { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { type ColumnKind, type Kind, literal, pick, someKind, typeName } from "./kinds.ts";

export interface Relation {
  readonly name: string;
  readonly columns: readonly { readonly name: string; readonly kind: ColumnKind }[];
  /** How many tables multiply in it, at most. */
  readonly factors: number;
}

export interface Table extends Relation {
  readonly columns: readonly { readonly name: string; readonly kind: Kind; readonly nullable: boolean }[];
  readonly key: readonly string[];
  readonly stream: boolean;
}

const keyKinds: readonly Kind[] = [
  "text",
  "int8",
  "price",
  "timestamptz",
  "date",
  "uuid",
  "bool",
  "interval",
  "int2",
];

export function makeTable(random: SeededRandom, name: string): Table {
  const shape = pick(random, ["keyed", "keyed", "two keys", "keyless", "stream"] as const);
  const key = shape === "keyed" ? ["k"] : shape === "two keys" ? ["k", "l"] : [];
  const columns: Table["columns"][number][] = [{ name: "k", kind: "int4", nullable: false }];
  if (shape === "two keys") columns.push({ name: "l", kind: pick(random, keyKinds), nullable: false });
  for (let i = 2 + random.below(3); i > 0; i--) {
    const nullable = !random.oneIn(4);
    columns.push({ name: "abcde"[i] as string, kind: someKind(random), nullable });
  }
  return { name, columns, key, stream: shape === "stream", factors: 1 };
}

export function createTable(table: Table): string {
  const parts = table.columns.map((c) => `${c.name} ${typeName(c.kind)}${c.nullable ? "" : " NOT NULL"}`);
  if (table.key.length > 0) parts.push(`PRIMARY KEY (${table.key.join(", ")})`);
  return `CREATE TABLE ${table.name} (${parts.join(", ")})${table.stream ? " WITH (append_only)" : ""}`;
}

// ---- what happens to them ---------------------------------------------------------------------------------------

export interface Commit {
  readonly statements: readonly string[];
  readonly end: "COMMIT" | "ROLLBACK";
}

export function makeCommit(random: SeededRandom, tables: readonly Table[]): Commit {
  const statements: string[] = [];
  const count = random.oneIn(3) ? 2 + random.below(4) : 1;
  while (statements.length < count) {
    const table = pick(random, tables);
    statements.push(makeStatement(random, table, pick(random, tables)));
  }
  return { statements, end: random.oneIn(10) ? "ROLLBACK" : "COMMIT" };
}

function makeStatement(random: SeededRandom, table: Table, other: Table): string {
  if (random.oneIn(10)) return copyRows(random, table, other);
  if (table.stream) return insert(random, table);
  switch (random.below(9)) {
    case 0:
    case 1:
    case 2:
      return insert(random, table);
    case 3:
    case 4:
      return upsert(random, table);
    case 5:
    case 6:
      return update(random, table);
    default:
      return `DELETE FROM ${table.name} WHERE ${where(random, table)}`;
  }
}

function cell(random: SeededRandom, column: Table["columns"][number]): string {
  if (column.name === "k") return String(random.below(9));
  return column.nullable && random.oneIn(5) ? "NULL" : literal(random, column.kind);
}

function makeRows(random: SeededRandom, table: Table, count: number): string[][] {
  const rows = Array.from({ length: count }, () => table.columns.map((c) => cell(random, c)));
  if (table.key.length === 0) return rows;
  const keyOf = (row: readonly string[]): string =>
    table.columns.map((c, i) => (table.key.includes(c.name) ? row[i] : "")).join();
  return [...new Map(rows.map((row) => [keyOf(row), row])).values()];
}

function insertInto(table: Table, rows: readonly (readonly string[])[]): string {
  const names = table.columns.map((c) => c.name).join(", ");
  return `INSERT INTO ${table.name} (${names}) VALUES ${rows.map((row) => `(${row.join(", ")})`).join(", ")}`;
}

export function insert(random: SeededRandom, table: Table): string {
  // A keyed table has such a row already, more often than not: few at a time.
  const rows = makeRows(random, table, 1 + random.below(table.key.length > 0 ? 2 : 4));
  return insertInto(table, rows);
}

export function upsert(random: SeededRandom, table: Table): string {
  const rows = makeRows(random, table, 1 + random.below(5));
  if (table.key.length === 0) return insertInto(table, rows);
  const others = table.columns.filter((c) => !table.key.includes(c.name));
  const all = others.map((c) => `${c.name} = excluded.${c.name}`).join(", ");
  const one = pick(random, others);
  const action = pick(random, [
    "DO NOTHING",
    `DO UPDATE SET ${all}`,
    `DO UPDATE SET ${all}`,
    `DO UPDATE SET ${one.name} = ${cell(random, one)} WHERE ${table.name}.k < excluded.k + 1`,
  ]);
  return `${insertInto(table, rows)} ON CONFLICT (${table.key.join(", ")}) ${action}`;
}

function where(random: SeededRandom, table: Table): string {
  if (random.oneIn(2)) return `k ${pick(random, ["=", "=", ">", "<="])} ${random.below(9)}`;
  const column = pick(random, table.columns);
  if (random.oneIn(5)) return `${column.name} IS NULL`;
  return `${column.name} ${pick(random, ["=", "<=", ">", "IS DISTINCT FROM"])} ${literal(random, column.kind)}`;
}

function update(random: SeededRandom, table: Table): string {
  if (table.key.length > 0 && random.oneIn(6)) {
    return `UPDATE ${table.name} SET k = ${random.below(9)} WHERE k = ${random.below(9)}`;
  }
  const column = pick(
    random,
    table.columns.filter((c) => !table.key.includes(c.name)),
  );
  let value = cell(random, column);
  if (column.kind === "int4" && random.oneIn(2)) value = `(${column.name} + k) % 10`;
  else if (column.kind === "text" && random.oneIn(3)) value = `left(${column.name} || 'a', 3)`;
  return `UPDATE ${table.name} SET ${column.name} = ${value} WHERE ${where(random, table)}`;
}

/** Rows of one table into another, made to fit. */
function copyRows(random: SeededRandom, into: Table, from: Table): string {
  const taken = into.columns.map((column) => {
    const same = from.columns.filter((c) => c.kind === column.kind && (column.nullable || !c.nullable));
    if (column.name === "k") return "(s.k + 1) % 9";
    return same.length > 0 ? `s.${pick(random, same).name}` : cell(random, column);
  });
  const conflict = into.key.length === 0 ? "" : " ON CONFLICT DO NOTHING";
  // Equal keys would leave it to the order of rows which of them stays.
  const one = `s.k = ${random.below(9)}${from.key.length === 1 ? "" : " AND false"}`;
  const rows = into.key.length === 0 ? `s.k < 3` : one;
  return `INSERT INTO ${into.name} (${into.columns.map((c) => c.name).join(", ")}) SELECT ${taken.join(", ")} FROM ${from.name} s WHERE ${rows}${conflict}`;
}
