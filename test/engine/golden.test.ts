/**
 * A database that an earlier release wrote, in golden/NAME with what it says: topics with batches of several schemas, sealed and in frames. This release
 * opens it and says the same, goes on, and sealed by this release it still does.
 */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { writeFully } from "../../src/base/disk.ts";
import { checkLog } from "../../src/log/check.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { describeDatabase } from "./golden/describe.ts";
import { openInMemory, rowsOf, sql } from "./support/memory.ts";

const directory = join(import.meta.dirname, "golden", "evolved-1");

async function load(): Promise<SimulatedDisk> {
  const disk = new SimulatedDisk({ seed: 1 });
  await disk.makeDirectory("/data/log");
  for (const file of await readdir(directory)) {
    if (file === "says.txt.gz") continue;
    const target = await disk.open(`/data/log/${file}`, "write");
    await writeFully(target, await readFile(join(directory, file)), 0);
    await target.datasync();
    await target.close();
  }
  await disk.syncDirectory("/data/log");
  return disk;
}

test("batches of several schemas, sealed and in frames", async () => {
  const says = gunzipSync(await readFile(join(directory, "says.txt.gz"))).toString();
  const disk = await load();
  expect(disk.files().some((path) => path.endsWith(".sealed"))).toBe(true);
  expect(disk.files().some((path) => path.endsWith(".log"))).toBe(true);
  let db = await openInMemory(disk);
  expect(await describeDatabase(db)).toBe(says);
  // The CHECK is the one of the column's first days.
  await expect(db.append("events", [{ id: 1, a: -1 }])).rejects.toMatchObject({ code: "check_violation" });
  await db.append("events", [{ id: -1, s: "after" }]);
  await sql(db, "ALTER TABLE events ADD COLUMN after int4 NOT NULL DEFAULT 6");
  const after = ["-1", null, "after", "9007199254740993", null, "5", "t", "6"];
  expect(await rowsOf(db, "SELECT * FROM events WHERE id = -1")).toEqual([after]);
  for (let i = 0; i < 6; i++)
    await sql(db, "INSERT INTO plain (id, s) SELECT g, repeat('x', 20000) FROM generate_series(1, 200) g");
  await sql(db, "DELETE FROM plain WHERE length(s) = 20000");
  await db.core.log.sealed();
  const grown = await describeDatabase(db);
  await db.close();
  for (const path of disk.files()) if (path.startsWith("/data/checkpoint/")) await disk.unlink(path);
  db = await openInMemory(disk);
  expect(await describeDatabase(db)).toBe(grown);
  await sql(db, "DROP MATERIALIZED VIEW sums; DELETE FROM rows");
  await db.close();
  expect((await checkLog("/data", disk)).damages).toEqual([]);
});
