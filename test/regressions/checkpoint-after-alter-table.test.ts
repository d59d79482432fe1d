/** A crash between ALTER TABLE, which lays a table out anew, and the next checkpoint had the whole log replayed: up to five seconds, or however long the interval was. */
import { expect, test } from "vitest";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { until } from "../engine/replica/support.ts";
import { openInMemory, rowsOf, sql } from "../engine/support/memory.ts";

test.each([
  ["ALTER TABLE t ALTER a TYPE int8", ["1", "2"]],
  ["ALTER TABLE t ADD COLUMN b int8 NOT NULL DEFAULT 7", ["1", "2", "7"]],
])("%s", async (alter, row) => {
  const disk = new SimulatedDisk();
  const told: string[] = [];
  // None by itself while the test lasts.
  const options = { checkpointIntervalMs: 2 ** 30, report: (message: string) => told.push(message) };
  let db = await openInMemory(disk, options);
  await sql(db, "CREATE TABLE t (k int4 PRIMARY KEY, a int4); INSERT INTO t VALUES (1, 2)");
  await db.checkpoint();
  const manifest = (): string => Buffer.from(disk.contents("/data/checkpoint/manifest")).toString();
  const before = manifest();
  await sql(db, alter);
  await until(
    () => disk.files().includes("/data/checkpoint/manifest") && manifest() !== before,
    "a checkpoint",
  );
  await sql(db, "INSERT INTO t VALUES (2, 3)");
  const crashed = disk.reboot("process");
  await db.close().catch(() => {});
  told.length = 0;
  db = await openInMemory(crashed, options);
  expect(await rowsOf(db, "SELECT * FROM t WHERE k = 1")).toEqual([row]);
  expect(await rowsOf(db, "SELECT k FROM t ORDER BY k")).toEqual([["1"], ["2"]]);
  expect(told.filter((message) => message.includes("the checkpoint is not used"))).toEqual([]);
  await db.close();
});
