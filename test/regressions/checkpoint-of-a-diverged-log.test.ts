/**
 * A copy that begins again from its leader's removed its checkpoint, and left to chance whether a power cut brought it back: views then began with rows of the history that was put
 * aside, or the copy knew the epochs of that history and was told, with the leader's own log, that the two had parted. Found by the simulation of copies, whose seeds these are.
 */
import { expect, test } from "vitest";
import { EvertError } from "../../src/base/errors.ts";
import { CHECKPOINT_DIRECTORY, readManifest } from "../../src/engine/checkpoint/checkpointing.ts";
import type { Leader } from "../../src/engine/replica/leader.ts";
import { rejoin } from "../../src/engine/replica/rejoin.ts";
import { SimulatedClock } from "../../src/testing/simulated-clock.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, sql } from "../engine/support/memory.ts";
import { simulateCopies } from "../sim/simulation/copies.ts";

test("what a copy began again without does not come back", async () => {
  for (const seed of [201_163, 201_581, 201_000, 201_314])
    expect((await simulateCopies(seed)).violation).toBeNull();
});

/** What is asked of a leader that has another history. */
const ELSEWHERE: Partial<Leader> = {
  logId: async () => 1,
  follow: async () => {
    throw new EvertError("diverged", "the follower's log and the leader's have parted");
  },
};

async function begunAgain(disk: SimulatedDisk): Promise<void> {
  const options = { directory: "/data", disk, clock: new SimulatedClock() };
  await rejoin(options, ELSEWHERE as Leader, "a copy", () => {});
}

test("nor where the process died while it removed it", async () => {
  const before = new SimulatedDisk();
  const db = await openInMemory(before);
  await sql(db, "CREATE TABLE t (k int4 PRIMARY KEY); INSERT INTO t VALUES (1)");
  await db.checkpoint();
  await db.close();
  let died = 0;
  for (let seed = 1; seed <= 8; seed++) {
    for (let change = 1; change <= 24; change++) {
      let disk = before.clone({ seed, names: "any" });
      disk.crashAfter(change);
      const isWhole = await begunAgain(disk).then(
        () => true,
        () => false,
      );
      if (!isWhole) {
        died++;
        disk = disk.reboot("process");
        await begunAgain(disk);
      }
      const after = disk.reboot("power cut");
      const { manifest } = await readManifest(after, `/data/${CHECKPOINT_DIRECTORY}`);
      expect(manifest, `seed ${seed}, death at change ${change}`).toBeNull();
    }
  }
  expect(died).toBeGreaterThan(0);
});
