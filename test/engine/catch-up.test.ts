/** After a start the checkpoint answers at once, at its position, while the log behind it is replayed; who writes waits for its end. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { SubscriptionEvent } from "../../src/engine/api.ts";
import type { Database } from "../../src/engine/database.ts";
import { count, int4, sum, topic, view } from "../../src/face/index.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { Client } from "./support/client.ts";
import { commitTo } from "./support/commit.ts";
import { createTable } from "./support/grammar.ts";
import { HeldLog } from "./support/held-log.ts";
import { openInMemory, rowsOf, sql } from "./support/memory.ts";
import { programs, programText } from "./support/program.ts";

const runs = Number(process.env["EVERT_CATCH_UP_RUNS"] ?? 40);
const answerWhileCatchingUp = true;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Killed with a checkpoint of rows 1 to 3 and a log of rows 1 to 6, then opened with the log's reads held. */
async function behind(): Promise<{
  db: Database;
  disk: SimulatedDisk;
  held: HeldLog;
  checkpointAt: string;
  endAt: string;
}> {
  const killed = new SimulatedDisk();
  const first = await openInMemory(killed);
  await sql(first, "CREATE TABLE t (k int4 PRIMARY KEY, v int4 UNIQUE)");
  await sql(first, "CREATE MATERIALIZED VIEW v AS SELECT count(*) AS c, sum(v) AS s FROM t");
  for (let k = 1; k <= 3; k++) await first.append("t", [{ k, v: k * 10 }]);
  await first.settled();
  await first.checkpoint();
  const checkpointAt = first.position;
  for (let k = 4; k <= 6; k++) await first.append("t", [{ k, v: k * 10 }]);
  await first.settled();
  const endAt = first.position;
  const disk = killed.reboot("process");
  const held = new HeldLog(disk);
  const db = await openInMemory(disk, { disk: held, answerWhileCatchingUp });
  held.reads.close();
  return { db, disk, held, checkpointAt, endAt };
}

describe("a database that catches up", () => {
  it("answers from its checkpoint, with its position, and says so", async () => {
    const { db, held, checkpointAt, endAt } = await behind();
    expect(await db.view("v").rows()).toEqual({
      rows: [{ c: 3, s: 60 }],
      position: checkpointAt,
      catchingUp: true,
    });
    expect(await db.view("v").get([])).toMatchObject({ position: checkpointAt, catchingUp: true });
    expect(db.views()).toMatchObject([
      { status: "catching_up", position: checkpointAt, lag: 3, progress: 0 },
    ]);
    expect(db.readiness()).toEqual({ ready: true, progress: 0, position: checkpointAt });
    // Whoever needs more waits for it.
    const late = db.view("v").rows({ atLeast: endAt });
    held.goOn();
    expect(await late).toMatchObject({ rows: [{ c: 6, s: 210 }], position: endAt });
    await db.settled();
    expect(await db.view("v").rows()).toEqual({ rows: [{ c: 6, s: 210 }], position: db.position });
    expect(db.views()).toMatchObject([{ status: "live", lag: 0, progress: 1 }]);
    expect(db.readiness()).toMatchObject({ ready: true, progress: 1 });
    await db.close();
  });

  it("lets nobody write before everything is there that decides it", async () => {
    const { db, held, endAt } = await behind();
    const done: string[] = [];
    const note = (what: string) => (): void => void done.push(what);
    const writes = [
      db.append("t", [{ k: 7, v: 70 }]).finally(note("append")),
      db.sql("INSERT INTO t VALUES (6, 0)").finally(note("insert")),
      db
        .append("t", [{ k: 8, v: 50 }])
        .catch((error: { code: string }) => error.code)
        .finally(note("unique")),
      db.sql("CREATE MATERIALIZED VIEW w AS SELECT max(k) AS k FROM t").finally(note("create")),
    ] as const;
    for (let i = 0; i < 20; i++) await turn();
    expect(done).toEqual([]);
    held.goOn();
    const [appended, inserted, unique, created] = await Promise.all(writes);
    expect(Number(appended.position)).toBeGreaterThan(Number(endAt));
    // Rows 5 and 6 came after the checkpoint.
    expect(inserted.error).toMatchObject({ sqlstate: "23505" });
    expect(unique).toBe("unique_violation");
    expect(created.error).toBeUndefined();
    await db.built();
    expect(await rowsOf(db, "SELECT c, s, (SELECT k FROM w) FROM v")).toEqual([["7", "280", "7"]]);
    await db.close();
  });

  it("shows a subscriber each moment after the checkpoint's, and none that is earlier than what it has seen", async () => {
    const { db, held, endAt } = await behind();
    const stop = new AbortController();
    const fresh = new Client();
    const returned: SubscriptionEvent[] = [];
    const watch = async (take: (event: SubscriptionEvent) => void, from?: string): Promise<void> => {
      for await (const event of db.subscribe([{ view: "v" }], { from, signal: stop.signal })) take(event);
    };
    const watching = [watch((event) => fresh.apply(event)), watch((event) => returned.push(event), endAt)];
    for (let i = 0; i < 20; i++) await turn();
    expect([...(fresh.views.get("v")?.values() ?? [])]).toEqual(['{"c":3,"s":60}']);
    expect(returned).toEqual([]);
    held.goOn();
    await db.settled();
    // It has missed nothing, and goes on where it was.
    const { position } = await db.append("t", [{ k: 7, v: 70 }]);
    for (let i = 0; i < 20; i++) await turn();
    expect([...(fresh.views.get("v")?.values() ?? [])]).toEqual(['{"c":7,"s":280}']);
    expect(returned).toMatchObject([{ type: "step", position }]);
    stop.abort();
    await Promise.all(watching);
    await db.close();
  });

  it("can be closed in the middle: those who wait are told, and the next start begins where this one did", async () => {
    const { db, disk, held, checkpointAt } = await behind();
    const waiting = Promise.allSettled([
      db.append("t", [{ k: 7, v: 70 }]),
      db.view("v").rows({ atLeast: String(Number(checkpointAt) + 1) }),
      db.settled(),
      db.checkpoint(),
    ]);
    for (let i = 0; i < 20; i++) await turn();
    const closed = db.close();
    held.goOn();
    await closed;
    expect(
      (await waiting).map((w) => w.status === "rejected" && (w.reason as { code: string }).code),
    ).toEqual(Array.from({ length: 4 }, () => "shutting_down"));
    const again = await openInMemory(disk, { answerWhileCatchingUp });
    expect(await again.view("v").rows()).toMatchObject({ rows: [{ c: 3, s: 60 }], position: checkpointAt });
    await again.settled();
    expect((await again.view("v").rows()).rows).toEqual([{ c: 6, s: 210 }]);
    await again.close();
  });

  it("without a checkpoint opens when all of it can be read", async () => {
    const disk = new SimulatedDisk();
    const first = await openInMemory(disk);
    await sql(first, "CREATE TABLE t (k int4 PRIMARY KEY)");
    await sql(first, "CREATE MATERIALIZED VIEW v AS SELECT count(*) AS c FROM t");
    await first.append("t", [{ k: 1 }, { k: 2 }]);
    const db = await openInMemory(disk.reboot("process"), { answerWhileCatchingUp });
    await db.built();
    expect(await db.view("v").rows()).toEqual({ rows: [{ c: 2 }], position: db.position });
    await db.close();
  });

  it("tells of a log that is damaged behind the checkpoint", async () => {
    const { db, disk, held } = await behind();
    const failing = db.settled();
    failing.catch(() => {});
    disk.fail({
      operation: "read",
      path: /\/log\//,
      code: "EIO",
      times: Number.POSITIVE_INFINITY,
    });
    held.goOn();
    await expect(failing).rejects.toMatchObject({ code: "io_error" });
    expect(db.readiness().ready).toBe(false);
    await expect(db.append("t", [{ k: 7, v: 70 }])).rejects.toMatchObject({ code: "io_error" });
    await db.close();
  });

  it("shows the rows of an earlier definition until the program has declared the new one, and that is built", async () => {
    const plays = topic("plays", { schema: { song: int4, ms: int4 } });
    const before = view("per_song", plays.groupBy("song", { plays: count() }));
    const after = view("per_song", plays.groupBy("song", { ms: sum("ms") }));
    const killed = new SimulatedDisk();
    const first = await openInMemory(killed, { topics: [plays], views: [before] });
    const { position: old } = await first.append("plays", [{ song: 1, ms: 10 }]);
    await Promise.all([first.built(), first.settled()]);
    await first.checkpoint();
    const { position: last } = await first.append("plays", [{ song: 1, ms: 20 }]);
    const held = new HeldLog(killed.reboot("process"));
    const db = await openInMemory(undefined, {
      disk: held,
      topics: [plays],
      views: [after],
      answerWhileCatchingUp,
    });
    held.reads.close();
    expect(await db.view("per_song").rows()).toEqual({
      rows: [{ song: 1, plays: 1 }],
      position: old,
      stale: true,
    });
    const late = db.view("per_song").rows({ atLeast: last });
    for (let i = 0; i < 20; i++) await turn();
    held.goOn();
    expect((await late).rows).toEqual([{ song: 1, ms: 30 }]);
    await db.close();
  });

  it("shows only moments that were, whatever the history", async () => {
    await fc.assert(
      fc.asyncProperty(programs, fc.nat(), async (program, at) => {
        const disk = new SimulatedDisk();
        const first = await openInMemory(disk);
        for (const base of program.bases) await sql(first, createTable(base, "evert"));
        for (const { name, sql: text } of program.views)
          await sql(first, `CREATE MATERIALIZED VIEW ${name} AS ${text}`);
        const seen = new Map([[first.position, await shown(first)]]);
        for (const [i, commit] of program.commits.entries()) {
          if (i === at % program.commits.length) await first.checkpoint();
          await commitTo(first, commit);
          // A statement is acknowledged before views show it.
          await first.settled();
          seen.set(first.position, await shown(first));
        }
        const db = await openInMemory(disk.reboot("process"), { answerWhileCatchingUp });
        try {
          for (let isBehind = true; isBehind; ) {
            isBehind = db.views().some(({ status }) => status === "catching_up");
            for (const [name, { position, rows }] of await shown(db)) {
              // A step may take several commits; a view with an error has no position.
              if (position === "" || !seen.has(position)) continue;
              expect(rows).toEqual(seen.get(position)?.get(name)?.rows);
            }
            await turn();
          }
          await db.settled();
          expect(await shown(db)).toEqual(seen.get(first.position));
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

/** Of all views: their rows, and as of which position; or why there are none. */
async function shown(
  db: Database,
): Promise<Map<string, { readonly position: string; readonly rows: unknown }>> {
  const all = new Map<string, { readonly position: string; readonly rows: unknown }>();
  for (const { name } of db.views()) {
    try {
      const { rowsJson, position } = await db.view(name).rowsJson();
      const rows: string[] = [];
      for await (const chunk of rowsJson) rows.push(...chunk);
      all.set(name, { position, rows: rows.sort() });
    } catch (error) {
      all.set(name, { position: "", rows: (error as { sqlstate: string }).sqlstate });
    }
  }
  return all;
}
