/**
 * A crash in the first frame of a file leaves a file without frames. A backup named it and did not copy it, and could not be restored. Found by the simulation,
 * seed 1936.
 */
import { expect, test } from "vitest";
import { restoreBackup } from "../../src/engine/restore-backup.ts";
import { backupLog } from "../../src/log/backup.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { append, openSmall, room } from "../log/harness.ts";

test("a backup holds every file that it names, also one without frames", async () => {
  let disk = new SimulatedDisk({ seed: 3 });
  let log = await openSmall(disk);
  await append(log, [{ topicId: 1, id: 1, note: "first" }]);
  await room(log, 70_000);
  // The second file has its name, and the process dies before its first frame.
  disk.crashAfter(1, /^write \/data\/log\/0+2\.log at 0/);
  await expect(append(log, [{ topicId: 1, id: 2, note: "x".repeat(66_000) }])).rejects.toMatchObject({
    code: "io_error",
  });
  disk = disk.reboot("power cut");
  log = await openSmall(disk);
  const files = log.files();
  expect(files.files.map(({ bytes }) => bytes > 0)).toEqual([true, false]);
  const source = {
    files: async () => files,
    read: (name: string, from: number, to: number) => log.readFile(name, from, to),
  };
  await backupLog({ source, directory: "/backup", disk, now: 0 });
  await log.close();
  expect(await restoreBackup({ backup: "/backup", directory: "/restored", disk })).toMatchObject({
    position: 1,
  });
});
