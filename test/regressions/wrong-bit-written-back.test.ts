/**
 * When a log is opened, its last frame is written again as it stands. A bit that was read wrong on that way was written to the disk, and the log could not be
 * opened any more. The frame is verified before it is written. Found by the simulation, seeds 3502 and 3521.
 */
import { expect, test } from "vitest";
import { checkLog } from "../../src/log/check.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { append, openSmall, readAll } from "../log/harness.ts";

test("a bit that is read wrong is not written back", async () => {
  for (let read = 0; read < 6; read++) {
    for (let seed = 1; seed <= 20; seed++) {
      const disk = new SimulatedDisk({ seed: Math.imul(seed, 0x9e3779b1) });
      const log = await openSmall(disk);
      await append(log, [{ topicId: 1, id: 1, note: "x".repeat(50_000) }]);
      let next = disk.reboot("power cut");
      next.fail({ operation: "read", path: /\.log$/, flipsBit: true, skip: read });
      const opened = await openSmall(next);
      await append(opened, [{ topicId: 1, id: 2, note: "y" }]);
      next = next.reboot("power cut");
      expect((await checkLog("/data", next)).damages).toEqual([]);
      const again = await openSmall(next);
      expect(await readAll(again)).toHaveLength(2);
      await again.close();
    }
  }
});
