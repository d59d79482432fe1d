/** Which calls of functions that may fail are known not to, and that their conjuncts move. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Database } from "../../src/engine/database.ts";
import { openInMemory, rowsOf, sql } from "../engine/support/memory.ts";

let engine: Database;

beforeAll(async () => {
  engine = await openInMemory();
  await sql(
    engine,
    `CREATE TABLE a (id int PRIMARY KEY, name text NOT NULL, day date NOT NULL, at timestamp NOT NULL);
     CREATE TABLE b (id int PRIMARY KEY, a_id int NOT NULL)`,
  );
});

afterAll(() => engine.close());

/** Whether the filter stands below the join. */
async function moves(condition: string): Promise<boolean> {
  const rows = await rowsOf(engine, `EXPLAIN SELECT * FROM a JOIN b ON a.id = b.a_id WHERE ${condition}`);
  const lines = rows.map(([line]) => line!);
  const filter = lines.findIndex((line) => line.includes("Filter"));
  const join = lines.findIndex((line) => line.toLowerCase().includes("join on"));
  expect(
    [filter, join].every((at) => at >= 0),
    lines.join("\n"),
  ).toBe(true);
  return filter > join;
}

test.each([
  "name LIKE '%green%'",
  "name NOT LIKE 'x\\\\'",
  "name ILIKE '_\\%'",
  "day < date '1994-01-01' + interval '1 year'",
  "day >= date '1994-01-01' - interval '90 days' + interval '1 day'",
  "at < timestamp '1994-01-01' + interval '1 year'",
  "day < timestamp '1994-01-01'",
  "substring(name FROM 1 FOR 2) = '13'",
])("%s moves through a join", async (condition) => {
  expect(await moves(condition)).toBe(true);
});

test.each([
  "name LIKE '%green\\'",
  "name LIKE name",
  "day < date '290000-01-01' + interval '10000 years'",
  "day < date '1994-01-01' + interval '290000 years'",
  "at < at + interval '1 year'",
  "substring(name FROM 1 FOR -2) = '13'",
  "substring(name FROM 1 FOR a.id) = '13'",
])("%s stays, because it may fail", async (condition) => {
  expect(await moves(condition)).toBe(false);
});
