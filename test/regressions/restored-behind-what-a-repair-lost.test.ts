/**
 * Restored to a position behind rows that a repair had found lost, a log had the rows behind them under other offsets: commits were appended anew, and took the offsets of what was missing.
 */
import { expect, it } from "vitest";
import type { Database } from "../../src/engine/database.ts";
import { repairDirectory } from "../../src/engine/repair.ts";
import { type RestoreTo, restoreBackup } from "../../src/engine/restore-backup.ts";
import { backupLog } from "../../src/log/backup.ts";
import { openLog } from "../../src/log/open-log.ts";
import { Scanner } from "../../src/log/scanner.ts";
import { SimulatedClock } from "../../src/testing/simulated-clock.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, sql } from "../engine/support/memory.ts";

/** Offset and position of each record. */
async function places(db: Database): Promise<string[]> {
  const found: string[] = [];
  for await (const { offset, position } of db.readTopic("s")) found.push(`${offset} at ${position}`);
  return found;
}

/** Of a log that no database has opened, which would seal it. */
async function backUpFrames(disk: SimulatedDisk, directory: string): Promise<void> {
  const log = await openLog({ directory: "/data", disk, clock: new SimulatedClock() });
  const source = {
    files: async () => log.files(),
    read: (name: string, from: number, to: number) => log.readFile(name, from, to),
  };
  await backupLog({ source, directory, disk, now: 0 });
  await log.close();
}

it("offsets are the same, or it is not restored to there", async () => {
  const disk = new SimulatedDisk();
  let db = await openInMemory(disk);
  await sql(db, "CREATE TABLE s (a text) WITH (append_only)");
  for (let i = 0; i < 10; i++) await db.append("s", [{ a: `${i}` }]);
  await db.close();
  const path = disk.files().find((name) => name.endsWith(".log"))!;
  const file = await disk.open(path, "read");
  const scanner = new Scanner(file, 0, await file.size(), true);
  for (let found = await scanner.next(); found.kind === "frame"; found = await scanner.next())
    if (found.header.firstPosition === 6) disk.corrupt(path, found.at + 70, (byte) => byte ^ 1);
  await file.close();
  const { rows } = await repairDirectory("/data", disk, new SimulatedClock());
  expect(rows).toMatchObject([{ firstOffset: 4, lastOffset: 4, firstPosition: 6 }]);
  for (const form of ["frames", "sealed"]) {
    const backup = `/backup ${form}`;
    if (form === "frames") await backUpFrames(disk, backup);
    db = await openInMemory(disk);
    if (form === "sealed") {
      await db.core.log.sealed();
      await backupLog({ source: db.backupSource, directory: backup, disk, now: 0 });
    }
    const all = await places(db);
    expect(all).toContain("5 at 7");
    await db.close();
    const restored = async (name: string, to?: RestoreTo): Promise<string[]> => {
      const directory = `/${name} of ${form}`;
      await restoreBackup({ backup, directory, disk, to });
      const other = await openInMemory(disk, { directory });
      const found = await places(other);
      await other.close();
      return found;
    };
    expect(await restored("whole")).toEqual(all);
    for (const position of [4, 5, 6])
      expect(await restored(`${position}`, { position })).toEqual(all.slice(0, Math.min(position, 5) - 1));
    const behind = restored("behind", { position: 8 });
    // What is before the lost commits is taken over as it lies, where it is sealed.
    if (form === "sealed") expect(await behind).toEqual(all.slice(0, 6));
    else
      await expect(behind).rejects.toMatchObject({
        code: "records_gone",
        message: "records before position 7 are lost, as a repair has found",
      });
  }
});
