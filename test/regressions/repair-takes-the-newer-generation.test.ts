/** Where a sealed segment lay in two sound generations, as after a crash between the rename of one and the removal of the other, a repair took the older: what had been erased was back. */
import { expect, test } from "vitest";
import { encodeUtf8 } from "../../src/base/bytes.ts";
import { writeFully } from "../../src/base/disk.ts";
import type { Database } from "../../src/engine/database.ts";
import { repairDirectory } from "../../src/engine/repair.ts";
import { SimulatedClock } from "../../src/testing/simulated-clock.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, rowsOf, sql } from "../engine/support/memory.ts";
import { filesWith } from "../support/raw-files.ts";

const pad = "p".repeat(700);

async function fill(db: Database, from: number): Promise<void> {
  for (let i = from; i < from + 100; i++) await db.append("t", [{ k: `key-${i % 30}`, note: `${i} ${pad}` }]);
}

test("of two sound generations the newer is taken", async () => {
  const disk = new SimulatedDisk({ seed: 1 });
  let db = await openInMemory(disk, { segmentBytes: 64 * 1024 });
  await sql(db, "CREATE TABLE t (k text PRIMARY KEY, note text)");
  await db.append("t", [
    { k: "first-erased", note: "1" },
    { k: "then-erased", note: "2" },
  ]);
  await fill(db, 0);
  await db.erase("t", "first-erased");
  const sealed = () => disk.files().filter((path) => path.endsWith(".sealed"));
  const earlier = sealed().map((path) => ({ path, bytes: disk.contents(path).slice() }));
  expect(earlier.some(({ path }) => path.endsWith(".1.sealed"))).toBe(true);
  await fill(db, 100);
  await db.erase("t", "then-erased");
  const rows = await rowsOf(db, "SELECT * FROM t ORDER BY k");
  await db.close();
  expect(await filesWith(disk, encodeUtf8("then-erased"))).toEqual([]);
  expect(sealed().some((path) => path.endsWith(".2.sealed"))).toBe(true);

  let both = 0;
  for (const { path, bytes } of earlier) {
    if (disk.files().includes(path)) continue;
    const file = await disk.open(path, "write");
    await writeFully(file, bytes, 0);
    await file.datasync();
    await file.close();
    both++;
  }
  expect(both).toBeGreaterThan(0);
  const last = disk.files().findLast((path) => path.endsWith(".log"))!;
  disk.corrupt(last, 20, (byte) => byte ^ 1);
  await repairDirectory("/data", disk, new SimulatedClock());
  const left = (await filesWith(disk, encodeUtf8("then-erased"))).filter((path) =>
    path.startsWith("/data/log/"),
  );
  expect(left).toEqual([]);
  db = await openInMemory(disk, { segmentBytes: 64 * 1024 });
  expect((await rowsOf(db, "SELECT k FROM t ORDER BY k")).map(([k]) => k)).toEqual(rows.map(([k]) => k));
  await db.close();
});
