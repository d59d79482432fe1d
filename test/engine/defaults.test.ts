/** DEFAULTs that are no constants: the value of the statement that stores the row, which the log has from then on. */
import { expect, it } from "vitest";
import { SimulatedClock } from "../../src/testing/simulated-clock.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, rowsOf, sql } from "./support/memory.ts";

const table = `CREATE TABLE t (
  k int PRIMARY KEY,
  at timestamptz DEFAULT now() NOT NULL,
  day date DEFAULT current_timestamp::date, s text DEFAULT upper('a' || ',)') CHECK_PLACE
)`.replace(" CHECK_PLACE", "");

it("gives the statement's time, once for all its rows, the same after a start", async () => {
  const disk = new SimulatedDisk();
  const clock = new SimulatedClock();
  let engine = await openInMemory(disk, { clock });
  await sql(engine, table);
  await sql(engine, "INSERT INTO t (k) VALUES (1), (2)");
  clock.advance(86_400_000_000);
  await sql(engine, "INSERT INTO t (k) SELECT 3");
  await sql(engine, "INSERT INTO t (k, at) VALUES (4, DEFAULT)");
  await sql(engine, "UPDATE t SET at = DEFAULT, s = 'b' WHERE k = 2");
  const rows = await rowsOf(engine, "SELECT * FROM t ORDER BY k");
  expect(rows.map((r) => r[3])).toEqual(["A,)", "b", "A,)", "A,)"]);
  expect(rows[0]![1]).not.toBe(rows[1]![1]);
  expect(rows[1]![1]).toBe(rows[2]![1]);
  expect(rows[3]![1]).toBe(rows[2]![1]);
  expect(rows[0]![2]).not.toBe(rows[2]![2]);
  await engine.close();
  clock.advance(86_400_000_000);
  engine = await openInMemory(disk, { clock });
  expect(await rowsOf(engine, "SELECT * FROM t ORDER BY k")).toEqual(rows);
  await sql(engine, "INSERT INTO t (k) VALUES (5)");
  const [[later]] = (await rowsOf(
    engine,
    "SELECT at > (SELECT max(at) FROM t WHERE k < 5) FROM t WHERE k = 5",
  )) as [[string]];
  expect(later).toBe("t");
  await engine.close();
});

it("is one time for a whole transaction", async () => {
  const clock = new SimulatedClock();
  const wall = clock.wallUs.bind(clock);
  // Each look at the clock finds it later.
  clock.wallUs = () => {
    clock.advance(1000);
    return wall();
  };
  const engine = await openInMemory(undefined, { clock });
  await sql(engine, table);
  await sql(engine, "BEGIN; INSERT INTO t (k) VALUES (1); INSERT INTO t (k) VALUES (2); COMMIT");
  expect(await rowsOf(engine, "SELECT count(DISTINCT at), max(at) < now() FROM t")).toEqual([["1", "t"]]);
  await engine.close();
});

it("refuses at once what has no place in a default", async () => {
  const engine = await openInMemory();
  const refusedWith = async (text: string) => (await engine.sql(text)).error?.sqlstate;
  expect(await refusedWith("CREATE TABLE x (a int DEFAULT now())")).toBe("42804");
  expect(await refusedWith("CREATE TABLE x (a int, b int DEFAULT a)")).toBe("0A000");
  expect(await refusedWith("CREATE TABLE x (a int DEFAULT (SELECT 1))")).toBe("0A000");
  expect(await refusedWith("CREATE TABLE x (a int DEFAULT count(*))")).toBe("42803");
  await engine.close();
});
