/**
 * A log that was closed behind a full segment has its closing mark in a file of its own. Where the segment is ended before a commit comes, the next one has the name of that file, and takes its place. A backup that
 * had the file as it was took the log for another server's, and refused for good. Found by the simulation, seeds 113 and 1085.
 *
 * Logs go on in such a file by now, but earlier versions have begun it anew, and their backups are still there. So it is taken away here, as they took it.
 */
import { expect, test } from "vitest";
import { readFully } from "../../src/base/disk.ts";
import { restoreBackup } from "../../src/engine/restore-backup.ts";
import { backupLog, readManifest } from "../../src/log/backup.ts";
import { checkLog } from "../../src/log/check.ts";
import { HEADER_BYTES, readHeader } from "../../src/log/frame.ts";
import type { Log } from "../../src/log/log.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { append, openSmall, readAll, room } from "../log/harness.ts";

const LAST = "00000000000000000002.log";

async function backup(log: Log, disk: SimulatedDisk, now: number): Promise<void> {
  const source = {
    files: async () => log.files(),
    read: (name: string, from: number, to: number) => log.readFile(name, from, to),
  };
  await backupLog({ source, directory: "/backup", disk, now });
}

async function headerOf(disk: SimulatedDisk, path: string): Promise<Uint8Array> {
  const file = await disk.open(path, "read");
  try {
    const bytes = new Uint8Array(HEADER_BYTES);
    await readFully(file, bytes, 0);
    return bytes;
  } finally {
    await file.close();
  }
}

/** A log whose last file is a closing mark; backed up so; then begun anew, as an earlier version did, and appended to. */
async function begunAnew(disk: SimulatedDisk): Promise<Log> {
  let log = await openSmall(disk);
  await append(log, [{ topicId: 1, id: 1, note: "first" }]);
  log.turnOver();
  await room(log, 100);
  await log.close();
  log = await openSmall(disk);
  await backup(log, disk, 1000);
  const files = (await readManifest(disk, "/backup"))?.files ?? [];
  expect(files.at(-1)?.name).toBe(LAST);
  await log.close();
  await disk.unlink(`/data/log/${LAST}`);
  await disk.syncDirectory("/data/log");
  log = await openSmall(disk);
  log.turnOver();
  await append(log, [{ topicId: 1, id: 2, note: "second" }]);
  // The case: one name, a mark without commits in the copy, a frame with one in the log.
  const copied = readHeader(await headerOf(disk, `/backup/log/${LAST}`), 0);
  const own = readHeader(await headerOf(disk, `/data/log/${LAST}`), 0);
  expect([copied?.commitCount, own?.commitCount]).toEqual([0, 1]);
  return log;
}

test("a backup goes on where its last file had a closing mark and nothing else, and was begun anew", async () => {
  const disk = new SimulatedDisk();
  const log = await begunAnew(disk);
  await backup(log, disk, 2000);
  await append(log, [{ topicId: 1, id: 3, note: "third" }]);
  await backup(log, disk, 3000);
  const commits = await readAll(log);
  await log.close();
  await restoreBackup({ backup: "/backup", directory: "/restored", disk });
  expect((await checkLog("/restored", disk)).damages).toEqual([]);
  const restored = await openSmall(disk, { directory: "/restored" });
  expect(await readAll(restored)).toEqual(commits);
  await restored.close();
});

test("until the new copy is whole, the one before can be restored, whenever the machine stops", async () => {
  for (let after = 1; ; after++) {
    let disk = new SimulatedDisk({ seed: after });
    const log = await begunAnew(disk);
    disk.crashAfter(after, /\/backup\//);
    const isDone = await backup(log, disk, 2000).then(
      () => true,
      () => false,
    );
    if (isDone) break;
    disk = disk.reboot("power cut");
    const manifest = await readManifest(disk, "/backup");
    expect(manifest?.takenAt).toBe(new Date(manifest?.position === 1 ? 1000 : 2000).toISOString());
    const { position } = await restoreBackup({ backup: "/backup", directory: "/restored", disk });
    expect(position).toBe(manifest?.position);
    const again = await openSmall(disk);
    await backup(again, disk, 3000);
    expect((await readManifest(disk, "/backup"))?.position).toBe(2);
    await again.close();
  }
});
