/**
 * Tables whose rows go to disk as soon as they may (`warm: 0`), against a map: whatever is asked, wherever rows are, and across stops of every kind.
 */
import { describe, expect, it, vi } from "vitest";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { db, open, openWith, said, startAgain } from "./support/cold.ts";
import { rowsOf, sql } from "./support/memory.ts";

/** Steps, until what the last one made may go out, too. */
async function cooled(): Promise<void> {
  for (let i = 0; i < 3; i++) {
    await db.sql("INSERT INTO other VALUES (0) ON CONFLICT (k) DO NOTHING; DELETE FROM other WHERE k = 0");
    await db.settled();
  }
}

/** Table t, with rows (k, a) from (0, 0) on, all of which go to disk; and the other, which cooled() makes steps with. */
async function putOut(length: number): Promise<void> {
  await sql(db, "CREATE TABLE t (k int4 PRIMARY KEY, a int4); CREATE TABLE other (k int4 PRIMARY KEY)");
  await db.append(
    "t",
    Array.from({ length }, (_, k) => ({ k, a: k })),
  );
  await cooled();
}

function cold(name: string): number {
  const { core } = db;
  return core.tables.store(core.catalog.entry(name)!.id)!.cold!.rows;
}

describe("a table whose rows go to disk", () => {
  it.each([1, 2, 3, 4, 5, 6])(
    "answers as if they were all in memory (seed %i)",
    async (seed) => {
      const random = new SeededRandom(seed);
      let disk = new SimulatedDisk({ seed });
      await open(disk);
      await sql(
        db,
        `CREATE TABLE t (k text PRIMARY KEY, a int4, b numeric, c int8); CREATE TABLE other (k int4 PRIMARY KEY);
       CREATE TABLE pairs (x int8, y text, v int4, PRIMARY KEY (x, y));
       CREATE MATERIALIZED VIEW sums AS SELECT a % 7 AS g, count(*) AS n, sum(c) AS c FROM t GROUP BY a % 7;
       CREATE MATERIALIZED VIEW big AS SELECT k, b FROM t WHERE a > 50`,
      );
      const rows = new Map<string, { a: number; b: string; c: bigint }>();
      let sawCold = 0;
      for (let round = 0; round < 20; round++) {
        for (let i = 0; i < 6; i++) {
          const k = `key ${random.below(60)}`;
          const row = {
            a: random.below(100),
            b: ["1.0", "1.00", "-3.25"][random.below(3)]!,
            c: BigInt(random.below(9)) * 2n ** 60n - 2n ** 61n,
          };
          const values = `('${k}', ${row.a}, ${row.b}, ${row.c})`;
          switch (random.below(6)) {
            case 0:
              await sql(db, `DELETE FROM t WHERE k = '${k}'`);
              rows.delete(k);
              break;
            case 1:
              await sql(db, `UPDATE t SET a = a + 1 WHERE a < ${row.a} AND k > '${k}'`);
              for (const [key, old] of rows)
                if (old.a < row.a && key > k) rows.set(key, { ...old, a: old.a + 1 });
              break;
            case 2: {
              const { error } = await db.sql(`INSERT INTO t VALUES ${values}`);
              expect(error?.sqlstate).toBe(rows.has(k) ? "23505" : undefined);
              if (!rows.has(k)) rows.set(k, row);
              break;
            }
            case 3:
              await sql(db, `INSERT INTO t VALUES ${values} ON CONFLICT (k) DO UPDATE SET a = t.a + 100`);
              rows.set(k, rows.has(k) ? { ...rows.get(k)!, a: rows.get(k)!.a + 100 } : row);
              break;
            default:
              await db.append("t", [{ k, a: row.a, b: row.b, c: row.c }]);
              rows.set(k, row);
          }
          await sql(db, `INSERT INTO pairs VALUES (${row.c}, '${k}', ${i}) ON CONFLICT DO NOTHING`);
        }
        await db.settled();
        sawCold = Math.max(sawCold, cold("t"));
        const k = `key ${random.below(60)}`;
        const one = rows.get(k);
        expect(await rowsOf(db, `SELECT a, b, c FROM t WHERE k = '${k}'`)).toEqual(
          one === undefined ? [] : [[String(one.a), one.b, String(one.c)]],
        );
        const all = [...rows]
          .map(([key, r]) => [key, String(r.a), r.b, String(r.c)])
          .sort((x, y) => (x[0]! < y[0]! ? -1 : 1));
        expect(await rowsOf(db, "SELECT k, a, b, c FROM t ORDER BY k")).toEqual(all);
        expect(await rowsOf(db, "SELECT k, b FROM big ORDER BY k")).toEqual(
          all.filter((r) => Number(r[1]) > 50).map((r) => [r[0], r[2]]),
        );
        const groups = new Map<number, { n: number; c: bigint }>();
        for (const { a, c } of rows.values()) {
          const group = groups.get(a % 7) ?? { n: 0, c: 0n };
          groups.set(a % 7, { n: group.n + 1, c: group.c + c });
        }
        expect(await rowsOf(db, "SELECT g, n, c FROM sums ORDER BY g")).toEqual(
          [...groups].sort((x, y) => x[0] - y[0]).map(([g, { n, c }]) => [String(g), String(n), String(c)]),
        );
        if (random.oneIn(4)) await db.checkpoint();
        if (random.oneIn(6)) disk = await startAgain(disk, random);
        if (round === 12) {
          // Made over rows of which most are on disk, and then followed.
          await sql(db, "CREATE MATERIALIZED VIEW late AS SELECT count(*) AS n, sum(a) AS a FROM t");
          await db.built();
        }
        if (round >= 12) {
          const sum = [...rows.values()].reduce((total, { a }) => total + a, 0);
          expect(await rowsOf(db, "SELECT n, coalesce(a, 0) FROM late")).toEqual([
            [String(rows.size), String(sum)],
          ]);
        }
      }
      expect(sawCold).toBeGreaterThan(10);
    },
    120_000,
  );

  it("takes them back for who needs all of them in memory", async () => {
    await open(new SimulatedDisk());
    await sql(
      db,
      "CREATE TABLE t (k int4 PRIMARY KEY, g int4, a int4); CREATE TABLE other (k int4 PRIMARY KEY)",
    );
    await db.append(
      "t",
      Array.from({ length: 1000 }, (_, k) => ({ k, g: k % 10, a: k })),
    );
    await cooled();
    expect(cold("t")).toBe(1000);
    await sql(db, "CREATE INDEX by_a ON t (a)");
    expect(cold("t")).toBe(0);
    await cooled();
    expect(cold("t")).toBe(0);
    expect(await rowsOf(db, "SELECT k FROM t WHERE a BETWEEN 5 AND 7 ORDER BY a")).toEqual([
      ["5"],
      ["6"],
      ["7"],
    ]);
    await sql(db, "DROP INDEX by_a");
    await cooled();
    expect(cold("t")).toBe(1000);
    expect(await rowsOf(db, "SELECT count(*) FROM t x JOIN t y ON x.g = y.a")).toEqual([["1000"]]);
    await cooled();
    expect(cold("t")).toBe(1000);
    await sql(
      db,
      "CREATE MATERIALIZED VIEW v AS SELECT x.k, y.k AS other FROM t x JOIN t y ON x.g = y.a; CREATE MATERIALIZED VIEW ranked AS SELECT k, row_number() OVER (ORDER BY a, k) AS r FROM t",
    );
    await db.built();
    expect(cold("t")).toBe(0);
    await sql(db, "DROP MATERIALIZED VIEW ranked");
    await cooled();
    expect(cold("t")).toBe(1000);
    expect(await rowsOf(db, "SELECT count(*), sum(other) FROM v")).toEqual([["1000", "4500"]]);
  });

  it("refuses what needs all of them where they have no room, and nothing is lost by it", async () => {
    const disk = new SimulatedDisk();
    await openWith(disk, { memoryLimit: 3 * 2 ** 20 });
    await sql(db, "CREATE TABLE t (k int4 PRIMARY KEY, g int4); CREATE TABLE other (k int4 PRIMARY KEY)");
    for (let from = 0; from < 120_000; from += 2000)
      await db.append(
        "t",
        Array.from({ length: 2000 }, (_, i) => ({ k: from + i, g: i % 10 })),
      );
    await cooled();
    expect(cold("t")).toBeGreaterThan(30_000);
    const { stateBytes } = db.stats();
    for (const text of [
      "CREATE INDEX ON t (g)",
      "SELECT count(*) FROM other JOIN t ON t.g = other.k",
      "SELECT k FROM t ORDER BY g LIMIT 1",
    ]) {
      const { error } = await db.sql(text);
      if (error !== undefined) expect(error).toMatchObject({ code: "view_limit" });
      else expect(text).toMatch(/LIMIT|JOIN/);
    }
    expect(db.stats().stateBytes).toBeLessThan(stateBytes * 1.1);
    expect(await rowsOf(db, "SELECT count(*) FROM t")).toEqual([["120000"]]);
    expect(
      await rowsOf(db, "SELECT g, count(*) FROM t WHERE k < 30000 GROUP BY g ORDER BY g LIMIT 1"),
    ).toEqual([["0", "3000"]]);
  });

  it("sends what reads have brought back out again, though nobody writes", async () => {
    await open(new SimulatedDisk());
    await putOut(1000);
    expect(cold("t")).toBe(1000);
    const { epoch } = db.core.stepper;
    for (let k = 0; k < 200; k++)
      expect(await rowsOf(db, `SELECT a FROM t WHERE k = ${k}`)).toEqual([[String(k)]]);
    for (let turns = 0; turns < 500 && cold("t") < 1000; turns++)
      await new Promise((resolve) => setImmediate(resolve));
    expect(db.core.stepper.epoch).toBe(epoch);
    expect(cold("t")).toBe(1000);
    expect(db.core.tables.store(db.core.catalog.entry("t")!.id)!.cold!.brought).toBeGreaterThanOrEqual(200);
  });

  it("does not wait within a step for what the step itself has made", async () => {
    const limit = 2 * 2 ** 20;
    await openWith(new SimulatedDisk(), { memoryLimit: limit });
    await sql(db, "CREATE TABLE t (k int4 PRIMARY KEY, g int4); CREATE TABLE other (k int4 PRIMARY KEY)");
    const isShort = vi.spyOn(db.core.circuit.cooling!, "isShort");
    await db.append(
      "t",
      Array.from({ length: 30_000 }, (_, k) => ({ k, g: 1 })),
    );
    await db.settled();
    expect(db.stats().stateBytes).toBeGreaterThan(limit * 0.55);
    // It is asked once for each slice, of which there may be many; where it says yes, it is waited for up to 64 turns.
    expect(isShort.mock.results.filter(({ value }) => value === true).length).toBeLessThan(64);
  });

  it("is dropped with its files", async () => {
    const disk = new SimulatedDisk();
    await open(disk);
    await putOut(100);
    expect((await disk.list("/data/checkpoint")).filter((f) => f.startsWith("run-"))).not.toEqual([]);
    await db.checkpoint();
    await sql(db, "DROP TABLE t");
    await cooled();
    await db.checkpoint();
    expect((await disk.list("/data/checkpoint")).filter((f) => f.startsWith("run-"))).toEqual([]);
  });

  it("is rebuilt from the log where a file is damaged", async () => {
    const disk = new SimulatedDisk();
    await open(disk);
    await putOut(1000);
    await db.checkpoint();
    for (const name of await disk.list("/data/checkpoint")) {
      if (!name.startsWith("run-")) continue;
      const file = await disk.open(`/data/checkpoint/${name}`, "write");
      await file.write(new Uint8Array(64).fill(7), 1000);
    }
    expect((await db.sql("SELECT * FROM t")).error).toMatchObject({ code: "log_damaged" });
    // The checkpoint that names it is withdrawn.
    while ((await disk.list("/data/checkpoint")).includes("manifest"));
    const again = disk.reboot("process");
    await db.close().catch(() => {});
    // What was still to be removed is not, on a machine that is down.
    said.length = 0;
    await open(again);
    expect(await rowsOf(db, "SELECT count(*), sum(a) FROM t")).toEqual([["1000", "499500"]]);
  });

  it("publishes no checkpoint that names a damaged file, which only a query has met", async () => {
    const disk = new SimulatedDisk();
    const fatal: unknown[] = [];
    await openWith(disk, { warm: 0, onFatal: (error) => fatal.push(error), report: () => {} });
    await putOut(1000);
    await db.checkpoint();
    for (const path of disk.files().filter((file) => file.includes("/run-")))
      disk.corrupt(path, 1000, (b) => b ^ 1);
    await db.append("other", [{ k: 1 }]);
    await db.settled();
    const checkpoint = db.checkpoint();
    expect((await db.sql("SELECT * FROM t")).error).toMatchObject({ code: "log_damaged" });
    await checkpoint.catch(() => {});
    await db.checkpoint().catch(() => {});
    expect(fatal).toMatchObject([{ code: "log_damaged" }]);
    expect((await db.sql("INSERT INTO other VALUES (2)")).error).toMatchObject({ code: "log_damaged" });
    const again = disk.reboot("process");
    await db.close().catch(() => {});
    expect(again.files()).not.toContain("/data/checkpoint/manifest");
    await open(again);
    expect(await rowsOf(db, "SELECT count(*), sum(a) FROM t")).toEqual([["1000", "499500"]]);
  });

  it("never finds a checkpoint whose files have gone, when the machine ends after a start that did not use it", async () => {
    const disk = new SimulatedDisk();
    await open(disk);
    await putOut(100);
    await db.close();
    const closed = disk.reboot("process");
    const rows = closed.files().find((file) => file.includes("/checkpoint/rows-"))!;
    for (let at = 0; at < 64; at++) closed.corrupt(rows, at, (byte) => byte ^ 1);
    const named = closed.files().filter((file) => file.includes("/run-"));
    expect(named).not.toEqual([]);
    for (let turns = 0; turns < 12; turns++) {
      const unused = closed.clone();
      const why: string[] = [];
      await openWith(unused, { warm: 0, report: (message) => why.push(message) });
      expect(why).toMatchObject([expect.stringContaining("the checkpoint is not used")]);
      for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve));
      const after = unused.reboot("power cut");
      await db.close().catch(() => {});
      const files = after.files();
      if (files.includes("/data/checkpoint/manifest")) expect(files).toEqual(expect.arrayContaining(named));
    }
  });
});
