/** Views that worker threads keep, over ends and crashes: checkpoints and sinks are what they are without them, and a part that has ended takes no other with it. */
import { afterEach, describe, expect, it, vi } from "vitest";
import type { Disk } from "../../src/base/disk.ts";
import type { Database } from "../../src/engine/database.ts";
import type { OpenEngineOptions } from "../../src/engine/open-engine.ts";
import { scalar, text } from "../../src/index.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { HeldLog } from "./support/held-log.ts";
import { allHold, holds } from "./support/holds.ts";
import { openInMemory, rowsOf, sql } from "./support/memory.ts";

const open: Database[] = [];

async function start(disk: Disk, options: Partial<OpenEngineOptions> = {}): Promise<Database> {
  const db = await openInMemory(undefined, { disk, workers: 2, ...options });
  open.push(db);
  return db;
}

afterEach(async () => {
  vi.restoreAllMocks();
  for (const db of open.splice(0)) await db.close().catch(() => {});
});

const sums = "SELECT g, sum(v) AS v, count(*) AS n FROM s GROUP BY g";

async function define(db: Database): Promise<void> {
  await sql(
    db,
    `CREATE TABLE s (g text NOT NULL, v int8 NOT NULL) WITH (append_only);
     CREATE TABLE out (g text PRIMARY KEY, v numeric, n int8)`,
  );
}

async function history(db: Database, from: number, commits: number): Promise<void> {
  const under = Array.from({ length: commits }, (_, i) =>
    db.append("s", [
      { g: `g${(from + i) % 7}`, v: i },
      { g: `g${i % 3}`, v: from },
    ]),
  );
  await Promise.all(under);
}

const bySum = "SELECT g, v, n FROM sums ORDER BY g";
const bySink = "SELECT g, v, n FROM out ORDER BY g";

describe("a view in workers with a sink", () => {
  it("has its rows in its topic, step by step, after ends and after crashes", async () => {
    let disk = new SimulatedDisk();
    let db = await start(disk);
    await define(db);
    await sql(db, `CREATE MATERIALIZED VIEW sums WITH (sink = 'out') AS ${sums}`);
    await db.built();
    expect(db.core.workers!.parts).toBe(1);
    let at = 0;
    for (const how of ["close", "power cut", "checkpoint, then power cut", "process", "end"] as const) {
      for (let i = 0; i < 4; i++) {
        await history(db, (at += 20), 20);
        await db.settled();
        expect(await rowsOf(db, bySink)).toEqual(await rowsOf(db, bySum));
      }
      await holds(db, "sums", sums);
      if (how.startsWith("checkpoint")) await db.checkpoint();
      await history(db, (at += 5), 5);
      if (how === "process") disk = disk.reboot("process");
      if (how.endsWith("power cut")) disk = disk.reboot("power cut");
      await db.close().catch((error: unknown) => {
        if (how === "close" || how === "end") throw error;
      });
      if (how === "end") continue;
      db = await start(disk);
      await db.built();
      await db.settled();
      await holds(db, "sums", sums);
      expect(await rowsOf(db, bySink)).toEqual(await rowsOf(db, bySum));
    }
  });
});

describe("a start", () => {
  it.each([
    { how: "after a close", answerWhileCatchingUp: false },
    { how: "after a crash, while the log is replayed and after it", answerWhileCatchingUp: true },
  ])(
    "shows the earlier rows of views in workers until they are made anew: $how",
    async ({ answerWhileCatchingUp }) => {
      const disk = new SimulatedDisk();
      let db = await start(disk);
      await define(db);
      await sql(db, `CREATE MATERIALIZED VIEW sums AS ${sums}`);
      await db.built();
      await history(db, 0, 30);
      await db.settled();
      const before = await rowsOf(db, bySum);
      if (answerWhileCatchingUp) await db.checkpoint();
      if (answerWhileCatchingUp) await history(db, 30, 30);
      const after = answerWhileCatchingUp ? disk.reboot("process") : disk;
      await db.close().catch((error: unknown) => {
        if (after === disk) throw error;
      });
      const held = new HeldLog(after);
      db = await start(held, { answerWhileCatchingUp });
      held.reads.close();
      const stale = await db.view("sums").rows({ order: ["g"] });
      expect(stale).toMatchObject({ stale: true });
      expect(stale.rows.map((row) => [row["g"], String(row["n"])])).toEqual(before.map(([g, , n]) => [g, n]));
      held.goOn();
      await db.built();
      await history(db, 50, 3);
      await db.settled();
      expect(await db.view("sums").rows()).not.toMatchObject({ stale: true });
      await holds(db, "sums", sums);
    },
  );

  it("uses its checkpoint where a view here stands on rows that a worker made", async () => {
    const shout = scalar("shout", { args: [text], returns: text, fn: (word) => word.toUpperCase() });
    const disk = new SimulatedDisk();
    const reports: string[] = [];
    const options = { workers: 1, functions: [shout], report: (message: string) => reports.push(message) };
    let db = await start(disk, options);
    await define(db);
    await sql(db, "CREATE TABLE names (g text PRIMARY KEY, name text)");
    const query = `SELECT shout(names.name) AS name, x.* FROM names JOIN (${sums}) AS x ON x.g = names.g`;
    await sql(db, `CREATE MATERIALIZED VIEW sums AS ${sums}`);
    await db.built();
    await sql(db, `CREATE MATERIALIZED VIEW loud AS ${query}`);
    await db.built();
    await history(db, 0, 30);
    await sql(db, "INSERT INTO names VALUES ('g1', 'one'), ('g2', 'two')");
    await db.settled();
    const loud = db.core.views.named("loud");
    expect([loud.node!.hasParts, db.core.circuit.parts.areOf(loud.query!.plan)]).toEqual([true, false]);
    await holds(db, "loud", query, [shout]);
    await db.close();
    db = await start(disk, options);
    await db.built();
    expect(reports).toEqual([]);
    await holds(db, "loud", query, [shout]);
    await history(db, 0, 5);
    await db.settled();
    await allHold(db, { loud: query, sums }, [shout]);
  });
});

describe("a part whose thread has ended", () => {
  it("fails its view though nothing is appended, and takes no new one's place", async () => {
    const db = await start(new SimulatedDisk());
    await define(db);
    await sql(db, `CREATE MATERIALIZED VIEW most AS SELECT max(n) AS n FROM (${sums}) AS x`);
    await db.built();
    await history(db, 0, 10);
    await db.settled();
    await db.core.workers!.end(0);
    // Its part is the same.
    await sql(db, `CREATE MATERIALIZED VIEW least AS SELECT min(n) AS n FROM (${sums}) AS x`);
    await db.built();
    expect(db.viewFailure("most")).toMatchObject({ code: "view_failed" });
    await history(db, 0, 10);
    await db.settled();
    await holds(db, "least", `SELECT min(n) AS n FROM (${sums}) AS x`);
  });
});

it("fails the view, and no other, where there is no memory to send its rows", async () => {
  const db = await start(new SimulatedDisk());
  await define(db);
  await sql(db, "CREATE MATERIALIZED VIEW here AS SELECT g, v FROM s WHERE v > 1");
  await sql(db, `CREATE MATERIALIZED VIEW sums AS ${sums}`);
  await db.built();
  vi.stubGlobal(
    "SharedArrayBuffer",
    class {
      constructor() {
        throw new RangeError("Array buffer allocation failed");
      }
    },
  );
  await history(db, 0, 3);
  await db.settled();
  vi.unstubAllGlobals();
  expect(db.viewFailure("sums")).not.toBeNull();
  await history(db, 0, 3);
  await db.settled();
  await holds(db, "here", "SELECT g, v FROM s WHERE v > 1");
});

it("lets go of its threads and of its directory also where the end goes wrong", async () => {
  const disk = new SimulatedDisk();
  const db = await start(disk);
  await define(db);
  await sql(db, `CREATE MATERIALIZED VIEW sums AS ${sums}`);
  await db.built();
  const ended = vi.spyOn(db.core.workers!, "close");
  vi.spyOn(db.core.sinks, "resting").mockRejectedValueOnce(new Error("no rest"));
  await expect(db.close()).rejects.toThrow("no rest");
  expect(ended).toHaveBeenCalled();
  const again = await start(disk);
  await again.built();
  await holds(again, "sums", sums);
});
