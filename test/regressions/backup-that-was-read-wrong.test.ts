/**
 * Backing up into an earlier backup compares the ends of sealed segments, of both sides. One that was read wrong, once, was taken for a file of another server: the backup was refused, and whoever was told so was to
 * begin another one. Found by the simulation, seed 7108391.
 */
import { expect, it } from "vitest";
import { type BackupSource, backupLog } from "../../src/log/backup.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, sql } from "../engine/support/memory.ts";

for (const [whose, path, message] of [
  ["the log", "/data/log/", "what came of 00000000000000000001.sealed is not as it was written"],
  ["the backup", "/backup/log/", "the backup's 00000000000000000001.sealed is not as it was written"],
] as const)
  it(`a file of ${whose} that is read wrong is no file of another server`, async () => {
    const disk = new SimulatedDisk();
    const db = await openInMemory(disk, { segmentBytes: 64 * 1024 });
    await sql(db, "CREATE TABLE s (a text) WITH (append_only)");
    for (let i = 0; i < 30; i++) await db.append("s", [{ a: `${i} `.repeat(2000) }]);
    await db.core.log.sealed();
    const source: BackupSource = {
      files: () => Promise.resolve(db.core.log.files()),
      read: (name, from, to) => db.core.log.readFile(name, from, to),
    };
    const backup = (now: number): Promise<unknown> => backupLog({ source, directory: "/backup", disk, now });
    await backup(0);
    disk.fail({ operation: "read", flipsBit: true, path: new RegExp(`^${path}0{19}1\\.sealed$`), times: 1 });
    await expect(backup(1)).rejects.toMatchObject({ code: "log_damaged", message });
    await backup(2);
    await db.close();
  });
