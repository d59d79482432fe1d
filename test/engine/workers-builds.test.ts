/** Views that are built in worker threads: they hold up no other view, are limited as they would be in the first thread, and can be given up at any time. */
import { afterEach, describe, expect, it } from "vitest";
import type { Database } from "../../src/engine/database.ts";
import type { OpenEngineOptions } from "../../src/engine/open-engine.ts";
import { holds } from "./support/holds.ts";
import { openInMemory, rowsOf, sql } from "./support/memory.ts";

const open: Database[] = [];

async function start(options: Partial<OpenEngineOptions> = {}): Promise<Database> {
  const db = await openInMemory(undefined, { workers: 1, ...options });
  open.push(db);
  await sql(
    db,
    `CREATE TABLE s (g text, v int8) WITH (append_only);
     CREATE TABLE wide (k int8, v int8) WITH (append_only);
     CREATE TABLE other (k int8, v int8) WITH (append_only)`,
  );
  return db;
}

afterEach(async () => {
  for (const db of open.splice(0)) await db.close().catch(() => {});
});

async function fill(db: Database, name: string, rows: number): Promise<void> {
  for (let at = 0; at < rows; at += 5000) {
    const length = Math.min(5000, rows - at);
    await db.append(
      name,
      Array.from({ length }, (_, i) => ({ k: 1, v: at + i })),
    );
  }
}

const sums = "SELECT g, sum(v) AS v, count(*) AS n FROM s GROUP BY g";
/** So many rows that nobody waits for all of them, of few that are kept. */
const endless = "SELECT wide.v % 7 AS v, count(*) AS n FROM wide JOIN other ON wide.k = other.k GROUP BY 1";

/** The statement waits for the view. */
async function withEndless(db: Database): Promise<{ readonly made: Promise<unknown> }> {
  await fill(db, "wide", 60_000);
  await fill(db, "other", 60_000);
  const made = sql(db, `CREATE MATERIALIZED VIEW endless AS ${endless}`).catch((error: unknown) => error);
  return { made };
}

/** Steps of live views that take place while the build is under way. */
async function stepsBeside(db: Database): Promise<void> {
  for (let i = 0; i < 20; i++) {
    await db.append("s", [{ g: `g${i % 3}`, v: i }]);
    await db.core.reached({ atLeast: db.position });
    await holds(db, "sums", sums);
  }
}

describe("a view that is built in a worker", () => {
  it("holds up no live view of that worker, and lets go of it when it is dropped", async () => {
    const db = await start();
    await sql(db, `CREATE MATERIALIZED VIEW sums AS ${sums}`);
    await db.built();
    const { made } = await withEndless(db);
    await expect.poll(() => db.core.workers!.parts).toBe(2);
    await stepsBeside(db);
    await expect(db.view("endless").rows()).rejects.toMatchObject({ code: "not_ready" });
    await sql(db, "DROP MATERIALIZED VIEW endless");
    await expect.poll(() => db.core.workers!.parts).toBe(1);
    await made;
    await sql(db, "CREATE MATERIALIZED VIEW most AS SELECT g, max(v) AS v FROM s GROUP BY g");
    await db.built();
    await stepsBeside(db);
    await holds(db, "most", "SELECT g, max(v) AS v FROM s GROUP BY g");
  });

  it("does not hold up the end", async () => {
    const db = await start();
    const { made } = await withEndless(db);
    await expect.poll(() => db.core.workers!.parts).toBe(1);
    await db.close();
    await made;
  });

  it("makes as much in its first step as history asks for; later it is limited", async () => {
    const db = await start({ limits: { stepRowsMax: 3_000 } });
    await fill(db, "wide", 400);
    await fill(db, "other", 400);
    const query = "SELECT wide.v % 5 AS v, count(*) AS n FROM wide JOIN other ON wide.k = other.k GROUP BY 1";
    await sql(db, `CREATE MATERIALIZED VIEW joined AS ${query}`);
    await db.built();
    await holds(db, "joined", query);
    expect(db.core.workers!.parts).toBe(1);
    await fill(db, "wide", 100);
    await db.settled();
    expect(db.viewFailure("joined")).toMatchObject({
      code: "view_limit",
      hint: expect.stringMatching(/stepRowsMax/),
    });
  });

  it("is stopped where what it keeps there uses up the memory, before it is built", async () => {
    const db = await start({ memoryLimit: 12 << 20 });
    await sql(db, `CREATE MATERIALIZED VIEW sums AS ${sums}`);
    for (let i = 0; i < 60; i++) {
      const records = Array.from({ length: 4_000 }, (_, n) => ({ g: `a text of its own: ${i} ${n}`, v: n }));
      await db.append(
        "wide",
        records.map(({ v }) => ({ k: i * 4_000 + v, v })),
      );
    }
    const seen: number[] = [];
    // One row is shown, of hundreds of thousands that are kept.
    const query = "SELECT max(n) AS n FROM (SELECT k, count(*) AS n FROM wide GROUP BY k) AS x";
    const watching = setInterval(() => seen.push(db.stats().stateBytes), 1);
    await sql(db, `CREATE MATERIALIZED VIEW large AS ${query}`).catch(() => {});
    await db.built();
    clearInterval(watching);
    expect(db.viewFailure("large")).toMatchObject({
      code: "view_limit",
      message: expect.stringMatching(/memory limit/),
    });
    expect(Math.max(...seen)).toBeLessThan((12 << 20) * 1.5);
    expect(db.core.workers!.parts).toBe(1);
    await db.append("s", [{ g: "a", v: 1 }]);
    await db.settled();
    await holds(db, "sums", sums);
  });

  it("takes in rows of a table, however many, and gives out as many", async () => {
    const db = await start({ workers: 2 });
    await sql(db, "CREATE TABLE t (id int8 PRIMARY KEY, g int8, name text)");
    for (let i = 0; i < 12; i++) {
      await db.append(
        "t",
        Array.from({ length: 5_000 }, (_, n) => ({
          id: i * 5_000 + n,
          g: n % 500,
          name: `${"a long name ".repeat(20)}${n}`,
        })),
      );
    }
    const query = "SELECT id, g, name, row_number() OVER (PARTITION BY g ORDER BY id) AS nth FROM t";
    await sql(db, `CREATE MATERIALIZED VIEW numbered AS ${query}`);
    const again =
      "SELECT g, id, name FROM t WHERE EXISTS (SELECT 1 FROM t AS u WHERE u.g = t.g AND u.id > t.id)";
    await sql(db, `CREATE MATERIALIZED VIEW early AS ${again}`);
    await db.built();
    expect(db.core.workers!.parts).toBeGreaterThan(0);
    await db.append("t", [{ id: 17, g: 3, name: "moved" }]);
    await db.settled();
    await holds(db, "early", again);
    expect(await rowsOf(db, "SELECT count(*), max(nth) FROM numbered")).toEqual([["60000", "121"]]);
    expect(await rowsOf(db, "SELECT g, name FROM numbered WHERE id = 17")).toEqual([["3", "moved"]]);
  });
});
