/** A condition above DISTINCT ON, OFFSET or a rank narrowed what an index gave them: they chose among too few rows. */
import { expect, it } from "vitest";
import { openInMemory, rowsOf, sql } from "../engine/support/memory.ts";

it.each([
  [
    "SELECT k FROM (SELECT DISTINCT ON (a) k, a, b FROM t ORDER BY a, k DESC) s WHERE b = 5 ORDER BY k",
    ["3"],
  ],
  ["SELECT k FROM (SELECT k, b FROM t ORDER BY k OFFSET 1) s WHERE b = 5 ORDER BY k", ["3"]],
  [
    `SELECT k FROM (SELECT k, b, row_number() OVER (PARTITION BY a ORDER BY k DESC) AS r FROM t) s
     WHERE r = 1 AND b = 5 ORDER BY k`,
    ["3"],
  ],
  ["SELECT k FROM (SELECT k, b FROM t ORDER BY k LIMIT 2) s WHERE b = 5 ORDER BY k", ["1"]],
])("%s", async (text, expected) => {
  const engine = await openInMemory();
  await sql(engine, "CREATE TABLE t (k int PRIMARY KEY, a int, b int); CREATE INDEX ON t (b)");
  await sql(engine, "INSERT INTO t VALUES (1, 1, 5), (2, 1, 6), (3, 2, 5)");
  expect((await rowsOf(engine, text)).map(([k]) => k)).toEqual(expected);
  await engine.close();
});

it("reads through the index below them", async () => {
  const engine = await openInMemory();
  await sql(engine, "CREATE TABLE t (k int PRIMARY KEY, a int, b int); CREATE INDEX ON t (b)");
  const plan = await rowsOf(
    engine,
    "EXPLAIN SELECT * FROM (SELECT DISTINCT ON (a) k, a FROM t WHERE b = 5 ORDER BY a, k) s WHERE k = 1",
  );
  expect(plan.join("\n")).toContain("by index t_b_idx: b = 5");
  await engine.close();
});

it("is refused what a row of no interest to the outer condition fails for", async () => {
  const engine = await openInMemory();
  await sql(engine, "CREATE TABLE t (k int PRIMARY KEY, a int, b int); CREATE INDEX ON t (b)");
  await sql(engine, "INSERT INTO t VALUES (1, 0, 5), (2, 0, 6)");
  await expect(
    sql(engine, "SELECT * FROM (SELECT * FROM t WHERE 1 / a > 0 ORDER BY k LIMIT 5) s WHERE b = 7"),
  ).rejects.toThrow("22012");
  await engine.close();
});
