/**
 * A replica takes over a sealed segment whole, and steps to what is defined in it. Where a topic's columns had changed before, and changed again within the segment, reading its rows of before the change asked for the
 * schema of those behind it: the replica stopped for good. Who read the topic's records there in the same moment was refused so. Found by the simulation of copies, seed 7251996.
 */
import { expect, it } from "vitest";
import { TICK_ENTRY } from "../../src/engine/catalog/hidden-topics.ts";
import type { Database } from "../../src/engine/database.ts";
import { networked, started } from "../engine/replica/nodes.ts";
import { level, type Node } from "../engine/replica/support.ts";
import { rowsOf, sql } from "../engine/support/memory.ts";

/** Columns change twice, and the segment is sealed. */
async function change({ db }: Node): Promise<void> {
  await sql(db, "ALTER TABLE t ADD COLUMN b int4 DEFAULT 7; INSERT INTO t VALUES (2, 'two', 8)");
  await sql(db, "ALTER TABLE t RENAME COLUMN a TO c; INSERT INTO t VALUES (3, 'three', 9)");
  const { committer, log } = db.core;
  await committer.exclusively(async () => {
    log.turnOver();
    const rows = [{ due: new Date(log.nowUs() / 1000) }];
    return [{ topic: TICK_ENTRY, op: "upsert", rows, path: "tick" }];
  });
  await log.sealed();
}

const CREATE = "CREATE TABLE t (k int4 PRIMARY KEY, a text); INSERT INTO t VALUES (1, 'one')";

it("is stepped by a replica that begins with it", async () => {
  const leader = await started();
  await sql(leader.db, CREATE);
  await change(leader);
  const replica = await started({ follow: { url: leader.url } });
  await level(leader.db, replica.db);
  expect(await rowsOf(replica.db, "SELECT k, c, b FROM t ORDER BY k")).toEqual([
    ["1", "one", "7"],
    ["2", "two", "8"],
    ["3", "three", "9"],
  ]);
});

it("is read as far as its columns are known, and followed to its end", async () => {
  const leader = await started();
  await sql(leader.db, CREATE);
  const network = await networked(leader);
  const replica = await started({ follow: { url: network.url } });
  await level(leader.db, replica.db);
  network.cut();
  await change(leader);
  const { stepper } = replica.db.core;
  const atBoundary = stepper.atBoundary.bind(stepper);
  const early: Promise<string[]>[] = [];
  // Each change of the catalog is stepped to before what comes behind it is read.
  stepper.atBoundary = async (act) => {
    const result = await atBoundary(act);
    if (replica.db.topics()[0]?.schemaVersion !== 2 || early.length > 0) return result;
    early.push(values(replica.db, {}), values(replica.db, { follow: true, limit: 3 }));
    await early[0];
    return result;
  };
  network.mend();
  await level(leader.db, replica.db);
  const [then, followed] = await Promise.all(early);
  expect(then).toEqual(['{"k":1,"a":"one","b":7}', '{"k":2,"a":"two","b":8}']);
  expect(followed?.map((value) => JSON.parse(value).k)).toEqual([1, 2, 3]);
  expect((await values(replica.db, {})).at(-1)).toBe('{"k":3,"c":"three","b":9}');
});

async function values(db: Database, options: Parameters<Database["readTopic"]>[1]): Promise<string[]> {
  const all: string[] = [];
  for await (const { valueJson } of db.readTopic("t", options)) all.push(valueJson as string);
  return all;
}
