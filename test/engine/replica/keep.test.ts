/** Replicas of a leader that takes rows out of its log: nothing comes back that was deleted. */
import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { SimulatedClock } from "../../../src/testing/simulated-clock.ts";
import { rowsOf, sql } from "../support/memory.ts";
import { networked, started } from "./nodes.ts";
import { contents, level, type Node, until } from "./support.ts";

const keyed = (db: Node["db"]): Promise<unknown> => rowsOf(db, "SELECT k, a FROM t WHERE k = 1");

async function fill(node: Node, from: number, to: number): Promise<void> {
  for (let k = from; k < to; k++)
    await node.db.transact([{ topic: "t", upsert: [{ k, a: `${k}`.repeat(500) }] }]);
}

describe("a replica whose leader compacts", () => {
  /** A leader whose table has key 1, in a sealed segment; its replica has all of that. */
  async function both(follower: Parameters<typeof Node.start>[0] = {}) {
    const clock = new SimulatedClock();
    const leader = await started({ clock });
    await sql(
      leader.db,
      "CREATE TABLE t (k int4 PRIMARY KEY, a text) WITH (compact, tombstones_for = '0 s')",
    );
    await leader.db.transact([{ topic: "t", upsert: [{ k: 1, a: "one" }] }]);
    await fill(leader, 100, 200);
    const network = await networked(leader);
    const replica = await started({ follow: { url: network.url }, ...follower });
    await level(leader.db, replica.db);
    return { clock, leader, network, replica };
  }

  async function forget(leader: Node, clock: SimulatedClock): Promise<void> {
    await leader.db.transact([{ topic: "t", delete: [1] }]);
    await fill(leader, 200, 400);
    await leader.db.core.log.sealed();
    clock.advance(1_000_000);
    await leader.db.compact();
  }

  it("gets deletes that are old by now, after a while alone", async () => {
    const { clock, leader, network, replica } = await both();
    network.cut();
    await forget(leader, clock);
    network.mend();
    await level(leader.db, replica.db);
    expect(await keyed(replica.db)).toEqual([]);
    // They stayed for it, and go once it has them.
    await until(() => leader.db.replication.info().followers[0]!.position === Number(leader.db.position));
    await leader.db.compact();
    expect(leader.db.core.log.lacksDeletesBehind(0)).toBe(true);
    await replica.stop();
    await replica.start();
    await fill(leader, 400, 420);
    await level(leader.db, replica.db);
    expect(await rowsOf(replica.db, "SELECT * FROM t ORDER BY k")).toEqual(
      await rowsOf(leader.db, "SELECT * FROM t ORDER BY k"),
    );
  });

  it("is told when it was away for too long, and begins again", async () => {
    const { clock, leader, replica } = await both();
    await replica.stop();
    await until(() => leader.db.replication.info().followers.length === 0);
    clock.advance(2 * 3_600_000_000);
    await forget(leader, clock);
    await replica.start();
    await until(() => replica.db.replication.info().following?.state === "stopped");
    const { error } = replica.db.replication.info().following!;
    expect(error).toMatchObject({ code: "diverged" });
    expect(error!.message).toContain("deletes after position");
    expect(await keyed(replica.db)).toEqual([["1", "one"]]);
    await replica.stop();
    await replica.start({ follow: { url: leader.url, rejoin: true } });
    await level(leader.db, replica.db);
    expect(await contents(replica.db)).toEqual(await contents(leader.db));
    expect(await keyed(replica.db)).toEqual([]);
  });

  it("is told so by a leader that was started since", async () => {
    const { clock, leader, network, replica } = await both();
    network.cut();
    await forget(leader, clock);
    await leader.stop();
    await leader.start();
    await leader.db.compact();
    network.mend();
    await until(() => replica.db.replication.info().following?.state === "stopped");
    expect(replica.db.replication.info().following!.error).toMatchObject({ code: "diverged" });
  });

  it("is told when a key was erased before it had the delete", async () => {
    const { leader, network, replica } = await both();
    network.cut();
    await leader.db.erase("t", 1);
    network.mend();
    await until(() => replica.db.replication.info().following?.state === "stopped");
    expect(replica.db.replication.info().following!.error).toMatchObject({ code: "diverged" });
  });

  it("goes on when a key was erased that it had as deleted", async () => {
    const { leader, replica } = await both();
    await leader.db.deleteKey("t", 1);
    await level(leader.db, replica.db);
    await leader.db.erase("t", 1);
    await fill(leader, 200, 300);
    await level(leader.db, replica.db);
    expect(await keyed(replica.db)).toEqual([]);
  });

  it("keeps deletes that it has in a part of a segment, whatever takes that part's place", async () => {
    const { clock, leader, network, replica } = await both();
    await leader.db.transact([{ topic: "t", delete: [1] }]);
    await level(leader.db, replica.db);
    await until(() => leader.db.replication.info().followers[0]!.position === Number(leader.db.position));
    network.cut();
    await fill(leader, 200, 400);
    await leader.db.core.log.sealed();
    clock.advance(1_000_000);
    await leader.db.compact();
    network.mend();
    await level(leader.db, replica.db);
    // There is no checkpoint: what is in its files is all there is.
    await replica.kill("process");
    await replica.start();
    await level(leader.db, replica.db);
    expect(await keyed(replica.db)).toEqual([]);
  });

  it("is not promoted in the middle of a copy", async () => {
    const leader = await started();
    await sql(leader.db, "CREATE TABLE t (k int4 PRIMARY KEY, a text) WITH (compact)");
    await leader.db.transact([{ topic: "t", upsert: [{ k: 1, a: "one" }] }]);
    await fill(leader, 100, 200);
    await leader.db.transact([{ topic: "t", upsert: [{ k: 1, a: "uno" }] }]);
    await fill(leader, 200, 300);
    await leader.db.core.log.sealed();
    await leader.db.compact();
    const network = await networked(leader);
    // No more than the first segment gets through: it has key 1 no longer.
    const files = leader.db.core.log.files().files;
    let asked = 0;
    network.heard = (piece) => {
      if (piece.includes("/v1/backup/") && ++asked === 2) network.cut();
    };
    const replica = await started({ follow: { url: network.url } });
    await until(() => asked === 2);
    expect(files.length).toBeGreaterThan(3);
    await until(() => Number(replica.db.position) > 10);
    // Key 1 was always there: an answer without it is not to be had.
    const { error } = await replica.db.sql("SELECT k, a FROM t WHERE k = 1", { timeoutMs: 1 });
    expect(error).toMatchObject({ code: "not_ready" });
    await expect(replica.db.replication.promote()).rejects.toMatchObject({ code: "not_ready" });
    await replica.stop();
    await replica.start();
    expect(replica.db.readiness().ready).toBe(false);
    network.mend();
    await level(leader.db, replica.db);
    await until(() => replica.db.readiness().ready);
    expect(await keyed(replica.db)).toEqual([["1", "uno"]]);
    await replica.db.replication.promote();
    await replica.db.append("t", [{ k: 2, a: "two" }]);
  });

  for (const seed of [11, 12, 13, 14]) {
    it(`has its rows, whatever is cut, killed, compacted and erased (seed ${seed})`, async () => {
      const random = new SeededRandom(seed);
      const clock = new SimulatedClock();
      const leader = await started({ clock });
      await sql(
        leader.db,
        `CREATE TABLE t (k int4 PRIMARY KEY, a text) WITH (compact, tombstones_for = '1 s');
         CREATE MATERIALIZED VIEW lengths AS SELECT count(*) AS n, sum(length(a)) AS l FROM t`,
      );
      const network = await networked(leader);
      const follow = { url: network.url };
      const replica = await started({ follow });
      const rows = async ({ db }: Node): Promise<unknown> => [
        await rowsOf(db, "SELECT k, a FROM t ORDER BY k"),
        await rowsOf(db, "SELECT * FROM lengths"),
      ];
      const expectSame = async (): Promise<void> => {
        await level(leader.db, replica.db);
        expect(await rows(replica)).toEqual(await rows(leader));
      };
      for (let round = 0; round < 14; round++) {
        if (random.oneIn(2)) network.cut();
        for (let i = 0; i < 120; i++) {
          const k = random.below(60);
          if (random.oneIn(3)) await leader.db.transact([{ topic: "t", delete: [k] }]);
          else {
            await leader.db.transact([{ topic: "t", upsert: [{ k, a: `${i}`.repeat(random.below(400)) }] }]);
          }
          clock.advance(random.below(30_000));
        }
        if (random.oneIn(3)) await leader.db.erase("t", random.below(60));
        if (random.oneIn(2)) await leader.db.compact();
        if (random.oneIn(4)) clock.advance(7_200_000_000);
        if (random.oneIn(4)) {
          await leader.stop();
          await leader.start();
        }
        const kills = random.oneIn(3);
        if (!kills || random.oneIn(2)) network.mend();
        if (kills) {
          await replica.kill("power cut");
          network.mend();
          await replica.start();
        }
        if (random.oneIn(2)) continue;
        await leader.db.settled();
        const end = Number(leader.db.position);
        const isStopped = (): boolean => replica.db.replication.info().following?.state === "stopped";
        await until(() => isStopped() || Number(replica.db.position) >= end);
        if (isStopped()) {
          await replica.stop();
          await replica.start({ follow: { ...follow, rejoin: true } });
        }
        await expectSame();
        if (!random.oneIn(3)) continue;
        await replica.db.compact();
        await replica.stop();
        await replica.start({ follow });
        await expectSame();
      }
    });
  }
});
