/** Commits that are large beside the memory limit: taken or refused as they come, and at no moment does the state take more than a tenth beyond the limit. */
import { afterEach, beforeEach, expect, it } from "vitest";
import type { EvertError } from "../../src/base/errors.ts";
import type { Database } from "../../src/engine/database.ts";
import type { Store } from "../../src/state/store.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, rowsOf, sql } from "./support/memory.ts";

const LIMIT = 4 << 20;
const refused = { code: "commit_too_large", message: "the commit has no room below the memory limit" };

let db: Database;
/** At most, of state. */
let most = 0;

beforeEach(async () => {
  db = await openInMemory(new SimulatedDisk(), { memoryLimit: LIMIT });
  const { circuit } = db.core;
  const run = circuit.run.bind(circuit);
  most = 0;
  circuit.run = (...given) => {
    const isDone = run(...given);
    most = Math.max(most, circuit.bytes);
    return isDone;
  };
});

afterEach(async () => {
  await db.settled();
  expect(most / LIMIT).toBeLessThan(1.1);
  await db.close();
});

const numbered = (from: number, count: number, step = 1) =>
  Array.from({ length: count }, (_, i) => ({ k: from + i * step, a: i }));

async function load(topic: string, rows: number): Promise<void> {
  for (let k = 0; k < rows; k += 2_000) await db.append(topic, numbered(k, 2_000));
  await db.settled();
}

const status = () => db.views().map((view) => view.status);

it("one whose own rows have no room is taken in parts, and refused where they stay in memory", async () => {
  await sql(
    db,
    "CREATE TABLE t (k int4 PRIMARY KEY, a int4); CREATE TABLE u (k int4 PRIMARY KEY, a int4); CREATE INDEX ON u (a)",
  );
  await db.append("t", numbered(0, 100_000));
  await db.settled();
  expect(await rowsOf(db, "SELECT count(*) FROM t")).toEqual([["100000"]]);
  await expect(db.append("u", numbered(0, 100_000))).rejects.toMatchObject(refused);
  expect(await rowsOf(db, "SELECT count(*) FROM u")).toEqual([["0"]]);
});

it("so is one of a transaction over several tables, and refused where it has rows of a stream that a view reads", async () => {
  await sql(
    db,
    "CREATE TABLE t (k int4 PRIMARY KEY, a int4); CREATE TABLE u (k int4 PRIMARY KEY, a int4); CREATE TABLE s (a int4) WITH (append_only)",
  );
  const operations = ["t", "u"].map((topic) => ({ topic, append: numbered(0, 60_000) }));
  const withStream = [...operations, { topic: "s", append: [{ a: 1 }] }];
  await sql(db, "CREATE MATERIALIZED VIEW n AS SELECT count(*) AS n FROM s");
  await expect(db.transact(withStream)).rejects.toMatchObject({
    ...refused,
    hint: "Append in several commits: rows of those before can go to disk. Or open the database with a higher memoryLimit.",
  });
  const both = "SELECT count(*) FROM t UNION ALL SELECT count(*) FROM u";
  expect(await rowsOf(db, both)).toEqual([["0"], ["0"]]);
  await db.transact(operations);
  await db.settled();
  expect(await rowsOf(db, both)).toEqual([["60000"], ["60000"]]);
});

it("so is one for which views have no room, and they go on", async () => {
  await sql(
    db,
    "CREATE TABLE t (k int4 PRIMARY KEY, a int4); CREATE MATERIALIZED VIEW v AS SELECT k, sum(a) AS a FROM t GROUP BY k",
  );
  await load("t", 40_000);
  await db.append("t", numbered(1_000_000, 50_000));
  await db.append(
    "t",
    numbered(0, 40_000).map(({ k, a }) => ({ k, a: a + 1 })),
  );
  await db.append("t", numbered(2_000_000, 5_000));
  await db.settled();
  expect(status()).toEqual(["live"]);
  const sum = (n: number) => (n * (n - 1)) / 2;
  expect(await rowsOf(db, "SELECT count(*), sum(a) FROM v")).toEqual([
    ["95000", String(sum(50_000) + sum(40_000) + 40_000 + sum(5_000))],
  ]);
});

it("so is the first one to a table, with views of views", async () => {
  await sql(
    db,
    "CREATE TABLE t (k int4 PRIMARY KEY, a int4); CREATE MATERIALIZED VIEW v AS SELECT k, sum(a) AS a FROM t GROUP BY k; CREATE MATERIALIZED VIEW w AS SELECT k, a + 1 AS a FROM v WHERE a >= 0",
  );
  await db.append("t", numbered(0, 50_000));
  await db.settled();
  expect(status()).toEqual(["live", "live"]);
  expect(await rowsOf(db, "SELECT count(*) FROM v UNION ALL SELECT count(*) FROM w")).toEqual([
    ["50000"],
    ["50000"],
  ]);
});

it("it is taken where views leave out most of its rows, or put them together", async () => {
  await sql(
    db,
    "CREATE TABLE t (k int4 PRIMARY KEY, a int4); CREATE MATERIALIZED VIEW v AS SELECT k, a FROM t WHERE a < 10; CREATE MATERIALIZED VIEW w AS SELECT a % 10 AS b, count(*) AS n FROM t GROUP BY a % 10",
  );
  await db.append("t", numbered(0, 50_000));
  await db.settled();
  expect(status()).toEqual(["live", "live"]);
  expect(await rowsOf(db, "SELECT count(*) FROM v UNION ALL SELECT count(*) FROM w")).toEqual([
    ["10"],
    ["10"],
  ]);
});

it("rows of few keys find the room of those before them, part by part", async () => {
  await sql(db, "CREATE TABLE t (k int4 PRIMARY KEY, a int4)");
  const rows = (count: number) => Array.from({ length: count }, (_, i) => ({ k: i % 100, a: i }));
  await db.append("t", rows(100_000));
  await db.settled();
  const store = db.core.tables.store(db.core.catalog.entry("t")!.id)!;
  expect(store.live).toBe(100);
  for (let i = 0; i < 5; i++) await db.append("t", rows(20_000));
  await db.settled();
  // What a part gave back, the next one takes.
  expect(store.highWater).toBeLessThan(60_000);
  expect(await rowsOf(db, "SELECT count(*), max(a) FROM t")).toEqual([["100", "19999"]]);
});

it("a view of which not foreseen is what one makes stops by name, harms no other, and is filled again when it is created anew", async () => {
  const view = "CREATE MATERIALIZED VIEW w AS SELECT g, array_agg(a ORDER BY a) AS l FROM t GROUP BY g";
  await sql(
    db,
    `CREATE TABLE t (k int4 PRIMARY KEY, g int4, a int4); CREATE MATERIALIZED VIEW other AS SELECT count(*) AS n FROM t; ${view}`,
  );
  await db.append(
    "t",
    Array.from({ length: 30_000 }, (_, i) => ({ k: i, g: i % 15_000, a: i })),
  );
  await db.settled();
  expect(db.viewFailure("w")).toMatchObject({
    code: "view_limit",
    detail: expect.stringContaining("group by"),
    hint: expect.stringContaining("dropped and created anew"),
  });
  await db.append("t", [{ k: 99_999, g: 1, a: 1 }]);
  await sql(db, "DELETE FROM t WHERE k >= 1000");
  await db.settled();
  expect(await rowsOf(db, "SELECT n FROM other")).toEqual([["1000"]]);
  await sql(db, `DROP MATERIALIZED VIEW w; ${view}`);
  await db.built();
  expect(status()).toEqual(["live", "live"]);
  expect(await rowsOf(db, "SELECT count(*) FROM w")).toEqual([["1000"]]);
});

it("of texts that stay in memory, equal ones count once", async () => {
  await sql(db, "CREATE TABLE t (k int4 PRIMARY KEY, a text, b int4); CREATE INDEX ON t (b)");
  const text = (k: number) => `${"a text that is long ".repeat(10)}${k}`;
  const rows = (of: (k: number) => string) => Array.from({ length: 20_000 }, (_, k) => ({ k, a: of(k) }));
  await expect(db.append("t", rows(text))).rejects.toMatchObject(refused);
  await db.append(
    "t",
    rows((k) => text(k % 10)),
  );
  const few = Array.from({ length: 5 }, (_, k) => ({ k, a: `${k}`.repeat(LIMIT / 4) }));
  await expect(db.append("t", few)).rejects.toMatchObject(refused);
});

it("many that come at once are taken, one behind the other", async () => {
  await sql(
    db,
    "CREATE TABLE t (k int4 PRIMARY KEY, a int4); CREATE MATERIALIZED VIEW v AS SELECT k, a + 1 AS a FROM t",
  );
  await load("t", 40_000);
  await Promise.all(
    Array.from({ length: 100 }, (_, i) => db.append("t", numbered(1_000_000 + i * 1_000, 1_000))),
  );
  await Promise.all([2, 3, 4].map((i) => db.append("t", numbered(i * 1_000_000, 15_000))));
  await db.settled();
  expect(status()).toEqual(["live"]);
  expect(await rowsOf(db, "SELECT count(*) FROM v")).toEqual([["185000"]]);
});

it("a view that brings back more groups of a stream than there is room for stops before it has them all", async () => {
  await sql(
    db,
    "CREATE TABLE s (k int4, a int4) WITH (append_only); CREATE MATERIALIZED VIEW v AS SELECT k, sum(a) AS a FROM s GROUP BY k",
  );
  await load("s", 200_000);
  await db.append("s", numbered(0, 5_000, 40));
  await db.settled();
  expect(status()).toEqual(["live"]);
  await db.append("s", numbered(0, 50_000, 4));
  await db.settled();
  expect(status()).toEqual(["failed"]);
});

it("one that finds room once rows are let go that somebody holds in memory may be sent again as it is", async () => {
  await sql(db, "CREATE TABLE t (k int4 PRIMARY KEY, a int4)");
  await load("t", 80_000);
  const store = db.core.tables.store(db.core.catalog.topic("t").id) as Store;
  const rows = numbered(1_000_000, 65_000);
  const pin = store.pin(store.epoch);
  await expect(db.append("t", rows)).rejects.toMatchObject({
    code: "out_of_memory",
    retryable: true,
    hint: expect.stringContaining("Send it again"),
  });
  pin.release();
  await db.append("t", rows);
});

it("so may one that finds room once a query has left", async () => {
  await sql(
    db,
    "CREATE TABLE t (k int4 PRIMARY KEY, a int4); CREATE INDEX ON t (a); CREATE TABLE s (k int4, a int4) WITH (append_only)",
  );
  await load("s", 40_000);
  const { flowing } = await db.sql("SELECT k, a FROM s ORDER BY a, k", { flowing: true });
  const rows = numbered(0, 30_000);
  await expect(db.append("t", rows)).rejects.toMatchObject({ code: "out_of_memory", retryable: true });
  flowing!.close();
  await db.append("t", rows);
});

it("whether it is small is asked of the columns for texts of tables alone: the rest of a row is not looked at", async () => {
  await sql(
    db,
    "CREATE TABLE t (k int4 PRIMARY KEY, a text, b int4); CREATE TABLE s (k int4, a text, b int4) WITH (append_only)",
  );
  const asked: string[] = [];
  const row = new Proxy({ k: 1, a: "x", b: 2 } as Record<string, unknown>, {
    get: (of, name) => {
      asked.push(String(name));
      return of[String(name)];
    },
    ownKeys: (of) => {
      asked.push("all");
      return Reflect.ownKeys(of);
    },
  });
  const weigh = (name: string) =>
    db.core.committer.memory?.weigh([
      { topic: db.core.catalog.topic(name), op: "upsert", rows: [row], path: name },
    ]);
  expect(weigh("s")).toBe("small");
  expect(asked).toEqual([]);
  expect(weigh("t")).toBe("small");
  expect(asked).toEqual(["a"]);
});

it("the hint says what helps: less of what needs rows in memory, and several commits", async () => {
  await sql(
    db,
    "CREATE TABLE t (k int4 PRIMARY KEY, a int4); CREATE TABLE u (k int4 PRIMARY KEY, a int4); CREATE INDEX ON u (a)",
  );
  const hint = async (topic: string, rows: number) =>
    db.append(topic, numbered(0, rows)).then(
      () => "none",
      ({ hint }: EvertError) => hint,
    );
  expect(await hint("u", 100_000)).toMatch(
    /^All rows of "u" stay in memory, because of index "u_a_idx": delete rows, drop what needs them, or open the database with a higher memoryLimit\.$/,
  );
  await sql(db, "CREATE MATERIALIZED VIEW v AS SELECT k, lag(a) OVER (ORDER BY k) AS a FROM t WHERE a >= 0");
  await load("t", 10_000);
  expect(await hint("t", 100_000)).toMatch(
    /^Append in several commits: .*, but for what views keep for ".*": drop view "v", or open/,
  );
});
