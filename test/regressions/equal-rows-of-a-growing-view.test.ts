/**
 * A view over a stream only grows, but it keeps equal rows as one with a weight: a second equal row takes the old version away. Operators over
 * such a view relied on rows never leaving, and stopped.
 */
import { expect, it } from "vitest";
import { openInMemory, rowsOf, sql } from "../engine/support/memory.ts";

it("views over a view of a stream go on when a row comes twice", async () => {
  const db = await openInMemory();
  await sql(db, "CREATE TABLE s (n int4) WITH (append_only)");
  await sql(db, "CREATE MATERIALIZED VIEW inner_view AS SELECT n FROM s");
  await sql(db, "CREATE MATERIALIZED VIEW once AS SELECT DISTINCT n FROM inner_view");
  await sql(db, "CREATE MATERIALIZED VIEW largest AS SELECT max(n) AS n, count(*) AS c FROM inner_view");
  await sql(db, "CREATE MATERIALIZED VIEW first AS SELECT n FROM inner_view ORDER BY n LIMIT 3");
  for (const n of [2, 2, 1, 2, 1]) await db.append("s", [{ n }]);
  expect(await rowsOf(db, "SELECT n FROM once ORDER BY n")).toEqual([["1"], ["2"]]);
  expect(await rowsOf(db, "SELECT n, c FROM largest")).toEqual([["2", "5"]]);
  expect(await rowsOf(db, "SELECT n FROM first ORDER BY n")).toEqual([["1"], ["1"], ["2"]]);
  await db.close();
});
