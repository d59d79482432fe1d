/** A view whose operators cannot be made was refused with 0A000, and was there all the same. */
import { expect, it } from "vitest";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, rowsOf, sql } from "../engine/support/memory.ts";

const columns = Array.from({ length: 40 }, (_, i) => `c${i}`);

it.each([
  `SELECT count(*) FROM w GROUP BY ${columns.join(", ")}`,
  `SELECT count(*) OVER (PARTITION BY ${columns.join(", ")}) FROM w`,
  `WITH RECURSIVE x (n) AS (SELECT 1 UNION (WITH RECURSIVE y (m) AS (SELECT n FROM x UNION SELECT m + 1 FROM y WHERE m < 3)
     SELECT m FROM y)) SELECT n FROM x`,
])("what is refused is not there: %s", async (query) => {
  const disk = new SimulatedDisk();
  let db = await openInMemory(disk);
  await sql(db, `CREATE TABLE w (${columns.map((c) => `${c} int`).join(", ")})`);
  expect((await db.sql(`CREATE MATERIALIZED VIEW v AS ${query}`)).error?.sqlstate).toBe("0A000");
  expect((await db.sql("SELECT * FROM v")).error?.sqlstate).toBe("42P01");
  await db.close();
  db = await openInMemory(disk);
  await sql(db, "CREATE MATERIALIZED VIEW v AS SELECT 1 AS a");
  expect(await rowsOf(db, "SELECT * FROM v")).toEqual([["1"]]);
  await db.close();
});
