/** What a join keeps while it meets the rows of a key that are on disk, page by page, was counted nowhere: beside a memory limit it was as if it were not there. */
import { expect, test } from "vitest";
import { Circuit } from "../../src/dataflow/circuit.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { recomputed } from "../engine/support/anew.ts";
import { cooled, db, openWith } from "../engine/support/cold.ts";
import { rowsOf, sql } from "../engine/support/memory.ts";

const ROWS = 20_000;
const VIEW =
  "SELECT c.name, count(*) AS n FROM orders o JOIN customers c ON o.customer = c.id GROUP BY c.name";

test("what a join has of a key's many rows on disk is counted, and is gone when it has met them, but for a page", async () => {
  await openWith(new SimulatedDisk(), { warm: 0 });
  await sql(
    db,
    `CREATE TABLE other (k int4 PRIMARY KEY); CREATE TABLE orders (id int4 PRIMARY KEY, customer int4); CREATE TABLE customers (id int4 PRIMARY KEY, name text);
    CREATE MATERIALIZED VIEW v AS ${VIEW}`,
  );
  await db.append("customers", [{ id: 1, name: "a" }]);
  for (let from = 0; from < ROWS; from += 2_000)
    await db.append(
      "orders",
      Array.from({ length: 2_000 }, (_, i) => ({ id: from + i, customer: 1 })),
    );
  await db.settled();
  await cooled();
  const { circuit } = db.core;
  const run = Circuit.prototype.run.bind(circuit);
  let most = 0;
  circuit.run = (...given) => {
    const isDone = run(...given);
    most = Math.max(most, circuit.bytesElsewhere);
    return isDone;
  };
  const renamed = async (name: string): Promise<void> => {
    most = 0;
    await db.append("customers", [{ id: 1, name }]);
    await db.settled();
    const rows = await rowsOf(db, "SELECT name, n FROM v");
    expect(rows).toEqual([[name, String(ROWS)]]);
    expect(await recomputed(db, [VIEW])).toEqual([rows]);
  };
  expect(circuit.bytesElsewhere).toBe(0);
  await renamed("b");
  const page = circuit.bytesElsewhere;
  expect(page).toBeGreaterThan(0);
  await cooled();
  await renamed("c");
  // Where each of them lies takes four bytes.
  expect(most).toBeGreaterThan(page + ROWS * 4);
  expect(circuit.bytesElsewhere).toBe(page);
});
