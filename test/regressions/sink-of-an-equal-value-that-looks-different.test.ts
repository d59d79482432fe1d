/**
 * A sink that had fallen behind asked what its view has and its topic has not, and got rows that are not equal. 1.5 and 1.50 are: the topic went on
 * showing the one when the view had come to the other.
 */
import { expect, it } from "vitest";
import { openInMemory, rowsOf, sql } from "../engine/support/memory.ts";

it("a sink that was behind has its view's values, to the letter", async () => {
  const db = await openInMemory();
  await sql(db, "CREATE TABLE t (k int PRIMARY KEY, d numeric, i interval, f float8, j jsonb, b int)");
  await sql(db, "CREATE TABLE out (k int PRIMARY KEY, d numeric, i interval, f float8, j jsonb, q int)");
  await sql(db, "CREATE MATERIALIZED VIEW v WITH (sink = 'out') AS SELECT k, d, i, f, j, 1 / b AS q FROM t");
  await sql(db, `INSERT INTO t VALUES (1, 1.5, '1 month', 0, '[1]', 1), (2, 7, '0', 1, '{}', 1)`);
  await db.settled();
  // While the view has an error its sink waits, and is behind.
  await sql(db, "INSERT INTO t VALUES (3, 0, '0', 0, '{}', 0)");
  await db.settled();
  await sql(db, `UPDATE t SET d = 1.50, i = '30 days', f = '-0', j = '[1.0]' WHERE k = 1`);
  await sql(db, "DELETE FROM t WHERE k = 3");
  await db.settled();
  const shown = "SELECT k, d, i, f, j, q FROM";
  expect(await rowsOf(db, `${shown} v ORDER BY k`)).toEqual([
    ["1", "1.50", "30 days", "-0", "[1.0]", "1"],
    ["2", "7", "00:00:00", "1", "{}", "1"],
  ]);
  expect(await rowsOf(db, `${shown} out ORDER BY k`)).toEqual(await rowsOf(db, `${shown} v ORDER BY k`));
  await db.close();
});
