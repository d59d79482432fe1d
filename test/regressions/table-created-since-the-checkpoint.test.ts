/** A crash after CREATE TABLE, before the next checkpoint, had the whole log replayed: the checkpoint has no rows of the table, and was taken for one that lacks them. */
import { expect, test } from "vitest";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, rowsOf, sql } from "../engine/support/memory.ts";

const THERE = "CREATE TABLE t (k int4 PRIMARY KEY, a int4); INSERT INTO t VALUES (1, 2);";

test.each([
  ["", [["7", "8"]]],
  ["CREATE MATERIALIZED VIEW sums AS SELECT sum(b) FROM late;", [["7", "8"]]],
  [
    "CREATE UNIQUE INDEX ON late (b); ALTER TABLE late ADD COLUMN c int8 NOT NULL DEFAULT 9;",
    [["7", "8", "9"]],
  ],
  ["DROP TABLE late; CREATE TABLE late (k int4 PRIMARY KEY, b int4);", []],
])("a table, and %s", async (more, rows) => {
  const disk = new SimulatedDisk();
  const told: string[] = [];
  const options = { checkpointIntervalMs: 0, report: (message: string) => told.push(message) };
  let db = await openInMemory(disk, options);
  await sql(db, THERE);
  await db.checkpoint();
  await sql(db, `CREATE TABLE late (k int4 PRIMARY KEY, b int4); INSERT INTO late VALUES (7, 8); ${more}`);
  await sql(db, "INSERT INTO t VALUES (2, 3)");
  const crashed = disk.reboot("process");
  await db.close().catch(() => {});
  told.length = 0;
  db = await openInMemory(crashed, options);
  expect(told).toEqual([]);
  expect(await rowsOf(db, "SELECT * FROM late")).toEqual(rows);
  expect(await rowsOf(db, "SELECT * FROM t ORDER BY k")).toEqual([
    ["1", "2"],
    ["2", "3"],
  ]);
  await sql(db, "INSERT INTO late (k, b) VALUES (9, 10)");
  await expect(sql(db, "INSERT INTO late (k, b) VALUES (9, 11)")).rejects.toThrow("late_pkey");
  if (more.includes("sums")) expect(await rowsOf(db, "SELECT * FROM sums")).toEqual([["18"]]);
  await db.checkpoint();
  await db.close();
  db = await openInMemory(crashed, options);
  expect(told).toEqual([]);
  expect(await rowsOf(db, "SELECT count(*) FROM late")).toEqual([[String(rows.length + 1)]]);
  await db.close();
});
