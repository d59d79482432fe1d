/**
 * A filter that is never true reads nothing, so the plan of such a view has no source: the table it is written over could have been dropped,
 * and the view would not have been there after a restart.
 */
import { expect, it } from "vitest";
import { openInMemory, rowsOf, sql } from "../engine/support/memory.ts";

it("a table stays while a view is written over it, though the view reads none of its rows", async () => {
  const engine = await openInMemory();
  await sql(engine, "CREATE TABLE t (a int)");
  await sql(engine, "CREATE MATERIALIZED VIEW v AS SELECT a FROM t WHERE a / 0 = NULL");
  await sql(engine, "INSERT INTO t VALUES (1)");
  await expect(sql(engine, "DROP TABLE t")).rejects.toThrow("2BP01");
  expect(await rowsOf(engine, "SELECT * FROM v")).toEqual([]);
  await sql(engine, "DROP TABLE t CASCADE");
  await expect(sql(engine, "SELECT * FROM v")).rejects.toThrow("42P01");
  await engine.close();
});
