/**
 * Views as sinks. Whatever happens (crashes at every change of the disk, restarts, rebuilds), once all is settled a table topic has the view's rows,
 * and a stream topic each row of its view exactly once.
 */
import { describe, expect, it } from "vitest";
import type { Database } from "../../src/engine/database.ts";
import { int4, int8, sql as sqlText, table, text, topic, view } from "../../src/index.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { seed } from "../support/seed.ts";
import { openInMemory, rowsOf, sql } from "./support/memory.ts";

const definitions = [
  "CREATE TABLE events (k int NOT NULL, v text) WITH (append_only)",
  "CREATE TABLE names (k int PRIMARY KEY, name text)",
  "CREATE TABLE counts_out (k int PRIMARY KEY, n int8 NOT NULL, name text)",
  "CREATE TABLE odd_out (v text, k int) WITH (append_only)",
  "CREATE TABLE totals_out (n int8 PRIMARY KEY, groups int8)",
  `CREATE MATERIALIZED VIEW counts WITH (sink = 'counts_out') AS
     SELECT k, count(*) AS n, max(name) AS name FROM events JOIN names USING (k) GROUP BY k`,
  "CREATE MATERIALIZED VIEW odd WITH (sink = odd_out) AS SELECT k, v FROM events WHERE k % 2 = 1",
  // A view of a sink, with a sink of its own.
  `CREATE MATERIALIZED VIEW totals WITH (sink = 'totals_out') AS
     SELECT n, count(*) AS groups FROM counts_out GROUP BY n`,
];

async function define(db: Database): Promise<void> {
  for (const definition of definitions) await sql(db, definition);
}

/** Ten statements of a history. */
function statement(random: SeededRandom, i: number): string {
  const k = random.below(6);
  switch (random.below(5)) {
    case 0:
      return `INSERT INTO names VALUES (${k}, 'n${i}') ON CONFLICT (k) DO UPDATE SET name = excluded.name`;
    case 1:
      return `DELETE FROM names WHERE k = ${k}`;
    case 2:
      return `INSERT INTO events VALUES (${k}, 'same'), (${k}, 'same'), (${k + 1}, 'e${i}')`;
    default:
      return `INSERT INTO events VALUES (${k}, 'e${i % 4}')`;
  }
}

const pairs = [
  ["SELECT k, n, name FROM counts ORDER BY 1", "SELECT k, n, name FROM counts_out ORDER BY 1"],
  ["SELECT k, v FROM odd ORDER BY 1, 2", "SELECT k, v FROM odd_out ORDER BY 1, 2"],
  ["SELECT n, groups FROM totals ORDER BY 1", "SELECT n, groups FROM totals_out ORDER BY 1"],
] as const;

async function check(db: Database): Promise<void> {
  await db.settled();
  for (const [viewRows, topicRows] of pairs)
    expect(await rowsOf(db, topicRows), topicRows).toEqual(await rowsOf(db, viewRows));
}

async function recordsOf(db: Database, name: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { valueJson, keyJson } of db.readTopic(name)) found.push(`${keyJson ?? ""} ${valueJson}`);
  return found;
}

describe("a sink", () => {
  it("follows its view, statement by statement, and appends no record that says nothing new", async () => {
    const disk = new SimulatedDisk();
    const random = new SeededRandom(seed);
    let db = await openInMemory(disk);
    await define(db);
    for (let i = 0; i < 60; i++) {
      const { error } = await db.sql(statement(random, i));
      expect(error).toBeUndefined();
      await check(db);
      if (i % 20 !== 19) continue;
      const before = db.position;
      await db.close();
      db = await openInMemory(disk);
      await check(db);
      // A start appends nothing.
      expect(db.position).toBe(before);
    }
    const latest = new Map<string, string>();
    for (const record of await recordsOf(db, "counts_out")) {
      const key = record.slice(0, record.indexOf(" "));
      expect(latest.get(key)).not.toBe(record);
      latest.set(key, record);
    }
    await db.close();
  });

  it("begins with what its view has, and ends with it", async () => {
    const db = await openInMemory();
    await sql(db, "CREATE TABLE t (a int PRIMARY KEY, b text); CREATE TABLE out (a int PRIMARY KEY, b text)");
    await sql(
      db,
      "INSERT INTO t SELECT i, 'r' || i FROM generate_series(1, 50) AS i; INSERT INTO out VALUES (-1, 'old'), (1, 'r1')",
    );
    await sql(db, "CREATE MATERIALIZED VIEW v WITH (sink = 'out') AS SELECT * FROM t WHERE a <= 40");
    await db.settled();
    expect(await rowsOf(db, "SELECT count(*), min(a), max(a) FROM out")).toEqual([["40", "1", "40"]]);
    expect(await recordsOf(db, "out")).toHaveLength(2 + 1 + 39);
    await sql(db, "DROP MATERIALIZED VIEW v");
    await sql(db, "INSERT INTO out VALUES (100, 'mine again')");
    await sql(db, "DELETE FROM t");
    await db.settled();
    expect(await rowsOf(db, "SELECT count(*) FROM out")).toEqual([["41"]]);
    await db.close();
  });

  it("waits while its view has an error, and goes on when it has healed", async () => {
    const db = await openInMemory();
    await sql(db, "CREATE TABLE t (a int PRIMARY KEY, b int); CREATE TABLE out (a int PRIMARY KEY, q int)");
    await sql(db, "CREATE MATERIALIZED VIEW v WITH (sink = 'out') AS SELECT a, 100 / b AS q FROM t");
    await sql(db, "INSERT INTO t VALUES (1, 1)");
    await db.settled();
    await sql(db, "INSERT INTO t VALUES (2, 2), (3, 0)");
    await sql(db, "DELETE FROM t WHERE a = 1");
    await db.settled();
    expect(await rowsOf(db, "SELECT * FROM out")).toEqual([["1", "100"]]);
    await sql(db, "UPDATE t SET b = 4 WHERE a = 3");
    await db.settled();
    expect(await rowsOf(db, "SELECT * FROM out ORDER BY a")).toEqual([
      ["2", "50"],
      ["3", "25"],
    ]);
    await db.close();
  });

  it("is told what caused each of its commits, in the log", async () => {
    const db = await openInMemory();
    await define(db);
    const { position: caused } = await db.sql("INSERT INTO events VALUES (1, 'x')");
    await db.settled();
    const causes: unknown[] = [];
    for await (const group of db.core.log.read({ from: 1 })) {
      for (const batch of group.batches) {
        if (batch.topicId !== 2 ** 31 - 2) continue;
        const column = batch.batch.columns[1] as unknown as { values: BigInt64Array };
        causes.push(...column.values);
      }
    }
    expect(causes).toEqual([BigInt(caused)]);
    await db.close();
  });
});

describe("a crash", () => {
  it.each(["power cut", "process"] as const)(
    "at any change of the disk (%s) neither loses a record nor has one twice",
    async (kind) => {
      const prepared = new SimulatedDisk();
      const first = await openInMemory(prepared);
      await define(first);
      await first.close();
      let survived = 0;
      let isOver = false;
      for (let n = 0; !isOver; n++) {
        const random = new SeededRandom(seed + 1);
        const disk = prepared.clone();
        const db = await openInMemory(disk, { report: () => {} });
        disk.crashAfter(n);
        try {
          for (let i = 0; i < 8; i++) {
            const { error } = await db.sql(statement(random, i));
            if (error !== undefined) throw new Error(error.message);
          }
          await db.settled();
        } catch {
          // The disk is gone; so is the process.
        }
        await db.close().catch(() => undefined);
        isOver = !disk.crashed;
        if (!isOver) survived++;
        const again = await openInMemory(disk.reboot(kind));
        await check(again);
        await again.close();
      }
      expect(survived).toBeGreaterThan(10);
    },
    120_000,
  );
});

describe("a view made anew", () => {
  const songs = table("songs", { key: "id", schema: { id: int4, plays: int8 } });
  const out = table("out", { key: "id", schema: { id: int4, plays: int8 } });
  const every = topic("every", { schema: { id: int4 } });
  const facts = topic("facts", { schema: { id: int4, t: text } });

  it("appends what is different, and nothing else", async () => {
    const disk = new SimulatedDisk();
    const open = (least: number, version: string) =>
      openInMemory(disk, {
        topics: [songs, out, every, facts],
        views: [
          view(
            "popular",
            songs.filter((s) => s.plays >= 10),
            { sink: out, version },
          ),
          view("ids", sqlText`SELECT id FROM facts WHERE id >= ${least}`, { sink: every }),
        ],
      });
    let db = await open(0, "1");
    await db.append("songs", [
      { id: 1, plays: 5 },
      { id: 2, plays: 50 },
    ]);
    await db.append("facts", [
      { id: 1, t: "a" },
      { id: 2, t: "b" },
      { id: 2, t: "c" },
    ]);
    await db.settled();
    const before = await recordsOf(db, "out");
    expect(before).toHaveLength(1);
    expect(await recordsOf(db, "every")).toHaveLength(3);
    await db.close();

    db = await open(1, "2");
    await db.built();
    await db.settled();
    expect(await recordsOf(db, "out")).toEqual(before);
    expect(await recordsOf(db, "every")).toHaveLength(3);
    await db.append("songs", [{ id: 1, plays: 10 }]);
    await db.append("facts", [{ id: 3, t: "d" }]);
    await db.settled();
    expect(await recordsOf(db, "out")).toHaveLength(2);
    expect(await recordsOf(db, "every")).toHaveLength(4);
    await db.close();
  });
});

describe("refused", () => {
  it("is anybody else's record", async () => {
    const db = await openInMemory();
    await define(db);
    const message = '"counts_out" is written by view "counts" alone';
    expect((await db.sql("INSERT INTO counts_out VALUES (1, 1, 'x')")).error).toMatchObject({ message });
    await expect(db.append("counts_out", [{ k: 1, n: 1, name: "x" }])).rejects.toMatchObject({ message });
    await expect(db.deleteKey("counts_out", 1)).rejects.toMatchObject({ message });
    await expect(db.transact([{ topic: "counts_out", delete: [1] }])).rejects.toMatchObject({ message });
    expect((await db.sql("DROP TABLE counts_out")).error).toMatchObject({ code: "dependent_objects" });
    await sql(db, "DROP TABLE counts_out CASCADE");
    expect(db.views().map((v) => v.name)).toEqual(["odd"]);
    await db.close();
  });

  it.each([
    ["nothing", "SELECT k, n, name FROM counts", "42P01"],
    ["odd", "SELECT 1 AS x", "42809"],
    ["odd_out", "SELECT k, v FROM events", "42P16"],
    ["plain", "SELECT k, n FROM counts", "42P16"],
    ["free", "SELECT k FROM counts", "42804"],
    ["free", "SELECT k, n, name FROM counts", "42804"],
    ["free", "SELECT k, n::text AS n FROM counts", "42804"],
    ["free", "SELECT n AS k, k AS n FROM (SELECT k::int8 AS k, n::int4 AS n FROM counts) x", "42P16"],
    ["stream", "SELECT k, n FROM counts", "42P16"],
    ["free", "SELECT k, count(*) AS n FROM free GROUP BY k", "42P19"],
  ])("as a sink, %s of %s", async (name, query, sqlstate) => {
    const db = await openInMemory();
    await define(db);
    await sql(db, "CREATE TABLE plain (k int, n int8)");
    await sql(db, "CREATE TABLE free (k int PRIMARY KEY, n int8)");
    await sql(db, "CREATE TABLE stream (k int, n int8) WITH (append_only)");
    const { error } = await db.sql(`CREATE MATERIALIZED VIEW x WITH (sink = '${name}') AS ${query}`);
    expect({ sqlstate: error?.sqlstate, at: error?.message }).toEqual({ sqlstate, at: error?.message });
    await db.close();
  });

  it("is a circle of sinks, by its names", async () => {
    const db = await openInMemory();
    await sql(
      db,
      "CREATE TABLE a (k int PRIMARY KEY); CREATE TABLE b (k int PRIMARY KEY); CREATE TABLE c (k int PRIMARY KEY)",
    );
    await sql(db, "CREATE MATERIALIZED VIEW ab WITH (sink = 'b') AS SELECT k FROM a");
    await sql(db, "CREATE MATERIALIZED VIEW bc WITH (sink = 'c') AS SELECT k FROM b");
    const { error } = await db.sql(
      "CREATE MATERIALIZED VIEW ca WITH (sink = 'a') AS SELECT k + 1 AS k FROM c",
    );
    expect(error?.sqlstate).toBe("42P16");
    const circle = await db.sql("CREATE MATERIALIZED VIEW ca WITH (sink = 'a') AS SELECT k FROM c");
    expect(circle.error).toMatchObject({
      sqlstate: "42P19",
      detail: '"a" is read by "ab" is read by "b" is read by "bc" is read by "c" is read by "ca".',
    });
    await db.close();
  });
});
