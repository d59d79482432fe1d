/**
 * Before a join looked rows up, all rows on disk of the next 1,024 keys came back at once, however many each had: a commit of a thousand customers brought all of their orders,
 * 1.95 times the memory limit, and held the event loop for more than a second while it marked them as asked for, again for every thousand pairs.
 */
import { afterEach, expect, it } from "vitest";
import type { Database } from "../../src/engine/database.ts";
import type { Store } from "../../src/state/store.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, sql } from "../engine/support/memory.ts";
import { maintained, type TextRow } from "../engine/support/views.ts";

const LIMIT = 4 << 20;
const BATCH = 2_000;
const said: string[] = [];
let db: Database;

afterEach(async () => {
  await db.close().catch(() => {});
  expect(said.splice(0)).toEqual([]);
});

/** So many orders, of as many customers, most of them on disk; a customer is in region 0 or 1 by its id. */
async function filled(orders: number, customers: number): Promise<Store> {
  db = await openInMemory(new SimulatedDisk(), {
    memoryLimit: LIMIT,
    report: (message) => said.push(message),
  });
  await sql(
    db,
    `CREATE TABLE customers (id int4 PRIMARY KEY, region int4 NOT NULL);
     CREATE TABLE orders (id int4 PRIMARY KEY, customer int4 NOT NULL, amount int4 NOT NULL);
     CREATE MATERIALIZED VIEW sales AS
       SELECT c.region, count(*) AS n, sum(o.amount) AS s FROM orders o JOIN customers c ON c.id = o.customer GROUP BY c.region`,
  );
  await db.built();
  for (let n = 0; n < orders; n += BATCH) {
    const ids = Array.from({ length: BATCH }, (_, i) => n + i);
    await db.append(
      "orders",
      ids.map((id) => ({ id, customer: id % customers, amount: id })),
    );
    await db.settled();
  }
  const store = db.core.tables.store(db.core.catalog.entry("orders")!.id)!;
  expect(store.cold!.rows).toBeGreaterThan(orders / 4);
  return store;
}

it.each([
  { orders: 100_000, customers: 500 },
  { orders: 100_000, customers: 50_000 },
  { orders: 100_000, customers: 1 },
])(
  "meets $orders orders of $customers customers, some at a time",
  async ({ orders, customers }) => {
    const { cold } = await filled(orders, customers);
    const seen = { bytes: 0, brought: 0 };
    let isOver = false;
    const looked = (async () => {
      for (let before = cold!.brought; !isOver; await new Promise((resolve) => setImmediate(resolve))) {
        seen.bytes = Math.max(seen.bytes, db.core.circuit.bytes);
        seen.brought = Math.max(seen.brought, cold!.brought - before);
        before = cold!.brought;
      }
    })();
    // They come, and change.
    for (const change of [0, 1]) {
      for (let n = 0; n < customers; n += BATCH) {
        const ids = Array.from({ length: Math.min(BATCH, customers - n) }, (_, i) => n + i);
        await db.append(
          "customers",
          ids.map((id) => ({ id, region: (id + change) % 2 })),
        );
      }
      await db.settled();
      expect(db.viewFailure("sales")).toBeNull();
      const sums = new Map<number, [n: number, s: number]>();
      for (let id = 0; id < orders; id++) {
        const region = ((id % customers) + change) % 2;
        const [n, s] = sums.get(region) ?? [0, 0];
        sums.set(region, [n + 1, s + id]);
      }
      const wanted = [...sums].map(([region, [n, s]]) => `${region},${n},${s}`).sort();
      expect(((await maintained(db, "sales")) as TextRow[]).map(String).sort()).toEqual(wanted);
    }
    isOver = true;
    await looked;
    expect(seen.bytes).toBeLessThan(LIMIT);
    expect(seen.brought).toBeLessThanOrEqual(2_048);
  },
  120_000,
);
