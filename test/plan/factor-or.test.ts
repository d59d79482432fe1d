/** What all branches of an OR ask for becomes a join's key; rows and errors stay as they were. */
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Database } from "../../src/engine/database.ts";
import { openInMemory, sql } from "../engine/support/memory.ts";
import { Postgres } from "../engine/support/postgres.ts";

const schema = [
  "CREATE TABLE t (a int PRIMARY KEY, b int, c text)",
  "CREATE TABLE u (a int PRIMARY KEY, b int, c text)",
  "INSERT INTO t VALUES (1, 0, 'x'), (2, NULL, 'y'), (3, 7, NULL), (4, 1, 'x'), (5, 2, 'y')",
  "INSERT INTO u VALUES (1, 1, 'x'), (2, 5, 'y'), (3, NULL, 'z'), (4, 2, NULL), (6, 2, 'y')",
];
let postgres: Postgres;
let engine: Database;

beforeAll(async () => {
  postgres = await Postgres.open();
  engine = await openInMemory();
  for (const statement of schema) {
    await postgres.define(statement);
    await sql(engine, statement);
  }
});

afterAll(async () => {
  await postgres.close();
  await engine.close();
});

async function planOf(query: string): Promise<string> {
  const { results, error } = await engine.sql(`EXPLAIN ${query}`);
  expect(error).toBeUndefined();
  return results[0]!
    .rowsText()
    .map((row) => row[0])
    .join("\n");
}

const joined = "SELECT t.a, u.b FROM t, u WHERE ";

it.each([
  ["(t.a = u.a AND t.c = 'x') OR (t.a = u.a AND u.c = 'y')", true],
  ["(t.c = 'x' AND t.a = u.a AND u.b > 1) OR (u.c = 'y' AND t.a = u.a)", true],
  ["(t.a = u.a AND t.b = u.b AND t.c = 'x') OR (t.b = u.b AND t.a = u.a) OR (t.a = u.a AND u.b = 1)", true],
  // Nothing is left of a branch: the OR says what it says.
  ["t.a = u.a OR (t.a = u.a AND t.c = 'x')", true],
  // In front of what may fail it is asked first in every branch.
  ["(t.a = u.a AND t.b >= 0 + 1) OR (t.a = u.a AND u.b <= 1 + 1)", true],
  // Behind it, a row would be left out before it fails.
  ["(1 / t.a = 1 AND t.a = u.a) OR (t.a = u.a AND u.c = 'y')", false],
  ["t.a = u.a OR (t.a = u.a AND 1 / t.a = 1)", false],
  ["(t.a = u.a AND t.c = 'x') OR (t.b = u.b AND t.c = 'x')", false],
])("WHERE %s", async (condition, keyed) => {
  expect(/Inner join on (.* and )?a = a\b/.test(await planOf(joined + condition))).toBe(keyed);
  const { rows, refused } = await postgres.query(`${joined}${condition}`);
  expect(refused).toBeNull();
  const { results } = await engine.sql(`${joined}${condition}`);
  expect(results[0]!.rowsText().map(String).sort()).toEqual(rows.map(String).sort());
});

it.each([
  "SELECT a FROM t WHERE (1 / b > 0 AND c = 'x') OR (c = 'x' AND a = 1)",
  "SELECT a FROM t WHERE (c = 'y' AND 1 / b > 0) OR (c = 'y' AND a = 1)",
  "SELECT a FROM t WHERE (c IS NULL AND 10 / (a - 3) > 0) OR (c IS NULL AND a = 1)",
  "SELECT a FROM t WHERE (b IS NOT NULL AND c = 'x' AND a > 1) OR (c = 'x' AND b IS NOT NULL AND a < 2)",
])("%s: the same rows or the same error", async (query) => {
  const { rows, refused } = await postgres.query(query);
  const { results, error } = await engine.sql(query);
  expect(error?.sqlstate ?? null).toBe(refused === null ? null : refused);
  if (refused === null) expect(results[0]!.rowsText().map(String).sort()).toEqual(rows.map(String).sort());
});

it("an OR over a join says to each side what it asks of its column", async () => {
  const query = `${joined}t.a = u.a AND ((t.c = 'x' AND u.c = 'y') OR (t.c = 'y' AND u.c = 'x' AND u.b > 1) OR (t.c = 'x' AND u.c = 'x'))`;
  const plan = await planOf(query);
  const lines = plan.split("\n");
  const join = lines.findIndex((line) => line.toLowerCase().includes("join on"));
  const below = lines.slice(join).filter((line) => line.includes("Filter:"));
  expect(below, plan).toHaveLength(2);
  const { rows } = await postgres.query(query);
  const { results } = await engine.sql(query);
  expect(results[0]!.rowsText().map(String).sort()).toEqual(rows.map(String).sort());
});

it("but not where it may fail, and not beside what already says so", async () => {
  const fails = await planOf(
    `${joined}t.a = u.a AND ((t.c = 'x' AND 1 / u.b = 1) OR (t.c = 'y' AND u.c = 'x'))`,
  );
  expect(
    fails.split("\n").filter((line) => line.includes("Filter:")),
    fails,
  ).toHaveLength(1);
  const said = await planOf(
    `${joined}t.a = u.a AND (t.c = 'x' OR t.c = 'y') AND ((t.c = 'x' AND u.c = 'y') OR (t.c = 'y' AND u.c = 'x'))`,
  );
  const about = said.split("\n").filter((line) => line.includes("Filter:"));
  expect(about, said).toHaveLength(3);
});
