/** Views of which rows are on disk: what brings all of them back, what shares their rows, and what ends them. */
import { afterEach, expect, it, vi } from "vitest";
import type { AnyView } from "../../src/face/handles.ts";
import { count, int4, sum, table, topic, view } from "../../src/face/index.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { cooled, damageRuns, db, open, openWith, said } from "./support/cold.ts";
import { HeldLog } from "./support/held-log.ts";
import { rowsOf, sql } from "./support/memory.ts";
import { maintained } from "./support/views.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

function cold(name: string): number {
  return db.core.views.named(name).node!.store.cold!.rows;
}

const GROUPS = 500;

/** View `sums` of 500 groups, all of which go to disk. */
async function putOut(): Promise<void> {
  await sql(
    db,
    `CREATE TABLE t (k int4 PRIMARY KEY, g int4, a int4); CREATE TABLE other (k int4 PRIMARY KEY);
     CREATE MATERIALIZED VIEW sums AS SELECT g, count(*) AS n, sum(a) AS s FROM t GROUP BY g`,
  );
  await db.append(
    "t",
    Array.from({ length: 2 * GROUPS }, (_, k) => ({ k, g: k % GROUPS, a: k })),
  );
  await cooled();
  expect(cold("sums")).toBe(GROUPS);
}

it("an index of a view brings its rows back, and they go when it is dropped", async () => {
  await open(new SimulatedDisk());
  await putOut();
  await sql(db, "CREATE INDEX by_s ON sums (s)");
  expect(cold("sums")).toBe(0);
  await cooled();
  expect(cold("sums")).toBe(0);
  expect(await rowsOf(db, "SELECT g, s FROM sums WHERE s BETWEEN 500 AND 504 ORDER BY s")).toEqual([
    ["0", "500"],
    ["1", "502"],
    ["2", "504"],
  ]);
  expect((await db.view("sums").rows({ order: ["-s"], limit: 1 })).rows).toMatchObject([{ g: GROUPS - 1 }]);
  await sql(db, "DROP INDEX by_s");
  await cooled();
  expect(cold("sums")).toBe(GROUPS);
});

it("a query of the same plan as a view copies what is on disk, in any order", async () => {
  await open(new SimulatedDisk());
  await putOut();
  const query = "SELECT g, count(*) AS n, sum(a) AS s FROM t GROUP BY g";
  const rows = Array.from({ length: GROUPS }, (_, g) => [String(g), "2", String(2 * g + GROUPS)]);
  expect((await rowsOf(db, query)).sort((a, b) => Number(a[0]) - Number(b[0]))).toEqual(rows);
  expect(await rowsOf(db, `${query} ORDER BY g`)).toEqual(rows);
  expect(cold("sums")).toBeGreaterThan(0);
  expect(await rowsOf(db, `${query} ORDER BY g DESC LIMIT 3`)).toEqual(rows.toReversed().slice(0, 3));
});

it("another view of the same plan, in an order, has all rows in memory", async () => {
  await open(new SimulatedDisk());
  await putOut();
  await sql(
    db,
    "CREATE MATERIALIZED VIEW ranked AS SELECT g, count(*) AS n, sum(a) AS s FROM t GROUP BY g ORDER BY s DESC",
  );
  await db.built();
  await cooled();
  const rows = (await db.view("ranked").rows()).rows.map((row) => (row as { g: number }).g);
  expect(rows).toEqual(Array.from({ length: GROUPS }, (_, i) => GROUPS - 1 - i));
  expect((await maintained(db, "sums")) as unknown[]).toHaveLength(GROUPS);
});

it("two builds of one plan, one of them in an order, come to the same rows", async () => {
  const disk = new HeldLog(new SimulatedDisk());
  await openWith(disk as unknown as SimulatedDisk, { warm: 0 });
  await sql(
    db,
    "CREATE TABLE s (g int4, a int4) WITH (append_only); CREATE TABLE other (k int4 PRIMARY KEY)",
  );
  await db.append(
    "s",
    Array.from({ length: 2 * GROUPS }, (_, k) => ({ g: k % GROUPS, a: k })),
  );
  disk.reads.close();
  const query = "SELECT g, sum(a) AS s FROM s GROUP BY g";
  const made: Promise<unknown>[] = [];
  for (const statement of [
    `plain AS ${query}`,
    `ranked AS ${query} ORDER BY s DESC`,
    `joined AS SELECT o.k, x.s FROM other o JOIN (${query}) x ON x.g = o.k`,
  ]) {
    made.push(sql(db, `CREATE MATERIALIZED VIEW ${statement}`));
    for (let turns = 0; turns < 20; turns++) await new Promise((resolve) => setImmediate(resolve));
  }
  disk.goOn();
  await Promise.all(made);
  await cooled();
  expect((await maintained(db, "plain")) as unknown[]).toHaveLength(GROUPS);
  const ranked = (await db.view("ranked").rows()).rows.map((row) => (row as { g: number }).g);
  expect(ranked).toEqual(Array.from({ length: GROUPS }, (_, i) => GROUPS - 1 - i));
  expect(await rowsOf(db, "SELECT k, s FROM joined ORDER BY k")).toEqual(
    [0, 1, 2, 3].map((g) => [String(g), String(2 * g + GROUPS)]),
  );
});

it("is dropped with its files", async () => {
  const disk = new SimulatedDisk();
  await open(disk);
  await putOut();
  await db.checkpoint();
  const runs = async (): Promise<number> =>
    (await disk.list("/data/checkpoint")).filter((f) => f.startsWith("run-")).length;
  const before = await runs();
  await sql(db, "DROP MATERIALIZED VIEW sums");
  await sql(db, "DROP TABLE t");
  await cooled();
  await db.checkpoint();
  expect(await runs()).toBeLessThan(before);
});

it("is rebuilt from the log where a file is damaged that a step has met", async () => {
  const disk = new SimulatedDisk();
  const fatal: unknown[] = [];
  await openWith(disk, { warm: 0, onFatal: (error) => fatal.push(error), report: () => {} });
  await putOut();
  await db.checkpoint();
  damageRuns(disk);
  // A new row of each group: the table does not look into its files for it, the groups do.
  await db
    .append(
      "t",
      Array.from({ length: GROUPS }, (_, g) => ({ k: 1_000_000 + g, g, a: 0 })),
    )
    .catch(() => {});
  await db.settled().catch(() => {});
  expect(fatal).toMatchObject([{ code: "log_damaged" }]);
  const again = disk.reboot("process");
  await db.close().catch(() => {});
  await open(again);
  said.length = 0;
  const [count] = await rowsOf(db, "SELECT count(*), sum(n) FROM sums");
  expect(count).toEqual([String(GROUPS), String(3 * GROUPS)]);
});

const plays = topic("plays", { schema: { song: int4, ms: int4 } });
const marks = table("other", { key: "k", schema: { k: int4 } });
const before = view("per_song", plays.groupBy("song", { plays: count() }));
const after = view("per_song", plays.groupBy("song", { plays: count(), ms: sum("ms") }));

it("its earlier rows are read from disk while it is made anew", async () => {
  const machine = new SimulatedDisk();
  let held = new HeldLog(machine);
  const start = async (...views: AnyView[]): Promise<void> => {
    held = new HeldLog(machine);
    await openWith(held as unknown as SimulatedDisk, { warm: 0, topics: [plays, marks], views });
  };
  await start(before);
  await db.built();
  await db.append(
    "plays",
    Array.from({ length: 2 * GROUPS }, (_, i) => ({ song: i % GROUPS, ms: 1 })),
  );
  await cooled();
  expect(cold("per_song")).toBe(GROUPS);
  await db.checkpoint();
  await db.close();
  await start(after);
  held.reads.close();
  const songs = db.view("per_song");
  expect((await songs.rows()).rows).toHaveLength(GROUPS);
  expect(await songs.get(7)).toMatchObject({ stale: true, row: { song: 7, plays: 2 } });
  expect((await songs.rows({ order: ["song"], limit: 2 })).rows).toEqual([
    { song: 0, plays: 2 },
    { song: 1, plays: 2 },
  ]);
  await db.checkpoint();
  held.goOn();
  await db.built();
  expect(await songs.get(7)).toMatchObject({ row: { song: 7, plays: 2, ms: 2 } });
});
