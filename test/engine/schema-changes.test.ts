/** Topics whose columns have changed: what was appended before is read as if it had always been so; what reads them goes on. */
import { expect, test } from "vitest";
import type { SubscriptionEvent } from "../../src/engine/api.ts";
import type { Database } from "../../src/engine/database.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, rowsOf, sql } from "./support/memory.ts";

async function recordsOf(db: Database, topic: string): Promise<unknown[]> {
  const records: unknown[] = [];
  for await (const { valueJson } of db.readTopic(topic)) records.push(JSON.parse(valueJson ?? "null"));
  return records;
}

async function fromLogAlone(db: Database, disk: SimulatedDisk, segmentBytes?: number): Promise<Database> {
  await db.close();
  await disk.unlink("/data/checkpoint/manifest");
  const opened = await openInMemory(disk, { segmentBytes });
  await opened.built();
  return opened;
}

test("records are given back in the newest schema, as JSON and from the beginning", async () => {
  const db = await openInMemory();
  await sql(db, "CREATE TABLE e (a int, b text) WITH (append_only)");
  await db.append("e", [{ a: 1, b: "x" }]);
  await sql(db, "ALTER TABLE e ADD COLUMN at timestamptz DEFAULT '2024-01-01', ALTER COLUMN a TYPE int8");
  await sql(db, "ALTER TABLE e DROP COLUMN b");
  await db.append("e", [{ a: 9007199254740993n, at: null }]);
  expect(await recordsOf(db, "e")).toEqual([
    { a: 1, at: "2024-01-01T00:00:00+00:00" },
    { a: 9007199254740992, at: null },
  ]);
  await db.close();
});

test("a record may name a column as it was called before", async () => {
  const db = await openInMemory();
  await sql(db, "CREATE TABLE t (id int PRIMARY KEY, a int)");
  await sql(db, "ALTER TABLE t RENAME COLUMN a TO b");
  await db.append("t", [{ id: 1, a: 10 }]);
  await db.append(
    "t",
    Array.from({ length: 100 }, (_, i) => ({ id: i + 2, [i % 2 === 0 ? "a" : "b"]: i })),
  );
  await db.settled();
  expect(await rowsOf(db, "SELECT count(*), sum(b) FROM t")).toEqual([["101", "4960"]]);
  await expect(db.append("t", [{ id: 1, a: 1, b: 2 }])).rejects.toMatchObject({ code: "undefined_column" });
  await sql(db, "ALTER TABLE t ADD COLUMN a text");
  await db.append("t", [{ id: 1, a: "another", b: 3 }]);
  expect(await rowsOf(db, "SELECT b, a FROM t WHERE id = 1")).toEqual([["3", "another"]]);
  await db.close();
});

test("a view that does not read the column keeps its rows, and is not built again", async () => {
  const disk = new SimulatedDisk();
  let db = await openInMemory(disk);
  await sql(db, "CREATE TABLE t (id int PRIMARY KEY, a int, b text)");
  await sql(db, "INSERT INTO t SELECT g, g % 10, 'x' || g FROM generate_series(1, 1000) g");
  await sql(db, "CREATE MATERIALIZED VIEW v AS SELECT a, count(*) AS n FROM t GROUP BY a");
  await sql(db, "CREATE MATERIALIZED VIEW w AS SELECT v.a, t.id FROM v JOIN t ON t.id = v.a");
  const before = db.views().map(({ name }) => db.core.views.named(name).node);
  await sql(db, "ALTER TABLE t ADD COLUMN c int NOT NULL DEFAULT 5, DROP COLUMN b");
  await sql(db, "ALTER TABLE t RENAME COLUMN a TO aa; ALTER TABLE t RENAME TO u");
  expect(db.views().map(({ name }) => db.core.views.named(name).node)).toEqual(before);
  await sql(
    db,
    "INSERT INTO u (id, aa) VALUES (2000, 3); DELETE FROM u WHERE id = 13; UPDATE u SET aa = 4 WHERE id = 5",
  );
  const [v, w] = ["SELECT aa, count(*) FROM u GROUP BY aa", "SELECT aa, id FROM u WHERE id < 10"];
  const told: string[] = [];
  for (const restart of [false, true]) {
    if (restart) {
      await db.close();
      db = await openInMemory(disk, { report: (message) => told.push(message) });
    }
    expect(await rowsOf(db, "SELECT a, n FROM v ORDER BY a")).toEqual(await rowsOf(db, `${v} ORDER BY 1`));
    expect(await rowsOf(db, "SELECT id FROM w ORDER BY 1")).toEqual(
      (await rowsOf(db, `${w} ORDER BY 2`)).map((row) => [row[1]]).filter(([id]) => Number(id) < 10),
    );
  }
  expect(told).toEqual([]);
  await db.close();
});

test("`*` is what it was when the view was made", async () => {
  const disk = new SimulatedDisk();
  let db = await openInMemory(disk);
  await sql(db, "CREATE TABLE s (a int, b int) WITH (append_only)");
  await sql(db, "CREATE MATERIALIZED VIEW v AS SELECT * FROM s");
  await sql(db, "CREATE VIEW p AS SELECT * FROM s");
  await sql(db, "INSERT INTO s VALUES (1, 2)");
  await sql(db, "ALTER TABLE s ADD COLUMN c int DEFAULT 3; ALTER TABLE s RENAME COLUMN a TO x");
  for (const reopen of [false, true]) {
    if (reopen) db = await fromLogAlone(db, disk);
    for (const view of ["v", "p"]) {
      const { columns } = await sql(db, `SELECT * FROM ${view}`);
      expect(columns.map((c) => c.name)).toEqual(["a", "b"]);
    }
    expect(await rowsOf(db, "SELECT * FROM s")).toEqual([["1", "2", "3"]]);
  }
  await db.close();
});

test("a subscriber goes on across a change", async () => {
  const db = await openInMemory();
  await sql(db, "CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t VALUES (1, 1)");
  await sql(db, "CREATE MATERIALIZED VIEW v AS SELECT id, a FROM t");
  const stop = new AbortController();
  const seen: SubscriptionEvent[] = [];
  const reading = (async () => {
    for await (const event of db.subscribe([{ view: "v" }], { signal: stop.signal })) seen.push(event);
  })();
  const isTold = (type: SubscriptionEvent["type"]) =>
    expect.poll(() => seen.at(-1)?.type, { interval: 5 }).toBe(type);
  await isTold("snapshot");
  await sql(db, "ALTER TABLE t ADD COLUMN b text DEFAULT 'x'");
  await sql(db, "UPDATE t SET a = 2; UPDATE t SET b = 'y'");
  await isTold("step");
  stop.abort();
  await reading;
  expect(seen.map(({ type }) => type)).toEqual(["snapshot", "step"]);
  expect(await rowsOf(db, "SELECT * FROM v")).toEqual([["1", "2"]]);
  expect(await rowsOf(db, "SELECT * FROM t")).toEqual([["1", "2", "y"]]);
  await db.close();
});

test("sealed segments of several schemas are read as one", async () => {
  const disk = new SimulatedDisk();
  const segmentBytes = 128 * 1024;
  let db = await openInMemory(disk, { segmentBytes });
  await sql(db, "CREATE TABLE s (a int, b text, c date) WITH (append_only)");
  await sql(db, "CREATE TABLE t (id int PRIMARY KEY, a int2, b text)");
  const fill = async (columns: string, of: string): Promise<void> => {
    for (let n = 0; n < 6; n++) {
      await sql(db, `INSERT INTO s (${columns}) SELECT ${of} FROM generate_series(1, 1500) g`);
      await sql(
        db,
        `INSERT INTO t (id, a) SELECT g + ${n * 100}, g FROM generate_series(1, 100) g ON CONFLICT (id) DO UPDATE SET a = excluded.a`,
      );
    }
  };
  await fill("a, b, c", "g, 'text ' || g, date '2024-01-01' + g");
  await sql(db, "ALTER TABLE s ADD COLUMN d numeric(6,2) DEFAULT 1.25, ALTER COLUMN c TYPE timestamp");
  await sql(db, "ALTER TABLE t ADD COLUMN d text DEFAULT 'd', ALTER COLUMN a TYPE int8");
  await fill("a, b, c, d", "g, 'text ' || g, timestamp '2024-01-01 12:00' + g * interval '1 hour', g % 7");
  await sql(db, "ALTER TABLE s DROP COLUMN b; ALTER TABLE t DROP COLUMN b");
  await fill("a, c, d", "g, null, null");
  await db.core.log.sealed();
  expect(db.stats().sealedSegments).toBeGreaterThan(1);
  const questions = [
    "SELECT count(*), sum(a), min(c), max(c), sum(d), count(d) FROM s",
    "SELECT d, count(*) FROM s WHERE c >= '2024-01-02' GROUP BY d ORDER BY 1",
    "SELECT count(*) FROM s WHERE d = 1.25",
    "SELECT count(*), sum(a), min(d), max(d) FROM t",
  ];
  const answers = async (): Promise<unknown> => Promise.all(questions.map((q) => rowsOf(db, q)));
  const before = await answers();
  expect(before).toMatchObject([
    [["27000", "20263500", "2024-01-01 13:00:00", "2028-02-09 00:00:00", expect.anything(), "18000"]],
    expect.anything(),
    [["9000"]],
    [["600", "30300", "d", "d"]],
  ]);
  db = await fromLogAlone(db, disk, segmentBytes);
  expect(await answers()).toEqual(before);
  await sql(db, "CREATE MATERIALIZED VIEW v AS SELECT d, count(*) AS n FROM s GROUP BY d");
  expect(await rowsOf(db, "SELECT n FROM v WHERE d = 1.25")).toEqual([["9000"]]);
  await db.close();
});

test("what would make old records mean another thing is refused, with the way out", async () => {
  const db = await openInMemory();
  await sql(db, "CREATE TABLE t (id int PRIMARY KEY, a int8); INSERT INTO t VALUES (1, 2)");
  const refusal = async (text: string): Promise<unknown> => (await db.sql(text)).error;
  const wayOut = expect.stringContaining("INSERT ... SELECT");
  expect(await refusal("ALTER TABLE t ALTER COLUMN a TYPE int4")).toMatchObject({
    sqlstate: "0A000",
    hint: wayOut,
  });
  expect(await refusal("ALTER TABLE t ALTER COLUMN id TYPE int8")).toMatchObject({
    sqlstate: "0A000",
    hint: wayOut,
  });
  expect(await refusal("ALTER TABLE t DROP COLUMN id")).toMatchObject({ sqlstate: "0A000", hint: wayOut });
  expect(await refusal("ALTER TABLE t ALTER COLUMN a TYPE date")).toMatchObject({ sqlstate: "42804" });
  expect(await refusal("ALTER TABLE t ADD COLUMN b int NOT NULL")).toMatchObject({
    sqlstate: "23502",
    hint: expect.stringContaining("DEFAULT"),
  });
  expect(await refusal("ALTER TABLE t ADD COLUMN b int CHECK (b > 0)")).toMatchObject({ sqlstate: "0A000" });
  expect(await rowsOf(db, "SELECT * FROM t")).toEqual([["1", "2"]]);
  await db.close();
});
