/** Tables of wide cases, and what happens to them: UPDATE … FROM, DELETE … USING, TRUNCATE and conflicts beside the plain ones. */
import type { SeededRandom } from "../../../../src/testing/seeded-random.ts";
import { pick } from "../kinds.ts";
import type { Commit } from "../tables.ts";
import { type WideKind, wideKinds, wideLiteral, wideTypeName } from "./kinds.ts";
import type { WideTable } from "./terms.ts";

export function makeWideTable(random: SeededRandom, name: string): WideTable {
  // Every table has a key, a group and a text, so that any two of them can be joined.
  const columns: { name: string; kind: WideKind }[] = [
    { name: "k", kind: "int4" },
    { name: "g", kind: "int4" },
    { name: "x", kind: "text" },
  ];
  for (let i = 0, count = 2 + random.below(3); i < count; i++) {
    columns.push({ name: "abcd"[i] as string, kind: pick(random, wideKinds) });
  }
  return { name, columns, keyed: !random.oneIn(3), factors: 1 };
}

export function createWideTable({ name, columns, keyed }: WideTable): string {
  const parts = columns.map((c) => `${c.name} ${wideTypeName(c.kind)}${c.name === "k" ? " NOT NULL" : ""}`);
  if (keyed) parts.push("PRIMARY KEY (k)");
  return `CREATE TABLE ${name} (${parts.join(", ")})`;
}

export function makeWideCommit(random: SeededRandom, tables: readonly WideTable[]): Commit {
  const count = random.oneIn(2) ? 1 : 2 + random.below(4);
  const same = random.oneIn(2) ? pick(random, tables) : null;
  const statements = Array.from({ length: count }, () =>
    makeStatement(random, same ?? pick(random, tables), tables),
  );
  return { statements, end: random.oneIn(12) ? "ROLLBACK" : "COMMIT" };
}

function cell(random: SeededRandom, { name, kind }: WideTable["columns"][number]): string {
  if (name === "k") return String(random.below(9));
  if (random.oneIn(5)) return "NULL";
  if (name === "g") return String(random.below(4));
  if (name === "x") return `'${pick(random, ["a", "b", "", "B", "é"])}'`;
  return wideLiteral(random, kind);
}

export function insertWide(random: SeededRandom, table: WideTable, count: number, conflicts = true): string {
  const rows = Array.from({ length: count }, () => table.columns.map((c) => cell(random, c)));
  const different = table.keyed ? [...new Map(rows.map((row) => [row[0], row])).values()] : rows;
  const names = table.columns.map((c) => c.name).join(", ");
  const values = different.map((row) => `(${row.join(", ")})`).join(", ");
  const insert = `INSERT INTO ${table.name} (${names}) VALUES ${values}`;
  if (!table.keyed || !conflicts) return insert;
  const set = table.columns.slice(1).map((c) => `${c.name} = excluded.${c.name}`);
  const action = pick(random, [
    "DO NOTHING",
    `DO UPDATE SET ${set.join(", ")}`,
    `DO UPDATE SET ${set.join(", ")}`,
    `DO UPDATE SET g = coalesce(${table.name}.g, 0) + excluded.k WHERE ${table.name}.x IS DISTINCT FROM excluded.x`,
  ]);
  return `${insert} ON CONFLICT (k) ${action}`;
}

function where(random: SeededRandom, table: WideTable): string {
  if (random.oneIn(2)) return `k ${pick(random, ["=", "=", "<", ">="])} ${random.below(9)}`;
  const { name, kind } = pick(random, table.columns);
  if (random.oneIn(4)) return `${name} IS NULL`;
  const value = name === "k" || name === "g" ? String(random.below(5)) : wideLiteral(random, kind);
  return `${name} ${pick(random, ["=", "<=", ">", "IS DISTINCT FROM"])} ${value}`;
}

function makeStatement(random: SeededRandom, table: WideTable, tables: readonly WideTable[]): string {
  const { name, keyed } = table;
  // What is joined has a key: of two rows it would be open which one is taken.
  const withKeys = tables.filter((t) => t.keyed);
  const other = withKeys.length === 0 ? null : pick(random, withKeys).name;
  switch (random.below(14)) {
    case 0:
    case 1:
    case 2:
      return insertWide(random, table, 1 + random.below(4));
    case 3:
      return insertWide(random, table, 1, false);
    case 4:
    case 5: {
      const column = pick(random, table.columns.slice(1));
      return `UPDATE ${name} SET ${column.name} = ${cell(random, column)} WHERE ${where(random, table)}`;
    }
    case 6: {
      const x = pick(random, ["x || 'b'", "upper(x)", "NULL", "left(x, 1)"]);
      return `UPDATE ${name} SET g = (coalesce(g, 0) + k) % 4, x = ${x} WHERE ${where(random, table)}`;
    }
    case 7:
      if (!keyed) return `UPDATE ${name} SET k = k % 3 WHERE ${where(random, table)}`;
      return `UPDATE ${name} SET k = ${random.below(9)} WHERE k = ${random.below(9)}`;
    case 8:
    case 9:
      return `DELETE FROM ${name} WHERE ${where(random, table)}`;
    case 10:
      if (other === null) return insertWide(random, table, 2);
      return `UPDATE ${name} SET g = z.g FROM ${other} z WHERE z.k = ${name}.k AND z.k <> ${random.below(5)}`;
    case 11:
      if (other === null || other === name)
        return `DELETE FROM ${name} WHERE g IN (SELECT max(g) FROM ${name})`;
      return `DELETE FROM ${name} USING ${other} z WHERE z.k = ${name}.g AND z.x IS NOT NULL`;
    case 12: {
      if (random.oneIn(4)) return `TRUNCATE ${name}`;
      const count = `(SELECT count(*) FROM ${pick(random, tables).name}) % 5`;
      return `UPDATE ${name} SET g = ${count} WHERE ${where(random, table)}`;
    }
    default: {
      const series = `generate_series(${10 + random.below(30)}, ${30 + random.below(20)}) n`;
      const conflict = keyed ? " ON CONFLICT DO NOTHING" : "";
      return `INSERT INTO ${name} (k, g, x) SELECT n, n % 4, chr(97 + n % 3) FROM ${series}${conflict}`;
    }
  }
}
