/**
 * A log whose last file was cut off, or missing, looked sound: a server that had been closed with all of it started on what was left, and said so only in a line about its checkpoint, which it then removed. New commits got the positions of those that had been
 * acknowledged.
 */
import { expect, test } from "vitest";
import { checkDirectory, repairDirectory } from "../../src/engine/repair.ts";
import { KeptNote, newNote } from "../../src/engine/replica/note.ts";
import { backupLog } from "../../src/log/backup.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { SimulatedClock } from "../../src/testing/simulated-clock.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, rowsOf, sql } from "../engine/support/memory.ts";

const FIRST = "/data/log/00000000000000000001.log";

/** Closed, with eleven commits. */
async function written(): Promise<SimulatedDisk> {
  const disk = new SimulatedDisk({ seed: 1 });
  const db = await openInMemory(disk);
  await sql(db, "CREATE TABLE t (k int4 PRIMARY KEY)");
  for (let k = 1; k <= 10; k++) await db.append("t", [{ k }]);
  await backupLog({ source: db.backupSource, directory: "/backup", disk, now: 0 });
  await db.close();
  return disk.reboot("process");
}

async function cut(disk: SimulatedDisk, path: string, at: number): Promise<void> {
  const file = await disk.open(path, "write");
  await file.truncate(at);
  await file.datasync();
  await file.close();
}

test("it is not opened, and repaired with the positions that are lost", async () => {
  const whole = await written();
  for (let at = 0; at < 1_200; at += 40) {
    const disk = whole.clone();
    await cut(disk, FIRST, at);
    const refused = {
      code: "log_damaged",
      message: expect.stringMatching(/^the log .*, and had come to position 11$/),
    };
    await expect(openInMemory(disk)).rejects.toMatchObject(refused);
    const { damages, lastPosition, tornTail } = await checkDirectory("/data", disk);
    const lost = { firstPosition: lastPosition + 1, lastPosition: 11 };
    expect(damages).toMatchObject([{ ...lost, reason: "the log ends there, and had come to position 11" }]);
    expect(tornTail).toBeNull();
    if (lastPosition === 0) continue;
    const { positions } = await repairDirectory("/data", disk, new SimulatedClock());
    expect(positions).toEqual([{ first: lastPosition + 1, last: 11 }]);
    const db = await openInMemory(disk);
    await db.append("t", [{ k: 100 }]);
    await db.settled();
    expect(db.position).toBe("12");
    const kept = Array.from({ length: lastPosition - 1 }, (_, i) => [String(i + 1)]);
    expect(await rowsOf(db, "SELECT k FROM t ORDER BY k")).toEqual([...kept, ["100"]]);
    await db.close();
    expect((await checkDirectory("/data", disk)).damages).toEqual([]);
  }
});

test("nor is it taken for a new one where all of it is gone", async () => {
  const disk = await written();
  await disk.unlink(FIRST);
  for (let start = 0; start < 2; start++)
    await expect(openInMemory(disk)).rejects.toMatchObject({
      code: "log_damaged",
      message: "the log is empty, and had come to position 11",
      hint: expect.stringMatching(/begin anew, remove checkpoint\/ as well/),
    });
  // On purpose.
  await disk.removeTree("/data/checkpoint");
  const db = await openInMemory(disk);
  expect(db.position).toBe("0");
  await db.close();
});

test("a backup says what it lacks", async () => {
  const disk = await written();
  expect((await checkDirectory("/backup", disk)).damages).toEqual([]);
  await cut(disk, "/backup/log/00000000000000000001.log", 400);
  expect((await checkDirectory("/backup", disk)).damages).toMatchObject([{ lastPosition: 11 }]);
});

test("a replica gets it from its leader", async () => {
  const disk = await written();
  const note = { ...newNote(new SeededRandom(1)), follows: "http://127.0.0.1:1" };
  await (await KeptNote.read(disk, "/data")).set(note);
  await cut(disk, FIRST, 400);
  expect((await checkDirectory("/data", disk)).damages).toEqual([]);
  const db = await openInMemory(disk, { follow: { url: "http://127.0.0.1:1" } });
  expect(Number(db.position)).toBeLessThan(11);
  await db.close();
});
