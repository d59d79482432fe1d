/**
 * Rankings that keep thousands of rows of each partition, over a table that is several times the memory limit: what they need of a partition comes back from
 * disk together. The state is measured whenever a step's work pauses.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, it } from "vitest";
import { Circuit } from "../../src/dataflow/circuit.ts";
import type { Store } from "../../src/state/store.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { recomputed } from "./support/anew.ts";
import { db, openWith } from "./support/cold.ts";
import { sql } from "./support/memory.ts";
import { maintained, type TextRow } from "./support/views.ts";

function viewOf(end: number): string {
  return `SELECT item, sum(price) AS s, count(*) AS n FROM (SELECT item, price FROM (SELECT *, row_number() OVER (PARTITION BY item ORDER BY price DESC, n) AS r FROM offers) b WHERE r <= ${end}) x GROUP BY item`;
}

interface Most {
  bytes: number;
}

/** Table `offers` and its ranking `best`, in a database with this limit, and the most bytes that state takes from then on. */
async function opened(limit: number, end: number): Promise<Most> {
  await openWith(new SimulatedDisk(), { memoryLimit: limit });
  await sql(
    db,
    `CREATE TABLE offers (n int4 PRIMARY KEY, item int4, bidder text NOT NULL, price int4 NOT NULL);
     CREATE MATERIALIZED VIEW best AS ${viewOf(end)}`,
  );
  const { circuit } = db.core;
  const most = { bytes: 0 };
  const run = Circuit.prototype.run.bind(circuit);
  circuit.run = (...given) => {
    const isDone = run(...given);
    most.bytes = Math.max(most.bytes, circuit.memory.usedNow);
    return isDone;
  };
  return most;
}

/** Sends them until they are taken, as who is told that it may do so. How often that is tells only how slow the machine is; where they never are, the test runs out of time. */
async function given(some: readonly Record<string, unknown>[]): Promise<void> {
  for (;;) {
    try {
      await db.append("offers", some);
      return;
    } catch (error) {
      expect(error).toMatchObject({ code: "out_of_memory" });
      await nextTurn();
    }
  }
}

async function filled(rows: number, items: number, batch: number): Promise<void> {
  const random = new SeededRandom(1);
  for (let from = 0; from < rows; from += batch) {
    const some = Array.from({ length: batch }, (_, i) => ({
      n: from + i,
      item: random.below(items),
      bidder: `bidder ${random.below(6)}`,
      price: random.below(1_000_000),
    }));
    await given(some);
  }
  await db.settled();
}

function offers(): Store {
  return db.core.tables.store(db.core.catalog.entry("offers")!.id)!;
}

it("stay within the limit, and are what they should be", async () => {
  const [limit, items, end] = [4 << 20, 10, 4_000];
  const most = await opened(limit, end);
  await filled(60_000, items, 4_000);
  expect(offers().cold!.rows).toBeGreaterThan(3_000);
  // One of each item goes to the top, and from there to the end, where the others move up.
  for (const price of [2_000_000, -1, 2_000_000, -1]) {
    await db.append(
      "offers",
      Array.from({ length: items }, (_, item) => ({ n: item, item, bidder: "b", price })),
    );
    await db.settled();
  }
  expect(db.viewFailure("best")).toBeNull();
  expect(most.bytes / limit).toBeLessThan(1.1);
  // So many slots it keeps free, whatever the moment is at which rows come back.
  expect(offers().cold!.rowsAtOnce).toBeGreaterThan(end / 4);
  const texts = (all: readonly TextRow[]): string[] => all.map((row) => row.join()).sort();
  const [wanted] = await recomputed(db, [viewOf(end)]);
  expect(texts((await maintained(db, "best")) as TextRow[])).toEqual(texts(wanted as TextRow[]));
}, 120_000);

it("stop by name where one partition has more than there is room for, and the table goes on", async () => {
  const limit = 1 << 20;
  const most = await opened(limit, 16_000);
  await filled(24_000, 1, 1_000);
  expect(db.viewFailure("best")).toMatchObject({ code: "view_limit" });
  expect(most.bytes / limit).toBeLessThan(1.1);
  expect(offers().live).toBe(24_000);
}, 120_000);
