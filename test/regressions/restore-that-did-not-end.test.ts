/**
 * A restore that was killed while it copied left an empty log: a server started on it as on a new one, and answered without a row. One that was refused left what it had copied,
 * and the same empty log. The mark that says so was overlooked where anything lay beside it.
 */
import { expect, test } from "vitest";
import { openEngine } from "../../src/engine/open-engine.ts";
import { restoreBackup } from "../../src/engine/restore-backup.ts";
import { backupLog } from "../../src/log/backup.ts";
import { checkLog } from "../../src/log/check.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { rowsOf, sql } from "../engine/support/memory.ts";

async function backedUp(disk: SimulatedDisk): Promise<void> {
  const db = await openEngine({ directory: "/data", disk, checkpointIntervalMs: 0 });
  await sql(db, "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2)");
  await backupLog({ source: db.backupSource, directory: "/backup", disk, now: 0 });
  await db.close();
}

/** What a restore left that was killed as it copied. */
async function killedRestore(): Promise<SimulatedDisk> {
  const killed = new SimulatedDisk();
  await backedUp(killed);
  const onProgress = () => killed.crashAfter(0);
  await expect(
    restoreBackup({ backup: "/backup", directory: "/restored", disk: killed, onProgress }),
  ).rejects.toThrow();
  return killed.reboot("process");
}

test("a directory into which a restore was under way is no new one", async () => {
  const disk = await killedRestore();
  await expect(openEngine({ directory: "/restored", disk })).rejects.toMatchObject({
    code: "log_damaged",
    message: "a restore into this directory has not ended",
  });
  await expect(checkLog("/restored", disk)).rejects.toMatchObject({ code: "log_damaged" });
  await restoreBackup({ backup: "/backup", directory: "/restored", disk });
  const db = await openEngine({ directory: "/restored", disk, checkpointIntervalMs: 0 });
  expect(await rowsOf(db, "SELECT id FROM t ORDER BY id")).toEqual([["1"], ["2"]]);
  await db.close();
});

test.each([".DS_Store", "lost+found", "next-1"])("nor is it with %s beside the mark", async (other) => {
  const disk = await killedRestore();
  await (await disk.open(`/restored/log/${other}`, "write")).close();
  const unfinished = { code: "log_damaged", message: "a restore into this directory has not ended" };
  await expect(openEngine({ directory: "/restored", disk })).rejects.toMatchObject(unfinished);
  await expect(checkLog("/restored", disk)).rejects.toMatchObject(unfinished);
  // As its hint says.
  await restoreBackup({ backup: "/backup", directory: "/restored", disk });
  const db = await openEngine({ directory: "/restored", disk, checkpointIntervalMs: 0 });
  expect(await rowsOf(db, "SELECT id FROM t ORDER BY id")).toEqual([["1"], ["2"]]);
  await db.close();
});

test("a restore that fails leaves nothing of what it copied", async () => {
  const disk = new SimulatedDisk();
  await backedUp(disk);
  const failed = new Error("failed");
  const restore = (onProgress?: () => void) =>
    restoreBackup({ backup: "/backup", directory: "/restored", disk, onProgress });
  await expect(
    restore(() => {
      throw failed;
    }),
  ).rejects.toBe(failed);
  expect(await disk.list("/restored/log")).toEqual([]);
  expect(await disk.list("/restored")).not.toContain("restoring");
  await restore();
});
