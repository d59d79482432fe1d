/** UPDATE and DELETE that look at all rows of a table which is several times as large as there is memory: what they look at, and do not change, does not stay in memory. */
import { expect, it } from "vitest";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { db, openWith } from "./support/cold.ts";
import { rowsOf, sql } from "./support/memory.ts";

const LIMIT = 4 << 20;
const ROWS = 24_000;
const BATCH = 500;
const FEW = 80;

it.each([
  ["DELETE FROM orders WHERE customer = 3", ROWS - FEW],
  ["UPDATE orders SET note = 'x' WHERE customer = 3", ROWS],
  ["DELETE FROM orders WHERE note LIKE '7 %' RETURNING id", ROWS - 1],
])("%s stays within the memory limit", async (statement, left) => {
  await openWith(new SimulatedDisk(), { memoryLimit: LIMIT });
  await sql(db, "CREATE TABLE orders (id int4 PRIMARY KEY, customer int4 NOT NULL, note text NOT NULL)");
  for (let n = 0; n < ROWS; n += BATCH) {
    const rows = Array.from({ length: BATCH }, (_, i) => ({
      id: n + i,
      customer: (n + i) % (ROWS / FEW),
      note: `${n + i} `.padEnd(600, "abcdefghij"),
    }));
    await db.append("orders", rows);
  }
  await db.settled();
  // Texts of all rows are more than three times the limit.
  const { memory } = db.core.circuit;
  let most = 0;
  let isDone = false;
  const watch = (): void => {
    most = Math.max(most, memory.usedNow);
    if (!isDone) setImmediate(watch);
  };
  watch();
  await sql(db, statement);
  isDone = true;
  expect(most / LIMIT).toBeLessThan(1.1);
  expect(await rowsOf(db, "SELECT count(*) FROM orders")).toEqual([[String(left)]]);
});
