/**
 * A log that is closed when its segment is full, or ended, has its closing mark in a segment of its own, which is named by the position that comes next. When the log went on in a new segment, or with
 * a frame that did not fit behind the mark, that one had the same name and took its place: a backup that had the mark was refused as one of another server, and a replica that had read the mark was told
 * that the log was damaged. Found by the simulation: seeds 71004589 and, `--afterwards`, 113 and 1085.
 */
import { expect, test } from "vitest";
import { restoreBackup } from "../../src/engine/restore-backup.ts";
import { type BackupReport, backupLog, readManifest } from "../../src/log/backup.ts";
import { checkLog } from "../../src/log/check.ts";
import { HEADER_BYTES } from "../../src/log/frame.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { append, type OpenedLog, openSmall, readAll, room } from "../log/harness.ts";

const MARK = "00000000000000000002.log";

/** One commit, and the closing mark in the next segment. */
async function closedBehind(disk: SimulatedDisk): Promise<void> {
  const log = await openSmall(disk);
  await append(log, [{ topicId: 1, id: 1, note: "first" }]);
  log.turnOver();
  await room(log, 100);
  await log.close();
}

function backup(log: OpenedLog, disk: SimulatedDisk): Promise<BackupReport> {
  const source = {
    files: async () => log.files(),
    read: (name: string, from: number, to: number) => log.readFile(name, from, to),
  };
  return backupLog({ source, directory: "/backup", disk, now: 0 });
}

async function positionIn(disk: SimulatedDisk, backup: string): Promise<number> {
  return (await restoreBackup({ backup, directory: "/restored", disk: disk.clone({ seed: 1 }) })).position;
}

test.each([
  ["goes on in a new segment", 10],
  ["goes on with a frame that does not fit behind it", 100_000],
])("the segment of a closing mark stays when the log %s", async (_, length) => {
  const disk = new SimulatedDisk({ seed: 3 });
  await closedBehind(disk);
  const log = await openSmall(disk);
  expect(log.files().files.at(-1)).toEqual({ name: MARK, bytes: HEADER_BYTES });
  await backup(log, disk);
  // Somebody who follows has read up to the mark.
  const follower = log.stored(2);
  expect(await follower.next()).toBeNull();
  log.turnOver();
  await room(log, length + 100);
  await append(log, [{ topicId: 1, id: 2, note: "x".repeat(length) }]);
  expect(await follower.next()).toMatchObject({ kind: "frames", segment: 2, last: 2 });
  await follower.close();
  expect(await backup(log, disk)).toMatchObject({ position: 2 });
  const commits = await readAll(log);
  await log.close();
  expect((await checkLog("/data", disk)).damages).toEqual([]);
  const again = await openSmall(disk);
  expect(await readAll(again)).toEqual(commits);
  await again.close();
  expect(await positionIn(disk, "/backup")).toBe(2);
});

test("it stays also where the log follows another one and then leads", async () => {
  const disk = new SimulatedDisk({ seed: 3 });
  await closedBehind(disk);
  const log = await openSmall(disk, { following: { logId: () => Promise.resolve(0) } });
  await backup(log, disk);
  const follower = log.stored(2);
  expect(await follower.next()).toBeNull();
  await log.lead();
  await append(log, [{ topicId: 1, id: 2, note: "of the new leader" }]);
  expect(await follower.next()).toMatchObject({ kind: "frames", segment: 2, last: 2 });
  await follower.close();
  expect(await backup(log, disk)).toMatchObject({ position: 2 });
  await log.close();
  expect((await checkLog("/data", disk)).damages).toEqual([]);
});

test("a backup with a closing mark goes on with who has the commit without it, and is whole whenever power is cut", async () => {
  const disk = new SimulatedDisk({ seed: 3 });
  const first = await openSmall(disk);
  await append(first, [{ topicId: 1, id: 1, note: "first" }]);
  first.turnOver();
  await room(first, 100);
  // The same commits on another machine, which goes on by itself.
  const others = disk.clone({ seed: 4 }).reboot("power cut");
  await first.close();
  const closed = await openSmall(disk);
  expect(closed.files().files.at(-1)).toEqual({ name: MARK, bytes: HEADER_BYTES });
  await backup(closed, disk);
  await closed.close();
  const other = await openSmall(others);
  other.turnOver();
  for (let id = 2; id < 5; id++) await append(other, [{ topicId: 1, id, note: "and on" }]);
  expect(other.files().files.at(-1)?.name).toBe(MARK);
  let changes = 0;
  for (let isDone = false; !isDone; changes++) {
    const tried = disk.clone({ seed: changes });
    tried.crashAfter(changes);
    isDone = await backup(other, tried).then(
      () => true,
      () => false,
    );
    const left = isDone ? tried : tried.reboot("power cut");
    tried.crashAfter(Number.POSITIVE_INFINITY);
    const { position } = (await readManifest(left, "/backup"))!;
    expect(position).toBe(isDone ? 4 : position);
    expect(await positionIn(left, "/backup")).toBe(position);
    // It goes on where it was.
    expect(await backup(other, left)).toMatchObject({ position: 4 });
  }
  expect(changes).toBeGreaterThan(5);
  await other.close();
});
