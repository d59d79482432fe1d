/**
 * A restore to an earlier position was refused, "topic 2 is not known to the log", where a segment that had been sealed since has records of a topic that was created behind that position: the copy was
 * read as a log that knew the topics of that position alone.
 */
import { expect, it } from "vitest";
import { openEngine } from "../../src/engine/open-engine.ts";
import { restoreBackup } from "../../src/engine/restore-backup.ts";
import { backupLog } from "../../src/log/backup.ts";
import { SimulatedClock } from "../../src/testing/simulated-clock.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { rowsOf, sql } from "../engine/support/memory.ts";

it("a segment may hold topics that came later", async () => {
  const clock = new SimulatedClock();
  const disk = new SimulatedDisk();
  const open = (directory: string) =>
    openEngine({ directory, disk, clock, segmentBytes: 64 * 1024, checkpointIntervalMs: 0 });
  const db = await open("/data");
  const before = clock.wallUs() - 1_000_000;
  await sql(
    db,
    "CREATE TABLE early (id int PRIMARY KEY, note text); INSERT INTO early VALUES (1, 'a'), (2, 'b')",
  );
  const between = Number(db.position);
  await sql(db, "CREATE TABLE late (id int PRIMARY KEY, note text); DELETE FROM early WHERE id = 1");
  for (let id = 0; id < 150; id++) await db.append("late", [{ id, note: "p".repeat(900) }]);
  await db.core.log.sealed();
  await backupLog({ source: db.backupSource, directory: "/backup", disk, now: 0 });
  await db.close();
  await restoreBackup({ backup: "/backup", directory: "/between", disk, to: { position: between } });
  const then = await open("/between");
  expect(await rowsOf(then, "SELECT id, note FROM early ORDER BY id")).toEqual([
    ["1", "a"],
    ["2", "b"],
  ]);
  expect(then.topics().map(({ name }) => name)).not.toContain("late");
  await then.close();
  expect(
    await restoreBackup({ backup: "/backup", directory: "/nothing", disk, to: { timeUs: before } }),
  ).toMatchObject({
    position: 0,
  });
});
