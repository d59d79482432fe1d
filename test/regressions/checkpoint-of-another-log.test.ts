/** A log that was put beside the checkpoint of another, by hand, and was as long, was started from it: the database answered with the other log's rows. */
import { expect, test } from "vitest";
import { openEngine } from "../../src/engine/open-engine.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { rowsOf, sql } from "../engine/support/memory.ts";

test("a checkpoint of another log is not used", async () => {
  const disk = new SimulatedDisk();
  const told: string[] = [];
  const open = (directory: string) =>
    openEngine({ directory, disk, checkpointIntervalMs: 0, report: (message) => told.push(message) });
  for (const [directory, id] of [
    ["/one", 1],
    ["/other", 2],
  ] as const) {
    const db = await open(directory);
    await sql(db, `CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (${id})`);
    await sql(db, "CREATE MATERIALIZED VIEW v AS SELECT sum(id) AS s FROM t");
    await db.close();
  }
  await disk.removeTree("/other/checkpoint");
  await disk.makeDirectory("/other/checkpoint");
  for (const name of await disk.list("/one/checkpoint"))
    await disk.rename(`/one/checkpoint/${name}`, `/other/checkpoint/${name}`);
  expect(told).toEqual([]);
  for (const expected of [
    ["the checkpoint is not used: it is of another log; everything is rebuilt from the log"],
    [], // the one that was taken since is this log's
  ]) {
    const db = await open("/other");
    expect(await rowsOf(db, "SELECT id FROM t")).toEqual([["2"]]);
    expect(await rowsOf(db, "SELECT s FROM v")).toEqual([["2"]]);
    expect(told.splice(0)).toEqual(expected);
    await db.close();
  }
});

test("a checkpoint of a log without commits is one of any", async () => {
  const disk = new SimulatedDisk();
  const told: string[] = [];
  for (let start = 0; start < 3; start++) {
    const report = (message: string) => told.push(message);
    await (await openEngine({ directory: "/data", disk, checkpointIntervalMs: 0, report })).close();
  }
  expect(told).toEqual([]);
});
