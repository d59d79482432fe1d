/**
 * Queries as text, PostgreSQL as the judge. Each file of queries/ is a list of SELECTs over the tables below. Each becomes a
 * view, some before any row arrives and some amid the history; after every commit each view must hold what PGlite answers, or
 * fail with its SQLSTATE. At the end the database is opened anew, and each query run ad hoc: beside the views, and where there are none.
 *
 * A comment before a query can say `-- floats 1, 3`: these columns (from 1) may differ in the last digits.
 * EVERT_QUERIES=joins runs one file, EVERT_SEED=n another history.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { seed } from "../support/seed.ts";
import { recomputed } from "./support/anew.ts";
import { openInMemory, sql } from "./support/memory.ts";
import { Postgres } from "./support/postgres.ts";
import { standardHistory, standardTables } from "./support/standard-tables.ts";
import { adHoc, difference, maintained } from "./support/views.ts";

interface Query {
  readonly name: string;
  readonly sql: string;
  readonly floats: ReadonlySet<number>;
}

const folder = join(import.meta.dirname, "queries");
const only = process.env["EVERT_QUERIES"];
const files = readdirSync(folder).filter(
  (f) => f.endsWith(".sql") && (only === undefined || f === `${only}.sql`),
);

/** Queries end with a semicolon at the end of a line. */
function readQueries(file: string): Query[] {
  const parts = readFileSync(join(folder, file), "utf8").split(/;[ \t]*$/m);
  return parts
    .map((part) => part.trim())
    .filter((part) => part.replace(/^--.*$/gm, "").trim() !== "")
    .map((part, i) => {
      const floats = /^-- floats ([\d, ]+)$/m.exec(part)?.[1] ?? "";
      return {
        name: `v${i + 1}`,
        sql: part,
        floats: new Set(floats.split(",").flatMap((n) => (n.trim() === "" ? [] : [Number(n) - 1]))),
      };
    });
}

let postgres: Postgres;

beforeAll(async () => {
  postgres = await Postgres.open();
});

afterAll(() => postgres.close());

describe.each(files)("%s", (file) => {
  it("holds what PostgreSQL answers, after every commit", async () => {
    const queries = readQueries(file);
    const random = new SeededRandom(seed);
    await postgres.reset();
    const disk = new SimulatedDisk();
    let engine = await openInMemory(disk);
    for (const table of standardTables) {
      await postgres.define(table);
      await sql(engine, table);
    }
    const history = standardHistory(random);
    const due = queries.map(() => (random.below(2) === 0 ? 0 : random.below(history.length)));
    const made: Query[] = [];
    const compare = async (when: string): Promise<void> => {
      for (const query of made) {
        const theirs = await postgres.query(query.sql);
        const ours = await maintained(engine, query.name);
        expectSame(query, ours, theirs, when);
      }
    };
    for (let i = 0; i <= history.length; i++) {
      for (const [q, query] of queries.entries()) {
        if (due[q] !== i) continue;
        const { error } = await engine.sql(`CREATE MATERIALIZED VIEW ${query.name} AS ${query.sql}`);
        if (error !== undefined) throw new Error(`${error.sqlstate} ${error.message}\n${query.sql}`);
        made.push(query);
      }
      await engine.built();
      await compare(`after commit ${i}`);
      const commit = history[i];
      if (commit === undefined) break;
      const theirs = await postgres.transaction(commit);
      const { error, position } = await engine.sql(["BEGIN", ...commit, "COMMIT"].join("; "));
      expect(error?.sqlstate ?? null, commit.join("; ")).toBe(theirs.refused);
      await engine.core.publisher.waitFor(Number(position), 60_000);
    }
    const anew = await recomputed(
      engine,
      queries.map((query) => query.sql),
    );
    for (const [i, query] of queries.entries()) {
      const theirs = await postgres.query(query.sql);
      expectSame(query, await adHoc(engine, query.sql), theirs, "ad hoc");
      expectSame(query, anew[i]!, theirs, "ad hoc, where no view is kept");
    }
    await engine.close();
    engine = await openInMemory(disk);
    await engine.built();
    await compare("after a restart");
    await engine.close();
  }, 300_000);
});

function expectSame(
  query: Query,
  ours: Awaited<ReturnType<typeof maintained>>,
  theirs: Awaited<ReturnType<Postgres["query"]>>,
  when: string,
): void {
  const said = `${query.sql}\n${when}`;
  if ("sqlstate" in ours || theirs.refused !== null) {
    expect("sqlstate" in ours ? ours.sqlstate : null, said).toBe(theirs.refused);
    return;
  }
  const wrong = difference(ours, theirs.rows, query.floats);
  if (wrong !== null) throw new Error(`${wrong}\n${said}`);
}
