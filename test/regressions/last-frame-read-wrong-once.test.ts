/**
 * A bit of the last frame that was read wrong, once, when the log was opened: the frame was taken for the torn end of a write and cut off, though it had been
 * acknowledged. It is read again first.
 */
import { expect, test } from "vitest";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { append, openSmall, readAll } from "../log/harness.ts";

test("a wrong bit, read once, costs no frame", async () => {
  for (let seed = 1; seed <= 60; seed++) {
    const disk = new SimulatedDisk({ seed: Math.imul(seed, 0x9e3779b1) });
    let log = await openSmall(disk);
    // Most of what is read is the last frame.
    await append(log, [{ topicId: 1, id: 1, note: "x".repeat(50_000) }]);
    const next = disk.reboot("power cut");
    next.fail({ operation: "read", path: /\.log$/, flipsBit: true });
    log = await openSmall(next);
    expect(await readAll(log)).toHaveLength(1);
    await log.close();
  }
});
