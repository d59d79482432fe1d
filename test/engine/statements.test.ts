/**
 * Statements that change rows, as text, PostgreSQL as the judge: each of a file is run here and in PGlite; what it answers (rows in any order, or
 * SQLSTATE) and what the tables hold after it must be the same, and at the end what a database opened anew holds.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, rowsOf, sql } from "./support/memory.ts";
import { Postgres } from "./support/postgres.ts";

const tables = [
  "CREATE TABLE a (k int PRIMARY KEY, n int DEFAULT 5, s text DEFAULT 'none')",
  "CREATE TABLE b (n int, t text)",
];
const contents = ["SELECT * FROM a ORDER BY k", "SELECT * FROM b ORDER BY n, t"];

const folder = join(import.meta.dirname, "statements");
const files = readdirSync(folder).filter((f) => f.endsWith(".sql"));

let postgres: Postgres;

beforeAll(async () => {
  postgres = await Postgres.open();
});

afterAll(() => postgres.close());

function statementsOf(file: string): string[] {
  return readFileSync(join(folder, file), "utf8")
    .split(/;[ \t]*$/m)
    .map((part) => part.replace(/^--.*$/gm, "").trim())
    .filter((part) => part !== "");
}

const sorted = (rows: readonly (readonly (string | null)[])[]) => rows.map((r) => JSON.stringify(r)).sort();

describe.each(files)("%s", (file) => {
  it("answers and changes what PostgreSQL does", async () => {
    await postgres.reset();
    const disk = new SimulatedDisk();
    let engine = await openInMemory(disk);
    for (const table of tables) {
      await postgres.define(table);
      await sql(engine, table);
    }
    for (const statement of statementsOf(file)) {
      const theirs = await postgres.query(statement);
      const { results, error } = await engine.sql(statement);
      expect(error?.sqlstate ?? null, `${statement}\n${error?.message}`).toBe(theirs.refused);
      if (error === undefined) expect(sorted(results[0]!.rowsText()), statement).toEqual(sorted(theirs.rows));
      for (const query of contents)
        expect(await rowsOf(engine, query), statement).toEqual((await postgres.query(query)).rows);
    }
    await engine.close();
    engine = await openInMemory(disk);
    for (const query of contents)
      expect(await rowsOf(engine, query)).toEqual((await postgres.query(query)).rows);
    await engine.close();
  });
});
