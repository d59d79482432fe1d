/** Commits that wait for replicas: what was acknowledged is on as many of them as was said, whatever becomes of the leader. */
import { describe, expect, it } from "vitest";
import type { EvertError } from "../../../src/base/errors.ts";
import { count, int4, table, text, view } from "../../../src/index.ts";
import { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { rowsOf, sql } from "../support/memory.ts";
import { gone, networked, started } from "./nodes.ts";
import { contents, level, type Node, refusal, TABLES, until } from "./support.ts";

async function tables(leader: Node): Promise<void> {
  await leader.stop();
  await leader.start({ syncFollowers: 0 });
  await sql(leader.db, TABLES);
  await leader.stop();
  await leader.start();
}

describe("a commit that waits for replicas", () => {
  it("is acknowledged and shown when they have it", async () => {
    const leader = await started({ syncFollowers: 2, syncTimeoutMs: 60_000 });
    await tables(leader);
    const first = await started({ follow: { url: leader.url } });
    const work = leader.db.append("s", [{ n: 1 }]);
    let isDone = false;
    void work.then(() => {
      isDone = true;
    });
    await until(() => first.db.core.log.durablePosition === leader.db.core.log.storedPosition);
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(isDone).toBe(false);
    expect(await rowsOf(leader.db, "SELECT n FROM s")).toEqual([]);
    const shown: unknown[] = [];
    for await (const record of leader.db.readTopic("s")) shown.push(record);
    expect(shown).toEqual([]);
    expect(leader.db.backupSource).toBeDefined();
    const second = await started({ follow: { url: leader.url } });
    const { position } = await work;
    expect(await rowsOf(leader.db, "SELECT n FROM s")).toEqual([["1"]]);
    for (const replica of [first, second])
      expect(replica.db.core.log.durablePosition).toBeGreaterThanOrEqual(Number(position));
  });

  it("is not taken for what nobody can have", async () => {
    const leader = await started({ syncFollowers: 1, syncTimeoutMs: 100 });
    await tables(leader);
    const replica = await started({ follow: { url: leader.url } });
    await until(() => leader.db.replication.info().followers.length === 1);
    const { id } = leader.db.replication.info().followers[0]!;
    const answer = await fetch(`${leader.url}/v1/replication/progress`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ follower: id, position: "999999999999999" }),
    });
    expect(answer.status).toBe(400);
    await replica.stop();
    expect(await refusal(leader.db.append("s", [{ n: 1 }]))).toMatchObject({ code: "timeout" });
  });

  it("is told to have waited too long, stays, and is shown once they have it", async () => {
    const leader = await started({ syncFollowers: 1, syncTimeoutMs: 40 });
    await tables(leader);
    const options = { idempotencyKey: "once" };
    const error = await refusal(leader.db.append("s", [{ n: 1 }], options));
    expect(error).toMatchObject({ code: "timeout", status: 504 });
    expect(error.detail).toContain("0 are connected");
    // Sent again it is the same commit, which waits still.
    expect(await refusal(leader.db.append("s", [{ n: 1 }], options))).toMatchObject({ code: "timeout" });
    expect(await rowsOf(leader.db, "SELECT n FROM s")).toEqual([]);
    const replica = await started({ follow: { url: leader.url } });
    await until(() => Number(leader.db.position) === leader.db.core.log.lastPosition);
    expect(await rowsOf(leader.db, "SELECT n FROM s")).toEqual([["1"]]);
    await leader.db.append("s", [{ n: 1 }], options);
    await level(leader.db, replica.db);
    expect(await contents(replica.db)).toEqual(await contents(leader.db));
  });

  it("is refused at the end of the database, and found at the next start", async () => {
    const leader = await started({ syncFollowers: 1, syncTimeoutMs: 60_000 });
    await tables(leader);
    const work = refusal(leader.db.append("s", [{ n: 1 }]));
    await until(() => leader.db.core.log.storedPosition > leader.db.core.log.durablePosition);
    await leader.stop();
    expect(await work).toMatchObject({ code: "shutting_down" });
    await leader.start();
    expect(await rowsOf(leader.db, "SELECT n FROM s")).toEqual([["1"]]);
  });

  it("goes on with others over segments and cuts", async () => {
    const random = new SeededRandom(2);
    const leader = await started({ syncFollowers: 1, syncTimeoutMs: 60_000 });
    await tables(leader);
    const network = await networked(leader);
    const replica = await started({ follow: { url: network.url } });
    const writers = Array.from({ length: 8 }, async (_, w) => {
      for (let i = 0; i < 25; i++)
        await leader.db.append("t", [{ k: w * 100 + i, a: "x".repeat(random.below(2_000)) }]);
    });
    const cutting = (async () => {
      for (let i = 0; i < 6; i++) {
        await new Promise((resolve) => setTimeout(resolve, 20 + random.below(60)));
        network.breakOff();
      }
    })();
    await Promise.all([...writers, cutting]);
    expect(leader.db.stats().segments).toBeGreaterThan(1);
    expect(leader.db.topic("t").rows).toBe(200);
    await level(leader.db, replica.db);
    expect(await contents(replica.db)).toEqual(await contents(leader.db));
  });

  it("is never lost with the leader, if it was acknowledged", async () => {
    for (let seed = 1; seed <= 8; seed++) {
      const random = new SeededRandom(seed);
      const leader = await started({ syncFollowers: 1, syncTimeoutMs: 60_000 });
      await tables(leader);
      const replica = await started({ follow: { url: leader.url }, syncFollowers: 0 });
      const acknowledged: number[] = [];
      let isOver = false;
      const writers = Array.from({ length: 4 }, async (_, w) => {
        for (let i = 0; !isOver; i++) {
          const n = w * 100_000 + i;
          try {
            await leader.db.append("s", [{ n }]);
          } catch {
            return;
          }
          acknowledged.push(n);
        }
      });
      await until(() => acknowledged.length > 5 + random.below(60), "writing");
      gone(leader);
      await leader.kill(random.oneIn(2) ? "process" : "power cut");
      isOver = true;
      await Promise.all(writers);
      await replica.db.replication.promote();
      const rows = new Set((await rowsOf(replica.db, "SELECT n FROM s")).map(([n]) => Number(n)));
      expect(acknowledged.filter((n) => !rows.has(n))).toEqual([]);
      gone(replica);
      await replica.stop();
    }
  });
});

describe("a leader that begins", () => {
  const songs = table("songs", { key: "id", schema: { id: int4, name: text } });
  const named = view(
    "named",
    songs.groupBy((song) => song.name, { songs: count() }),
  );
  const program = { topics: [songs], views: [named] };
  const sync = { syncFollowers: 1, syncTimeoutMs: 60_000 };

  /** Appends a row in each turn of the event loop, until `done`: how many have been acknowledged is counted. */
  function writing(node: Node, done: Promise<unknown>): { acknowledged: number; all: Promise<unknown> } {
    const seen = { acknowledged: 0, all: Promise.resolve() as Promise<unknown> };
    const appends: Promise<unknown>[] = [];
    const goOn = async (): Promise<void> => {
      let isDone = false;
      void done.then(() => {
        isDone = true;
      });
      for (let n = 0; !isDone; n++) {
        const append = node.db.append("s", [{ n }]).then(
          () => {
            seen.acknowledged++;
          },
          (error: EvertError) => expect(error.code).toBe("not_leader"),
        );
        appends.push(append);
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    seen.all = goOn().then(() => Promise.all(appends));
    return seen;
  }

  it("acknowledges nothing amid its promotion that no follower has", async () => {
    const leader = await started();
    await sql(leader.db, TABLES);
    const heir = await started({ follow: { url: leader.url }, ...program, ...sync });
    await level(leader.db, heir.db);
    const promotion = heir.db.replication.promote();
    const seen = writing(heir, promotion);
    await promotion;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(seen.acknowledged).toBe(0);
    expect(heir.db.core.log.storedPosition).toBeGreaterThan(heir.db.core.log.durablePosition);
    // What the program declares was there without any.
    expect(heir.db.views().map(({ name }) => name)).toContain("named");
    const follower = await started({ follow: { url: heir.url }, ...program });
    await seen.all;
    expect(seen.acknowledged).toBeGreaterThan(0);
    await level(heir.db, follower.db);
    expect(await contents(follower.db)).toEqual(await contents(heir.db));
  });

  it("acknowledges nothing amid its start that no follower has", async () => {
    const leader = await started();
    await sql(leader.db, TABLES);
    await leader.db.checkpoint();
    await leader.stop();
    await leader.start({ ...program, ...sync, answerWhileCatchingUp: true });
    expect(leader.db.core.catchUp).not.toBeNull();
    const begun = until(() => leader.db.core.catchUp === null);
    const seen = writing(leader, begun);
    await begun;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(seen.acknowledged).toBe(0);
    expect(leader.db.core.log.storedPosition).toBeGreaterThan(leader.db.core.log.durablePosition);
    expect(leader.db.views().map(({ name }) => name)).toContain("named");
    const follower = await started({ follow: { url: leader.url }, ...program });
    await seen.all;
    await level(leader.db, follower.db);
    expect(await contents(follower.db)).toEqual(await contents(leader.db));
  });

  it("leads, and waits for followers, where what its program declares cannot be made", async () => {
    const leader = await started();
    await sql(leader.db, TABLES);
    await sql(leader.db, "CREATE TABLE named (id int PRIMARY KEY)");
    const heir = await started({ follow: { url: leader.url }, ...program, ...sync });
    await level(leader.db, heir.db);
    expect(await refusal(heir.db.replication.promote())).toMatchObject({ code: "duplicate_table" });
    const append = heir.db.append("s", [{ n: 1 }]);
    await until(() => heir.db.core.log.storedPosition > heir.db.core.log.durablePosition);
    await started({ follow: { url: heir.url } });
    await append;
  });
});
