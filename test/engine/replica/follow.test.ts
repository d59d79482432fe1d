/** A replica has what its leader has: rows, records, views and positions, whatever happens to either of them or between them. */
import { describe, expect, it } from "vitest";
import { checkLog } from "../../../src/log/check.ts";
import { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { rowsOf, sql } from "../support/memory.ts";
import { gone, networked, started } from "./nodes.ts";
import { change, contents, level, Node, refusal, TABLES, until } from "./support.ts";

async function expectSame(leader: Node, ...replicas: Node[]): Promise<void> {
  for (const replica of replicas) {
    await level(leader.db, replica.db);
    expect(await contents(replica.db)).toEqual(await contents(leader.db));
  }
}

async function expectSound(...all: Node[]): Promise<void> {
  for (const node of all.splice(0)) {
    await node.stop();
    gone(node);
    const report = await checkLog("/data", node.disk);
    expect(report.damages).toEqual([]);
  }
}

describe("a replica", () => {
  it("has what was there before it came, sealed or not, and what comes", async () => {
    const leader = await started();
    await sql(leader.db, TABLES);
    const random = new SeededRandom(1);
    await change(leader.db, random, 400);
    await leader.db.core.log.sealed();
    expect(leader.db.stats().sealedSegments).toBeGreaterThan(1);
    const first = await started({ follow: { url: leader.url } });
    await expectSame(leader, first);
    await change(leader.db, random, 100);
    const second = await started({ follow: { url: leader.url } });
    await expectSame(leader, first, second);
    await change(leader.db, random, 300);
    await expectSame(leader, first, second);
    await expectSound(second, first, leader);
  });

  it("is ready, and as far as its leader, before anything is written", async () => {
    const leader = await started();
    const replica = await started({ follow: { url: leader.url } });
    await until(() => replica.db.replication.info().following?.leaderPosition === "0");
    expect(replica.db.readiness()).toEqual({ ready: true, progress: 1, position: "0" });
    expect(leader.db.readiness()).toEqual({ ready: true, progress: 1, position: "0" });
    await expectSound(replica, leader);
  });

  it("refuses to write, and names its leader; reads with atLeast wait for it", async () => {
    const leader = await started();
    await sql(leader.db, TABLES);
    const replica = await started({ follow: { url: leader.url } });
    await level(leader.db, replica.db);
    for (const write of [
      () => replica.db.append("t", [{ k: 1, a: "x" }]),
      () => replica.db.deleteKey("t", 1),
      () => sql(replica.db, "INSERT INTO t VALUES (1, 'x')"),
      () => sql(replica.db, "CREATE TABLE u (x int4)"),
      () => replica.db.transaction(async (t) => t.append("s", [{ n: 1 }])),
    ]) {
      const { message, code, detail } = await refusal(write());
      expect(`${code} ${message} ${detail}`).toContain("replica");
    }
    expect(await refusal(replica.db.append("s", [{ n: 1 }]))).toMatchObject({
      code: "not_leader",
      detail: `Its leader is at ${leader.url}.`,
    });
    const { position } = await leader.db.append("s", [{ n: 5 }]);
    const answer = await replica.db.sql("SELECT n FROM s", { atLeast: position });
    expect(answer.results[0]?.rowsText()).toEqual([["5"]]);
  });

  it("serves subscriptions", async () => {
    const leader = await started();
    await sql(leader.db, TABLES);
    const replica = await started({ follow: { url: leader.url } });
    await level(leader.db, replica.db);
    const abort = new AbortController();
    const seen: unknown[] = [];
    const reading = (async () => {
      for await (const event of replica.db.subscribe([{ view: "sums" }], { signal: abort.signal })) {
        seen.push(event.type);
        if (seen.length === 3) return;
      }
    })();
    await until(() => seen.length === 1);
    await leader.db.append("t", [{ k: 1, a: "x" }]);
    await until(() => seen.length === 2);
    await leader.db.append("t", [{ k: 2, a: "y" }]);
    await reading;
    expect(seen).toEqual(["snapshot", "step", "step"]);
    abort.abort();
  });

  it("shows how far it is behind", async () => {
    const leader = await started();
    await sql(leader.db, TABLES);
    const network = await networked(leader);
    const replica = await started({ follow: { url: network.url } });
    await level(leader.db, replica.db);
    await until(() => replica.db.replication.info().following?.wasLevel === true);
    expect(replica.db.replication.info()).toMatchObject({
      role: "follower",
      following: { leader: network.url, state: "following", lagPositions: 0, lagSeconds: 0, lagBytes: 0 },
    });
    await until(() => leader.db.replication.info().followers.length === 1);
    network.cut();
    await until(() => replica.db.replication.info().following?.state === "connecting");
    expect(replica.db.readiness()).toMatchObject({ ready: true });
    await until(() => leader.db.replication.info().followers.length === 0);
  });

  it("survives any restart of either side", async () => {
    const random = new SeededRandom(3);
    const leader = await started();
    await sql(leader.db, TABLES);
    const replica = await started({ follow: { url: leader.url } });
    for (let round = 0; round < 12; round++) {
      const work = change(leader.db, random, 60).catch(() => {});
      await new Promise((resolve) => setTimeout(resolve, random.below(80)));
      const who = random.oneIn(2) ? leader : replica;
      if (who === replica) {
        await (random.oneIn(3) ? replica.stop() : replica.kill(random.oneIn(2) ? "process" : "power cut"));
        await replica.start();
        await work;
      } else {
        if (random.oneIn(2)) await leader.kill(random.oneIn(2) ? "process" : "power cut");
        else {
          await work;
          await leader.stop();
        }
        await work;
        await leader.start();
      }
    }
    await expectSame(leader, replica);
    await expectSound(replica, leader);
  });

  it("survives a network that breaks and spoils, and notices every bit", async () => {
    const random = new SeededRandom(5);
    const leader = await started();
    await sql(leader.db, TABLES);
    await change(leader.db, random, 200);
    const network = await networked(leader);
    let spoilt = 0;
    network.spoil = (piece) => {
      if (piece.length < 400 || !random.oneIn(8)) return piece;
      spoilt++;
      const copy = Buffer.from(piece);
      // Behind what belongs to HTTP, mostly.
      const at = 300 + random.below(copy.length - 300);
      copy[at] = copy[at]! ^ (1 << random.below(8));
      return copy;
    };
    const replica = await started({ follow: { url: network.url } });
    // How much comes in a piece, and so what is spoilt, is the network's affair: it goes on until something has been noticed.
    const isNoticed = () => spoilt > 3 && replica.reports.join("\n").includes("is not as it was");
    for (let round = 0; round < 30 || (!isNoticed() && round < 600); round++) {
      await change(leader.db, random, 10);
      await new Promise((resolve) => setTimeout(resolve, random.below(30)));
      if (random.oneIn(3)) network.breakOff();
    }
    network.spoil = (piece) => piece;
    await expectSame(leader, replica);
    expect(spoilt).toBeGreaterThan(3);
    expect(replica.reports.join("\n")).toContain("is not as it was");
    await expectSound(replica, leader);
  });

  it("takes over as sealed segments what it had as frames in part", async () => {
    const random = new SeededRandom(9);
    const leader = await started();
    await sql(leader.db, TABLES);
    const network = await networked(leader);
    const replica = await started({ follow: { url: network.url } });
    await change(leader.db, random, 30);
    await level(leader.db, replica.db);
    network.cut();
    await change(leader.db, random, 500);
    await leader.db.core.log.sealed();
    network.mend();
    await expectSame(leader, replica);
    await replica.stop();
    await replica.start();
    await change(leader.db, random, 20);
    await expectSame(leader, replica);
    await expectSound(replica, leader);
  });

  it("follows a leader that has taken rows out of its segments", async () => {
    const leader = await started();
    const network = await networked(leader);
    await sql(
      leader.db,
      `CREATE TABLE kept (k int4 PRIMARY KEY, a text) WITH (compact, tombstones_for = '0 seconds');
       CREATE MATERIALIZED VIEW sums AS SELECT count(*) AS n, sum(length(a)) AS a FROM kept;
       ALTER TABLE kept ADD COLUMN b int4`,
    );
    const random = new SeededRandom(13);
    const churn = async (commits: number): Promise<void> => {
      for (let i = 0; i < commits; i++) {
        const k = random.below(30);
        if (random.oneIn(5)) await leader.db.deleteKey("kept", k);
        else await leader.db.append("kept", [{ k, a: "x".repeat(random.below(2_000)), b: i }]);
      }
    };
    await churn(40);
    const early = await started({ follow: { url: network.url } });
    await level(leader.db, early.db);
    network.cut();
    await churn(300);
    const before = leader.db.stats().logBytes;
    await leader.db.compact();
    expect(leader.db.stats().logBytes).toBeLessThan(before);
    network.mend();
    const late = await started({ follow: { url: leader.url } });
    await churn(20);
    for (const replica of [early, late]) {
      await level(leader.db, replica.db);
      expect(replica.db.position).toBe(leader.db.position);
      for (const query of ["SELECT k, a, b FROM kept ORDER BY k", "SELECT n, a FROM sums"])
        expect(await rowsOf(replica.db, query)).toEqual(await rowsOf(leader.db, query));
    }
    // Each takes them out of its own files, too.
    await early.db.compact();
    await early.stop();
    await early.start();
    await churn(10);
    await level(leader.db, early.db);
    expect(await rowsOf(early.db, "SELECT k, a, b FROM kept ORDER BY k")).toEqual(
      await rowsOf(leader.db, "SELECT k, a, b FROM kept ORDER BY k"),
    );
    await expectSound(late, early, leader);
  });

  it("keeps up with all that changes the catalog", async () => {
    const leader = await started();
    const replica = await started({ follow: { url: leader.url } });
    await sql(leader.db, "CREATE TABLE t (k int4 PRIMARY KEY, a text, n int8)");
    const rows = Array.from({ length: 3_000 }, (_, i) => ({ k: i, a: `text ${i % 100}`, n: i }));
    await leader.db.append("t", rows);
    await level(leader.db, replica.db);
    for (const statement of [
      "CREATE INDEX by_text ON t (a)",
      "CREATE UNIQUE INDEX by_number ON t (n)",
      "CREATE MATERIALIZED VIEW texts AS SELECT a, count(*) AS n FROM t GROUP BY a",
      "CREATE INDEX by_count ON texts (n)",
      "CREATE TYPE mood AS ENUM ('sad', 'glad')",
      "CREATE TABLE moods (m mood)",
      "INSERT INTO moods VALUES ('glad')",
      "CREATE VIEW plain AS SELECT * FROM t WHERE k < 10",
      "ALTER TABLE t ADD COLUMN extra int4 DEFAULT 7",
      "UPDATE t SET extra = 8 WHERE k = 1",
      "DROP INDEX by_text",
      "DROP VIEW plain",
      "DROP TABLE moods",
    ]) {
      await sql(leader.db, statement);
      await level(leader.db, replica.db);
      expect(await contents(replica.db), statement).toEqual(await contents(leader.db));
      expect(replica.db.replication.info().following?.state).toBe("following");
    }
    const query = "SELECT k FROM t WHERE n = 77";
    expect(await rowsOf(replica.db, query)).toEqual([["77"]]);
    const plan = (db: typeof leader.db) => rowsOf(db, `EXPLAIN ${query}`);
    expect(await plan(replica.db)).toEqual(await plan(leader.db));
    await replica.db.replication.promote();
    expect(await refusal(replica.db.append("t", [{ k: 9_999, a: "x", n: 77 }]))).toMatchObject({
      code: "unique_violation",
    });
  });

  it("answers without its leader, and starts without it", async () => {
    const leader = await started();
    await sql(leader.db, TABLES);
    await leader.db.append("s", [{ n: 7 }]);
    const replica = await started({ follow: { url: leader.url } });
    await level(leader.db, replica.db);
    await leader.stop();
    gone(leader);
    await replica.stop();
    await replica.start();
    expect(await rowsOf(replica.db, "SELECT n FROM s")).toEqual([["7"]]);
    expect(replica.db.readiness()).toMatchObject({ ready: true });
  });

  it("needs its leader for the first start", async () => {
    const error = await refusal(Node.start({ follow: { url: "http://127.0.0.1:1" } }));
    expect(error.code).toBe("connection_failed");
  });

  it("is not opened as a leader by mistake", async () => {
    const leader = await started();
    const replica = await started({ follow: { url: leader.url } });
    await replica.stop();
    expect(await refusal(replica.start({ follow: undefined }))).toMatchObject({ code: "invalid_request" });
    await replica.start();
  });

  it("does not follow another log", async () => {
    const [leader, other] = [await started(), await started()];
    await sql(leader.db, TABLES);
    await sql(other.db, TABLES);
    const replica = await started({ follow: { url: leader.url } });
    await level(leader.db, replica.db);
    await replica.stop();
    await replica.start({ follow: { url: other.url } });
    await until(() => replica.db.replication.info().following?.state === "stopped");
    expect(replica.db.replication.info().following?.error).toMatchObject({ code: "diverged" });
  });
});
