/**
 * Erasing removed the checkpoint before, and files of rows that were not in memory, and did not sync that: after a power cut they could be there again, with what was erased. And where a file of rows could not
 * be removed this was reported, and the erasing said to be done. One that could not be made was waited for as if somebody read it. Found by the simulation, seeds 6, 73, 583 and 602518.
 */
import { expect, test } from "vitest";
import { encodeUtf8 } from "../../src/base/bytes.ts";
import type { Database } from "../../src/engine/database.ts";
import { openEngine } from "../../src/engine/open-engine.ts";
import { SimulatedClock } from "../../src/testing/simulated-clock.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { sql } from "../engine/support/memory.ts";
import { filesWith } from "../support/raw-files.ts";

const SECRET = "the-one-text-that-nobody-else-has";

/** A database with the text in rows on disk, and in a checkpoint. */
async function filled(disk: SimulatedDisk): Promise<Database> {
  const db = await openEngine({
    directory: "/data",
    disk,
    clock: new SimulatedClock(),
    checkpointIntervalMs: 0,
    memoryLimit: 3 << 20,
    warm: 0,
  });
  await sql(db, "CREATE TABLE wide (id int PRIMARY KEY, note text)");
  for (let i = 0; i < 12; i++) {
    const rows = Array.from({ length: 100 }, (_, k) => ({
      id: i * 100 + k,
      note: i * 100 + k === 234 ? SECRET : `${"n".repeat(80)} ${i} ${k}`,
    }));
    await db.append("wide", rows);
    await db.checkpoint();
  }
  const before = await filesWith(disk, encodeUtf8(SECRET));
  expect(before.some((path) => path.startsWith("/data/checkpoint/run-"))).toBe(true);
  return db;
}

test("nothing of it comes back with the names that a power cut brings back", async () => {
  const disk = new SimulatedDisk({ seed: 1 });
  const db = await filled(disk);
  await db.checkpoint();
  await db.close();
  for (let seed = 1; seed <= 6; seed++) {
    const life = disk.clone({ seed, names: "any" });
    const again = await openEngine({
      directory: "/data",
      disk: life,
      clock: new SimulatedClock(),
      checkpointIntervalMs: 0,
      warm: 0,
    });
    await again.erase("wide", 234);
    const after = life.reboot("power cut");
    await again.close().catch(() => {});
    expect(await filesWith(after, encodeUtf8(SECRET)), `seed ${seed}`).toEqual([]);
  }
});

test("where a file cannot be removed it is not done, and doing it again is", async () => {
  const disk = new SimulatedDisk({ seed: 2 });
  const db = await filled(disk);
  disk.fail({ operation: "unlink", path: /\/run-/, code: "EIO", times: 40 });
  await expect(db.erase("wide", 234)).rejects.toMatchObject({ code: "io_error" });
  expect(await filesWith(disk, encodeUtf8(SECRET))).not.toEqual([]);
  disk.heal();
  await db.erase("wide", 234);
  expect(await filesWith(disk, encodeUtf8(SECRET))).toEqual([]);
  await db.close();
});

test("a file of rows that could not be made is waited for by nobody", async () => {
  const disk = new SimulatedDisk({ seed: 3 });
  const db = await filled(disk);
  disk.fail({ operation: "open", path: /\/run-/, code: "EMFILE" });
  const rows = Array.from({ length: 3000 }, (_, k) => ({ id: 10_000 + k, note: `${"m".repeat(80)} ${k}` }));
  await db.append("wide", rows);
  await db.checkpoint();
  while (!disk.trace.some((line) => line.includes("EMFILE"))) await new Promise((done) => setImmediate(done));
  await db.erase("wide", 234);
  expect(await filesWith(disk, encodeUtf8(SECRET))).toEqual([]);
  await db.close();
});
