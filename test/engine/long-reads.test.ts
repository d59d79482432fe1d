/** Reads of very many rows let the event loop have its turns, and a subscription's first rows come in messages of bounded length. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Chores } from "../../src/base/chores.ts";
import type { Database } from "../../src/engine/database.ts";
import { firstRows, rowsInChunks } from "./support/first-rows.ts";
import { openInMemory, sql } from "./support/memory.ts";

const ROWS = 60_000;

let db: Database;

beforeEach(async () => {
  db = await openInMemory();
  await sql(db, "CREATE TABLE t (id int PRIMARY KEY, g int, s text)");
  await sql(db, "CREATE MATERIALIZED VIEW v AS SELECT id, g, s FROM t");
});

afterEach(async () => {
  vi.restoreAllMocks();
  await db.close();
});

it.each([
  ["rows()", async () => (await db.view("v").rows()).rows.length],
  ["rows() in an order", async () => (await db.view("v").rows({ order: ["-g", "id"] })).rows.length],
  ["a query", async () => (await db.sql("SELECT id, g FROM t")).results[0]!.rowCount],
  ["chunks of JSON that are taken at once", () => rowsInChunks(db, "v")],
  ["a subscription", () => firstRows(db, "v")],
])("%s: a turn after each few hundred rows", async (_, read) => {
  await sql(db, `INSERT INTO t SELECT i, i % 100, 'text' FROM generate_series(1, ${ROWS}) i`);
  await db.settled();
  const turn = vi.spyOn(Chores.prototype, "turn");
  // A clock by which whatever lies between two looks at it takes a millisecond.
  let now = performance.now();
  vi.spyOn(performance, "now").mockImplementation(() => ++now);
  expect(await read()).toBe(ROWS);
  const turns = turn.mock.calls.length;
  vi.restoreAllMocks();
  expect(turns).toBeGreaterThan(ROWS / 512 / 5);
});

it("wide rows come in more messages", async () => {
  const wide = "x".repeat(10_000);
  await db.append(
    "t",
    Array.from({ length: 500 }, (_, id) => ({ id, g: 1, s: wide })),
  );
  await db.settled();
  const messages: number[] = [];
  let rows = 0;
  for await (const event of db.subscribe([{ view: "v" }])) {
    if (event.type !== "snapshot") continue;
    rows += event.rowsJson.length;
    messages.push(event.rowsJson.join().length);
    if (event.last) break;
  }
  expect(rows).toBe(500);
  expect(messages.length).toBeGreaterThan(4);
  // A message ends with the row that fills it.
  expect(Math.max(...messages)).toBeLessThan((1 << 20) + 10_200);
});

it("a row that is there very often comes in several messages, too", async () => {
  await sql(db, "CREATE MATERIALIZED VIEW bag AS SELECT g FROM t");
  await sql(db, `INSERT INTO t SELECT i, 1, '' FROM generate_series(1, 25000) i`);
  await db.settled();
  const keys = new Set<string>();
  const messages: number[] = [];
  for await (const event of db.subscribe([{ view: "bag" }])) {
    if (event.type !== "snapshot") continue;
    for (const json of event.rowsJson) keys.add(json);
    messages.push(event.rowsJson.length);
    if (event.last) break;
  }
  expect(keys.size).toBe(25_000);
  expect(Math.max(...messages)).toBeLessThanOrEqual(10_000);
});

it.each([
  ["alone", "", ""],
  ["in a transaction", "BEGIN;", "COMMIT"],
])("many statements, %s: a turn after each few", async (_, begin, end) => {
  const turn = vi.spyOn(Chores.prototype, "turn");
  let now = performance.now();
  vi.spyOn(performance, "now").mockImplementation(() => ++now);
  const { results, error } = await db.sql(`${begin}${"SHOW timezone; ".repeat(100)}${end}`);
  const turns = turn.mock.calls.length;
  vi.restoreAllMocks();
  expect(error).toBeUndefined();
  expect(results.length).toBeGreaterThanOrEqual(100);
  expect(turns).toBeGreaterThanOrEqual(20);
});
