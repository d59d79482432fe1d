/** Writes and syncs of what goes on behind appends: sealing, compaction, a backup and its next, a restore. Rewritten by `vitest --update`. */
import { expect, test } from "vitest";
import { restoreBackup } from "../../src/engine/restore-backup.ts";
import { backupLog } from "../../src/log/backup.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { append, openSmall, room } from "./harness.ts";

async function quiet(disk: SimulatedDisk): Promise<void> {
  for (let idle = 0, seen = -1; idle < 200; idle++) {
    if (disk.trace.length !== seen) idle = 0;
    seen = disk.trace.length;
    await new Promise((done) => setImmediate(done));
  }
}

test("what sealing, compaction, backups and a restore do to the disk, and in which order", async () => {
  const disk = new SimulatedDisk({ seed: 3 });
  const lines: string[] = [];
  let shown = 0;
  const tell = async (title: string): Promise<void> => {
    await quiet(disk);
    lines.push(`# ${title}`);
    const news = disk.trace.slice(shown).filter((line) => !/lock\.owner (at|to)/.test(line));
    // Which part of a segment is compressed how far is not what this is about.
    const sizeless = (line: string): string =>
      /sealing-|compacting-|\.sealed/.test(line) ? line.replace(/ at \d+: \d+ bytes/, "") : line;
    const told = news.map((line) => sizeless(line).replaceAll("/data/", ""));
    lines.push(...told.filter((line, i) => line !== told[i - 1]), "");
    shown = disk.trace.length;
  };

  const log = await openSmall(disk, { aheadBytesMax: 64 * 1024 });
  for (let id = 0; id < 3; id++) await append(log, [{ topicId: 1, id: id % 2, note: "x".repeat(20_000) }]);
  await room(log, 50_000);
  await append(log, [{ topicId: 1, id: 2, note: "y".repeat(50_000) }]);
  await quiet(disk);
  shown = disk.trace.length;
  log.startSealing();
  await log.sealed();
  await tell("a full segment is sealed: written, synced, named, and then its frames go");

  const rule = { retainForUs: null, retainBytes: null, neededBy: [], tombstonesForUs: 0 };
  log.keep(() => ({
    horizon: log.durablePosition,
    topics: new Map([[1, rule]]),
    isDropped: () => false,
  }));
  await log.compact();
  await tell(
    "a sealed segment is compacted: the new form is written, synced and named, and then the old one goes",
  );

  const source = {
    files: async () => log.files(),
    read: (name: string, from: number, to: number) => log.readFile(name, from, to),
  };
  await backupLog({ source, directory: "/backup", disk, now: 0 });
  await tell("a backup: its files, then what names them");
  await append(log, [{ topicId: 1, id: 5, note: "z" }]);
  await quiet(disk);
  shown = disk.trace.length;
  await backupLog({ source, directory: "/backup", disk, now: 0 });
  await tell("the next one: what is new");
  await log.close();
  await quiet(disk);
  shown = disk.trace.length;
  await restoreBackup({ backup: "/backup", directory: "/restored", disk });
  await tell("a restore: made aside, verified, and moved, the newest file first");
  await expect(lines.join("\n")).toMatchFileSnapshot("./io-trace-of-copies.txt");
});
