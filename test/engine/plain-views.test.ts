/** CREATE VIEW: not kept but written out where it is named, in ad-hoc queries with the statement's now(), in views with the log's. */
import { expect, it } from "vitest";
import { SimulatedClock } from "../../src/testing/simulated-clock.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, rowsOf, sql } from "./support/memory.ts";

const HOUR = 3_600_000_000;

function at(clock: SimulatedClock, hours: number): string {
  return `'${new Date((clock.wallUs() + hours * HOUR) / 1000).toISOString()}'::timestamptz`;
}

it("can be read, by queries and by views, also after a restart", async () => {
  let disk = new SimulatedDisk();
  let db = await openInMemory(disk);
  await sql(db, "CREATE TABLE t (k int PRIMARY KEY, n int); INSERT INTO t VALUES (1, 10), (2, 20)");
  await sql(
    db,
    "CREATE VIEW big AS SELECT k FROM t WHERE n > 15; CREATE VIEW bigger (key) AS SELECT k FROM big",
  );
  await sql(db, "CREATE MATERIALIZED VIEW kept AS SELECT count(*) AS n FROM public.bigger");
  await sql(db, "INSERT INTO t VALUES (3, 30)");
  const answers = async () => [
    await rowsOf(db, "SELECT key FROM bigger ORDER BY key"),
    await rowsOf(db, "SELECT n FROM kept"),
  ];
  expect(await answers()).toEqual([[["2"], ["3"]], [["2"]]]);
  await db.close();
  disk = disk.reboot("process");
  db = await openInMemory(disk);
  expect(await answers()).toEqual([[["2"], ["3"]], [["2"]]]);
  expect((await db.sql("SELECT * FROM elsewhere.big")).error).toMatchObject({ sqlstate: "42P01" });
  await db.close();
});

it("has the now() of who asks", async () => {
  const clock = new SimulatedClock();
  const db = await openInMemory(new SimulatedDisk(), { clock });
  await sql(db, "CREATE TABLE s (k int, ts timestamptz) WITH (append_only)");
  await sql(db, "CREATE VIEW recent AS SELECT k FROM s WHERE ts > now() - interval '1 hour'");
  await sql(db, "CREATE MATERIALIZED VIEW kept AS SELECT * FROM recent");
  await sql(db, `INSERT INTO s VALUES (1, ${at(clock, 0)})`);
  expect(await rowsOf(db, "SELECT * FROM recent")).toEqual([["1"]]);
  clock.advance(5 * HOUR);
  expect(await rowsOf(db, "SELECT * FROM recent")).toEqual([]);
  expect(await rowsOf(db, "SELECT * FROM kept")).toEqual([["1"]]);
  await db.core.ticker.wake();
  await db.settled();
  expect(await rowsOf(db, "SELECT * FROM kept")).toEqual([]);
  await db.close();
});
