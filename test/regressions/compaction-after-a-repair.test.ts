/** What a repair had kept of a table whose definition was lost was taken for that of a dropped one, and went with the next compaction. */
import { expect, test } from "vitest";
import type { Database } from "../../src/engine/database.ts";
import { repairDirectory } from "../../src/engine/repair.ts";
import { Scanner } from "../../src/log/scanner.ts";
import { SimulatedClock } from "../../src/testing/simulated-clock.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, sql } from "../engine/support/memory.ts";

/** Until nothing is left to take out, of anything that is there by now. */
async function removed(db: Database): Promise<number> {
  db.core.log.turnOver();
  await sql(db, "CREATE TABLE one_more (id int4)");
  await db.core.log.sealed();
  await db.compact();
  return db.stats().removedRecords;
}

test("records of a table whose definition is lost stay, those of a dropped one go, also after another start", async () => {
  const first = new SimulatedDisk({ seed: 1 });
  let db = await openInMemory(first);
  await sql(db, "CREATE TABLE gone (id int4 PRIMARY KEY)");
  await sql(db, "INSERT INTO gone VALUES (1), (2)");
  await sql(db, "CREATE TABLE lost (id int4 PRIMARY KEY)");
  await sql(db, "INSERT INTO lost VALUES (1), (2), (3)");
  await sql(db, "DROP TABLE gone");
  await db.close();
  const disk = first.reboot("process");
  const path = disk.files().find((name) => name.endsWith(".log"))!;
  const file = await disk.open(path, "read");
  const scanner = new Scanner(file, 0, await file.size(), true);
  let found = await scanner.next();
  while (found.kind === "frame" && found.header.firstPosition < 3) found = await scanner.next();
  await file.close();
  disk.corrupt(path, found.at + 30, (byte) => byte ^ 1);
  const { positions } = await repairDirectory("/data", disk, new SimulatedClock());
  expect(positions).toEqual([{ first: 3, last: 3 }]);

  db = await openInMemory(disk);
  await db.checkpoint();
  await db.close();
  // By the checkpoint, which does not say what was dropped before.
  db = await openInMemory(disk);
  expect(await removed(db)).toBe(2);
  await db.close();
});
