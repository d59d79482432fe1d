/**
 * A restore to a time before an ALTER TABLE was refused, "schema version 2 of topic 2 is not known to the log", where both lie in one segment that is sealed: which position the time is was not
 * known, so the reader went on to records in a form that was never registered. Found by the simulation, seeds 44002283 and 44004294.
 */
import { expect, it } from "vitest";
import { openEngine } from "../../src/engine/open-engine.ts";
import { restoreBackup } from "../../src/engine/restore-backup.ts";
import { backupLog } from "../../src/log/backup.ts";
import { SimulatedClock } from "../../src/testing/simulated-clock.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { rowsOf, sql } from "../engine/support/memory.ts";

it("what is behind the time may be in a form that is not known yet", async () => {
  const clock = new SimulatedClock();
  const disk = new SimulatedDisk();
  const open = (directory: string) =>
    openEngine({ directory, disk, clock, segmentBytes: 64 * 1024, checkpointIntervalMs: 0 });
  const db = await open("/data");
  await sql(db, "CREATE TABLE t (id int PRIMARY KEY, note text); INSERT INTO t VALUES (1, 'a'), (2, 'b')");
  const timeUs = clock.wallUs();
  clock.advance(1_000_000);
  await sql(db, "DELETE FROM t WHERE id = 1; ALTER TABLE t ADD COLUMN late int");
  for (let id = 0; id < 150; id++) await db.append("t", [{ id, note: "p".repeat(900), late: id }]);
  await db.core.log.sealed();
  await backupLog({ source: db.backupSource, directory: "/backup", disk, now: 0 });
  await db.close();
  await restoreBackup({ backup: "/backup", directory: "/then", disk, to: { timeUs } });
  const then = await open("/then");
  expect(await rowsOf(then, "SELECT * FROM t ORDER BY id")).toEqual([
    ["1", "a"],
    ["2", "b"],
  ]);
  await then.close();
});
