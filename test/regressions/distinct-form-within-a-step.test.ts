/**
 * 1.5 leaves and 1.50 comes in one commit: to DISTINCT one value, which is still there. Whoever read its rows saw no change and kept
 * 1.5; the distinct rows said 1.50 from then on, and when that left nobody knew it. Found by queries/subqueries.sql, seed 10.
 */
import { expect, it } from "vitest";
import { openInMemory, rowsOf, sql } from "../engine/support/memory.ts";

it("a distinct value keeps its form while it is there", async () => {
  const engine = await openInMemory();
  await sql(engine, "CREATE TABLE t (k int PRIMARY KEY, d numeric)");
  await sql(
    engine,
    "CREATE MATERIALIZED VIEW v AS SELECT x.d, count(*) AS n FROM (SELECT DISTINCT d FROM t) x GROUP BY x.d",
  );
  await sql(
    engine,
    "CREATE MATERIALIZED VIEW w AS SELECT x.d, t.k FROM (SELECT DISTINCT d FROM t) x JOIN t ON t.d = x.d",
  );
  await sql(engine, "INSERT INTO t VALUES (1, 1.5)");
  await sql(engine, "BEGIN; DELETE FROM t; INSERT INTO t VALUES (2, 1.50); COMMIT");
  await sql(engine, "DELETE FROM t");
  expect(await rowsOf(engine, "SELECT * FROM v")).toEqual([]);
  expect(await rowsOf(engine, "SELECT * FROM w")).toEqual([]);
  await engine.close();
});
