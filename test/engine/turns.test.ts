/** Statements that change many rows let the event loop have its turns while the gate is held, and change what they would have changed at once. */
import { afterEach, expect, test, vi } from "vitest";
import { systemSlices } from "../../src/base/slices.ts";
import { mapInTurns, ROWS_PER_TURN, Turns } from "../../src/engine/turns.ts";
import { openInMemory, rowsOf, sql } from "./support/memory.ts";

const ROWS = 20 * ROWS_PER_TURN;

afterEach(() => vi.restoreAllMocks());

async function turnsOf(work: () => Promise<unknown>): Promise<number> {
  const take = vi.spyOn(Turns.prototype, "take");
  await work();
  const taken = take.mock.calls.length;
  take.mockRestore();
  return taken;
}

test("a turn is due after so many rows, at the latest", async () => {
  const turns = new Turns(systemSlices);
  let rows = 0;
  while (!turns.due()) rows++;
  expect(rows).toBeLessThan(ROWS_PER_TURN);
  await turns.take();
  expect(turns.due()).toBe(false);
});

test("mapping keeps the order", async () => {
  const items = Array.from({ length: ROWS }, (_, i) => i);
  let made: number[] = [];
  expect(
    await turnsOf(async () => (made = await mapInTurns(items, systemSlices, (i) => i * 2))),
  ).toBeGreaterThanOrEqual(20);
  expect(made).toEqual(items.map((i) => i * 2));
});

test.each([
  ["a key", "id int PRIMARY KEY, x int", ""],
  ["a hidden key", "id int, x int", ""],
  ["what is unique", "id int PRIMARY KEY, x int UNIQUE", ""],
  ["no changes but appends", "id int, x int", "WITH (append_only)"],
])("rows of a table with %s", async (_, columns, options) => {
  const db = await openInMemory();
  const count = async (where: string) => {
    // A statement answers when it is durable; a read of its own sees what has been stepped by then.
    await db.settled();
    return (await rowsOf(db, `SELECT count(*) FROM t WHERE ${where}`)).flat();
  };
  await sql(db, `CREATE TABLE t (${columns}) ${options}`);
  const insert = `INSERT INTO t SELECT g, g FROM generate_series(1, ${ROWS}) g`;
  expect(await turnsOf(() => sql(db, insert))).toBeGreaterThanOrEqual(20);
  expect(await count("id = x")).toEqual([String(ROWS)]);
  if (options !== "") return db.close();
  for (const [statement, where, left] of [
    ["UPDATE t SET x = x + 1", "x = id + 1", ROWS],
    ["UPDATE t SET id = id + 1000000", "id > 1000000", ROWS],
    ["UPDATE t SET x = -s.x FROM t s WHERE s.id = t.id", "x = 999999 - id", ROWS],
    [`DELETE FROM t WHERE id > ${1_000_000 + 10}`, "true", 10],
  ] as const) {
    const turns = await turnsOf(() => sql(db, statement));
    expect(turns, statement).toBeGreaterThanOrEqual(20);
    expect(await count(where), statement).toEqual([String(left)]);
  }
  await db.close();
});

test("what is refused late is refused whole, and others go on meanwhile", async () => {
  const db = await openInMemory();
  await sql(db, "CREATE TABLE t (id int PRIMARY KEY, x int CHECK (x < 10000))");
  await sql(db, "CREATE TABLE u (id int PRIMARY KEY)");
  const late = sql(db, `INSERT INTO t SELECT g, g FROM generate_series(1, ${ROWS}) g`);
  const beside = sql(db, "INSERT INTO u VALUES (1)");
  await expect(late).rejects.toThrow("23514");
  await beside;
  expect(await rowsOf(db, "SELECT count(*) FROM t")).toEqual([["0"]]);
  expect(await rowsOf(db, "SELECT count(*) FROM u")).toEqual([["1"]]);
  await db.close();
});
