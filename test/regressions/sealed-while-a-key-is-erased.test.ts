/**
 * Erasing a key ends with the removal of forms that segments had before. Which form each has by now was looked up before the directory was: of a segment that was sealed in between the sealed form was taken
 * for an earlier one, and removed, with all that it had. Found by the simulation, seed 602186.
 */
import { expect, test } from "vitest";
import { TICK_ENTRY } from "../../src/engine/catalog/hidden-topics.ts";
import { openEngine } from "../../src/engine/open-engine.ts";
import { checkLog } from "../../src/log/check.ts";
import { SimulatedClock } from "../../src/testing/simulated-clock.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { rowsOf, sql } from "../engine/support/memory.ts";

test("a segment that is sealed while files are removed stays", async () => {
  const disk = new SimulatedDisk({ seed: 1 });
  const db = await openEngine({
    directory: "/data",
    disk,
    clock: new SimulatedClock(),
    checkpointIntervalMs: 0,
  });
  await sql(db, "CREATE TABLE t (k int4 PRIMARY KEY); CREATE TABLE s (n int4) WITH (append_only)");
  await db.append("t", [{ k: 1 }]);
  const { log, committer } = db.core;
  const list = disk.list.bind(disk);
  let listed = 0;
  disk.list = async (directory) => {
    if (directory === "/data/log") {
      listed++;
      await db.append("s", [{ n: listed }]);
      await committer.exclusively(async () => {
        log.turnOver();
        const rows = [{ due: new Date(log.nowUs() / 1000) }];
        return [{ topic: TICK_ENTRY, op: "upsert", rows, path: "tick" }];
      });
      await log.sealed();
    }
    return list(directory);
  };
  await db.erase("t", 1);
  disk.list = list;
  expect(listed).toBeGreaterThan(0);
  await db.close();
  expect((await checkLog("/data", disk)).damages).toEqual([]);
  const again = await openEngine({
    directory: "/data",
    disk: disk.clone({ seed: 1 }),
    checkpointIntervalMs: 0,
  });
  expect(await rowsOf(again, "SELECT count(*) FROM s")).toEqual([[String(listed)]]);
  await again.close();
});
