/**
 * Columns that change, against PostgreSQL: after each statement of a random history of definitions and changes, every table and every view holds
 * what PostgreSQL's do, and what PostgreSQL refuses is refused with its SQLSTATE. In between the database is closed and opened, with its checkpoint
 * or from the log alone, and segments are sealed.
 */
import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { StatementResult } from "../../src/engine/api.ts";
import type { Database } from "../../src/engine/database.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory } from "./support/memory.ts";
import { Postgres } from "./support/postgres.ts";

const runs = Number(process.env["EVERT_ORACLE_RUNS"] ?? 5);
const STATEMENTS = 24;

let postgres: Postgres;

beforeAll(async () => {
  postgres = await Postgres.open();
});

afterAll(async () => {
  await postgres.close();
});

const types = [
  "int2",
  "int4",
  "int8",
  "text",
  "varchar(6)",
  "numeric(8,2)",
  "numeric",
  "float8",
  "bool",
  "date",
  "timestamp",
];
const literals: Readonly<Record<string, readonly string[]>> = {
  int2: ["1", "-7"],
  int4: ["12", "70000"],
  int8: ["5", "9007199254740995"],
  text: ["'x'", "'schön'", "''"],
  "varchar(6)": ["'abc'", "'z'"],
  "numeric(8,2)": ["1.5", "-20"],
  numeric: ["1.50", "123456789012345678901"],
  float8: ["0.25", "-3"],
  bool: ["true", "false"],
  date: ["'2024-02-29'", "'infinity'"],
  timestamp: ["'2024-02-29 12:00:00.5'", "'-infinity'"],
};

/** Writes statements that mostly mean something: it knows the columns, as PostgreSQL has left them. */
class Author {
  readonly #random: SeededRandom;
  readonly tables = new Map<string, { name: string; type: string }[]>();
  readonly views: string[] = [];
  #named = 0;

  constructor(seed: number) {
    this.#random = new SeededRandom(seed);
  }

  #one<T>(of: readonly T[]): T {
    return of[this.#random.below(of.length)] as T;
  }

  #fresh(prefix: string): string {
    return `${prefix}${++this.#named}`;
  }

  #column(table: string): string {
    // Now and then one that is not there.
    return this.#random.below(12) === 0
      ? "nowhere"
      : this.#one(this.tables.get(table) ?? [{ name: "c", type: "" }]).name;
  }

  begin(): string[] {
    const made = [
      "CREATE TABLE k (id int PRIMARY KEY, a int4, b text NOT NULL, u int4 UNIQUE, CHECK (a < 1000000))",
      "CREATE TABLE h (a int2, b varchar(6), CHECK (a > -100))",
    ];
    return made;
  }

  statement(): string {
    const table = this.#one([...this.tables.keys()]);
    const columns = this.tables.get(table) ?? [];
    const kind = this.#random.below(20);
    if (kind < 5) return this.#insert(table, columns);
    if (kind < 7) return this.#update(table, columns);
    if (kind === 7) return `DELETE FROM ${table} WHERE ${this.#column(table)} IS NULL`;
    if (kind === 8) return this.#view(table, columns);
    if (kind === 9) return `CREATE INDEX ${this.#fresh("i")} ON ${table} (${this.#column(table)})`;
    if (kind === 10)
      return `ALTER TABLE ${table} RENAME COLUMN ${this.#column(table)} TO ${this.#one(["a", this.#fresh("c")])}`;
    if (kind === 11)
      return `ALTER TABLE ${table} RENAME TO ${this.#one([this.#fresh("t"), this.#one([...this.tables.keys()])])}`;
    const actions = Array.from({ length: 1 + this.#random.below(2) }, () => this.#action(table));
    return `ALTER TABLE ${table} ${actions.join(", ")}`;
  }

  #action(table: string): string {
    switch (this.#random.below(9)) {
      case 0:
      case 1:
      case 2: {
        const type = this.#one(types);
        const notNull = this.#random.below(3) === 0 ? " NOT NULL" : "";
        const fallback = this.#random.below(2) === 0 ? ` DEFAULT ${this.#one(literals[type]!)}` : "";
        const guard = this.#random.below(4) === 0 ? "IF NOT EXISTS " : "";
        const name = this.#random.below(6) === 0 ? this.#column(table) : this.#fresh("c");
        return `ADD COLUMN ${guard}${name} ${type}${notNull}${fallback}`;
      }
      case 3:
      case 4: {
        const column = this.#column(table);
        // Evert keeps keys.
        if (column === "id") return `ALTER COLUMN id DROP NOT NULL`;
        return `DROP COLUMN ${this.#one(["", "IF EXISTS "])}${column}${this.#one(["", " CASCADE"])}`;
      }
      case 5:
        return `ALTER COLUMN ${this.#column(table)} SET NOT NULL`;
      case 6:
        return `ALTER COLUMN ${this.#column(table)} DROP NOT NULL`;
      case 7: {
        const column = this.#one(this.tables.get(table) ?? [{ name: "nowhere", type: "int4" }]);
        const value = this.#one(literals[column.type] ?? ["NULL"]);
        return this.#one([
          `ALTER COLUMN ${column.name} SET DEFAULT ${value}`,
          `ALTER COLUMN ${column.name} DROP DEFAULT`,
        ]);
      }
      default: {
        const column = this.#one(this.tables.get(table) ?? [{ name: "nowhere", type: "int4" }]);
        const to = this.#one(wider[column.type] ?? [column.type]);
        return column.name === "id"
          ? `ALTER COLUMN id SET NOT NULL`
          : `ALTER COLUMN ${column.name} TYPE ${to}`;
      }
    }
  }

  #value(type: string): string {
    return this.#random.below(5) === 0 ? "NULL" : this.#one(literals[type] ?? ["NULL"]);
  }

  #insert(table: string, columns: readonly { name: string; type: string }[]): string {
    const given = columns.filter(({ name }) => name === "id" || this.#random.below(4) > 0);
    if (given.length === 0) return `INSERT INTO ${table} DEFAULT VALUES`;
    const row = (): string =>
      `(${given.map((c) => (c.name === "id" ? String(this.#random.below(30)) : c.name === "u" ? String(this.#random.below(50)) : this.#value(c.type))).join(", ")})`;
    const names = given.map((c) => c.name).join(", ");
    return `INSERT INTO ${table} (${names}) VALUES ${row()}`;
  }

  #update(table: string, columns: readonly { name: string; type: string }[]): string {
    const column = this.#one(columns.filter(({ name }) => name !== "id"));
    if (column === undefined) return `DELETE FROM ${table}`;
    return `UPDATE ${table} SET ${column.name} = ${this.#value(column.type)} WHERE ${this.#column(table)} IS NOT NULL`;
  }

  #view(table: string, columns: readonly { name: string; type: string }[]): string {
    const name = this.#fresh("v");
    const column = this.#one(columns)?.name ?? "c";
    const query = this.#one([
      `SELECT * FROM ${table}`,
      `SELECT ${column}, count(*) AS n FROM ${table} GROUP BY ${column}`,
      `SELECT x.${column} FROM ${table} x JOIN ${table} y ON x.${column} = y.${column}`,
      ...(this.views.length === 0 ? [] : [`SELECT count(*) AS n FROM ${this.#one(this.views)}`]),
    ]);
    return `CREATE ${this.#one(["MATERIALIZED ", "MATERIALIZED ", ""])}VIEW ${name} AS ${query}`;
  }
}

const wider: Readonly<Record<string, readonly string[]>> = {
  int2: ["int4", "int8", "numeric", "float8"],
  int4: ["int8", "numeric", "float8"],
  int8: ["numeric"],
  "varchar(6)": ["text", "varchar(9)", "varchar"],
  "numeric(8,2)": ["numeric(12,4)", "numeric(30,10)", "numeric"],
  date: ["timestamp"],
};

const names: Readonly<Record<string, string>> = {
  smallint: "int2",
  integer: "int4",
  bigint: "int8",
  "double precision": "float8",
  boolean: "bool",
  "timestamp without time zone": "timestamp",
};

class Both {
  #disk = new SimulatedDisk();
  db!: Database;

  async open(): Promise<void> {
    this.db = await openInMemory(this.#disk, { segmentBytes: 64 * 1024 });
    await this.db.built();
  }

  /** Closed, with its checkpoint or without, or killed. */
  async restart(how: "closed" | "without checkpoint" | "killed"): Promise<void> {
    if (how === "killed") this.#disk = this.#disk.reboot("process");
    else await this.db.close();
    if (how === "without checkpoint") await this.#disk.unlink("/data/checkpoint/manifest");
    await this.open();
  }

  async learn(author: Author): Promise<void> {
    author.tables.clear();
    author.views.splice(0);
    const { rows } = await postgres.query(
      "SELECT c.relname, c.relkind, a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid " +
        "WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v', 'm') AND a.attnum > 0 AND NOT a.attisdropped ORDER BY 1, a.attnum",
    );
    for (const [relation, kind, name, type] of rows as [string, string, string, string][]) {
      if (kind !== "r") {
        if (!author.views.includes(relation)) author.views.push(relation);
        continue;
      }
      const plain = type.replace("character varying", "varchar");
      const columns = author.tables.get(relation) ?? [];
      columns.push({ name, type: names[plain] ?? plain });
      author.tables.set(relation, columns);
    }
  }

  async compare(author: Author, told: readonly string[]): Promise<void> {
    await this.db.settled();
    for (const relation of [...author.tables.keys(), ...author.views]) {
      const theirs = await postgres.query(`SELECT * FROM ${relation}`);
      const { results, error } = await this.db.sql(`SELECT * FROM ${relation}`);
      expect(error, `${told.join(";\n")};\n-- ${relation}`).toBeUndefined();
      const ours = results[0] as StatementResult;
      const sorted = (rows: readonly (readonly (string | null)[])[]): string[] =>
        rows.map((row) => JSON.stringify(row)).sort();
      expect(sorted(ours.rowsText()), `${told.join(";\n")};\n-- ${relation}`).toEqual(sorted(theirs.rows));
      if (author.tables.has(relation))
        expect(ours.columns.map((c) => c.name)).toEqual(author.tables.get(relation)!.map((c) => c.name));
    }
  }
}

/** What PostgreSQL does and Evert refuses, by design: records would have to be written anew. */
const stricter = new Set(["0A000"]);

async function history(seed: number, restarts: boolean): Promise<void> {
  await postgres.reset();
  const author = new Author(seed);
  const random = new SeededRandom(seed + 1);
  const both = new Both();
  await both.open();
  const told: string[] = [];
  const say = async (sql: string): Promise<void> => {
    told.push(sql);
    const { error } = await both.db.sql(sql);
    if (error !== undefined && stricter.has(error.sqlstate)) {
      told[told.length - 1] = `-- refused: ${sql} (${error.message})`;
      return;
    }
    // A view of PostgreSQL's is always right if it is a plain one.
    const theirs = await postgres.refusal(sql.replace("CREATE MATERIALIZED VIEW", "CREATE VIEW"));
    expect(error?.sqlstate ?? null, `${told.join(";\n")}; -- ${error?.message} / ${theirs?.message}`).toBe(
      theirs?.sqlstate ?? null,
    );
    // Of several things that may not be PostgreSQL names another first now and then.
    if (theirs !== null && sql.startsWith("ALTER") && !sql.includes(","))
      expect(error?.message.replaceAll("materialized view", "view"), told.join(";\n")).toBe(theirs.message);
  };
  for (const sql of author.begin()) await say(sql);
  for (let n = 0; n < STATEMENTS; n++) {
    await both.learn(author);
    await say(author.statement());
    await both.learn(author);
    await both.compare(author, told);
    if (!restarts || random.below(5) > 0) continue;
    if (random.below(2) === 0) await both.db.checkpoint();
    const how = (["closed", "without checkpoint", "killed"] as const)[random.below(3)]!;
    told.push(`-- restart: ${how}`);
    await both.restart(how);
    await both.compare(author, told);
  }
  await both.db.close();
}

it("answers like PostgreSQL after each of many changes", { timeout: 600_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: 2 ** 30 }), (seed) => history(seed, false)),
    { numRuns: runs, endOnFailure: true },
  );
});

it("does so with restarts and crashes in between", { timeout: 600_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: 2 ** 30 }), (seed) => history(seed, true)),
    { numRuns: runs, endOnFailure: true },
  );
});
