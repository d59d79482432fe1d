/**
 * A closing mark whose sync had failed was shown by the kernel and taken for written by the next life, which appended behind it. A power cut took the mark, and what
 * had been acknowledged behind it stood behind a gap: the log was not opened. Found by the simulation, seed 23007184.
 */
import { expect, test } from "vitest";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { append, openSmall, readAll } from "../log/harness.ts";

test("what is appended behind a closing mark whose sync failed survives a power cut", async () => {
  for (let seed = 1; seed <= 40; seed++) {
    const disk = new SimulatedDisk({ seed: Math.imul(seed, 0x9e3779b1) });
    const first = await openSmall(disk);
    await append(first, [{ topicId: 1, id: 1, note: "before" }]);
    disk.fail({ operation: "datasync", path: /\d\.log$/, code: "ENOSPC" });
    await first.close().catch(() => {});
    const second = await openSmall(disk);
    await append(second, [{ topicId: 1, id: 2, note: "behind" }]);
    const third = await openSmall(disk.reboot("power cut"));
    expect((await readAll(third)).length, `seed ${seed}`).toBe(2);
    await third.close();
  }
});
