/**
 * A subscriber that came back after a restart with a position that lies within a step now was given all of the step's changes, some of which it had seen:
 * before the restart these commits were in steps of their own. It is given the view anew. Found by the simulation, seed 62.
 */
import { expect, test } from "vitest";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { Client } from "../engine/support/client.ts";
import { openInMemory, sql } from "../engine/support/memory.ts";
import { rowsJsonOf } from "../engine/support/rows.ts";

const COMMITS = 30;

test("who resumes at a position within a step begins anew", async () => {
  const disk = new SimulatedDisk();
  let db = await openInMemory(disk);
  await sql(
    db,
    "CREATE TABLE t (k int4 PRIMARY KEY); CREATE MATERIALIZED VIEW counted AS SELECT count(*) AS c FROM t",
  );
  await db.append("t", [{ k: 0 }]);
  await db.checkpoint();
  const positions: string[] = [];
  for (let k = 1; k <= COMMITS; k++) positions.push((await db.append("t", [{ k }])).position);
  await db.settled();
  const next = disk.reboot("process");
  await db.close().catch(() => {});
  db = await openInMemory(next, { answerWhileCatchingUp: true });
  // The replay waits for a moment: what is read meanwhile becomes one step.
  const held = db.core.stepper.atBoundary(async () => {
    for (let turns = 0; turns < 1000; turns++) await new Promise((done) => setImmediate(done));
  });
  // Somebody reads it as of the checkpoint: from there on its steps are kept, and some take in several of the commits.
  expect(await rowsJsonOf(db, "counted")).toEqual(['{"c":1}']);
  await held;
  await db.settled();
  const reasons = new Set<string>();
  for (const [i, from] of positions.slice(0, -1).entries()) {
    const shown = new Map([["[]", `{"c":${i + 2}}`]]);
    const client = new Client().resume(new Map([["counted", shown]]), Number(from));
    for await (const event of db.subscribe([{ view: "counted" }], { from })) {
      client.apply(event);
      if (event.type === "reset") reasons.add(event.reason);
      else if (event.type === "step" ? event.position === positions.at(-1) : event.type === "snapshot") break;
    }
    expect([...(client.views.get("counted")?.values() ?? [])]).toEqual([`{"c":${COMMITS + 1}}`]);
  }
  expect(reasons).toContain("the position lies within a step");
  await db.close();
});
