/**
 * Where commits wait for replicas and none is there, an append is refused with `timeout`. What waited for a commit to be durable otherwise did so without end, and others behind it:
 *
 * - a view that was to join at a commit that no replica had, between two steps: there was no step any more, so no statement, no definition, no checkpoint;
 * - a statement that reads a stream with the gate closed: no commit was let in behind it;
 * - ALTER TABLE, likewise, for ten seconds; CREATE MATERIALIZED VIEW, erasing a key and a checkpoint, whose callers heard nothing.
 *
 * Found by the simulation: seeds 14 and 9000043 of copies.
 */
import { expect, test } from "vitest";
import { EvertError } from "../../src/base/errors.ts";
import { started } from "../engine/replica/nodes.ts";
import { contents, level, type Node, refusal, TABLES } from "../engine/replica/support.ts";
import { rowsOf, sql } from "../engine/support/memory.ts";

/** A leader without followers, whose commits wait for one. */
async function alone(): Promise<Node> {
  const leader = await started({ syncFollowers: 1, syncTimeoutMs: 40 });
  await leader.stop();
  await leader.start({ syncFollowers: 0 });
  await sql(leader.db, `${TABLES}; INSERT INTO t VALUES (1, 'a')`);
  await leader.stop();
  await leader.start();
  return leader;
}

async function refused(leader: Node, text: string): Promise<EvertError> {
  const { error } = await leader.db.sql(text);
  return error === undefined ? expect.unreachable() : EvertError.from(error);
}

const timeout = expect.objectContaining({ code: "timeout", status: 504 });

/** As who is told that it takes too long sends it again: the follower is in the same process, and may be slow. */
async function acknowledged(leader: Node, text: string): Promise<void> {
  for (;;) {
    const { error } = await leader.db.sql(text);
    if (error === undefined) return;
    expect(EvertError.from(error)).toEqual(timeout);
  }
}

/** The commit is the first behind a definition that is confirmed now, and so is there before a view that this makes has joined. */
async function behind(leader: Node, position: number, rows: readonly unknown[]): Promise<void> {
  const { db } = leader;
  db.core.log.confirm(position);
  for (;;) {
    const error = await refusal(db.append("s", rows));
    expect(error).toEqual(timeout);
    if (error.detail?.startsWith("It is stored here") === true) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** A follower comes: all that was stored is shown, on both. */
async function goesOn(leader: Node): Promise<void> {
  const replica = await started({ follow: { url: leader.url } });
  await leader.db.built();
  await level(leader.db, replica.db);
  await acknowledged(leader, "ALTER TABLE t ADD COLUMN IF NOT EXISTS later int4 DEFAULT 7");
  await acknowledged(leader, "INSERT INTO t (k, a) VALUES (100, 'z') ON CONFLICT DO NOTHING");
  expect(await rowsOf(leader.db, "SELECT later FROM t WHERE k = 100")).toEqual([["7"]]);
  await level(leader.db, replica.db);
  expect(await contents(replica.db)).toEqual(await contents(leader.db));
}

test("steps go on while a view waits to join at a commit that no replica has", async () => {
  const leader = await alone();
  const { db } = leader;
  expect(await refusal(db.append("s", [{ n: 1 }]))).toEqual(timeout);
  expect(await refused(leader, "CREATE MATERIALIZED VIEW v AS SELECT sum(n) AS n FROM s")).toEqual(timeout);
  const created = db.core.log.lastPosition;
  // The view is fed with what has been confirmed; what is left for it has not.
  await behind(leader, created, [{ n: 2 }]);
  expect(await refused(leader, "INSERT INTO t VALUES (2, 'b')")).toEqual(timeout);
  expect(await refused(leader, "ALTER TABLE t ADD COLUMN b int4")).toEqual(timeout);
  expect(await refused(leader, "CREATE MATERIALIZED VIEW w AS SELECT * FROM v")).toEqual(timeout);
  expect(await refusal(db.append("t", [{ k: 3, a: "c" }]))).toEqual(timeout);
  expect(await refusal(db.erase("t", 1))).toEqual(timeout);
  expect(await rowsOf(leader.db, "SELECT k, a FROM t")).toEqual([["1", "a"]]);
  expect(await rowsOf(leader.db, "SELECT n FROM s")).toEqual([["1"]]);
  await goesOn(leader);
  expect(await rowsOf(leader.db, "SELECT n FROM w")).toEqual([["3"]]);
});

test("a database is closed while a view waits to join at a commit that no replica has", async () => {
  const leader = await alone();
  const { db } = leader;
  expect(await refused(leader, "CREATE MATERIALIZED VIEW v AS SELECT sum(n) AS n FROM s")).toEqual(timeout);
  const created = db.core.log.lastPosition;
  await behind(leader, created, [{ n: 2 }]);
  expect(await refusal(db.checkpoint())).toEqual(timeout);
  await leader.stop();
  await leader.start();
  await leader.db.built();
  expect(await rowsOf(leader.db, "SELECT n FROM v")).toEqual([["2"]]);
});

test("a column that no replica has is not shown, and one that is added behind it is not stored", async () => {
  const leader = await alone();
  const { db } = leader;
  const first = await refused(leader, "ALTER TABLE t ADD COLUMN b int4 DEFAULT 5");
  expect(first).toEqual(timeout);
  expect(first.detail).toContain("It is stored here, and stays");
  const second = refused(leader, "ALTER TABLE t ADD COLUMN c int4");
  // Who comes behind it does not wait for it.
  expect(await refusal(db.append("s", [{ n: 1 }]))).toEqual(timeout);
  expect(await refused(leader, "UPDATE t SET a = 'x' WHERE k = 1")).toEqual(timeout);
  expect(await second).toEqual(timeout);
  expect((await second).detail).toContain("Nothing of this request is stored");
  expect(await rowsOf(db, "SELECT * FROM t")).toEqual([["1", "a"]]);
  await goesOn(leader);
  expect(await rowsOf(db, "SELECT * FROM t WHERE k = 1")).toEqual([["1", "a", "5", "7"]]);
});

test("a statement that reads a stream that no replica has all of is refused, and lets others in", async () => {
  const leader = await alone();
  expect(await refusal(leader.db.append("s", [{ n: 9 }]))).toEqual(timeout);
  const reading = refused(leader, "INSERT INTO t SELECT n, 'of s' FROM s");
  expect(await refusal(leader.db.append("t", [{ k: 3, a: "c" }]))).toEqual(timeout);
  expect(await reading).toEqual(timeout);
  await goesOn(leader);
  expect(await rowsOf(leader.db, "SELECT k FROM t ORDER BY k")).toEqual([["1"], ["3"], ["100"]]);
});
