/** Random commits: the same change as SQL for PostgreSQL and as SQL or a call for Evert. */
import type { Operation } from "../../../src/engine/api.ts";
import { type Base, type Column, makeValue, type Value } from "./grammar.ts";
import type { Tape } from "./tape.ts";

export type Commit =
  | { readonly via: "sql" | "statements"; readonly postgres: readonly string[]; readonly sql: string }
  | {
      readonly via: "append";
      readonly postgres: readonly string[];
      readonly topic: string;
      readonly rows: readonly Record<string, unknown>[];
    }
  | {
      readonly via: "delete";
      readonly postgres: readonly string[];
      readonly topic: string;
      readonly key: unknown;
    }
  | {
      readonly via: "transact";
      readonly postgres: readonly string[];
      readonly operations: readonly Operation[];
    };

type Row = ReadonlyMap<string, Value>;

export function makeCommit(tape: Tape, bases: readonly Base[]): Commit {
  const base = tape.pick(bases);
  if (tape.oneIn(6)) return transact(tape, bases);
  if (tape.oneIn(12)) return statements(tape, bases);
  if (tape.oneIn(12)) return insertSelect(tape, base, tape.pick(bases));
  const table = [append, insert, update, remove, upsert, removeKey];
  return tape.pick(base.kind === "stream" ? [append, insert] : table)(tape, base);
}

/** Told to people. */
export function commitText(commit: Commit): string {
  const [how, said] = ((): [string, string] => {
    switch (commit.via) {
      case "sql":
      case "statements":
        return ["sql", commit.sql];
      case "append":
        return ["append", `${commit.topic} ${show(commit.rows)}`];
      case "delete":
        return ["delete", `${commit.topic} ${show(commit.key)}`];
      case "transact":
        return ["transact", show(commit.operations)];
    }
  })();
  return `${how}: ${said}`;
}

function show(value: unknown): string {
  return JSON.stringify(value, (_, v) => (typeof v === "bigint" ? `${v}n` : Number.isNaN(v) ? "NaN" : v));
}

function makeRow(tape: Tape, base: Base): Row {
  return new Map(base.columns.map((c) => [c.name, cell(tape, base, c)]));
}

function cell(tape: Tape, base: Base, column: Column): Value {
  return makeValue(tape, column.kind, base.nullable.has(column.name));
}

function makeRows(tape: Tape, base: Base): Row[] {
  return Array.from({ length: 1 + tape.below(5) }, () => makeRow(tape, base));
}

function names(base: Base): string {
  return base.columns.map((c) => c.name).join(", ");
}

function tuple(row: Row): string {
  return `(${[...row.values()].map((v) => v.sql).join(", ")})`;
}

function plainRow(row: Row): Record<string, unknown> {
  return Object.fromEntries([...row].map(([name, v]) => [name, v.js]));
}

/** An append replaces the row with its key, one after the other. */
function upserts(base: Base, rows: readonly Row[]): string[] {
  const conflict =
    base.key === null
      ? ""
      : ` ON CONFLICT (${base.key.join(", ")}) DO UPDATE SET ${base.columns.map((c) => `${c.name} = excluded.${c.name}`).join(", ")}`;
  return rows.map((row) => `INSERT INTO ${base.name} (${names(base)}) VALUES ${tuple(row)}${conflict}`);
}

function append(tape: Tape, base: Base): Commit {
  const rows = makeRows(tape, base);
  return { via: "append", postgres: upserts(base, rows), topic: base.name, rows: rows.map(plainRow) };
}

function insert(tape: Tape, base: Base): Commit {
  const rows = makeRows(tape, base);
  return statement(`INSERT INTO ${base.name} (${names(base)}) VALUES ${rows.map(tuple).join(", ")}`);
}

function statement(sql: string): Commit {
  return { via: "sql", postgres: [sql], sql };
}

function upsert(tape: Tape, base: Base): Commit {
  if (base.key === null) return insert(tape, base);
  const others = base.columns.filter((c) => !base.key?.includes(c.name));
  const action = tape.pick([
    () => "DO NOTHING",
    () => `DO UPDATE SET ${others.map((c) => `${c.name} = excluded.${c.name}`).join(", ")}`,
    () => {
      const column = tape.pick(others);
      return `DO UPDATE SET ${column.name} = ${cell(tape, base, column).sql} WHERE ${base.name}.k < excluded.k + 1`;
    },
  ])();
  const rows = makeRows(tape, base);
  return statement(
    `INSERT INTO ${base.name} (${names(base)}) VALUES ${rows.map(tuple).join(", ")} ON CONFLICT (${base.key.join(", ")}) ${action}`,
  );
}

/** Often one row, sometimes many. */
function predicate(tape: Tape, base: Base): string {
  const column = tape.pick(base.columns);
  const { sql } = makeValue(tape, column.kind, false);
  return `${column.name} ${tape.pick(["=", "<=", ">", "IS DISTINCT FROM"])} ${sql}`;
}

function update(tape: Tape, base: Base): Commit {
  const free = base.columns.filter((c) => !base.key?.includes(c.name));
  const column = tape.pick(free);
  let value = cell(tape, base, column).sql;
  if (column.kind === "int4" && tape.below(2) === 1) value = `(${column.name} + k) % 1000`;
  return statement(`UPDATE ${base.name} SET ${column.name} = ${value} WHERE ${predicate(tape, base)}`);
}

function remove(tape: Tape, base: Base): Commit {
  return statement(`DELETE FROM ${base.name} WHERE ${predicate(tape, base)}`);
}

/** Rows of one table into another, made to fit. */
function insertSelect(tape: Tape, into: Base, from: Base): Commit {
  const taken = into.columns.map((column) => {
    const same = from.columns.filter(
      (c) => c.kind === column.kind && (into.nullable.has(column.name) || !from.nullable.has(c.name)),
    );
    if (column.name === "k") return `s.k + ${10 * (1 + tape.below(3))}`;
    return same.length > 0 ? `s.${tape.pick(same).name}` : cell(tape, into, column).sql;
  });
  const rows = `SELECT ${taken.join(", ")} FROM ${from.name} s WHERE s.k < 3`;
  const conflict = into.key === null ? "" : " ON CONFLICT DO NOTHING";
  return statement(`INSERT INTO ${into.name} (${names(into)}) ${rows}${conflict}`);
}

/** Several statements in one transaction, each seeing what those before it did. */
function statements(tape: Tape, bases: readonly Base[]): Commit {
  const postgres: string[] = [];
  for (let i = 1 + tape.below(4); i > 0; i--) {
    const base = tape.pick(bases);
    const make = tape.pick(base.kind === "stream" ? [insert] : [insert, upsert, update, remove]);
    postgres.push(...make(tape, base).postgres);
  }
  return { via: "statements", postgres, sql: ["BEGIN", ...postgres, "COMMIT"].join("; ") };
}

interface KeyOf {
  readonly sql: string;
  readonly js: unknown;
}

function makeKey(tape: Tape, base: Base): KeyOf {
  const key = base.key as readonly string[];
  const values = key.map((name) =>
    makeValue(tape, (base.columns.find((c) => c.name === name) as Column).kind, false),
  );
  return {
    sql: key.map((name, i) => `${name} = ${(values[i] as Value).sql}`).join(" AND "),
    js: values.length === 1 ? values[0]?.js : values.map((v) => v.js),
  };
}

function removeKey(tape: Tape, base: Base): Commit {
  if (base.key === null) return remove(tape, base);
  const key = makeKey(tape, base);
  return {
    via: "delete",
    postgres: [`DELETE FROM ${base.name} WHERE ${key.sql}`],
    topic: base.name,
    key: key.js,
  };
}

function transact(tape: Tape, bases: readonly Base[]): Commit {
  const operations: Operation[] = [];
  const postgres: string[] = [];
  for (let i = 1 + tape.below(4); i > 0; i--) {
    const base = tape.pick(bases);
    if (base.key !== null && tape.oneIn(3)) {
      const key = makeKey(tape, base);
      operations.push({ topic: base.name, delete: [key.js] });
      postgres.push(`DELETE FROM ${base.name} WHERE ${key.sql}`);
      continue;
    }
    const rows = makeRows(tape, base);
    operations.push({ topic: base.name, append: rows.map(plainRow) });
    postgres.push(...upserts(base, rows));
  }
  return { via: "transact", postgres, operations };
}
