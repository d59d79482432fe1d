/** One row by its key: the answer is that of the operators, to which the same is said so that no index helps; and nothing is built for it. */
import { afterEach, expect, it, vi } from "vitest";
import type { Database } from "../../src/engine/database.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, rowsOf, sql } from "./support/memory.ts";

let db: Database;

afterEach(async () => {
  await db.close();
});

/** Whether the statement built operators. */
async function builds(text: string): Promise<boolean> {
  const build = vi.spyOn(db.core.circuit, "build");
  try {
    await sql(db, text);
    return build.mock.calls.length > 0;
  } finally {
    build.mockRestore();
  }
}

async function sameAsScanned(columns: string, from: string, condition: string, end = ""): Promise<void> {
  const got = await rowsOf(db, `SELECT ${columns} FROM ${from} WHERE ${condition}${end}`);
  const scanned = await rowsOf(db, `SELECT ${columns} FROM ${from} WHERE (${condition}) IS TRUE${end}`);
  expect(got, `${columns} ${from} ${condition}${end}`).toEqual(scanned);
}

it.each([1, 2, 3])("gives what looking at all rows gives (seed %i)", async (seed) => {
  const random = new SeededRandom(seed);
  db = await openInMemory(new SimulatedDisk({ seed }));
  await sql(
    db,
    `CREATE TABLE t (k text PRIMARY KEY, a int4, b numeric(8,2), at timestamptz);
     CREATE TABLE pairs (x int8, y date, v int4, PRIMARY KEY (x, y));
     CREATE TABLE amounts (k numeric PRIMARY KEY, v int4);
     CREATE MATERIALIZED VIEW sums AS SELECT a % 7 AS g, count(*) AS n, max(b) AS b FROM t GROUP BY a % 7`,
  );
  const keys = ["", "a", "A", "ä", "long text that is no short one", "b"];
  const day = (): string => `2024-01-0${1 + random.below(4)}`;
  for (let round = 0; round < 25; round++) {
    const k = keys[random.below(keys.length)]!;
    const [x, y, n] = [random.below(4), day(), random.below(100)];
    const at = random.below(2) === 0 ? null : "2024-02-03T04:05:06Z";
    await db.append("t", [round <= 12 ? { k, a: n, b: `${n}.5`, at } : { k, a: n, at }]);
    await db.append("pairs", [{ x, y, v: n }]);
    await db.append("amounts", [
      { k: `${random.below(3)}.${"0".repeat(random.below(3))}`.replace(/\.$/, ""), v: n },
    ]);
    if (random.below(3) === 0) await sql(db, `DELETE FROM t WHERE k = '${keys[random.below(keys.length)]}'`);
    if (round === 12)
      await sql(db, "ALTER TABLE t DROP COLUMN b CASCADE; ALTER TABLE t ADD COLUMN c int4 DEFAULT 4");
    for (const key of keys) {
      await sameAsScanned("*", "t", `k = '${key}'`);
      await sameAsScanned("at AS x, k, a", "t", `'${key}' = k`, " ORDER BY a LIMIT 1");
    }
    for (let i = 0; i < 4; i++) {
      await sameAsScanned("v, y", "pairs", `x = ${i} AND y = '${day()}'`);
      await sameAsScanned("v", "pairs", `x = ${i} AND y = '${day()}' AND v > 50`);
      await sameAsScanned("v", "amounts", `k = ${i}.0`);
      if (round < 12) await sameAsScanned("*", "sums", `g = ${i}`);
    }
    await sameAsScanned("a", "t", "k = 'a' AND k = 'b'");
    await sameAsScanned("a", "t", "k IN ('a', 'b')", " ORDER BY a, k");
  }
});

it("builds nothing where the key alone decides, and operators where it does not", async () => {
  db = await openInMemory();
  await sql(
    db,
    `CREATE TABLE t (id int8 PRIMARY KEY, v int4); CREATE TABLE pairs (x int4, y int4, PRIMARY KEY (x, y));
     INSERT INTO t VALUES (1, 10), (2, 0); INSERT INTO pairs VALUES (1, 2);
     CREATE MATERIALIZED VIEW per AS SELECT v, count(*) AS n FROM t GROUP BY v`,
  );
  await db.built();
  expect(await builds("SELECT v FROM t WHERE id = 1")).toBe(false);
  expect(await builds("SELECT * FROM t WHERE id = 7 LIMIT 3")).toBe(false);
  expect(await builds("SELECT x FROM pairs WHERE y = 2 AND x = 1")).toBe(false);
  expect(await builds("SELECT n FROM per WHERE v = 10")).toBe(false);
  expect(await builds("SELECT v + 1 FROM t WHERE id = 1")).toBe(true);
  expect(await builds("SELECT v FROM t WHERE id = 1 AND v > 3")).toBe(true);
  expect(await builds("SELECT x FROM pairs WHERE y = 2")).toBe(true);
  expect(await builds("SELECT v FROM (SELECT * FROM t WHERE id = 1 LIMIT 1) one WHERE v > 20")).toBe(true);
  expect(await rowsOf(db, "SELECT v FROM (SELECT * FROM t WHERE id = 1 LIMIT 1) one WHERE v > 20")).toEqual(
    [],
  );
  // What fails for the row fails.
  expect((await db.sql("SELECT 1 / v FROM t WHERE id = 2")).error?.sqlstate).toBe("22012");
});

it("reads what is published: not a commit that is not durable yet, and its own once it is", async () => {
  const disk = new SimulatedDisk();
  db = await openInMemory(disk);
  await sql(db, "CREATE TABLE t (id int4 PRIMARY KEY, v int4); INSERT INTO t VALUES (1, 1)");
  const staged = db.append("t", [{ id: 1, v: 2 }]);
  const before = await db.sql("SELECT v FROM t WHERE id = 1");
  expect([before.results[0]?.rowsText(), before.position < (await staged).position]).toEqual([[["1"]], true]);
  const after = await db.sql("SELECT v FROM t WHERE id = 1", { atLeast: (await staged).position });
  expect(after.results[0]?.rowsText()).toEqual([["2"]]);
});

it("brings a row back that is on disk, and answers as of when it was asked", async () => {
  db = await openInMemory(new SimulatedDisk(), { warm: 0 });
  await sql(db, "CREATE TABLE t (k int4 PRIMARY KEY, a int4); CREATE TABLE other (k int4 PRIMARY KEY)");
  await db.append(
    "t",
    Array.from({ length: 4000 }, (_, k) => ({ k, a: k })),
  );
  for (let i = 0; i < 3; i++) {
    await sql(db, "INSERT INTO other VALUES (0); DELETE FROM other WHERE k = 0");
    await db.settled();
  }
  const { core } = db;
  const store = core.tables.store(core.catalog.entry("t")!.id)!;
  expect(store.cold!.rows).toBeGreaterThan(1000);
  const asked = [5, 2000, 3999, 4000].map((k) => rowsOf(db, `SELECT a FROM t WHERE k = ${k}`));
  const dropped = rowsOf(db, "SELECT a FROM t WHERE k = 77");
  const changed = db.append("t", [{ k: 5, a: -5 }]);
  expect(await Promise.all(asked)).toEqual([[["5"]], [["2000"]], [["3999"]], []]);
  await Promise.all([dropped, changed]);
  expect(await dropped).toEqual([["77"]]);
  await sql(db, "DROP TABLE t");
  expect((await db.sql("SELECT a FROM t WHERE k = 77")).error?.code).toBe("undefined_table");
});
