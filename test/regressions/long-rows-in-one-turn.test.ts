/**
 * Whoever was given the rows of a view (a subscriber's first rows, a read) was given them 64 or 512 at a time, whatever their length: of rows of a mebibyte that was
 * a turn of 64 MiB of JSON, half a second, in memory and from disk.
 */
import { afterEach, expect, it, vi } from "vitest";
import { Chores } from "../../src/base/chores.ts";
import { RowEncoder } from "../../src/views/row-encoder.ts";
import { firstRows, rowsInChunks } from "../engine/support/first-rows.ts";
import { openInMemory, sql } from "../engine/support/memory.ts";

const ROWS = 60;
const LONG = 200_000;

afterEach(() => vi.restoreAllMocks());

/** Characters of rows that were made in one turn, at most. */
async function mostInATurn(work: () => Promise<number>): Promise<number> {
  let chars = 0;
  let most = 0;
  const rowJson = RowEncoder.prototype.rowJson;
  vi.spyOn(RowEncoder.prototype, "rowJson").mockImplementation(function (this: RowEncoder, slot) {
    const text = rowJson.call(this, slot);
    chars += text.length;
    most = Math.max(most, chars);
    return text;
  });
  const turn = Chores.prototype.turn;
  vi.spyOn(Chores.prototype, "turn").mockImplementation(function (this: Chores) {
    chars = 0;
    return turn.call(this);
  });
  // A clock by which whatever lies between two looks at it takes more than a turn.
  let now = performance.now();
  vi.spyOn(performance, "now").mockImplementation(() => (now += 5));
  expect(await work()).toBe(ROWS);
  vi.restoreAllMocks();
  return most;
}

it.each([
  ["in memory", {}],
  ["on disk", { memoryLimit: 32 << 20, warm: 0 }],
])("rows %s are made a few at a time where they are long", async (_, options) => {
  const db = await openInMemory(undefined, options);
  await sql(db, "CREATE TABLE t (id int PRIMARY KEY, s text)");
  await sql(db, "CREATE MATERIALIZED VIEW v AS SELECT id, s FROM t");
  for (let id = 0; id < ROWS; id++) await db.append("t", [{ id, s: `${id}${"x".repeat(LONG)}` }]);
  await db.settled();
  const subscribed = await mostInATurn(() => firstRows(db, "v"));
  const read = await mostInATurn(() => rowsInChunks(db, "v"));
  // The row that fills a turn, and one that follows before the clock is looked at.
  expect([subscribed <= 2 * (LONG + 100), read <= 2 * (LONG + 100)], `${subscribed} ${read}`).toEqual([
    true,
    true,
  ]);
  await db.close();
});
