/**
 * Whoever was refused behind a change of the catalog that replicas did not have left something at the gate, until it opened: those who sent again for hours filled the memory. And a
 * change that waited for the disk was made while the database was being closed, when the files with its rows were already.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, it } from "vitest";
import type { EvertError } from "../../src/base/errors.ts";
import type { Database } from "../../src/engine/database.ts";
import { started } from "../engine/replica/nodes.ts";
import { type Node, refusal, until } from "../engine/replica/support.ts";
import { rowsOf, sql } from "../engine/support/memory.ts";

const LATE = { code: "timeout" };
const APPENDS = 64;

/** A leader whose commits wait for a follower that never comes, with a change that waits for it. */
async function heldLeader(): Promise<Node> {
  const leader = await started({ syncFollowers: 1, syncTimeoutMs: 40 });
  await leader.stop();
  await leader.start({ syncFollowers: 0 });
  await sql(leader.db, "CREATE TABLE s (n int) WITH (append_only); CREATE TABLE t (n int)");
  await leader.stop();
  await leader.start();
  expect(await leader.db.sql("DROP TABLE t")).toMatchObject({ error: LATE });
  return leader;
}

/** All that has been committed is on a replica now. */
async function confirmed({ core: { log } }: Database): Promise<void> {
  await until(() => {
    log.confirm(log.lastPosition);
    return log.durablePosition === log.lastPosition;
  });
}

function collect(): void {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
}

it("leaves nothing behind", async () => {
  const { db } = await heldLeader();
  const topic = db.core.catalog.topic("s");
  expect(await refusal(db.append("s", [{ n: 0 }]))).toMatchObject(LATE);
  const refused: WeakRef<object>[] = [];
  for (let i = 0; i < APPENDS; i++) {
    const wait = db.core.committer.stageNow([{ topic, op: "upsert", rows: [{ n: i }], path: "s" }], {});
    expect(await refusal(wait as Promise<void>)).toMatchObject(LATE);
    refused.push(new WeakRef(wait as object));
  }
  // What a WeakRef was made of lives until its turn ends.
  await new Promise(setImmediate);
  collect();
  const there = new Set(refused.map((wait) => wait.deref()).filter((wait) => wait !== undefined));
  // That of the gate itself is one.
  expect(there.size).toBeLessThanOrEqual(1);
});

it("ends with what it is refused for", async () => {
  const { db } = await heldLeader();
  expect(await refusal(db.append("s", [{ n: 0 }]))).toMatchObject(LATE);
  let release: () => void = () => {};
  const working = new Promise<void>((resolve) => {
    release = resolve;
  });
  const busy = db.core.stepper.atBoundary(() => working);
  try {
    await confirmed(db);
    // It is on all replicas, and not made yet.
    expect(db.topics().map(({ name }) => name)).toEqual(["s", "t"]);
    const { lastPosition } = db.core.log;
    const outcome: unknown[] = [];
    const appended = db.append("s", [{ n: 1 }]).then(
      (result) => outcome.push(result),
      (error: unknown) => outcome.push(error),
    );
    await new Promise(setImmediate);
    expect(outcome).toEqual([]);
    expect(db.core.log.lastPosition).toBe(lastPosition);
    release();
    await busy;
    await until(() => db.core.log.lastPosition > lastPosition);
    await confirmed(db);
    await appended;
    expect(db.topics().map(({ name }) => name)).toEqual(["s"]);
    expect(await rowsOf(db, "SELECT n FROM s")).toEqual([["1"]]);
  } finally {
    release();
  }
});

it("is told to each who waits, and to nobody who comes when it is made", async () => {
  const { db } = await heldLeader();
  await confirmed(db);
  await until(() => db.topics().length === 1);
  const made = db.sql("CREATE TABLE u (n int)");
  const { lastPosition } = db.core.log;
  await until(() => db.core.log.lastPosition > lastPosition);
  const waiting = Array.from({ length: 8 }, (_, n) => refusal(db.append("s", [{ n }])));
  for (const error of await Promise.all(waiting))
    expect(error).toMatchObject({
      ...LATE,
      detail: expect.stringMatching(/^Nothing of this request is stored/),
    });
  expect(await made).toMatchObject({ error: LATE });
  await confirmed(db);
  await until(() => db.topics().length === 2);
  const before = db.core.log.lastPosition;
  const appended = db.append("s", [{ n: 9 }]).catch((error: EvertError) => expect(error).toMatchObject(LATE));
  await until(() => db.core.log.lastPosition > before);
  await confirmed(db);
  await appended;
  expect(await rowsOf(db, "SELECT n FROM s")).toEqual([["9"]]);
});

it("a change that becomes durable when the database is at its end is made by the next start", async () => {
  const leader = await heldLeader();
  const { core } = leader.db;
  const { log } = core;
  const end = core.end.bind(core);
  core.end = (error) => {
    end(error);
    log.confirm(log.lastPosition);
  };
  await leader.stop();
  expect(log.durablePosition).toBe(log.lastPosition);
  await new Promise(setImmediate);
  expect(core.catalog.defined("t")).toBeDefined();
  await leader.start();
  expect(leader.db.topics().map(({ name }) => name)).toEqual(["s"]);
});
