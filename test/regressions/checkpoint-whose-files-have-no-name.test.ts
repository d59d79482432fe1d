/** The name of a checkpoint's new file was synced together with the manifest's, which names it: a file system that keeps names in any order could lose the file and keep the manifest. Found by seed 305013 of the simulation. */
import { expect, test } from "vitest";
import { CHECKPOINT_DIRECTORY, readManifest, runFilesOf } from "../../src/engine/checkpoint/checkpointing.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, sql } from "../engine/support/memory.ts";

const DIRECTORY = `/data/${CHECKPOINT_DIRECTORY}`;

test("whatever a power cut leaves of a checkpoint, a manifest that is there names files that are", async () => {
  let named = 0;
  for (let seed = 1; seed <= 8; seed++) {
    for (let change = 1; change <= 16; change++) {
      const disk = new SimulatedDisk({ seed, names: "any" });
      const db = await openInMemory(disk);
      await sql(db, "CREATE TABLE t (k int4 PRIMARY KEY); INSERT INTO t VALUES (1)");
      disk.crashAfter(change);
      await db.checkpoint().catch(() => {});
      const after = disk.reboot("power cut");
      await db.close().catch(() => {});
      const { manifest } = await readManifest(after, DIRECTORY);
      if (manifest === null) continue;
      named++;
      const files = await after.list(DIRECTORY);
      expect(files, `seed ${seed}, death at change ${change}`).toEqual(
        expect.arrayContaining([manifest.file, ...runFilesOf(manifest)]),
      );
    }
  }
  expect(named).toBeGreaterThan(0);
});
