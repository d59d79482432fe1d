/**
 * A view that was dropped while the log was still replayed (answerWhileCatchingUp) ended the database: at the end of the replay it was looked whether the view is
 * what it was, and it was gone. Found by the simulation, seed 5448.
 */
import { expect, test } from "vitest";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, sql } from "../engine/support/memory.ts";

test("views may be dropped while the log is replayed", async () => {
  const disk = new SimulatedDisk();
  let db = await openInMemory(disk);
  const views = ["a", "b", "c", "d"];
  await sql(db, "CREATE TABLE t (k int4 PRIMARY KEY)");
  for (const view of views) await sql(db, `CREATE MATERIALIZED VIEW ${view} AS SELECT count(*) AS c FROM t`);
  await db.checkpoint();
  await db.append("t", [{ k: 0 }]);
  const next = disk.reboot("process");
  await db.close().catch(() => {});
  const fatal: unknown[] = [];
  db = await openInMemory(next, { answerWhileCatchingUp: true, onFatal: (error) => fatal.push(error) });
  await Promise.all(views.map((view) => sql(db, `DROP MATERIALIZED VIEW ${view}`)));
  await db.append("t", [{ k: 1 }]);
  await db.settled();
  expect([fatal, db.views()]).toEqual([[], []]);
  await db.close();
});
