/**
 * Rows of a query without a key are kept once each, with how often they are there. A join multiplied these numbers, and what had no room in 32 bits went on as its rest: `SELECT a, count(*)` over ten
 * thousand million pairs said 1,215,752,192, and of more of them that a row which was never there was to be taken away (XX000).
 */
import { expect, it } from "vitest";
import { openInMemory, rowsOf, sql } from "../engine/support/memory.ts";

/** Ten rows, multiplied with themselves: level 3 has ten million of each, which is the most that fits. */
const doubled = (levels: number): string =>
  Array.from({ length: levels }, (_, i) => `x${i + 1} AS (SELECT p.a FROM x${i} p, x${i} q)`).join(", ");

it("are counted as long as their number fits, and refused from there on", async () => {
  const db = await openInMemory();
  await sql(db, "CREATE TABLE t (a int PRIMARY KEY)");
  await sql(db, "INSERT INTO t SELECT i FROM generate_series(1, 10) i");
  const over = (levels: number, from: string): string =>
    `WITH x0 AS (SELECT a FROM t), ${doubled(levels)} SELECT p.a, count(*) FROM ${from} GROUP BY p.a ORDER BY 1 LIMIT 1`;
  expect(await rowsOf(db, over(3, "x3 p"))).toEqual([["1", "10000000"]]);
  expect(await rowsOf(db, over(3, "x3 p, x1 q"))).toEqual([["1", "1000000000"]]);
  for (const from of ["x3 p, x2 q", "x2 q, x3 p", "x3 p, x3 q", "x3 p JOIN x3 q USING (a)"]) {
    const { error } = await db.sql(over(3, from));
    expect(error, from).toMatchObject({
      sqlstate: "53200",
      message: "one row occurs more than 2,147,483,647 times",
    });
  }
  expect(await rowsOf(db, "SELECT count(*) FROM t")).toEqual([["10"]]);
  await db.close();
});
