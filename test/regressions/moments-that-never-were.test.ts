/**
 * A replica that went through segments out of which its leader had taken rows showed rows that were long replaced beside newer ones: money that was moved was
 * missing on one side. The simulation found it (--copies, seed 6000494 on acf09e9).
 */
import { describe, expect, it, vi } from "vitest";
import { Chores } from "../../src/base/chores.ts";
import { restoreBackup } from "../../src/engine/restore-backup.ts";
import { backupLog } from "../../src/log/backup.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { SimulatedClock } from "../../src/testing/simulated-clock.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { ROWS_PER_TURN } from "../../src/views/frame-maker.ts";
import type { Network } from "../engine/replica/network.ts";
import { networked, started } from "../engine/replica/nodes.ts";
import { level, type Node, SEGMENT, until } from "../engine/replica/support.ts";
import { Client } from "../engine/support/client.ts";
import { openInMemory, rowsOf, sql } from "../engine/support/memory.ts";

const ACCOUNTS = 8;
const EACH = 100;

/** Moves money among the first accounts, so many times. */
async function move(
  { db }: Node,
  random: SeededRandom,
  times: number,
  held: number[],
  first: number,
): Promise<void> {
  for (let i = 0; i < times; i++) {
    const from = random.below(first);
    const to = (from + 1 + random.below(first - 1)) % first;
    held[from]!--;
    held[to]!++;
    const rows = [from, to].map((k) => ({ k, held: held[k], note: "x".repeat(400) }));
    await db.transact([{ topic: "accounts", upsert: rows }]);
  }
}

const total = `{"held":${ACCOUNTS * EACH},"accounts":${ACCOUNTS}}`;
const late = { code: "not_ready", retryable: true };

interface Midst {
  readonly leader: Node;
  readonly network: Network;
  readonly replica: Node;
  readonly held: number[];
  /** The rest of what it missed comes. */
  readonly goOn: () => void;
}

/** A replica, and what it misses while it is cut off: a log that is compacted by the time it comes back. `come`: lets it have two segments of that. */
async function away(options: Parameters<typeof started>[0] = {}): Promise<Midst & { come(): Promise<void> }> {
  const random = new SeededRandom(41);
  const held = Array.from({ length: ACCOUNTS }, () => EACH);
  const leader = await started();
  await sql(
    leader.db,
    `CREATE TABLE accounts (k int4 PRIMARY KEY, held int4, note text) WITH (compact);
     CREATE MATERIALIZED VIEW total AS SELECT sum(held) AS held, count(*) AS accounts FROM accounts`,
  );
  await leader.db.transact([
    { topic: "accounts", upsert: held.map((all, k) => ({ k, held: all, note: "" })) },
  ]);
  const network = await networked(leader);
  const replica = await started({ follow: { url: network.url }, ...options });
  await level(leader.db, replica.db);
  network.cut();
  const come = async (): Promise<void> => {
    // The last accounts are as they come to be here; what the first ones had meanwhile is replaced segments later.
    for (let round = 0; round < 4; round++) {
      await move(leader, random, 100, held, ACCOUNTS - 2 * round);
      await leader.db.core.log.sealed();
    }
    await leader.db.core.log.sealed();
    await leader.db.checkpoint();
    await leader.db.compact();
    const before = Number(replica.db.position);
    let asked = 0;
    network.heard = (piece) => {
      if (piece.includes("/v1/backup/") && ++asked === 3) network.cut();
    };
    network.mend();
    await until(() => asked === 3, "two segments");
    await until(() => Number(replica.db.position) > before, "some of what was missed");
  };
  const goOn = (): void => {
    network.heard = () => {};
    network.mend();
  };
  return { leader, network, replica, held, goOn, come };
}

async function inTheMidst(options: Parameters<typeof started>[0] = {}): Promise<Midst> {
  const all = await away(options);
  await all.come();
  return all;
}

async function rowsOfTotal({ db }: Node, timeoutMs: number): Promise<string[]> {
  const { rowsJson } = await db.view("total").rowsJson({ timeoutMs });
  const rows: string[] = [];
  for await (const chunk of rowsJson) rows.push(...chunk);
  return rows;
}

/** What a subscriber of the view is shown, moment by moment. */
function watch({ db }: Node): { seen: string[]; client: Client; ended: Promise<void> } {
  const seen: string[] = [];
  const client = new Client();
  const watching = async (): Promise<void> => {
    for await (const event of db.subscribe([{ view: "total" }])) {
      client.apply(event);
      seen.push(...(client.views.get("total")?.values() ?? []));
    }
  };
  return { seen, client, ended: watching().catch(() => {}) };
}

describe("a replica in the midst of a compacted history", () => {
  it.each([{ does: "goes on" }, { does: "begins again" }])(
    "that $does shows its subscribers no moment that never was",
    async ({ does }) => {
      const { leader, replica, held, goOn, come } = await away();
      const first = watch(replica);
      await until(() => first.seen.length > 0, "the first snapshot");
      await come();
      expect(replica.db.readiness().ready).toBe(false);
      // Who comes now waits, unless there is nothing to wait for.
      const second = watch(replica);
      await expect(
        replica.db
          .subscribe([{ view: "nosuch" }])
          [Symbol.asyncIterator]()
          .next(),
      ).rejects.toMatchObject({
        code: "undefined_table",
      });
      if (does === "begins again") {
        await replica.stop();
        await replica.start();
        await expect(rowsOfTotal(replica, 1)).rejects.toMatchObject(late);
      }
      const third = watch(replica);

      goOn();
      expect(await rowsOfTotal(replica, 30_000)).toEqual([total]);
      await level(leader.db, replica.db);
      if (does === "goes on")
        await until(() => first.client.resets.length > 0 && second.seen.length > 0, "who was there before");
      await until(() => third.seen.length > 0, "who came in the midst of it");
      for (const { seen } of [first, second, third])
        expect(new Set([...seen, total])).toEqual(new Set([total]));
      expect(await rowsOf(replica.db, "SELECT k, held FROM accounts ORDER BY k")).toEqual(
        held.map((all, k) => [String(k), String(all)]),
      );

      // And all of them go on from there.
      const told = does === "goes on" ? [first, second, third] : [third];
      await leader.db.transact([{ topic: "accounts", upsert: [{ k: ACCOUNTS, held: 1, note: "" }] }]);
      const more = `{"held":${ACCOUNTS * EACH + 1},"accounts":${ACCOUNTS + 1}}`;
      await until(() => told.every(({ seen }) => seen.at(-1) === more), "what comes behind it");
    },
  );

  it("refuses reads of every kind, and nothing else", async () => {
    const { replica } = await inTheMidst();
    const { db } = replica;
    await expect(db.view("total").rows({ timeoutMs: 1 })).rejects.toMatchObject(late);
    const sums = "SELECT sum(held) FROM accounts";
    for (const text of [sums, "SELECT held FROM accounts WHERE k = 1", `EXPLAIN ANALYZE ${sums}`])
      expect((await db.sql(text, { timeoutMs: 1 })).error).toMatchObject({ code: "not_ready" });
    expect((await db.sql(sums, { timeoutMs: 1, flowing: true })).error).toMatchObject({ code: "not_ready" });
    await expect(db.copy(`COPY (${sums}) TO STDOUT`, { timeoutMs: 1 })).rejects.toMatchObject(late);
    // What asks for no rows is answered; who writes is sent to the leader.
    expect((await db.sql("SHOW server_version", { timeoutMs: 1 })).error).toBeUndefined();
    const written = await db.sql("INSERT INTO accounts VALUES (1, 1, '')", { timeoutMs: 1 });
    expect(written.error).toMatchObject({ code: "not_leader" });
  });

  it("gives no backup, which would be restored as one", async () => {
    const { leader, replica, goOn } = await inTheMidst();
    const disk = new SimulatedDisk();
    const backup = () => backupLog({ source: replica.db.backupSource, directory: "/backup", disk, now: 0 });
    await expect(backup()).rejects.toMatchObject(late);
    const answer = await fetch(`${replica.url}/v1/backup`);
    expect(answer.status).toBe(503);
    goOn();
    await level(leader.db, replica.db);
    await backup();
    await restoreBackup({ backup: "/backup", directory: "/data", disk });
    const db = await openInMemory(disk);
    expect(await rowsOf(db, "SELECT held, accounts FROM total")).toEqual([
      [String(ACCOUNTS * EACH), String(ACCOUNTS)],
    ]);
    await db.close();
  });

  it("lets a transaction that only reads wait", async () => {
    const { leader, replica, goOn } = await inTheMidst();
    const reading = replica.db.transaction(async (tx) => {
      const [row] = await tx.rows("total");
      let sum = 0;
      for (let k = 0; k < ACCOUNTS; k++) sum += Number((await tx.get("accounts", k))?.["held"]);
      return [Number(row?.["held"]), sum];
    });
    goOn();
    expect((await reading).result).toEqual([ACCOUNTS * EACH, ACCOUNTS * EACH]);
    await level(leader.db, replica.db);
  });

  it("looks for each statement whether it may be answered", async () => {
    const { leader, replica, come, goOn } = await away();
    let asked: ReturnType<typeof replica.db.sql> | null = null;
    // The request begins before it, and ends in it.
    const text = `${"SELECT 1;".repeat(2_000)} SELECT sum(held) FROM accounts`;
    const lack = vi.spyOn(replica.db.core.publisher.moments, "lackUntil");
    const coming = come();
    await until(() => lack.mock.calls.length > 0, "the beginning of it");
    asked = replica.db.sql(text, { timeoutMs: 1 });
    await coming;
    const { error, results } = await asked;
    expect(results.length).toBe(2_000);
    expect(error).toMatchObject({ code: "not_ready" });
    goOn();
    await level(leader.db, replica.db);
  });

  it("keeps no rows of it that a view made anew would show", async () => {
    const { leader, replica, goOn } = await inTheMidst({ workers: 1 });
    await replica.db.checkpoint();
    await replica.stop();
    await replica.start();
    await expect(rowsOfTotal(replica, 1)).rejects.toMatchObject(late);
    goOn();
    await level(leader.db, replica.db);
    expect(await rowsOfTotal(replica, 30_000)).toEqual([total]);
    await replica.stop();
  });

  it("lets the first rows that are followed over HTTP wait", async () => {
    const { replica, goOn } = await inTheMidst();
    const headers = { accept: "text/event-stream" };
    const answer = await fetch(`${replica.url}/v1/views/total/rows?limit=1&timeoutMs=1`, { headers });
    goOn();
    let text = "";
    for await (const piece of answer.body!.pipeThrough(new TextDecoderStream())) {
      text += piece;
      if (text.includes("snapshot")) break;
    }
    expect(text).toContain(`"held":${ACCOUNTS * EACH}`);
    expect(text).not.toContain("not_ready");
  });

  it("does not hold up who closes it", async () => {
    const { replica } = await inTheMidst();
    const waiting = [rowsOfTotal(replica, 50_000), replica.db.transaction((tx) => tx.rows("total"))];
    const told = Promise.allSettled(waiting);
    await new Promise((resolve) => setTimeout(resolve, 20));
    await replica.stop();
    const gone = { status: "rejected", reason: { code: "shutting_down" } };
    expect(await told).toMatchObject([gone, gone]);
  });
});

describe("what is a moment, although rows were taken out behind it", () => {
  async function forgetful(): Promise<{ leader: Node; clock: SimulatedClock }> {
    const clock = new SimulatedClock();
    const leader = await started({ clock });
    await sql(
      leader.db,
      `CREATE TABLE s (n int8, a text) WITH (append_only, retain_for = '1 minute'); CREATE TABLE t (k int4 PRIMARY KEY);
       CREATE MATERIALIZED VIEW keys AS SELECT count(*) AS n FROM t`,
    );
    for (let n = 0; n < 200; n++) await leader.db.append("s", [{ n, a: "x".repeat(1000) }]);
    await leader.db.core.log.sealed();
    clock.advance(3_600_000_000);
    return { leader, clock };
  }

  it("is shown by a replica that is level with a leader which lost its end", async () => {
    const { leader } = await forgetful();
    for (let k = 0; k < 20; k++) await leader.db.append("t", [{ k }]);
    await leader.db.compact();
    const active = leader.db.core.log.files().files.at(-1)!.name;
    await leader.stop();
    await leader.disk.unlink(`/data/log/${active}`);
    // It says that the log had come further.
    await leader.disk.removeTree("/data/checkpoint");
    await leader.start();
    expect(leader.db.core.log.horizon).toBeGreaterThan(leader.db.core.log.lastPosition);
    const replica = await started({ follow: { url: leader.url } });
    await level(leader.db, replica.db);
    const said = await rowsOf(leader.db, "SELECT n FROM keys");
    expect(await rowsOf(replica.db, "SELECT n FROM keys")).toEqual(said);
    expect(replica.db.readiness().ready).toBe(true);
    await replica.db.replication.promote();
  });

  it("is shown by a start that replays what lies behind its checkpoint, out of which nothing was taken", async () => {
    const { leader, clock } = await forgetful();
    await leader.db.checkpoint();
    const from = Number(leader.db.position);
    for (let k = 0; k < 400; k++) await leader.db.append("t", [{ k }]);
    await leader.db.core.log.compact();
    expect(leader.db.core.log.horizon).toBeGreaterThan(from);
    await leader.kill("process");
    const db = await openInMemory(leader.disk, {
      clock,
      segmentBytes: SEGMENT,
      answerWhileCatchingUp: true,
    });
    expect(db.core.catchUp).not.toBeNull();
    expect((await db.sql("SELECT n FROM keys", { timeoutMs: 0 })).error).toBeUndefined();
    await db.close();
  });
});

it("who waits for a large step's frame when a gap comes and goes is told anew, and goes on", async () => {
  const rows = 4 * ROWS_PER_TURN;
  const db = await openInMemory();
  await sql(
    db,
    `CREATE TABLE names (id int4 PRIMARY KEY, name text); CREATE TABLE orders (id int4 PRIMARY KEY, by int4);
     CREATE TABLE other (k int4 PRIMARY KEY);
     CREATE MATERIALIZED VIEW named AS SELECT o.id, n.name FROM orders o JOIN names n ON n.id = o.by;
     INSERT INTO names VALUES (1, 'one'); INSERT INTO orders SELECT g, 1 FROM generate_series(1, ${rows}) g`,
  );
  await db.settled();
  const from = db.position;
  const ending = new AbortController();
  const told = (options: {
    from?: string;
  }): { reasons: string[]; snapshots: () => number; steps: () => number; ended: Promise<void> } => {
    const reasons: string[] = [];
    let snapshots = 0;
    let steps = 0;
    const ended = (async () => {
      for await (const event of db.subscribe([{ view: "named" }], { ...options, signal: ending.signal })) {
        if (event.type === "snapshot" && event.last) snapshots++;
        if (event.type === "reset") reasons.push(event.reason);
        if (event.type === "step") steps++;
      }
    })();
    return { reasons, snapshots: () => snapshots, steps: () => steps, ended };
  };
  /** Time for what is not held: turns, for after a sleep the clock may have gone on without one. */
  const manyTurns = async (): Promise<void> => {
    for (let i = 0; i < 200; i++) await new Promise((resolve) => setImmediate(resolve));
  };
  const first = told({});
  await until(() => first.snapshots() > 0, "the first rows");
  // From here on work that can wait gets no turn: the frame is not made.
  const held: (() => void)[] = [];
  const turn = vi
    .spyOn(Chores.prototype, "turn")
    .mockImplementation(() => new Promise((resolve) => held.push(() => resolve(performance.now() + 1))));
  await db.append("names", [{ id: 1, name: "two" }]);
  await db.settled();
  const second = told({ from });
  await manyTurns();
  const isWhole = vi.spyOn(db.core.publisher.moments, "isWhole", "get").mockReturnValue(false);
  await db.append("other", [{ k: 1 }]);
  await db.settled();
  isWhole.mockRestore();
  await db.append("other", [{ k: 2 }]);
  await db.settled();
  await manyTurns();
  turn.mockRestore();
  for (const letGo of held) letGo();
  await until(() => first.reasons.length > 0 && second.reasons.length > 0, "that both are told anew");
  await until(() => first.snapshots() > 1 && second.snapshots() > 0, "their rows anew");
  const steps = [first.steps(), second.steps()];
  await db.append("names", [{ id: 1, name: "three" }]);
  await until(() => first.steps() > steps[0]! && second.steps() > steps[1]!, "what comes behind it");
  ending.abort();
  await Promise.all([first.ended, second.ended]);
  expect(db.core.views.named("named").view!.store.isPinned).toBe(false);
  await db.close();
});
