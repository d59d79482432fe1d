/**
 * Records of a dropped table, or of a stream that keeps less from now on, went from segments before the last checkpoint; a restore to a position between that and the statement was not refused, and gave the
 * table without its rows.
 */
import { expect, test } from "vitest";
import { openEngine } from "../../src/engine/open-engine.ts";
import { type RestoreTo, restoreBackup } from "../../src/engine/restore-backup.ts";
import { backupLog } from "../../src/log/backup.ts";
import { SimulatedClock } from "../../src/testing/simulated-clock.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { rowsOf, sql } from "../engine/support/memory.ts";

const clock = new SimulatedClock();
const pad = "p".repeat(900);

for (const [what, create, forget] of [
  ["a table that was dropped", "CREATE TABLE t (id int PRIMARY KEY, note text)", "DROP TABLE t"],
  [
    "a stream that keeps less",
    "CREATE TABLE t (id int, note text) WITH (append_only)",
    "ALTER TABLE t SET (retain_bytes = 0)",
  ],
] as const) {
  test(`${what} is not restored without what it had`, async () => {
    const disk = new SimulatedDisk();
    const open = (directory: string) =>
      openEngine({ directory, disk, clock, segmentBytes: 64 * 1024, checkpointIntervalMs: 0 });
    const db = await open("/data");
    await sql(db, create);
    await sql(db, "CREATE TABLE other (id int PRIMARY KEY)");
    for (let id = 0; id < 150; id++) await db.append("t", [{ id, note: pad }]);
    await db.core.log.sealed();
    await db.checkpoint();
    for (let id = 0; id < 20; id++) {
      clock.advance(1_000_000);
      await db.append("other", [{ id }]);
    }
    const between = Number(db.position);
    const betweenUs = clock.wallUs();
    clock.advance(1_000_000);
    await sql(db, forget);
    await db.core.log.compact();
    expect(db.stats().removedRecords).toBeGreaterThan(0);
    await sql(db, "INSERT INTO other VALUES (100)");
    await backupLog({ source: db.backupSource, directory: "/backup", disk, now: 0 });
    const last = Number(db.position);
    await db.close();
    const restore = (directory: string, to: RestoreTo) =>
      restoreBackup({ backup: "/backup", directory, disk, to });
    await expect(restore("/a", { position: between })).rejects.toMatchObject({ code: "records_gone" });
    await expect(restore("/b", { timeUs: betweenUs })).rejects.toMatchObject({ code: "records_gone" });
    await restore("/c", { position: last });
    const restored = await open("/c");
    expect(await rowsOf(restored, "SELECT count(*) FROM other")).toEqual([["21"]]);
    await restored.close();
  });
}
