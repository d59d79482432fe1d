/** The whole engine on disks that are full, fail, forget and lie: what was acknowledged is there, and what cannot be promised is not. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Database } from "../../src/engine/database.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { recomputed } from "./support/anew.ts";
import { Client } from "./support/client.ts";
import { commitTo } from "./support/commit.ts";
import { createTable } from "./support/grammar.ts";
import { allHold } from "./support/holds.ts";
import { openInMemory, rowsOf, sql, told } from "./support/memory.ts";
import { type Program, programs, programText } from "./support/program.ts";
import { rowsJsonOf } from "./support/rows.ts";
import { maintained } from "./support/views.ts";

const runs = Number(process.env["EVERT_DISK_RUNS"] ?? 40);
const FOR_EVER = Number.POSITIVE_INFINITY;

async function define(db: Database): Promise<void> {
  await sql(db, "CREATE TABLE t (k int4 PRIMARY KEY, v text)");
  await sql(db, "CREATE MATERIALIZED VIEW v AS SELECT count(*) AS c, max(k) AS high FROM t");
}

async function viewRow(db: Database): Promise<unknown> {
  await told(db);
  return (await db.view("v").rows()).rows[0];
}

describe("a full disk", () => {
  it("refuses what it has no room for, keeps what it took, and goes on when there is room again", async () => {
    const disk = new SimulatedDisk();
    const db = await openInMemory(disk);
    await define(db);
    disk.capacityBytes = 3 << 20;
    let accepted = 0;
    const fill = async (): Promise<void> => {
      for (; ; accepted++) await db.append("t", [{ k: accepted, v: "x".repeat(50_000) }]);
    };
    await expect(fill()).rejects.toMatchObject({ code: "disk_full", retryable: true });
    expect(accepted).toBeGreaterThan(5);
    expect(await viewRow(db)).toEqual({ c: accepted, high: accepted - 1 });
    expect((await db.sql("INSERT INTO t VALUES (-1, repeat('x', 500000))")).error).toMatchObject({
      code: "disk_full",
    });
    expect(await viewRow(db)).toEqual({ c: accepted, high: accepted - 1 });

    disk.capacityBytes = FOR_EVER;
    await db.append("t", [{ k: accepted, v: "x".repeat(50_000) }]);
    await db.close();
    const again = await openInMemory(disk);
    expect(await viewRow(again)).toEqual({ c: accepted + 1, high: accepted });
    await again.close();
  });

  it("does not keep the database from opening and answering", async () => {
    const disk = new SimulatedDisk();
    let db = await openInMemory(disk);
    await define(db);
    await db.append("t", [{ k: 1, v: "x" }]);
    await db.close();
    disk.capacityBytes = 0;
    db = await openInMemory(disk);
    expect(await viewRow(db)).toEqual({ c: 1, high: 1 });
    await db.close();
  });

  it("that stops a checkpoint stops nothing else, and the next checkpoint is whole", async () => {
    const disk = new SimulatedDisk();
    const db = await openInMemory(disk);
    await define(db);
    await db.append("t", [{ k: 1, v: "x" }]);
    await db.checkpoint();
    for (const operation of ["write", "datasync", "rename", "syncDirectory", "open"] as const) {
      await db.append("t", [{ k: 2, v: operation }]);
      await db.settled();
      disk.fail({ operation, path: /checkpoint/, code: operation === "write" ? "ENOSPC" : "EIO" });
      await expect(db.checkpoint()).rejects.toMatchObject({
        code: operation === "write" ? "disk_full" : "io_error",
      });
      disk.heal();
      await db.append("t", [{ k: 3, v: operation }]);
      expect(await viewRow(db)).toEqual({ c: 3, high: 3 });
      await db.checkpoint();
      expect(db.stats().checkpointPosition).toBe(db.position);
      // What a crash right now leaves is restored, without a word.
      const survivor = await openInMemory(disk.clone(), { report: fail });
      expect(await viewRow(survivor)).toEqual({ c: 3, high: 3 });
      expect(await rowsOf(survivor, "SELECT v FROM t WHERE k = 3")).toEqual([[operation]]);
      await survivor.close();
    }
    await db.close();
  });
});

function fail(message: string): void {
  throw new Error(message);
}

describe.each(["datasync", "write"] as const)("a %s of the log that fails", (operation) => {
  it("is believed: nothing more is acknowledged, everybody who waits is told, reads go on, and the log has the rest", async () => {
    const disk = new SimulatedDisk();
    const fatal: string[] = [];
    const db = await openInMemory(disk, { onFatal: (error) => fatal.push(error.code) });
    await define(db);
    await db.append("t", [{ k: 1, v: "safe" }]);
    await db.settled();
    const client = new Client();
    const watching = (async () => {
      for await (const event of db.subscribe([{ view: "v" }])) client.apply(event);
    })();
    const far = db.view("v").rows({ atLeast: String(Number(db.position) + 3), timeoutMs: 60_000 });
    const outcomes = Promise.allSettled([watching, far]);
    disk.fail({ operation, path: /\/log\//, code: "EIO", times: FOR_EVER });
    const requests = [
      db.append("t", [{ k: 2, v: "lost" }]),
      db.transact([{ topic: "t", append: [{ k: 3, v: "lost" }] }]),
      db.deleteKey("t", 1),
    ];
    // They may be told before all of it has been stepped.
    for (const request of requests) request.catch(() => {});
    // Staged and stepped, not durable: a checkpoint knows no more than the log.
    while (db.core.stepper.position === Number(db.position))
      await new Promise((resolve) => setImmediate(resolve));
    const lost = await Promise.allSettled([...requests, db.checkpoint()]);
    expect(lost.map((l) => l.status === "rejected" && (l.reason as { code: string }).code)).toEqual(
      Array.from({ length: 4 }, () => "io_error"),
    );
    disk.heal();
    await expect(db.append("t", [{ k: 4, v: "late" }])).rejects.toMatchObject({ code: "io_error" });
    expect((await db.sql("INSERT INTO t VALUES (5, 'late')")).error).toMatchObject({ code: "io_error" });
    expect((await db.sql("UPDATE t SET v = 'late'")).error).toMatchObject({ code: "io_error" });
    expect(fatal).toEqual(["io_error"]);
    expect(
      (await outcomes).map((o) => o.status === "rejected" && (o.reason as { code: string }).code),
    ).toEqual(["io_error", "io_error"]);
    expect(db.readiness().ready).toBe(false);
    // What was shown, and is shown, is what was durable.
    expect(await viewRow(db)).toEqual({ c: 1, high: 1 });
    expect([...(client.views.get("v")?.values() ?? [])]).toEqual(['{"c":1,"high":1}']);
    expect(client.steps).toBe(0);
    await db.close();

    const again = await openInMemory(disk.reboot("power cut"));
    const rows = await rowsOf(again, "SELECT k, v FROM t ORDER BY k");
    // Not acknowledged is not denied: a whole commit may have reached the disk. But nothing in part, and nothing late.
    expect(rows.flat()).not.toContain("late");
    expect(await recomputed(again, ["SELECT count(*), max(k) FROM t"])).toEqual([
      await maintained(again, "v"),
    ]);
    await again.close();
  });
});

describe("a power cut", () => {
  const cases = fc.record({
    program: programs,
    seed: fc.nat(),
    /** After how many changes of the disk, counted from the first commit. */
    crashes: fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 4 }),
  });

  async function prepare(db: Database, { bases, views }: Program): Promise<void> {
    for (const base of bases) await sql(db, createTable(base, "evert"));
    for (const { name, sql: text } of views) await sql(db, `CREATE MATERIALIZED VIEW ${name} AS ${text}`);
  }

  async function contents(db: Database): Promise<Record<string, string[]>> {
    await db.settled();
    await db.built();
    const all: Record<string, string[]> = {};
    for (const { name } of db.views()) all[name] = (await rowsJsonOf(db, name)).sort();
    for (const { name } of db.topics()) {
      all[name] = (await rowsOf(db, `SELECT * FROM ${name}`)).map((row) => JSON.stringify(row)).sort();
    }
    return all;
  }

  it("at any moment loses nothing acknowledged and leaves no commit in part, with checkpoints on the way", async () => {
    await fc.assert(
      fc.asyncProperty(cases, async ({ program, seed, crashes }) => {
        // What there is to be after each commit.
        const reference = await openInMemory();
        await prepare(reference, program);
        const expected = [await contents(reference)];
        for (const commit of program.commits) {
          await commitTo(reference, commit);
          expected.push(await contents(reference));
        }
        await reference.close();

        let disk = new SimulatedDisk({ seed });
        let db = await openInMemory(disk);
        await prepare(db, program);
        let done = 0;
        try {
          for (const crash of [...crashes, FOR_EVER]) {
            disk.crashAfter(crash);
            for (; done < program.commits.length && !disk.crashed; done++) {
              const outcome = await commitTo(db, program.commits[done]!).catch(() => null);
              if (outcome === null || outcome.refused === "58030") break;
              if (done % 2 === 0) await db.checkpoint().catch(() => {});
            }
            if (crash === FOR_EVER) break;
            disk = disk.reboot("power cut");
            await db.close().catch(() => {});
            db = await openInMemory(disk);
            const found = JSON.stringify(await contents(db));
            // The commit under way is there whole or not at all.
            const survived = [done, done + 1].find((n) => JSON.stringify(expected[n]) === found);
            expect(survived, `after ${done} acknowledged commits`).toBeDefined();
            done = survived as number;
          }
          expect(await contents(db)).toEqual(expected.at(-1));
          await allHold(db, Object.fromEntries(program.views.map((view) => [view.name, view.sql])));
        } catch (error) {
          throw new Error(`${(error as Error).message}\n\n${programText(program)}`, { cause: error });
        } finally {
          await db.close();
        }
      }),
      { numRuns: runs },
    );
  }, 600_000);
});

describe("a checkpoint that is damaged", () => {
  async function database(): Promise<SimulatedDisk> {
    const disk = new SimulatedDisk();
    const db = await openInMemory(disk);
    await define(db);
    for (let k = 0; k < 50; k++) await db.append("t", [{ k: k % 20, v: `value ${k}` }]);
    await db.checkpoint();
    for (let k = 50; k < 60; k++) await db.append("t", [{ k: k % 20, v: `value ${k}` }]);
    await db.close();
    return disk;
  }

  const rowsFile = (disk: SimulatedDisk): string =>
    disk.files().find((f) => f.includes("/checkpoint/rows-")) as string;

  it("anywhere is noticed, told, and replaced by a replay of the log", async () => {
    const disk = await database();
    const size = disk.contents(rowsFile(disk)).length;
    const manifest = disk.files().find((f) => f.endsWith("/manifest")) as string;
    const manifestSize = disk.contents(manifest).length;
    const places = [
      ...Array.from({ length: 40 }, (_, i) => [rowsFile(disk), Math.floor((i * size) / 40)] as const),
      ...Array.from({ length: 20 }, (_, i) => [manifest, Math.floor((i * manifestSize) / 20)] as const),
    ];
    let noticed = 0;
    for (const [path, at] of places) {
      const damaged = disk.clone();
      damaged.corrupt(path, at, (byte) => byte ^ 0x10);
      const told: string[] = [];
      const db = await openInMemory(damaged, { report: (message) => told.push(message) });
      expect(await viewRow(db), `${path} at ${at}: ${told}`).toEqual({ c: 20, high: 19 });
      expect(await rowsOf(db, "SELECT v FROM t WHERE k = 19")).toEqual([["value 59"]]);
      noticed += told.length;
      await db.close();
    }
    // A byte between two blocks may be anything.
    expect(noticed).toBeGreaterThan(places.length - 5);
  });

  it("is replaced when its files are short or gone", async () => {
    const disk = await database();
    const size = disk.contents(rowsFile(disk)).length;
    for (const length of [0, 1, Math.floor(size / 2), size - 1]) {
      const damaged = disk.clone();
      const file = await damaged.open(rowsFile(disk), "write");
      await file.truncate(length);
      await file.close();
      const db = await openInMemory(damaged);
      expect(await viewRow(db)).toEqual({ c: 20, high: 19 });
      await db.close();
    }
    const without = disk.clone();
    await without.unlink(rowsFile(disk));
    const db = await openInMemory(without);
    expect(await viewRow(db)).toEqual({ c: 20, high: 19 });
    await db.close();
  });
});

it("short reads and short writes change nothing", async () => {
  const disk = new SimulatedDisk();
  disk.fail({ operation: "write", bytesMax: 1000, times: FOR_EVER });
  disk.fail({ operation: "read", bytesMax: 777, times: FOR_EVER });
  let db = await openInMemory(disk);
  await define(db);
  for (let k = 0; k < 20; k++) await db.append("t", [{ k, v: "x".repeat(5000) }]);
  await db.checkpoint();
  await db.append("t", [{ k: 20, v: "y" }]);
  disk.heal();
  const again = disk.clone();
  again.fail({ operation: "read", bytesMax: 777, times: FOR_EVER });
  await db.close();
  db = await openInMemory(again, { report: fail });
  expect(await viewRow(db)).toEqual({ c: 21, high: 20 });
  expect(await rowsOf(db, "SELECT count(*) FROM t WHERE length(v) = 5000")).toEqual([["20"]]);
  await db.close();
});
