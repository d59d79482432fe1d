/**
 * After a start, a transaction that expected nothing to have been committed since a position was let pass where what had been committed was taken out of the log by then: the commit is still there, without
 * rows. Found by the simulation, seed 601141.
 */
import { expect, test } from "vitest";
import { openEngine } from "../../src/engine/open-engine.ts";
import { SimulatedClock } from "../../src/testing/simulated-clock.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { sql } from "../engine/support/memory.ts";

test("a commit without its rows is one", async () => {
  const disk = new SimulatedDisk({ seed: 1 });
  const open = () =>
    openEngine({ directory: "/data", disk, clock: new SimulatedClock(), checkpointIntervalMs: 0 });
  let db = await open();
  await sql(db, "CREATE TABLE t (k int4 PRIMARY KEY); CREATE TABLE u (k int4 PRIMARY KEY)");
  const { position } = await db.append("t", [{ k: 1 }]);
  await db.erase("t", 1);
  await db.close();
  db = await open();
  const write = [{ topic: "u", upsert: [{ k: 1 }] }];
  await expect(db.transact(write, { expect: [{ position }] })).rejects.toMatchObject({ code: "conflict" });
  // What the log goes on with in a new segment is nobody's decision.
  const deleted = String(Number(position) + 1);
  await db.transact(write, { expect: [{ position: deleted }] });
  await db.close();
});
