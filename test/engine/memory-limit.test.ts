/** All state together has a limit: tables refuse what they have no room for, the view that grows stops by name, and everything else goes on. */
import { afterEach, describe, expect, it } from "vitest";
import type { Database } from "../../src/engine/database.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, rowsOf, sql } from "./support/memory.ts";

const MIB = 2 ** 20;
let db: Database;
afterEach(() => db.close());

async function open(memoryLimit: number, disk = new SimulatedDisk()): Promise<void> {
  db = await openInMemory(disk, { memoryLimit });
}

const numbered = (from: number, count: number) =>
  Array.from({ length: count }, (_, i) => ({ k: from + i, a: 1 }));

/** Time for the limit to look again. */
const look = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 30));

/** Appends to the topic until it refuses; how many rows it took, and why it took no more. */
async function fill(topic: string, most: number): Promise<{ rows: number; error: unknown }> {
  for (let rows = 0; rows < most; rows += 2000) {
    try {
      await db.append(topic, numbered(rows, 2000));
    } catch (error) {
      return { rows, error };
    }
    await db.settled();
    await look();
  }
  return { rows: most, error: null };
}

const stopped = {
  code: "view_limit",
  sqlstate: "54000",
  message: "the database has reached its memory limit",
};

describe("a view that grows beyond the memory limit", () => {
  it("stops by name and gives its memory back; the others go on, and the stream takes what comes", async () => {
    await open(6 * MIB);
    await sql(db, "CREATE TABLE s (k int4, a int4) WITH (append_only)");
    await sql(db, "CREATE MATERIALIZED VIEW few AS SELECT k % 10 AS g, count(*) AS n FROM s GROUP BY k % 10");
    // With an order of its own it keeps its rows in memory.
    await sql(
      db,
      "CREATE MATERIALIZED VIEW everything AS SELECT k, sum(a) AS a FROM s GROUP BY k ORDER BY k",
    );
    await sql(db, "CREATE MATERIALIZED VIEW above AS SELECT max(a) AS a FROM everything");
    await db.built();
    expect(await fill("s", 120_000)).toEqual({ rows: 120_000, error: null });
    for (const name of ["everything", "above"]) {
      await expect(db.view(name).rows()).rejects.toMatchObject(stopped);
      expect(db.views().find((v) => v.name === name)).toMatchObject({
        status: "failed",
        rows: 0,
        error: stopped,
      });
    }
    expect(await rowsOf(db, "SELECT sum(n), count(*) FROM few")).toEqual([["120000", "10"]]);
    const { stateBytes, memoryLimit } = db.stats();
    expect(memoryLimit).toBe(6 * MIB);
    expect(stateBytes).toBeLessThan(MIB);
    // What it kept is free for others, and it can be made anew where it keeps less.
    await sql(db, "DROP MATERIALIZED VIEW above; DROP MATERIALIZED VIEW everything");
    await sql(
      db,
      "CREATE MATERIALIZED VIEW everything AS SELECT k % 1000 AS k, sum(a) AS a FROM s GROUP BY k % 1000",
    );
    await db.built();
    expect(await rowsOf(db, "SELECT count(*), sum(a) FROM everything")).toEqual([["1000", "120000"]]);
  });

  it("is stopped while it is built, and so is a query; what is there goes on", async () => {
    await open(4 * MIB);
    await sql(db, "CREATE TABLE s (k int4, a int4) WITH (append_only)");
    await sql(db, "CREATE MATERIALIZED VIEW few AS SELECT count(*) AS n FROM s");
    expect(await fill("s", 100_000)).toEqual({ rows: 100_000, error: null });
    const large = "SELECT k, sum(a) AS a FROM s GROUP BY k";
    expect((await db.sql(`CREATE MATERIALIZED VIEW large AS ${large}`)).error).toMatchObject(stopped);
    expect((await db.sql(`SELECT count(*) FROM (${large}) x`)).error).toMatchObject(stopped);
    expect(await rowsOf(db, "SELECT n FROM few")).toEqual([["100000"]]);
    await sql(db, "INSERT INTO s VALUES (1, 1)");
    await db.settled();
    expect(await rowsOf(db, "SELECT n FROM few")).toEqual([["100001"]]);
  });

  it("shows its subscribers the error, and the log has it all: with more memory it is there after a start", async () => {
    const disk = new SimulatedDisk();
    await open(4 * MIB, disk);
    await sql(db, "CREATE TABLE s (k int4, a int4) WITH (append_only)");
    // With an order of its own it keeps its rows in memory.
    await sql(
      db,
      "CREATE MATERIALIZED VIEW everything AS SELECT k, sum(a) AS a FROM s GROUP BY k ORDER BY k",
    );
    const events: string[] = [];
    const stop = new AbortController();
    const watching = (async () => {
      for await (const event of db.subscribe([{ view: "everything" }], { signal: stop.signal })) {
        events.push(event.type);
      }
    })();
    await fill("s", 100_000);
    expect(events.at(-1)).toBe("error");
    stop.abort();
    await watching;
    await db.close();
    await open(256 * MIB, disk);
    await db.built();
    expect(await rowsOf(db, "SELECT count(*), sum(a) FROM everything")).toEqual([["100000", "100000"]]);
  });
});

describe("a table near the memory limit", () => {
  it("refuses what it has no room for, with a reason, and takes what replaces or deletes", async () => {
    const disk = new SimulatedDisk();
    await open(4 * MIB, disk);
    // With an index of its own it keeps its rows in memory.
    await sql(db, "CREATE TABLE t (k int4 PRIMARY KEY, a int4); CREATE INDEX ON t (a)");
    await sql(db, "CREATE TABLE s (k int4, a int4) WITH (append_only)");
    await sql(db, "CREATE MATERIALIZED VIEW n AS SELECT count(*) AS n, sum(a) AS a FROM t");
    const { rows, error } = await fill("t", 400_000);
    expect(error).toMatchObject({ code: "out_of_memory", sqlstate: "53200", retryable: true });
    expect(rows).toBeGreaterThan(20_000);
    // A little may pass between two looks.
    expect(db.stats().stateBytes).toBeLessThan(8 * MIB);
    expect((await db.sql("INSERT INTO t VALUES (-1, 1)")).error).toMatchObject({ sqlstate: "53200" });
    expect((await db.transact([{ topic: "s", append: [{ k: 1, a: 1 }] }])).position).toBe(db.position);
    // Nothing of what was refused is there, and nothing has stopped.
    expect(await rowsOf(db, "SELECT n, a FROM n")).toEqual([[String(rows), String(rows)]]);
    await sql(db, "DELETE FROM t WHERE k < 5000");
    await db.settled();
    await look();
    // The room of what is gone is there for others.
    await db.append("t", numbered(1_000_000, 3000));
    await sql(db, "UPDATE t SET a = 2 WHERE k >= 1002000");
    await db.settled();
    expect(await rowsOf(db, "SELECT n, a FROM n")).toEqual([[String(rows - 2000), String(rows - 1000)]]);
    await db.close();
    await open(64 * MIB, disk);
    await db.append("t", numbered(2_000_000, 10_000));
    await db.settled();
    expect(await rowsOf(db, "SELECT n FROM n")).toEqual([[String(rows + 8000)]]);
  });

  it("puts rows on disk where it may, and takes many times as many", async () => {
    const disk = new SimulatedDisk();
    await open(4 * MIB, disk);
    await sql(db, "CREATE TABLE t (k int4 PRIMARY KEY, a int4)");
    await sql(db, "CREATE MATERIALIZED VIEW n AS SELECT count(*) AS n, sum(a) AS a FROM t");
    expect(await fill("t", 400_000)).toMatchObject({ rows: 400_000, error: null });
    await db.settled();
    expect(db.stats().stateBytes).toBeLessThan(4.4 * MIB);
    expect(await rowsOf(db, "SELECT n, a FROM n")).toEqual([["400000", "400000"]]);
    expect(await rowsOf(db, "SELECT k, a FROM t WHERE k IN (0, 7, 399999) ORDER BY k")).toEqual([
      ["0", "1"],
      ["7", "1"],
      ["399999", "1"],
    ]);
    await sql(db, "UPDATE t SET a = 5 WHERE k = 11");
    await sql(db, "DELETE FROM t WHERE k = 12");
    await db.close();
    await open(4 * MIB, disk);
    expect(await rowsOf(db, "SELECT n, a FROM n")).toEqual([["399999", "400003"]]);
    expect(await rowsOf(db, "SELECT count(*), sum(a) FROM t")).toEqual([["399999", "400003"]]);
    expect(db.stats().stateBytes).toBeLessThan(4.4 * MIB);
  });

  it("is half of the machine's memory unless said, and is a number of bytes", async () => {
    db = await openInMemory();
    expect(db.stats().memoryLimit).toBeGreaterThan(64 * MIB);
    for (const memoryLimit of [0, -1, 1.5, Number.NaN]) {
      await expect(openInMemory(new SimulatedDisk(), { memoryLimit })).rejects.toMatchObject({
        code: "invalid_argument",
      });
    }
  });
});
