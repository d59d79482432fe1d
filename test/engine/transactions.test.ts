/** A statement between BEGIN and COMMIT sees what those before it did, as PostgreSQL shows it; nobody else does until COMMIT. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { seed } from "../support/seed.ts";
import { openInMemory, rowsOf, sql } from "./support/memory.ts";
import { Postgres } from "./support/postgres.ts";
import { standardHistory, standardTables } from "./support/standard-tables.ts";
import { difference } from "./support/views.ts";

let postgres: Postgres;

beforeAll(async () => {
  postgres = await Postgres.open();
});

afterAll(() => postgres.close());

const views = {
  counts: "SELECT a, count(*) AS n, min(c) AS least FROM t GROUP BY a",
  joined: "SELECT t.k, u.c FROM t LEFT JOIN u ON u.a = t.a",
  over: "SELECT least, sum(n) AS n FROM counts GROUP BY least",
  first: "SELECT k, a FROM t ORDER BY a DESC NULLS LAST, k LIMIT 3",
};

const questions = [
  ...["t", "u", "n", "p", "e", ...Object.keys(views)].map((name) => `SELECT * FROM ${name}`),
  "SELECT t.k, (SELECT count(*) FROM n WHERE n.a = t.a) FROM t WHERE EXISTS (SELECT 1 FROM e WHERE e.x = t.k)",
  "SELECT o.least, t.k FROM over o FULL JOIN t ON t.c = o.least",
];

it("every statement of random transactions sees those before it", async () => {
  const random = new SeededRandom(seed);
  await postgres.reset();
  const engine = await openInMemory();
  for (const table of standardTables) {
    await postgres.define(table);
    await sql(engine, table);
  }
  for (const [name, text] of Object.entries(views)) {
    await postgres.define(`CREATE VIEW ${name} AS ${text}`);
    await sql(engine, `CREATE MATERIALIZED VIEW ${name} AS ${text}`);
  }
  for (const statements of standardHistory(random, 12)) {
    for (let upTo = 1; upTo <= statements.length; upTo++) {
      const asked = questions[random.below(questions.length)] as string;
      const before = statements.slice(0, upTo);
      const theirs = await postgres.within(before, asked);
      const { results, error } = await engine.sql(["BEGIN", ...before, asked, "ROLLBACK"].join("; "));
      expect(error?.sqlstate ?? null, before.join("; ")).toBe(theirs.refused);
      if (theirs.refused !== null) continue;
      const wrong = difference(results.at(-2)?.rowsText() ?? [], theirs.rows);
      if (wrong !== null) throw new Error(`${wrong}\n${[...before, asked].join(";\n")}`);
    }
    const theirs = await postgres.transaction(statements);
    const { error } = await engine.sql(["BEGIN", ...statements, "COMMIT"].join("; "));
    expect(error?.sqlstate ?? null).toBe(theirs.refused);
    await engine.settled();
  }
  await engine.close();
});

it("what is not committed is seen by nobody else, and INSERT … SELECT reads it", async () => {
  const engine = await openInMemory();
  await sql(engine, "CREATE TABLE a (k int PRIMARY KEY, n int); CREATE TABLE log (n int) WITH (append_only)");
  await sql(engine, "CREATE MATERIALIZED VIEW total AS SELECT sum(n) AS n FROM a");
  await sql(engine, "INSERT INTO a VALUES (1, 10)");
  const { results, error } = await engine.sql(
    `BEGIN; UPDATE a SET n = 5 WHERE k = 1; INSERT INTO a VALUES (2, 7); SELECT n FROM total;
     INSERT INTO log SELECT n FROM a; INSERT INTO log VALUES (1); SELECT sum(n) FROM log; ROLLBACK`,
  );
  expect(error).toBeUndefined();
  expect(results[3]?.rowsText()).toEqual([["12"]]);
  expect(results[6]?.rowsText()).toEqual([["13"]]);
  expect(await rowsOf(engine, "SELECT n FROM total")).toEqual([["10"]]);
  expect(await rowsOf(engine, "SELECT n FROM log")).toEqual([]);
  await engine.close();
});
