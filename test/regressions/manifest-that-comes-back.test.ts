/**
 * A process that found a file of rows damaged removed the checkpoint's manifest and ended before the directory was synced. The next one began without a checkpoint and removed the
 * files that it named; after a power cut the manifest was there again, and they were not. Found by seed 7501130 of the simulation.
 */
import { expect, test } from "vitest";
import { CHECKPOINT_DIRECTORY, readManifest, runFilesOf } from "../../src/engine/checkpoint/checkpointing.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { cooled, db, open } from "../engine/support/cold.ts";
import { sql } from "../engine/support/memory.ts";

const DIRECTORY = `/data/${CHECKPOINT_DIRECTORY}`;

test.each([1, 2, 3, 4, 5, 6, 7, 8])(
  "a manifest that is there after a power cut names files that are (seed %i)",
  async (seed) => {
    const disk = new SimulatedDisk({ seed, names: "any" });
    await open(disk);
    await sql(db, "CREATE TABLE t (k int4 PRIMARY KEY); CREATE TABLE other (k int4 PRIMARY KEY)");
    await db.append(
      "t",
      Array.from({ length: 2000 }, (_, k) => ({ k })),
    );
    await cooled();
    await db.checkpoint();
    await db.close();
    const before = await readManifest(disk, DIRECTORY);
    expect(runFilesOf(before.manifest!).size).toBeGreaterThan(0);

    await disk.unlink(`${DIRECTORY}/manifest`);
    const left = disk.reboot("process");
    await open(left);
    await db.settled();
    const after = left.reboot("power cut");
    await db.close().catch(() => {});
    const { manifest } = await readManifest(after, DIRECTORY);
    const files = await after.list(DIRECTORY);
    const named = manifest === null ? [] : [manifest.file, ...runFilesOf(manifest)];
    expect(files).toEqual(expect.arrayContaining(named));
  },
);
