/**
 * A repair removes the checkpoint, which may show what is lost. That was on the disk only when the plan of the repair was not any more: where power was cut in between the checkpoint was there again, and a server showed rows that its log had not.
 */
import { expect, test } from "vitest";
import { repairDirectory } from "../../src/engine/repair.ts";
import { Scanner } from "../../src/log/scanner.ts";
import { SimulatedClock } from "../../src/testing/simulated-clock.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, rowsOf, sql } from "../engine/support/memory.ts";

/** Closed, with one of three rows lost. */
async function damaged(): Promise<SimulatedDisk> {
  const before = new SimulatedDisk({ seed: 1 });
  const db = await openInMemory(before);
  await sql(db, "CREATE TABLE t (k int4 PRIMARY KEY)");
  for (const k of [1, 2, 3]) await sql(db, `INSERT INTO t VALUES (${k})`);
  await db.close();
  const disk = before.reboot("process");
  const path = disk.files().find((name) => name.endsWith(".log"))!;
  const file = await disk.open(path, "read");
  const scanner = new Scanner(file, 0, await file.size(), true);
  for (let found = await scanner.next(); found.kind === "frame"; found = await scanner.next())
    if (found.header.firstPosition === 3) disk.corrupt(path, found.at + 70, (byte) => byte ^ 1);
  await file.close();
  return disk;
}

test("power is cut at any change of a repair", async () => {
  const broken = await damaged();
  let crashes = 0;
  for (let change = 1, isOver = false; !isOver; change++) {
    for (let seed = 1; seed <= 2; seed++) {
      const disk = broken.clone({ seed, names: "any" });
      disk.crashAfter(change);
      const repair = (on: SimulatedDisk): Promise<unknown> =>
        repairDirectory("/data", on, new SimulatedClock());
      await repair(disk).catch(() => {});
      isOver = !disk.crashed;
      if (isOver) break;
      crashes++;
      const after = disk.reboot("power cut");
      let db = await openInMemory(after).catch(() => null);
      if (db === null) {
        await repair(after);
        db = await openInMemory(after);
      }
      expect(await rowsOf(db, "SELECT k FROM t ORDER BY k"), `change ${change}, seed ${seed}`).toEqual([
        ["1"],
        ["3"],
      ]);
      await db.close();
    }
  }
  expect(crashes).toBeGreaterThan(20);
});
