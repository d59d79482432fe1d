/**
 * A file of rows that are not in memory whose sync failed was synced again for the next checkpoint, and that was believed: after a power cut the checkpoint named rows
 * that were not there. Found by the simulation, seeds 22027 and 22352.
 */
import { expect, test } from "vitest";
import { writeFully } from "../../src/base/disk.ts";
import { RunFiles } from "../../src/state/cold/run-files.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";

test("what a failed sync may have lost is written again before the next", async () => {
  for (let seed = 1; seed <= 40; seed++) {
    const disk = new SimulatedDisk({ seed: Math.imul(seed, 0x9e3779b1) });
    const files = new RunFiles(disk, "/checkpoint", () => {});
    const run = await files.create();
    await writeFully(run.file, new Uint8Array(3000).fill(7), 0);
    run.wrote(3000);
    disk.fail({ operation: "datasync", code: "EIO" });
    await expect(run.sync()).rejects.toMatchObject({ code: "io_error" });
    await run.sync();
    await disk.syncDirectory("/checkpoint");
    expect(disk.reboot("power cut").contents(run.path)).toEqual(new Uint8Array(3000).fill(7));
  }
});
