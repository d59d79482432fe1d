/**
 * A commit whose rows have no room in memory together is stepped in parts: the state stays within the limit, and nobody is shown anything but what was
 * before it and what is behind it.
 */
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { Circuit } from "../../src/dataflow/circuit.ts";
import type { Operation } from "../../src/engine/api.ts";
import type { Database } from "../../src/engine/database.ts";
import { TableRows } from "../../src/engine/write/table-rows.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { Client } from "./support/client.ts";
import { openInMemory, rowsOf, sql } from "./support/memory.ts";
import { eachRowAPart } from "./support/parts.ts";

const LIMIT = 4 << 20;
const ROWS = 200_000;
const INTS = "CREATE TABLE t (k int4 PRIMARY KEY, a int4)";
const TEXTS = "CREATE TABLE t (k int4 PRIMARY KEY, a int4, s text)";
const VIEWS = `CREATE MATERIALIZED VIEW each AS SELECT k, a + 1 AS b FROM t;
  CREATE MATERIALIZED VIEW totals AS SELECT count(*) AS n, sum(a) AS a FROM t;
  CREATE MATERIALIZED VIEW groups AS SELECT a, count(*) AS n, sum(k) AS k FROM t GROUP BY a`;

let db: Database;
/** At most, of state, since it was set to 0. */
let most = 0;
let partsEnd: (() => void) | null = null;

afterEach(async () => {
  partsEnd?.();
  partsEnd = null;
  await db.close().catch(() => {});
});

async function open(disk = new SimulatedDisk(), memoryLimit = LIMIT): Promise<void> {
  db = await openInMemory(disk, { memoryLimit });
}

const { run } = Circuit.prototype;

// Also while a start replays.
beforeAll(() => {
  Circuit.prototype.run = function (...given) {
    const isDone = run.apply(this, given);
    if (this.memory.bytes === LIMIT) most = Math.max(most, this.bytes);
    return isDone;
  };
});

afterAll(() => {
  Circuit.prototype.run = run;
});

const number = (k: number) => ({ k, a: k % 100 });
const long = (k: number) => ({ k, a: k % 100, s: `${k} `.padEnd(1_000, "a text ") });

async function load(row: (k: number) => object, rows: number, batch: number): Promise<void> {
  for (let k = 0; k < rows; k += batch)
    await db.append(
      "t",
      Array.from({ length: batch }, (_, i) => row(k + i)),
    );
  await db.settled();
  most = 0;
}

/** Nothing in memory is more than the limit and a tenth, and the rows on disk would be. */
function expectKept(): void {
  expect(most).toBeGreaterThan(0);
  expect(most / LIMIT).toBeLessThan(1.1);
}

describe("what deletes more than there is memory for", () => {
  it.each([
    ["rows of numbers", INTS, number, ROWS, 2_000, "DELETE FROM t"],
    ["rows of numbers", INTS, number, ROWS, 2_000, "TRUNCATE t"],
    ["long texts", TEXTS, long, 16_000, 200, "DELETE FROM t"],
    ["long texts", TEXTS, long, 16_000, 200, "DELETE FROM t WHERE k >= 1000"],
  ] as const)("%s: %s; %#", async (_what, table, row, rows, batch, statement) => {
    const disk = new SimulatedDisk();
    await open(disk);
    await sql(db, table);
    await load(row, rows, batch);
    expect(db.core.tables.store(db.core.catalog.topic("t").id)!.cold!.rows).toBeGreaterThan(rows / 2);
    const steps = db.stats().steps;
    await sql(db, statement);
    await db.settled();
    expectKept();
    expect(db.stats().steps).toBeGreaterThan(steps + 1);
    const left = statement.includes("WHERE") ? 1_000 : 0;
    expect(await rowsOf(db, "SELECT count(*) FROM t")).toEqual([[String(left)]]);
    expect(await rowsOf(db, "SELECT count(*) FROM t WHERE k < 10")).toEqual([[left > 0 ? "10" : "0"]]);
    // A start does the same again, from the log alone.
    most = 0;
    const after = disk.reboot("process");
    await db.close().catch(() => {});
    await open(after);
    await db.built();
    await db.settled();
    expectKept();
    expect(await rowsOf(db, "SELECT count(*) FROM t")).toEqual([[String(left)]]);
  });

  it("and views of it follow, live and exact", async () => {
    await open();
    await sql(db, `${INTS}; ${VIEWS}`);
    await load(number, 120_000, 1_000);
    await sql(db, "DELETE FROM t WHERE k % 120 <> 7");
    await db.settled();
    expectKept();
    expect(db.views().map(({ status }) => status)).toEqual(["live", "live", "live"]);
    expect(await rowsOf(db, "SELECT n, a FROM totals")).toEqual(
      await rowsOf(db, "SELECT count(*), sum(a) FROM t"),
    );
    expect(await rowsOf(db, "SELECT n FROM totals")).toEqual([["1000"]]);
    expect(await rowsOf(db, "SELECT * FROM groups ORDER BY a")).toEqual(
      await rowsOf(db, "SELECT a, count(*), sum(k) FROM t GROUP BY a ORDER BY a"),
    );
    expect(await rowsOf(db, "SELECT * FROM each ORDER BY k")).toEqual(
      await rowsOf(db, "SELECT k, a + 1 FROM t ORDER BY k"),
    );
  });
});

it("is one moment to who reads, in every way there is to read", async () => {
  await open();
  await sql(db, `${INTS}; ${VIEWS}; CREATE TABLE loose (k int4 PRIMARY KEY, a int4)`);
  await load(number, 60_000, 1_000);
  const sum = (60_000 / 100) * 4_950;
  const seen = new Set<string>();
  let isOver = false;
  const again = async (what: string, read: () => Promise<string>): Promise<void> => {
    for (; !isOver; await new Promise((resolve) => setTimeout(resolve, 20)))
      seen.add(`${what}: ${await read()}`);
  };
  const text = (query: string) => () => sql(db, query).then((result) => String(result.rowsText()));
  const client = new Client();
  const end = new AbortController();
  const told = (async () => {
    const events = db.subscribe([{ view: "totals" }, { view: "groups" }], { signal: end.signal });
    for await (const event of events) {
      client.apply(event);
      if (client.views.size === 2) {
        const n = [...client.views.get("totals")!.values()].join();
        seen.add(`told: ${n} ${client.views.get("groups")!.size}`);
      }
    }
  })();
  const readers = [
    again("table", text("SELECT count(*), sum(a) FROM t")),
    again("view", text("SELECT n, a FROM totals")),
    again("both", text("SELECT (SELECT n FROM totals) - count(*) FROM each")),
    again("key", text("SELECT k FROM t WHERE k = 50000")),
    again("rows", async () => String((await db.view("groups").rows({ limit: 200 })).rows.length)),
    again("transaction", async () => {
      const { result } = await db.transaction(async (tx) => [
        (await tx.get("t", 3)) !== undefined,
        (await tx.get("t", 59_998)) !== undefined,
        (await tx.get("each", 50_001)) !== undefined,
      ]);
      return String(result);
    }),
  ];
  await new Promise((resolve) => setTimeout(resolve, 50));
  const steps = db.stats().steps;
  await sql(db, "DELETE FROM t");
  await db.settled();
  expect(db.stats().steps).toBeGreaterThan(steps + 5);
  await new Promise((resolve) => setTimeout(resolve, 50));
  isOver = true;
  await Promise.all(readers);
  await db.append("t", [number(1)]);
  await expect.poll(() => client.views.get("groups")?.size).toBe(1);
  end.abort();
  await told;
  expect([...seen].sort()).toEqual(
    [
      "both: 0",
      "key: ",
      "key: 50000",
      "rows: 0",
      "rows: 100",
      "table: 0,",
      `table: 60000,${sum}`,
      'told: {"n":0,"a":null} 0',
      'told: {"n":1,"a":1} 1',
      `told: {"n":60000,"a":${sum}} 100`,
      "transaction: false,false,false",
      "transaction: true,true,true",
      "view: 0,",
      `view: 60000,${sum}`,
    ].sort(),
  );
});

/** Whoever may look between two parts does. */
const TURN = (): Promise<void> => new Promise(setImmediate);

describe("where each row is a part", () => {
  const TABLES = `${INTS}; CREATE TABLE u (k int4 PRIMARY KEY, t int4)`;
  const operation = (from: number, to: number, a: number): Operation => ({
    topic: "t",
    upsert: Array.from({ length: to - from }, (_, i) => ({ k: from + i, a })),
  });

  it("a sink appends what was before and what is behind, and nothing between", async () => {
    await open(undefined, 64 << 20);
    await sql(
      db,
      `${TABLES}; CREATE TABLE totals_out (g int4 PRIMARY KEY, n int8, a int8);
       CREATE MATERIALIZED VIEW totals WITH (sink = 'totals_out') AS SELECT k % 2 AS g, count(*) AS n, sum(a)::int8 AS a FROM t GROUP BY k % 2`,
    );
    partsEnd = eachRowAPart();
    await db.transact([operation(0, 40, 1)]);
    await db.settled();
    await db.transact([operation(0, 30, 2), { topic: "t", delete: [38, 39] }]);
    await db.settled();
    const records: unknown[] = [];
    for await (const { valueJson } of db.readTopic("totals_out"))
      records.push(JSON.parse(valueJson as string));
    expect(records).toEqual([
      { g: 0, n: 20, a: 20 },
      { g: 1, n: 20, a: 20 },
      { g: 0, n: 19, a: 34 },
      { g: 1, n: 19, a: 34 },
    ]);
  });

  it("a row has the version of its commit, whichever part made it", async () => {
    await open(undefined, 64 << 20);
    await sql(db, TABLES);
    const before = (await db.transact([operation(0, 10, 1)])).position;
    partsEnd = eachRowAPart();
    const at = (await db.transact([operation(0, 8, 2), { topic: "u", upsert: [{ k: 1, t: 1 }] }])).position;
    await db.settled();
    for (const key of [0, 4, 7]) {
      const change = [{ topic: "t", upsert: [{ k: key, a: 3 }] }];
      const expected = (version: string) => ({ expect: [{ topic: "t", key, version }] });
      await expect(db.transact(change, expected(before))).rejects.toMatchObject({ code: "conflict" });
      await db.transact(change, expected(at));
    }
    await db.transact([operation(9, 10, 3)], { expect: [{ topic: "t", key: 9, version: before }] });
  });

  it("nothing of it is shown where it does not become durable, and what was before is", async () => {
    const disk = new SimulatedDisk();
    await open(disk, 64 << 20);
    await sql(db, `${TABLES}; CREATE MATERIALIZED VIEW totals AS SELECT count(*) AS n, sum(a) AS a FROM t`);
    await db.transact([operation(0, 100, 1)]);
    await db.settled();
    partsEnd = eachRowAPart();
    for (const operation of ["write", "datasync"] as const)
      disk.fail({ operation, code: "EIO", times: Number.POSITIVE_INFINITY });
    await expect(db.transact([operation(0, 100, 2)])).rejects.toMatchObject({ code: "io_error" });
    for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate);
    expect((await sql(db, "SELECT count(*), sum(a) FROM t")).rowsText()).toEqual([["100", "100"]]);
    expect((await sql(db, "SELECT n, a FROM totals")).rowsText()).toEqual([["100", "100"]]);
  });

  it("no view is told to have an error that a part of a commit has, and the whole has not", async () => {
    await open(undefined, 64 << 20);
    await sql(
      db,
      `${TABLES}; CREATE MATERIALIZED VIEW divided AS SELECT 12 / (count(*) - 3) AS d FROM t;
       CREATE MATERIALIZED VIEW skipping WITH (on_error = 'skip') AS SELECT 12 / (count(*) - 3) AS d FROM t`,
    );
    await db.settled();
    partsEnd = eachRowAPart(TURN);
    const seen = new Set<string>();
    let parts = 0;
    let isOver = false;
    const told = (async () => {
      for (; !isOver; await new Promise(setImmediate)) {
        if (!db.core.publisher.moments.isWhole) parts++;
        for (const { name, status, errors, skipped } of db.views())
          seen.add(`${name} ${status} ${errors} ${skipped}`);
      }
    })();
    await db.transact([operation(0, 60, 1)]);
    await db.settled();
    isOver = true;
    await told;
    expect(parts).toBeGreaterThan(0);
    expect([...seen].sort()).toEqual(["divided live 0 0", "skipping live 0 0"]);
  });

  it("a transaction whose row comes back amid it reads the row as it is before, or behind", async () => {
    await open(undefined, 64 << 20);
    await sql(db, TABLES);
    await db.transact([operation(0, 40, 1)]);
    await db.settled();
    const { moments } = db.core.publisher;
    partsEnd = eachRowAPart(TURN);
    let reads = 0;
    // A disk that takes until the first rows have been replaced.
    const bring = vi.spyOn(TableRows.prototype, "bring").mockImplementation(() => {
      if (reads++ > 0) return null;
      return (async () => {
        while (moments.isWhole) await new Promise(setImmediate);
        for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
        expect(moments.isWhole).toBe(false);
      })();
    });
    try {
      const seen: unknown[] = [];
      const read = db.transaction(async (tx) => {
        seen.push(await tx.get("t", 0));
        await tx.get("t", 39);
      });
      await db.transact([operation(0, 40, 2)]);
      await read;
      for (const row of seen)
        expect([
          { k: 0, a: 1 },
          { k: 0, a: 2 },
        ]).toContainEqual(row);
      expect(reads).toBeGreaterThan(1);
    } finally {
      bring.mockRestore();
    }
  });

  it("rows of streams that views are made of go in one step, in the order of their commit", async () => {
    await open(undefined, 64 << 20);
    await sql(
      db,
      `${TABLES}; CREATE TABLE s (k int4, n int4) WITH (append_only); CREATE TABLE other (n int4) WITH (append_only);
       CREATE MATERIALIZED VIEW joined AS SELECT s.n, t.a FROM s JOIN t USING (k)`,
    );
    partsEnd = eachRowAPart();
    const before = db.stats().steps;
    await db.transact([operation(0, 5, 1), { topic: "s", append: [{ k: 3, n: 1 }] }, operation(5, 9, 1)]);
    await db.settled();
    expect(db.stats().steps).toBe(before + 1);
    await db.transact([operation(0, 5, 2), { topic: "other", append: [{ n: 1 }] }]);
    await db.settled();
    expect(db.stats().steps).toBeGreaterThan(before + 4);
    expect(await rowsOf(db, "SELECT n, a FROM joined")).toEqual([["1", "2"]]);
  });

  it.each([1, 2, 3, 4])(
    "views are after each commit what their queries give, wherever it was cut, and after a crash (seed %i)",
    async (seed) => {
      const random = new SeededRandom(seed);
      let disk = new SimulatedDisk();
      await open(disk, 64 << 20);
      partsEnd = eachRowAPart();
      const views = {
        joined: "SELECT u.k, t.a FROM u JOIN t ON t.k = u.t",
        outer_joined: "SELECT t.k, t.a, u.k AS u FROM t LEFT JOIN u ON u.t = t.k",
        groups: "SELECT a, count(*) AS n, min(k) AS least, array_agg(k ORDER BY k) AS ks FROM t GROUP BY a",
        best: "SELECT a, k FROM (SELECT a, k, row_number() OVER (PARTITION BY a ORDER BY k DESC) AS n FROM t) AS x WHERE n <= 2",
        once: "SELECT DISTINCT a FROM t",
        without: "SELECT k FROM t EXCEPT SELECT t FROM u",
        divided: "SELECT 12 / (count(*) - 100) AS d FROM t",
      };
      await sql(db, TABLES);
      for (const [name, query] of Object.entries(views))
        await sql(db, `CREATE MATERIALIZED VIEW ${name} AS ${query}`);
      const model = { t: new Map<number, number>(), u: new Map<number, number>() };
      for (let commit = 0; commit < 25; commit++) {
        const operations = Array.from({ length: 1 + random.below(4) }, (): Operation => {
          const topic = (["t", "u"] as const)[random.below(2)]!;
          const keys = Array.from({ length: 1 + random.below(12) }, () => random.below(30));
          if (random.below(3) === 0) {
            for (const key of keys) model[topic].delete(key);
            return { topic, delete: keys };
          }
          const rows = keys.map((k) => ({
            k,
            [topic === "t" ? "a" : "t"]: random.below(topic === "t" ? 5 : 30),
          }));
          for (const row of rows) model[topic].set(row.k, Number(Object.values(row)[1]));
          return { topic, upsert: rows };
        });
        await db.transact(operations);
        if (random.below(6) === 0) {
          const how = random.below(2) === 0 ? "process" : "power cut";
          if (random.below(2) === 0) await db.checkpoint();
          disk = disk.reboot(how);
          await db.close().catch(() => {});
          await open(disk, 64 << 20);
          await db.built();
        }
        await db.settled();
        const sorted = (rows: (string | null)[][]) => rows.map(String).sort();
        for (const topic of ["t", "u"] as const)
          expect(sorted(await rowsOf(db, `SELECT * FROM ${topic}`))).toEqual(
            [...model[topic]].map(String).sort(),
          );
        for (const [name, query] of Object.entries(views))
          expect(sorted(await rowsOf(db, `SELECT * FROM ${name}`)), `${name} after ${commit}`).toEqual(
            sorted(await rowsOf(db, query)),
          );
      }
    },
  );
});

it("a crash amid its parts leaves it whole, or as if it had never been", async () => {
  for (let changes = 1; changes < 200; changes += 23) {
    const disk = new SimulatedDisk();
    await open(disk);
    await sql(db, `${INTS}; ${VIEWS}`);
    await load(number, 60_000, 1_000);
    await db.checkpoint();
    disk.crashAfter(changes);
    const answer = await sql(db, "DELETE FROM t").then(
      () => "stored",
      () => "failed",
    );
    await db.settled().catch(() => {});
    const left = disk.reboot(changes % 2 === 0 ? "process" : "power cut");
    await db.close().catch(() => {});
    await open(left);
    await db.built();
    await db.settled();
    const [[n] = []] = await rowsOf(db, "SELECT count(*) FROM t");
    if (answer === "stored") expect(n).toBe("0");
    else expect(["0", "60000"]).toContain(n);
    expect(await rowsOf(db, "SELECT n FROM totals UNION ALL SELECT count(*) FROM each")).toEqual([[n], [n]]);
    expectKept();
    await db.close();
  }
});
