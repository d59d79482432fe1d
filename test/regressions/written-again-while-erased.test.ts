/**
 * A key that was erased went out of all sealed segments, wherever it was: also out of one that had been begun since, filled, sealed and met by a checkpoint before the erasing had come to the segments. The
 * row that somebody had written again, and was told of, was gone. So was one that was written between the delete and the segment's end. Found by the simulation, seeds 18, 47 and 600771.
 */
import { expect, test } from "vitest";
import { TICK_ENTRY } from "../../src/engine/catalog/hidden-topics.ts";
import type { Database } from "../../src/engine/database.ts";
import { openEngine } from "../../src/engine/open-engine.ts";
import { SimulatedClock } from "../../src/testing/simulated-clock.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { rowsOf, sql } from "../engine/support/memory.ts";

async function turnOver({ core }: Database): Promise<number> {
  const receipt = await core.committer.exclusively(async () => {
    core.log.turnOver();
    const rows = [{ due: new Date(core.log.nowUs() / 1000) }];
    return [{ topic: TICK_ENTRY, op: "upsert", rows, path: "tick" }];
  });
  return receipt!.position;
}

const open = (disk: SimulatedDisk): Promise<Database> =>
  openEngine({ directory: "/data", disk, clock: new SimulatedClock(), checkpointIntervalMs: 0 });

test("what is written to a key right behind its delete stays, too", async () => {
  const disk = new SimulatedDisk({ seed: 1 });
  let db = await open(disk);
  await sql(db, "CREATE TABLE t (k int4 PRIMARY KEY, note text)");
  await db.append("t", [{ k: 1, note: "before" }]);
  await db.settled();
  const erasing = db.erase("t", 1);
  // Behind the delete, and before the log goes on in a new segment.
  const { core } = db;
  const before = core.log.lastPosition;
  while (core.log.lastPosition === before) await Promise.resolve();
  const { position } = await db.append("t", [{ k: 1, note: "after" }]);
  expect(Number((await erasing).position)).toBeLessThan(Number(position));
  await db.close();
  await disk.removeTree("/data/checkpoint");
  db = await open(disk);
  expect(await rowsOf(db, "SELECT k, note FROM t")).toEqual([["1", "after"]]);
  await db.close();
});

test("what is written to a key while it is erased stays", async () => {
  const disk = new SimulatedDisk({ seed: 1 });
  let db = await open(disk);
  await sql(db, "CREATE TABLE t (k int4 PRIMARY KEY, note text)");
  await db.append("t", [{ k: 1, note: "before" }]);
  await db.append("t", [{ k: 2, note: "another" }]);
  await db.settled();
  const { core } = db;
  const store = core.tables.store(core.catalog.topic("t").id)!;
  const pin = store.pin(core.current().epoch);
  const before = core.log.lastPosition;
  const erasing = db.erase("t", 1);
  // The delete, and the first commit of the next segment; the erasing waits for the reader then.
  while (core.log.durablePosition < before + 2) await new Promise((done) => setImmediate(done));
  await db.append("t", [{ k: 1, note: "after" }]);
  await turnOver(db);
  pin.release();
  expect(Number((await erasing).position)).toBe(before + 1);
  expect(await rowsOf(db, "SELECT k, note FROM t ORDER BY k")).toEqual([
    ["1", "after"],
    ["2", "another"],
  ]);
  await db.close();
  await disk.removeTree("/data/checkpoint");
  db = await open(disk);
  expect(await rowsOf(db, "SELECT k, note FROM t ORDER BY k")).toEqual([
    ["1", "after"],
    ["2", "another"],
  ]);
  await db.close();
});
