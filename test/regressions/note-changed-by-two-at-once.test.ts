/** A replica was promoted and, while it noted that its former leader knew, was told of a later epoch: both wrote the same temporary file, and one of them failed. */
import { expect, test } from "vitest";
import { KeptNote, newNote } from "../../src/engine/replica/note.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";

test("a note that is changed by two at once has both changes, and is whole after a crash", async () => {
  const disk = new SimulatedDisk({ seed: 1 });
  await disk.makeDirectory("/data");
  const kept = await KeptNote.read(disk, "/data");
  expect(kept.note).toBe(null);
  const note = { ...newNote(new SeededRandom(1)), replaces: "http://former:7400" };
  await kept.set(note);
  const told = kept.set({ ...kept.note!, isTold: true });
  const superseded = kept.set({ ...kept.note!, superseded: 2 });
  await Promise.all([told, superseded]);
  await kept.settled();
  const after = await KeptNote.read(disk.reboot("power cut"), "/data");
  expect(after.note).toEqual({ ...note, isTold: true, superseded: 2 });
});
