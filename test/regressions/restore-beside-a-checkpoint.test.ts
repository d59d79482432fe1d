/** A backup that was restored where a checkpoint of another log lay, whose log alone had been taken away, was started from that checkpoint, and answered with the other log's rows. */
import { expect, test } from "vitest";
import type { Database } from "../../src/engine/database.ts";
import { openEngine } from "../../src/engine/open-engine.ts";
import { restoreBackup } from "../../src/engine/restore-backup.ts";
import { backupLog } from "../../src/log/backup.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { rowsOf, sql } from "../engine/support/memory.ts";

test("a checkpoint of another log is not taken for that of a restored one", async () => {
  const disk = new SimulatedDisk();
  const made = async (directory: string, rows: number): Promise<Database> => {
    const db = await openEngine({ directory, disk, checkpointIntervalMs: 0 });
    await sql(db, "CREATE TABLE t (id int PRIMARY KEY)");
    for (let id = 1; id <= rows; id++) await sql(db, `INSERT INTO t VALUES (${rows * 100 + id})`);
    return db;
  };
  await (await made("/data", 2)).close();
  await disk.removeTree("/data/log");
  const other = await made("/other", 3);
  await backupLog({ source: other.backupSource, directory: "/backup", disk, now: 0 });
  await other.close();

  const restore = () => restoreBackup({ backup: "/backup", directory: "/data", disk });
  await expect(restore()).rejects.toMatchObject({ code: "invalid_request" });
  expect(await disk.list("/data/log")).toEqual([]);
  await disk.removeTree("/data/checkpoint");
  await restore();
  const db = await openEngine({ directory: "/data", disk, checkpointIntervalMs: 0 });
  expect(await rowsOf(db, "SELECT id FROM t ORDER BY id")).toEqual([["301"], ["302"], ["303"]]);
  await db.close();
});
