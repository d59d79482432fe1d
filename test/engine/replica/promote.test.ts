/** A replica becomes the leader; the former one is fenced, and what it had of its own is never merged. */
import { describe, expect, it } from "vitest";
import { int4, table, view } from "../../../src/index.ts";
import { checkLog } from "../../../src/log/check.ts";
import { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { SimulatedClock } from "../../../src/testing/simulated-clock.ts";
import { rowsOf, sql } from "../support/memory.ts";
import { gone, networked, started } from "./nodes.ts";
import { change, contents, level, type Node, refusal, TABLES, until } from "./support.ts";

/** A leader with rows, and as many replicas that have them. */
async function cluster(replicas: number, seed = 1): Promise<[Node, ...Node[]]> {
  const leader = await started();
  await sql(leader.db, TABLES);
  await change(leader.db, new SeededRandom(seed), 80);
  const others: Node[] = [];
  for (let i = 0; i < replicas; i++) others.push(await started({ follow: { url: leader.url } }));
  for (const other of others) await level(leader.db, other.db);
  return [leader, ...others];
}

describe("promotion", () => {
  it("makes a replica the leader, and fences the former one while it runs", async () => {
    const [former, replica] = (await cluster(1)) as [Node, Node];
    const { epoch, position } = await replica.db.replication.promote();
    expect(epoch).toBe(1);
    expect(replica.db.replication.info()).toMatchObject({ role: "leader", epoch: 1 });
    await replica.db.append("s", [{ n: 1_000 }]);
    expect(Number(replica.db.position)).toBe(Number(position) + 1);
    await until(() => former.db.replication.info().role === "superseded");
    expect(await refusal(former.db.append("s", [{ n: 1 }]))).toMatchObject({ code: "not_leader" });
    // Also after a restart.
    await former.stop();
    await former.start();
    expect(former.db.replication.info().role).toBe("superseded");
    expect(await refusal(former.db.append("s", [{ n: 1 }]))).toMatchObject({ code: "not_leader" });
    expect(await refusal(former.db.replication.promote())).toMatchObject({ code: "invalid_request" });
    // It has nothing of its own: it follows.
    await former.stop();
    await former.start({ follow: { url: replica.url } });
    await level(replica.db, former.db);
    expect(await contents(former.db)).toEqual(await contents(replica.db));
  });

  it("knows what producers have sent and how far consumers have come", async () => {
    const [former, replica] = (await cluster(1)) as [Node, Node];
    const send = ({ db }: Node, seq: number) =>
      db.append("s", [{ n: 5_000 + seq }], { producer: { id: "p", epoch: 0, seq } });
    const answers = [await send(former, 0), await send(former, 1)];
    await former.db.openConsumer("c", ["s"]);
    await former.db.advanceConsumer("c", 0, { s: 1 });
    await level(former.db, replica.db);
    // A follower tells what it has, and stores nothing.
    expect(await replica.db.consumers()).toEqual(await former.db.consumers());
    expect(await replica.db.producer("p")).toEqual(await former.db.producer("p"));
    expect(await refusal(send(replica, 2))).toMatchObject({ code: "not_leader" });
    expect(await refusal(replica.db.advanceConsumer("c", 0, { s: 2 }))).toMatchObject({ code: "not_leader" });
    await replica.db.replication.promote();
    expect([await send(replica, 0), await send(replica, 1)]).toEqual(answers);
    expect(await refusal(send(replica, 3))).toMatchObject({ code: "out_of_sequence" });
    await send(replica, 2);
    expect(await refusal(replica.db.advanceConsumer("c", 0, { s: 0 }))).toMatchObject({ code: "conflict" });
    await replica.db.advanceConsumer("c", 0, { s: 2 });
    await until(() => former.db.replication.info().role === "superseded");
    expect(await refusal(send(former, 2))).toMatchObject({ code: "not_leader" });
  });

  it("is refused where there is nothing to promote", async () => {
    const [leader] = await cluster(0);
    expect(await refusal(leader.db.replication.promote())).toMatchObject({ code: "invalid_request" });
    expect(
      await refusal(leader.db.replication.fence({ logId: leader.db.core.log.logId, epochs: [] })),
    ).toMatchObject({
      code: "conflict",
    });
  });

  it("is followed by the other replicas; and lasts over restarts", async () => {
    const [former, first, second] = (await cluster(2)) as [Node, Node, Node];
    await former.stop();
    gone(former);
    await first.db.replication.promote();
    await second.stop();
    await second.start({ follow: { url: first.url } });
    await change(first.db, new SeededRandom(2), 60);
    await level(first.db, second.db);
    expect(await contents(second.db)).toEqual(await contents(first.db));
    await first.stop();
    await first.start({ follow: undefined });
    expect(first.db.replication.info()).toMatchObject({ role: "leader", epoch: 1 });
    await change(first.db, new SeededRandom(3), 60);
    await level(first.db, second.db);
    expect(second.db.replication.info().epoch).toBe(1);
    // And once more.
    await second.db.replication.promote();
    await until(() => first.db.replication.info().role === "superseded");
    expect(second.db.replication.info().epoch).toBe(2);
    for (const node of [first, second]) {
      await node.stop();
      gone(node);
      expect((await checkLog("/data", node.disk)).damages).toEqual([]);
    }
  });

  it("is not undone by a line that still says --follow", async () => {
    const [former, replica] = (await cluster(1)) as [Node, Node];
    await former.stop();
    gone(former);
    await replica.db.replication.promote();
    await replica.stop();
    expect(await refusal(replica.start())).toMatchObject({ code: "invalid_request" });
    await replica.start({ follow: undefined });
  });

  it("tells a former leader with commits of its own where the two part, and keeps them aside", async () => {
    const former = await started();
    await sql(former.db, TABLES);
    const network = await networked(former);
    const replica = await started({ follow: { url: network.url } });
    await change(former.db, new SeededRandom(4), 40);
    await level(former.db, replica.db);
    const parting = Number(former.db.position);
    // They do not reach each other: the former leader goes on, and nobody can tell it.
    network.cut();
    await replica.db.replication.promote();
    await replica.db.append("s", [{ n: 2_000 }]);
    await former.db.append("s", [{ n: 1_001 }]);
    await former.db.append("s", [{ n: 1_002 }]);
    await former.stop();
    await former.start({ follow: { url: replica.url } });
    await until(() => former.db.replication.info().following?.state === "stopped");
    const error = former.db.replication.info().following?.error;
    expect(error).toMatchObject({ code: "diverged" });
    expect(error?.message).toContain(`after position ${parting}`);
    expect(error?.detail).toContain(
      `2 commits are in the follower's log alone, from position ${parting + 1}`,
    );
    // It still answers, with what it has.
    expect(await rowsOf(former.db, "SELECT n FROM s WHERE n > 1000 ORDER BY n")).toEqual([
      ["1001"],
      ["1002"],
    ]);
    await former.stop();
    await former.start({ follow: { url: replica.url, rejoin: true } });
    await level(replica.db, former.db);
    expect(await contents(former.db)).toEqual(await contents(replica.db));
    expect(await rowsOf(former.db, "SELECT n FROM s WHERE n >= 1000")).toEqual([["2000"]]);
    const aside = `/data/diverged-${parting + 2}`;
    const kept = former.disk.files().filter((path) => path.startsWith(aside));
    expect(kept.length).toBeGreaterThan(0);
    // Said once more it does nothing.
    await former.stop();
    await former.start({ follow: { url: replica.url, rejoin: true } });
    await level(replica.db, former.db);
    expect(former.disk.files().filter((path) => path.includes("/diverged-"))).toEqual(kept);
  });

  it("is learnt by a former leader from whoever followed the new one", async () => {
    const former = await started();
    await sql(former.db, TABLES);
    const network = await networked(former);
    const first = await started({ follow: { url: network.url } });
    const second = await started({ follow: { url: former.url } });
    await level(former.db, first.db);
    await level(former.db, second.db);
    network.cut();
    await first.db.replication.promote();
    await second.stop();
    await second.start({ follow: { url: first.url } });
    await level(first.db, second.db);
    expect(former.db.replication.info().role).toBe("leader");
    await second.stop();
    await second.start({ follow: { url: former.url } });
    await until(() => former.db.replication.info().role === "superseded");
    await until(() => second.db.replication.info().following?.error?.code === "not_leader");
    expect(await contents(second.db)).toEqual(await contents(first.db));
  });

  it("is not taken from a log that was restored to an earlier state and went on", async () => {
    const leader = await started();
    await sql(leader.db, TABLES);
    const network = await networked(leader);
    const replica = await started({ follow: { url: network.url } });
    await level(leader.db, replica.db);
    await leader.db.settled();
    const backup = leader.disk.clone();
    await leader.db.append("s", [{ n: 1 }]);
    await level(leader.db, replica.db);
    // It asks when the other history is longer than its own.
    network.cut();
    await leader.stop();
    leader.disk = backup;
    const clock = new SimulatedClock();
    clock.advance(5_000_000);
    await leader.start({ clock });
    for (let i = 0; i < 3; i++) await leader.db.append("s", [{ n: 2 }]);
    network.mend();
    await until(() => replica.db.replication.info().following?.state === "stopped");
    expect(replica.db.replication.info().following?.error?.message).toContain("is another one here");
  });

  it("begins with sinks and ticks, which a replica leaves to its leader", async () => {
    const clock = new SimulatedClock();
    const leader = await started({ clock });
    await sql(
      leader.db,
      "CREATE TABLE a (k int4 PRIMARY KEY, ts timestamptz); CREATE TABLE b (k int4 PRIMARY KEY)",
    );
    await sql(leader.db, "CREATE MATERIALIZED VIEW copied WITH (sink = 'b') AS SELECT k FROM a");
    await sql(
      leader.db,
      "CREATE MATERIALIZED VIEW recent AS SELECT k FROM a WHERE ts > now() - interval '1 minute'",
    );
    const replica = await started({ clock, follow: { url: leader.url } });
    await leader.db.append("a", [{ k: 1, ts: new Date(clock.wallUs() / 1000).toISOString() }]);
    await until(() => leader.db.topic("b").rows === 1);
    await level(leader.db, replica.db);
    expect(await rowsOf(replica.db, "SELECT k FROM b")).toEqual([["1"]]);
    expect(await rowsOf(replica.db, "SELECT k FROM recent")).toEqual([["1"]]);
    expect(replica.db.core.log.lastPosition).toBe(leader.db.core.log.lastPosition);
    await leader.stop();
    gone(leader);
    await replica.db.replication.promote();
    await replica.db.append("a", [{ k: 2, ts: null }]);
    await until(() => replica.db.topic("b").rows === 2);
    clock.advance(120_000_000);
    await replica.db.core.ticker.wake();
    expect(await rowsOf(replica.db, "SELECT k FROM recent")).toEqual([]);
  });

  it("makes what the program declares, where the leader's program declared less", async () => {
    const leader = await started();
    await sql(leader.db, "CREATE TABLE a (k int4 PRIMARY KEY)");
    const more = table("more", { key: "k", schema: { k: int4 } });
    const all = view("all_of_it", more);
    const replica = await started({ follow: { url: leader.url }, topics: [more], views: [all] });
    await level(leader.db, replica.db);
    expect(replica.db.topics().map(({ name }) => name)).toEqual(["a"]);
    await replica.db.replication.promote();
    await replica.db.built();
    await replica.db.append("more", [{ k: 1 }]);
    expect(await rowsOf(replica.db, "SELECT k FROM all_of_it")).toEqual([["1"]]);
  });
});

describe("promotion under load", () => {
  it("waits for what has been taken and not been stepped", async () => {
    const leader = await started();
    await sql(leader.db, "CREATE TABLE big (k int4 PRIMARY KEY, a text)");
    for (let c = 0; c < 4; c++) {
      const rows = Array.from({ length: 20_000 }, (_, i) => ({ k: c * 20_000 + i, a: `text ${i}` }));
      await leader.db.append("big", rows);
    }
    await leader.db.core.log.sealed();
    const replica = await started({ follow: { url: leader.url } });
    await until(() => replica.db.core.log.lastPosition === leader.db.core.log.lastPosition);
    const { position } = await replica.db.replication.promote();
    expect(Number(position)).toBe(leader.db.core.log.lastPosition + 1);
    expect(await rowsOf(replica.db, "SELECT count(*) FROM big")).toEqual([["80000"]]);
  });
});
