/**
 * Views that worker threads keep: they are as right as any other, step by step; and what happens to a thread, or in it, happens to its views alone.
 */
import { afterEach, describe, expect, it } from "vitest";
import { decodeUtf8 } from "../../src/base/bytes.ts";
import type { Database } from "../../src/engine/database.ts";
import type { OpenEngineOptions } from "../../src/engine/open-engine.ts";
import { count, int8, text, topic, view } from "../../src/index.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { allHold, holds } from "./support/holds.ts";
import { openInMemory, rowsOf, sql } from "./support/memory.ts";

const open: Database[] = [];

async function start(
  disk = new SimulatedDisk(),
  options: Partial<OpenEngineOptions> = {},
): Promise<Database> {
  const db = await openInMemory(disk, { workers: 2, ...options });
  open.push(db);
  return db;
}

afterEach(async () => {
  for (const db of open.splice(0)) await db.close().catch(() => {});
});

const queries = {
  sums: "SELECT g, sum(v) AS v, count(*) AS n FROM s GROUP BY g",
  best: "SELECT DISTINCT ON (g, k) g, k, v FROM s ORDER BY g, k, v DESC",
  joined: "SELECT s.g, t.name, count(*) AS n FROM s JOIN t ON s.k = t.id GROUP BY s.g, t.name",
  named:
    "SELECT t.id, t.name, x.v FROM t LEFT JOIN (SELECT k, max(v) AS v FROM s GROUP BY k) AS x ON x.k = t.home",
  whole: "SELECT count(*) AS n, max(v) AS v FROM s",
  above: "SELECT sum(n) AS n FROM sums",
};

async function define(db: Database, names = Object.keys(queries)): Promise<void> {
  for (const name of names)
    await sql(db, `CREATE MATERIALIZED VIEW ${name} AS ${queries[name as keyof typeof queries]}`);
  await db.built();
}

async function tables(db: Database): Promise<void> {
  await sql(
    db,
    `CREATE TABLE s (g text, k int8, v int8) WITH (append_only);
     CREATE TABLE t (id int8 PRIMARY KEY, home int8, name text)`,
  );
}

async function same(db: Database): Promise<void> {
  await db.settled();
  await allHold(db, queries);
}

let made = 0;

function record(): { g: string; k: number; v: number } {
  const n = made++;
  return { g: `g${(n * 7) % 11}`, k: n % 5, v: (n * 31) % 101 };
}

/** Commits that do not wait for each other: many come in one step, and workers are a step ahead. */
async function history(db: Database, commits: number): Promise<void> {
  const under: Promise<unknown>[] = [];
  for (let i = 0; i < commits; i++) {
    under.push(db.append("s", Array.from({ length: 1 + (i % 40) }, record)));
    const id = i % 7;
    // A row's home decides where it is kept.
    if (i % 3 === 0) under.push(db.append("t", [{ id, home: i % 5, name: `n${i % 4}` }]));
    if (i % 11 === 0) under.push(db.deleteKey("t", id));
    if (i % 16 === 0) await Promise.all(under.splice(0));
  }
  await Promise.all(under);
}

describe("views in workers", () => {
  it("hold what their queries give, made before the data, amid it and after it, and after a restart", async () => {
    const disk = new SimulatedDisk();
    let db = await start(disk);
    await tables(db);
    await define(db, ["sums", "named", "above"]);
    await history(db, 60);
    const more = history(db, 120);
    await define(db, ["best", "joined"]);
    await more;
    await define(db, ["whole"]);
    await same(db);
    await history(db, 30);
    await same(db);
    await db.close();
    db = await start(disk);
    await db.built();
    await same(db);
    await history(db, 30);
    await same(db);
  });

  it("show one moment together, and each moment but once", async () => {
    const db = await start();
    await tables(db);
    await define(db);
    const seen: string[] = [];
    const abort = new AbortController();
    const held = new Map<string, Map<string, Record<string, unknown>>>();
    const watching = (async () => {
      const names = ["sums", "whole", "above"];
      for await (const event of db.subscribe(
        names.map((view) => ({ view })),
        { signal: abort.signal },
      )) {
        if (event.type === "snapshot") {
          const rows = held.get(event.view) ?? new Map();
          held.set(event.view, rows);
          for (const json of event.rowsJson) {
            const { key, row } = JSON.parse(json);
            rows.set(JSON.stringify(key), row);
          }
          continue;
        }
        if (event.type !== "step") continue;
        for (const [name, pieces] of event.views) {
          for (const change of pieces.flatMap((piece) => JSON.parse(`[${decodeUtf8(piece)}]`))) {
            if (change.op === "delete") held.get(name)!.delete(JSON.stringify(change.key));
            else held.get(name)!.set(JSON.stringify(change.key), change.row);
          }
        }
        const one = (name: string) => [...held.get(name)!.values()].map((row) => Number(row["n"] ?? 0));
        const total = one("sums").reduce((sum, n) => sum + n, 0);
        seen.push(event.position);
        expect([event.position, one("whole"), one("above")]).toEqual([event.position, [total], [total]]);
      }
    })();
    for (let part = 0; part < 8; part++) {
      await history(db, 12);
      await db.settled();
    }
    abort.abort();
    await watching;
    expect(seen.length).toBeGreaterThan(3);
    expect(new Set(seen).size).toBe(seen.length);
  });

  it("are in their threads, and leave them when they are dropped", async () => {
    const db = await start();
    await tables(db);
    await define(db);
    // The view over a view stays.
    expect(db.core.workers!.parts).toBe(5);
    await sql(db, "DROP MATERIALIZED VIEW above; DROP MATERIALIZED VIEW sums; DROP MATERIALIZED VIEW named");
    expect(db.core.workers!.parts).toBe(3);
  });

  it("stay in this thread where a function of the program is in them", async () => {
    const s = topic("numbers", { schema: { v: int8, w: text } });
    const odd = view(
      "odd",
      s.map(({ v }) => ({ odd: v % 2 === 1 ? "yes" : "no" })).groupBy("odd", { n: count() }),
    );
    const db = await start(undefined, { topics: [s], views: [odd] });
    await db.built();
    await db.append("numbers", [
      { v: 1, w: "a" },
      { v: 2, w: "b" },
      { v: 3, w: "c" },
    ]);
    await db.settled();
    expect(db.core.workers!.parts).toBe(0);
    expect((await db.view("odd").rows()).rows).toHaveLength(2);
  });

  it("say what their operators have done", async () => {
    const db = await start();
    await tables(db);
    await define(db, ["joined"]);
    await history(db, 20);
    await db.settled();
    await expect
      .poll(() => db.view("joined").info.operators?.map(({ operator, role }) => `${operator}, ${role}`))
      .toEqual(
        expect.arrayContaining([
          "inner join, own",
          "stream s, source",
          "stream t, source",
          "rows kept (keyed), own",
        ]),
      );
    const { rowsIn, stateBytes, operators } = db.view("joined").info;
    expect(rowsIn).toBeGreaterThan(0);
    expect(stateBytes).toBeGreaterThan(1000);
    expect(operators!.find(({ operator }) => /^rows kept by 2 workers/.test(operator))).toBeDefined();
  });
});

describe("an error in a worker", () => {
  it("is the view's, and goes with its row", async () => {
    const db = await start();
    await tables(db);
    await sql(db, "CREATE MATERIALIZED VIEW ratio AS SELECT name, sum(100 / home) AS r FROM t GROUP BY name");
    await db.built();
    await db.append("t", [
      { id: 1, home: 5, name: "a" },
      { id: 2, home: 0, name: "b" },
    ]);
    await db.settled();
    expect(db.viewFailure("ratio")).toMatchObject({ sqlstate: "22012", message: "division by zero" });
    await db.append("t", [{ id: 2, home: 4, name: "b" }]);
    await db.settled();
    expect(db.viewFailure("ratio")).toBeNull();
    expect(await rowsOf(db, "SELECT * FROM ratio ORDER BY name")).toEqual([
      ["a", "20"],
      ["b", "25"],
    ]);
  });

  it("is one of thousands, which come and go", async () => {
    const db = await start();
    await sql(db, "CREATE TABLE words (id int8 PRIMARY KEY, word text)");
    const words = (end: string) => Array.from({ length: 5_000 }, (_, id) => ({ id, word: `${id}${end}` }));
    await db.append("words", words("x"));
    const query = "SELECT word::int8 % 10 AS digit, count(*) AS n FROM words GROUP BY 1";
    await sql(db, `CREATE MATERIALIZED VIEW digits AS ${query}`);
    await db.built();
    expect(db.view("digits").info.errors).toBe(5_000);
    await db.append("words", words("y"));
    await db.settled();
    expect(db.viewFailure("digits")).toMatchObject({
      sqlstate: "22P02",
      message: expect.stringMatching(/y"/),
    });
    expect(db.view("digits").info.errors).toBe(5_000);
    await db.append("words", words(""));
    await db.settled();
    await holds(db, "digits", query);
  });

  it("stops the view that keeps too much, and no other", async () => {
    const db = await start(undefined, { limits: { rowsMax: 50 } });
    await tables(db);
    await define(db, ["sums", "whole"]);
    await sql(db, "CREATE MATERIALIZED VIEW large AS SELECT v, g, k, count(*) FROM s GROUP BY v, g, k");
    await db.built();
    await history(db, 60);
    await db.settled();
    expect(db.viewFailure("large")).toMatchObject({ code: "view_limit" });
    expect(db.core.workers!.parts).toBe(2);
    expect(db.viewFailure("sums")).toBeNull();
    await holds(db, "sums", queries.sums);
  });

  it("of memory that is used up stops the view that grows", async () => {
    // What the worker keeps is more than that; the rows that the first thread keeps may go to disk.
    const db = await start(undefined, { memoryLimit: 2 << 20 });
    await tables(db);
    await define(db, ["whole"]);
    await sql(db, "CREATE MATERIALIZED VIEW large AS SELECT g, v, count(*) FROM s GROUP BY g, v");
    await db.built();
    for (let i = 0; i < 20; i++) {
      await db.append(
        "s",
        Array.from({ length: 3000 }, (_, n) => ({ g: `a text of its own ${i} ${n}`, k: 1, v: n })),
      );
    }
    await db.settled();
    expect(db.viewFailure("large")).toMatchObject({
      code: "view_limit",
      message: expect.stringMatching(/memory limit/),
    });
    // Its texts are freed piece by piece, and count until then.
    const counted = (): Promise<unknown> => rowsOf(db, "SELECT n FROM whole").catch(String);
    await expect.poll(counted).toEqual([["60000"]]);
  });
});

describe("a worker that ends", () => {
  it("fails the views that it kept, by name, and nothing else; the next start has them again", async () => {
    const disk = new SimulatedDisk();
    const reports: string[] = [];
    let db = await start(disk, { report: (message) => reports.push(message) });
    await tables(db);
    await sql(db, "CREATE MATERIALIZED VIEW here AS SELECT g, v FROM s WHERE v > 90");
    await define(db);
    await history(db, 20);
    await same(db);
    const under = history(db, 60);
    await db.core.workers!.end(1);
    await under;
    await db.settled();
    for (const name of ["sums", "best", "named"])
      expect(db.viewFailure(name)).toMatchObject({
        code: "view_failed",
        message: expect.stringMatching(/worker/),
      });
    expect(reports).toEqual([expect.stringMatching(/^a worker thread has ended/)]);
    expect(db.viewFailure("here")).toBeNull();
    await holds(db, "here", "SELECT g, v FROM s WHERE v > 90");
    // What is made from now on is kept by a new thread.
    await sql(db, "CREATE MATERIALIZED VIEW again AS SELECT g, max(v) FROM s GROUP BY g");
    await db.built();
    await history(db, 10);
    await db.settled();
    await holds(db, "again", "SELECT g, max(v) FROM s GROUP BY g");
    await db.close();
    db = await start(disk);
    await db.built();
    await same(db);
  });

  it("amid the building of a view stops that", async () => {
    const db = await start();
    await tables(db);
    await history(db, 40);
    await db.settled();
    await sql(db, `CREATE MATERIALIZED VIEW sums AS ${queries.sums}`);
    const ended = db.core.workers!.end(0);
    await db.built();
    await ended;
    const failure = db.viewFailure("sums");
    if (failure !== null) expect(failure).toMatchObject({ code: "view_failed" });
    else await holds(db, "sums", queries.sums);
    expect((await db.append("s", [record()])).count).toBe(1);
  });
});

it("refuses what is no number of workers", async () => {
  await expect(openInMemory(undefined, { workers: -1 })).rejects.toMatchObject({ code: "invalid_argument" });
  await expect(openInMemory(undefined, { workers: 2.5 })).rejects.toMatchObject({ code: "invalid_argument" });
});
