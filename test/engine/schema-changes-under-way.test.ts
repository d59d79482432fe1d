/** Columns that change while much else goes on: rows on disk, views in other threads, appends and queries at the same time. */
import { expect, test } from "vitest";
import { toEvertError } from "../../src/base/errors.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, rowsOf, sql } from "./support/memory.ts";

test("a table whose rows lie on disk gets a column", async () => {
  const disk = new SimulatedDisk();
  const options = { warm: 0, memoryLimit: 64 << 20 };
  let db = await openInMemory(disk, options);
  await sql(db, "CREATE TABLE t (id int PRIMARY KEY, a int, b text)");
  await sql(db, "CREATE MATERIALIZED VIEW v AS SELECT a, count(*) AS n FROM t GROUP BY a");
  for (let n = 0; n < 10; n++)
    await sql(
      db,
      `INSERT INTO t SELECT g, g % 7, 'text of row ' || g FROM generate_series(${n * 2000}, ${n * 2000 + 1999}) g`,
    );
  await db.checkpoint();
  expect(db.stats().coldBytes).toBeGreaterThan(0);
  await sql(db, "ALTER TABLE t ADD COLUMN c text DEFAULT 'new'");
  await sql(db, "UPDATE t SET c = 'changed', a = 100 WHERE id = 1000; DELETE FROM t WHERE id = 2000");
  await sql(db, "INSERT INTO t VALUES (20000, 100, 'x', 'changed')");
  const questions = [
    "SELECT count(*), sum(id), min(b), max(c), count(*) FILTER (WHERE c = 'new') FROM t",
    "SELECT * FROM t WHERE id = 3",
    "SELECT a, n FROM v ORDER BY a",
  ];
  const answers = async (): Promise<unknown> => Promise.all(questions.map((q) => rowsOf(db, q)));
  await db.settled();
  const before = await answers();
  expect(before).toMatchObject([
    [["20000", "200008000", "text of row 0", "new", "19998"]],
    [["3", "3", "text of row 3", "new"]],
    expect.arrayContaining([["100", "2"]]),
  ]);
  await db.close();
  db = await openInMemory(disk, options);
  expect(await answers()).toEqual(before);
  await db.close();
});

test("views in other threads go on", async () => {
  const db = await openInMemory(undefined, { workers: 2 });
  await sql(db, "CREATE TABLE s (k int, x int, note text) WITH (append_only)");
  await sql(db, "INSERT INTO s SELECT g % 10, g, 'n' FROM generate_series(1, 1000) g");
  await sql(db, "CREATE MATERIALIZED VIEW v AS SELECT k, count(*) AS n, sum(x) AS x FROM s GROUP BY k");
  await sql(db, "ALTER TABLE s DROP COLUMN note, ADD COLUMN y int8 DEFAULT 2");
  await sql(db, "INSERT INTO s SELECT g % 10, g, g FROM generate_series(1, 1000) g");
  await sql(db, "CREATE MATERIALIZED VIEW w AS SELECT k, sum(y) AS y FROM s GROUP BY k");
  await sql(db, "ALTER TABLE s RENAME COLUMN x TO xx; INSERT INTO s VALUES (1, 1, 1)");
  await db.settled();
  expect(await rowsOf(db, "SELECT * FROM v ORDER BY k")).toEqual(
    await rowsOf(db, "SELECT k, count(*), sum(xx) FROM s GROUP BY k ORDER BY k"),
  );
  expect(await rowsOf(db, "SELECT * FROM w ORDER BY k")).toEqual(
    await rowsOf(db, "SELECT k, sum(y) FROM s GROUP BY k ORDER BY k"),
  );
  await db.close();
});

test("appends and queries beside it are right before and after", async () => {
  const disk = new SimulatedDisk();
  let db = await openInMemory(disk);
  await sql(
    db,
    "CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t SELECT g, 1 FROM generate_series(1, 3000) g",
  );
  await sql(db, "CREATE MATERIALIZED VIEW v AS SELECT count(*) AS n, sum(a) AS a FROM t");
  let appended = 3000;
  let isOver = false;
  const conflicts: string[] = [];
  const writing = (async () => {
    while (!isOver) {
      const row = { id: appended + 1, a: 1 };
      try {
        await db.append("t", [row]);
        appended++;
      } catch (thrown) {
        conflicts.push(toEvertError(thrown).code);
      }
    }
  })();
  const reading = (async () => {
    while (!isOver) {
      const [[n, a, rows]] = (await rowsOf(db, "SELECT v.n, v.a, (SELECT count(*) FROM t) FROM v")) as [
        string[],
      ];
      expect([n, rows]).toEqual([a, n]);
    }
  })();
  const inserting = (async () => {
    for (let n = 0; !isOver; n++)
      await sql(db, `INSERT INTO t (id, a) VALUES (${-n}, 1)`).then(() => appended++ && 0);
  })();
  for (let n = 0; n < 6; n++) {
    await sql(db, `ALTER TABLE t ADD COLUMN c${n} text DEFAULT 'x${n}'`);
    await new Promise((resolve) => setTimeout(resolve, 15));
    if (n % 2 === 1) await sql(db, `ALTER TABLE t DROP COLUMN c${n - 1}`);
  }
  isOver = true;
  await Promise.all([writing, reading, inserting]);
  expect(conflicts).toEqual([]);
  for (const reopen of [false, true]) {
    if (reopen) {
      await db.close();
      db = await openInMemory(disk);
    }
    const [[n]] = (await rowsOf(db, "SELECT n FROM v")) as [string[]];
    expect(await rowsOf(db, "SELECT count(*), sum(a), min(c1), max(c5) FROM t")).toEqual([
      [n, n, "x1", "x5"],
    ]);
  }
  await db.close();
});
