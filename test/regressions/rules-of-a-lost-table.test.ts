/**
 * Of a table whose definition a repair had lost, a rule of what is kept that was set later, or a topic for what cannot be decoded, was applied to nothing: no server started on what was repaired
 * (a TypeError). Found by the simulation: seed 50, `--afterwards`.
 */
import { expect, test } from "vitest";
import { repairDirectory } from "../../src/engine/repair.ts";
import { Scanner } from "../../src/log/scanner.ts";
import { SimulatedClock } from "../../src/testing/simulated-clock.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, rowsOf, sql } from "../engine/support/memory.ts";

test.each([
  "ALTER TABLE events SET (retain_bytes = '1000000')",
  "ALTER TABLE events SET (dead_letters = 'dead')",
])("a log without the table that is altered is opened: %s", async (alter) => {
  const before = new SimulatedDisk({ seed: 1 });
  let db = await openInMemory(before);
  await sql(db, "CREATE TABLE events (id int4) WITH (append_only)");
  await sql(db, "CREATE TABLE letters (id int4) WITH (append_only)");
  await sql(db, alter);
  await sql(db, "INSERT INTO letters VALUES (1)");
  await db.close();
  const disk = before.reboot("process");
  const path = disk.files().find((name) => name.endsWith(".log"))!;
  const file = await disk.open(path, "read");
  const first = await new Scanner(file, 0, await file.size(), true).next();
  await file.close();
  if (first.kind !== "frame") throw new Error("the log has no frame");
  disk.corrupt(path, first.at + 30, (byte) => byte ^ 1);
  await repairDirectory("/data", disk, new SimulatedClock());
  db = await openInMemory(disk);
  expect(await rowsOf(db, "SELECT * FROM letters")).toEqual([["1"]]);
  await expect(rowsOf(db, "SELECT * FROM events")).rejects.toThrow("events");
  await db.close();
});
