/**
 * A log that was restored from a backup has the id of the one it was taken of. Backed up into the same directory, its frames were written behind those of the other log, at the same byte: where frames had the same sizes the backup had commits of two
 * histories, every checksum was right, and nobody was told.
 */
import { expect, it } from "vitest";
import type { Database } from "../../src/engine/database.ts";
import { restoreBackup } from "../../src/engine/restore-backup.ts";
import { type BackupReport, backupLog, readManifest } from "../../src/log/backup.ts";
import { SimulatedClock } from "../../src/testing/simulated-clock.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, rowsOf, sql } from "../engine/support/memory.ts";

const backup = (db: Database, disk: SimulatedDisk): Promise<BackupReport> =>
  backupLog({ source: db.backupSource, directory: "/backup", disk, now: 0 });

/** Rows of one size. */
async function append(db: Database, what: string, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await db.append("s", [{ a: `${what} ${i}` }]);
}

for (const [count, how] of [
  [3, "ends before it"],
  [5, "ends where it does"],
  [9, "has gone further"],
] as const)
  it(`a backup does not go on with a log that was restored from it and ${how}`, async () => {
    const disk = new SimulatedDisk();
    const db = await openInMemory(disk);
    await sql(db, "CREATE TABLE s (a text) WITH (append_only)");
    await append(db, "both ", 5);
    await backup(db, disk);
    await restoreBackup({ backup: "/backup", directory: "/second", disk });
    await append(db, "first", 5);
    await backup(db, disk);
    expect((await backup(db, disk)).copied).toBe(0);
    const before = await readManifest(disk, "/backup");
    const clock = new SimulatedClock();
    clock.advance(60_000_000);
    const second = await openInMemory(disk, { directory: "/second", clock });
    await append(second, "other", count);
    await expect(backup(second, disk)).rejects.toMatchObject({
      code: "invalid_request",
      message: "/backup is a backup of another server",
    });
    expect(await readManifest(disk, "/backup")).toEqual(before);
    // The one that it is of goes on with it.
    await append(db, "more ", 2);
    expect((await backup(db, disk)).copied).toBeGreaterThan(0);
    await db.close();
    await second.close();
    await restoreBackup({ backup: "/backup", directory: "/third", disk });
    const third = await openInMemory(disk, { directory: "/third", clock });
    const rows = (await rowsOf(third, "SELECT a FROM s")).map(([a]) => a!.slice(0, 5));
    expect(rows).toEqual([...Array(5).fill("both "), ...Array(5).fill("first"), ...Array(2).fill("more ")]);
    await third.close();
  });

it("a file of frames that is read wrong is no file of another server", async () => {
  const disk = new SimulatedDisk();
  const db = await openInMemory(disk);
  await sql(db, "CREATE TABLE s (a text) WITH (append_only)");
  await append(db, "", 5);
  await backup(db, disk);
  await append(db, "", 5);
  for (const where of ["/data/log", "/backup/log"]) {
    disk.fail({ operation: "read", flipsBit: true, path: new RegExp(`^${where}/0{19}1\\.log$`), times: 1 });
    await expect(backup(db, disk)).rejects.toMatchObject({ code: "log_damaged" });
  }
  await backup(db, disk);
  await db.close();
});
