/**
 * A change of the catalog was made when its turn came in the engine, durable or not: readers were refused a table whose DROP the disk, or the replicas, did not have, and were shown one whose CREATE
 * might still be lost. It is made when it is durable.
 */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { gone, started } from "../engine/replica/nodes.ts";
import { level, type Node, refusal, until } from "../engine/replica/support.ts";
import { rowsOf, sql } from "../engine/support/memory.ts";

const LATE = { code: "timeout" };

/** A leader whose commits wait for a follower that never comes. */
let leader: Node;
beforeEach(async () => {
  leader = await started({ syncFollowers: 1, syncTimeoutMs: 40 });
  await leader.stop();
  await leader.start({ syncFollowers: 0 });
  await sql(
    leader.db,
    `CREATE TABLE t (id int PRIMARY KEY, n int); INSERT INTO t VALUES (1, 5);
     CREATE MATERIALIZED VIEW v AS SELECT id, n + 1 AS m FROM t;
     CREATE TABLE s (n int) WITH (append_only); CREATE TYPE mood AS ENUM ('good', 'bad')`,
  );
  await leader.stop();
  await leader.start();
});

/** All that is waited for is on a replica now. */
function confirm(): void {
  leader.db.core.log.confirm(leader.db.core.log.lastPosition);
}

const told = (text: string) => leader.db.sql(text);

describe("until it is durable", () => {
  afterEach(() => leader.stop());

  it("what is dropped is there", async () => {
    const { db } = leader;
    expect(await told("DROP MATERIALIZED VIEW v")).toMatchObject({ error: LATE });
    expect(await rowsOf(db, "SELECT * FROM v")).toEqual([["1", "6"]]);
    expect((await db.view("v").rows()).rows).toEqual([{ id: 1, m: 6 }]);
    expect(db.views().map(({ name }) => name)).toEqual(["v"]);
    confirm();
    await until(() => db.views().length === 0);
    expect(await told("SELECT * FROM v")).toMatchObject({ error: { code: "undefined_table" } });
    expect(await told("DROP TABLE t")).toMatchObject({ error: LATE });
    expect(await rowsOf(db, "SELECT * FROM t")).toEqual([["1", "5"]]);
    expect(db.topics().map(({ name }) => name)).toEqual(["t", "s"]);
    confirm();
    await until(() => db.topics().length === 1);
  });

  it("who watches what is dropped goes on", async () => {
    const { db } = leader;
    const events: string[] = [];
    const watching = (async () => {
      try {
        for await (const { type } of db.subscribe([{ view: "v" }])) events.push(type);
      } catch (error) {
        events.push((error as { code: string }).code);
      }
    })();
    await until(() => events.includes("snapshot"));
    const before = events.length;
    expect(await told("DROP MATERIALIZED VIEW v")).toMatchObject({ error: LATE });
    expect(events.length).toBe(before);
    confirm();
    await watching;
    expect(events.slice(before)).toEqual(["undefined_table"]);
  });

  it("what is made is not there", async () => {
    const { db } = leader;
    for (const [text, look] of [
      ["CREATE TABLE u (id int PRIMARY KEY)", "SELECT * FROM u"],
      ["CREATE MATERIALIZED VIEW w AS SELECT n FROM t", "SELECT * FROM w"],
      ["CREATE VIEW p AS SELECT n FROM t", "SELECT * FROM p"],
    ] as const) {
      expect(await told(text)).toMatchObject({ error: LATE });
      expect(await told(look)).toMatchObject({ error: { code: "undefined_table" } });
      confirm();
      await until(() => db.core.stepper.position === db.core.log.lastPosition);
      await db.core.views.settled();
      expect((await told(look)).error).toBeUndefined();
    }
  });

  it("columns are what they were", async () => {
    const { db } = leader;
    expect(await told("ALTER TABLE s ADD COLUMN b text")).toMatchObject({ error: LATE });
    expect(db.topic("s").schema.fields.map(({ name }) => name)).toEqual(["n"]);
    expect(await told("SELECT b FROM s")).toMatchObject({ error: { code: "undefined_column" } });
    confirm();
    await until(() => db.topic("s").schema.fields.length === 2);
    expect(await rowsOf(db, "SELECT b FROM s")).toEqual([]);
  });

  it("nothing is stored that it may be about, and who would is told so in time", async () => {
    const { db } = leader;
    expect(await told("DROP MATERIALIZED VIEW v")).toMatchObject({ error: LATE });
    const { lastPosition } = db.core.log;
    const refused = { code: "timeout", detail: expect.stringContaining("Nothing of this request is stored") };
    expect(await refusal(db.append("t", [{ id: 2, n: 1 }]))).toMatchObject(refused);
    expect(await told("INSERT INTO t VALUES (2, 1)")).toMatchObject({ error: refused });
    expect(await told("CREATE TABLE u (n int)")).toMatchObject({ error: refused });
    expect(await refusal(db.transaction((tx) => tx.append("s", [{ n: 1 }])))).toMatchObject(refused);
    expect(db.core.log.lastPosition).toBe(lastPosition);
    confirm();
    await until(() => db.views().length === 0);
    expect(await refusal(db.append("t", [{ id: 2, n: 1 }]))).toMatchObject({
      code: "timeout",
      detail: expect.stringMatching(/^It is stored here/),
    });
  });

  it("queries of all kinds and the database's end do not wait for it", async () => {
    const { db } = leader;
    expect(await told("DROP MATERIALIZED VIEW v")).toMatchObject({ error: LATE });
    expect(await rowsOf(db, "SELECT sum(n), count(*) FROM t GROUP BY id % 2")).toEqual([["5", "1"]]);
    expect(await rowsOf(db, "SELECT t.n FROM t JOIN v ON v.id = t.id")).toEqual([["5"]]);
    await db.checkpoint();
    await leader.stop();
    // What a start finds in the log is durable here, whoever else has it.
    await leader.start();
    expect(leader.db.views()).toEqual([]);
  });
});

it("a replica that takes it in makes it, and so does its leader then", async () => {
  const { db } = leader;
  expect(await told("DROP MATERIALIZED VIEW v")).toMatchObject({ error: LATE });
  const replica = await started({ follow: { url: leader.url } });
  await until(() => db.views().length === 0);
  await level(db, replica.db);
  expect(replica.db.views()).toEqual([]);
  await sql(db, "CREATE TABLE u (id int PRIMARY KEY); INSERT INTO u VALUES (7)");
  await level(db, replica.db);
  expect(await rowsOf(replica.db, "SELECT * FROM u")).toEqual([["7"]]);
  gone(leader);
  await leader.kill("power cut");
  await replica.db.replication.promote();
  expect(await rowsOf(replica.db, "SELECT * FROM u")).toEqual([["7"]]);
  gone(replica);
  await replica.stop();
});
