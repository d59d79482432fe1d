/**
 * While little of the memory limit was taken, a step took all rows that waited, up to 65,536. They cannot go to disk before the step is published: with a
 * limit of 4 MiB the state came to 1.04 of it, and tables were refused room until it had gone down.
 */
import { expect, it } from "vitest";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, rowsOf, sql } from "../engine/support/memory.ts";

const LIMIT = 4 << 20;
/** About as many as may wait. */
const [COMMITS, ROWS] = [35, 2_000];

it("takes no more rows at once than there is room for", async () => {
  const db = await openInMemory(new SimulatedDisk(), { memoryLimit: LIMIT });
  await sql(db, "CREATE TABLE orders (id int4 PRIMARY KEY, customer int4 NOT NULL, amount int8 NOT NULL)");
  await sql(
    db,
    "CREATE MATERIALIZED VIEW paid AS SELECT customer, sum(amount) AS s FROM orders GROUP BY customer",
  );
  await db.built();
  let most = 0;
  let isOver = false;
  const looked = (async () => {
    for (; !isOver; await new Promise((resolve) => setImmediate(resolve)))
      most = Math.max(most, db.core.circuit.bytes);
  })();
  // Commits that are durable wait, each by itself, behind what is done between two steps.
  let goOn = (): void => {};
  const between = db.core.stepper.atBoundary(() => new Promise<void>((resolve) => (goOn = resolve)));
  for (let n = 0; n < COMMITS; n++)
    await db.append(
      "orders",
      Array.from({ length: ROWS }, (_, i) => ({ id: n * ROWS + i, customer: i, amount: 1n })),
    );
  goOn();
  await between;
  await db.settled();
  isOver = true;
  await looked;
  expect(most).toBeLessThan(LIMIT);
  expect(await rowsOf(db, "SELECT count(*), sum(s) FROM paid")).toEqual([
    [String(ROWS), String(COMMITS * ROWS)],
  ]);
  await db.close();
});
