/**
 * WHERE a / b > 1 AND b <> 0 failed for rows that PostgreSQL leaves out: it evaluates the cheapest conjunct first, and of equals the first written.
 * Found by random/aggregates/slt_good_122.test of SQLite's corpus.
 */
import { expect, it } from "vitest";
import { openInMemory, rowsOf, sql } from "../engine/support/memory.ts";

it("a row meets the cheapest conjunct first", async () => {
  const db = await openInMemory();
  try {
    await sql(db, "CREATE TABLE t (k int PRIMARY KEY, a int, b int)");
    const cheap = "SELECT k FROM t WHERE a * a * a / b > 1 AND b <> 0";
    const written = "SELECT k FROM t WHERE 10 / b > 1 AND 10 / a > 1";
    await sql(db, `CREATE MATERIALIZED VIEW v AS ${cheap}`);
    await sql(db, "INSERT INTO t VALUES (1, 4, 2), (2, 2000000, 0)");
    await db.settled();
    expect(await rowsOf(db, "SELECT * FROM v")).toEqual([["1"]]);
    expect(await rowsOf(db, cheap)).toEqual([["1"]]);
    await expect(rowsOf(db, written)).rejects.toThrow("22012 division by zero");
  } finally {
    await db.close();
  }
});
