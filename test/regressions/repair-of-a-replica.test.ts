/** A replica's damaged log was repaired like a leader's, and then followed on: it lacked for good what its leader had, and said nothing of it, also when it was promoted. */
import { expect, test } from "vitest";
import { repairDirectory } from "../../src/engine/repair.ts";
import { KeptNote, newNote } from "../../src/engine/replica/note.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { SimulatedClock } from "../../src/testing/simulated-clock.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, sql } from "../engine/support/memory.ts";

test("a replica is begun anew, not repaired", async () => {
  const first = new SimulatedDisk({ seed: 1 });
  const db = await openInMemory(first);
  await sql(db, "CREATE TABLE t (id int4 PRIMARY KEY); INSERT INTO t VALUES (1)");
  await db.close();
  const disk = first.reboot("process");
  const note = { ...newNote(new SeededRandom(1)), follows: "http://leader:7400" };
  await (await KeptNote.read(disk, "/data")).set(note);
  disk.corrupt(disk.files().find((name) => name.endsWith(".log"))!, 40, (byte) => byte ^ 1);
  const repair = () => repairDirectory("/data", disk, new SimulatedClock());
  await expect(repair()).rejects.toMatchObject({
    code: "invalid_request",
    message: "/data is a replica of http://leader:7400",
  });
  // As a leader, with what is left.
  await disk.unlink("/data/replica.json");
  expect((await repair()).positions).not.toEqual([]);
});
