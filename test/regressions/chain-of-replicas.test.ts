/**
 * A replica that was told to follow a replica waits, for good if need be: it was told that "nothing can be written" there, and to send what is to be written elsewhere. Where it was promoted then, having followed the leader
 * before, it told the replica, which said that it knew; the leader was told by nobody, and both took writes. And one that had come to nothing yet was promoted, and fenced the leader that had everything.
 */
import { expect, it } from "vitest";
import { checkLog } from "../../src/log/check.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { gone, started } from "../engine/replica/nodes.ts";
import { change, contents, level, type Node, refusal, TABLES, until } from "../engine/replica/support.ts";
import { recomputed } from "../engine/support/anew.ts";
import { rowsOf, sql } from "../engine/support/memory.ts";

const following = (node: Node) => node.db.replication.info().following;
const roleOf = (node: Node) => node.db.replication.info().role;

/** The replica is told that nobody can follow whom it follows. */
async function isRefused(node: Node): Promise<void> {
  await until(() => following(node)?.error !== undefined, "the refusal");
}

/** What its views show is what they show when they are computed anew from its log. */
async function asComputedAnew({ db }: Node): Promise<void> {
  await db.settled();
  const queries = db.views().map(({ name }) => `SELECT * FROM ${name}`);
  expect(queries.length).toBeGreaterThan(0);
  for (const [i, rows] of (await recomputed(db, queries)).entries())
    expect((await rowsOf(db, queries[i] as string)).map(String).sort()).toEqual(
      (rows as unknown[]).map(String).sort(),
    );
}

it("a chain of replicas waits, and each goes on behind the one before it when that is promoted", async () => {
  const random = new SeededRandom(1);
  const a = await started();
  await sql(a.db, TABLES);
  await change(a.db, random, 30);
  const b = await started({ follow: { url: a.url } });
  const c = await started({ follow: { url: b.url } });
  const d = await started({ follow: { url: c.url }, syncFollowers: 0 });
  await level(a.db, b.db);
  for (const [node, leader] of [
    [c, a],
    [d, b],
  ] as const) {
    await isRefused(node);
    const { hint, message, code } = following(node)!.error!;
    expect({ code, message, hint }).toEqual({
      code: "not_leader",
      message: `this is a replica of ${leader.url}: follow that`,
      hint: `Follow ${leader.url}.`,
    });
    expect(following(node)).toMatchObject({ state: "connecting", wasLevel: false });
  }
  expect(a.db.replication.info().followers).toHaveLength(1);
  expect(b.db.replication.info().followers).toEqual([]);

  gone(a);
  await a.kill("power cut");
  await b.db.replication.promote();
  await c.kill("process");
  await c.start();
  await change(b.db, random, 30);
  await level(b.db, c.db);
  expect(await contents(c.db)).toEqual(await contents(b.db));
  expect(b.db.replication.info()).toMatchObject({ role: "leader", epoch: 1, followers: [{}] });
  expect(following(c)).toMatchObject({ state: "following", leader: b.url });
  await isRefused(d);
  expect(d.db.position).toBe("0");

  await c.stop();
  await c.start({ syncFollowers: 1, syncTimeoutMs: 60_000 });
  await level(b.db, c.db);
  await c.db.replication.promote();
  // D is the one that it waits for.
  await c.db.append("s", [{ n: -1 }]);
  await until(() => roleOf(b) === "superseded", "the former leader to be told");
  expect(await refusal(b.db.append("s", [{ n: -2 }]))).toMatchObject({ code: "not_leader" });
  await level(c.db, d.db);
  expect(await contents(d.db)).toEqual(await contents(c.db));
  expect(await rowsOf(d.db, "SELECT n FROM s WHERE n < 0")).toEqual([["-1"]]);
  await b.stop();
  await b.start({ follow: { url: c.url } });
  await level(c.db, b.db);
  for (const node of [b, c, d]) {
    expect(node.db.replication.info()).toMatchObject({ epoch: 2, position: c.db.position });
    await asComputedAnew(node);
  }
  for (const node of [d, b, c]) {
    gone(node);
    await node.stop();
    expect((await checkLog("/data", node.disk)).damages).toEqual([]);
  }
});

it("one that followed a replica, promoted, has the leader told", async () => {
  const a = await started();
  await sql(a.db, TABLES);
  const b = await started({ follow: { url: a.url } });
  const c = await started({ follow: { url: a.url } });
  await level(a.db, b.db);
  await level(a.db, c.db);
  await c.stop();
  await c.start({ follow: { url: b.url } });
  await isRefused(c);
  await c.db.replication.promote();
  await until(() => roleOf(a) === "superseded", "the leader to be told");
  expect(await refusal(a.db.append("s", [{ n: 1 }]))).toMatchObject({ code: "not_leader" });
  expect(roleOf(b)).toBe("follower");
});

it("two that follow each other do not pass on for ever what they are told", async () => {
  const a = await started();
  await sql(a.db, TABLES);
  const b = await started({ follow: { url: a.url } });
  const c = await started({ follow: { url: a.url } });
  for (const node of [b, c]) await level(a.db, node.db);
  await b.stop();
  await b.start({ follow: { url: c.url } });
  await c.stop();
  await c.start({ follow: { url: b.url } });
  const epochs = [{ epoch: 1, id: 7, begins: Number(b.db.position) + 1 }];
  const fence = { logId: b.db.core.log.logId, epochs };
  expect(await refusal(b.db.replication.fence(fence))).toMatchObject({ code: "not_ready" });
});

it("one that has nothing is not promoted", async () => {
  const a = await started();
  await sql(a.db, TABLES);
  const b = await started({ follow: { url: a.url } });
  const c = await started({ follow: { url: b.url } });
  await isRefused(c);
  expect(await refusal(c.db.replication.promote())).toMatchObject({ code: "not_ready" });
  expect(roleOf(a)).toBe("leader");
  // It has not stopped to wait.
  await b.db.replication.promote();
  await level(b.db, c.db);
});
