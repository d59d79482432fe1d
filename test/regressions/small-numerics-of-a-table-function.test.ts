/** Rows of a table function with a numeric of few digits held the number of its text in place of its value. */
import { expect, it } from "vitest";
import { openInMemory, rowsOf, sql } from "../engine/support/memory.ts";

it("a numeric(p,s) that a function in FROM gives is itself", async () => {
  const db = await openInMemory();
  await sql(db, "CREATE TABLE t (k int PRIMARY KEY, d numeric(6, 1)[])");
  await sql(db, "INSERT INTO t VALUES (1, '{1000, 1.5, NULL}')");
  expect(await rowsOf(db, "SELECT x FROM t, unnest(t.d) AS x ORDER BY x")).toEqual([
    ["1.5"],
    ["1000.0"],
    [null],
  ]);
  await db.close();
});
