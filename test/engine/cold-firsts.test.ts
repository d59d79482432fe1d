/**
 * The first rows of all of a table in an order, and the least and the greatest value of all of it, where its rows go to disk as soon as they may (`warm: 0`), against what the
 * same queries give computed anew: wherever the next best row is when the best ones go, and across stops of every kind.
 */
import { describe, expect, it, vi } from "vitest";
import { Circuit } from "../../src/dataflow/circuit.ts";
import { ColdRows } from "../../src/state/cold/cold-rows.ts";
import type { Store } from "../../src/state/store.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { cooled, db, open, openWith, startAgain } from "./support/cold.ts";
import { allHold } from "./support/holds.ts";
import { sql } from "./support/memory.ts";

interface Offer {
  readonly n: number;
  readonly item: number | null;
  readonly bidder: string;
  readonly price: string | null;
  readonly a: number | null;
}

const TABLES = `
  CREATE TABLE offers (n int4 PRIMARY KEY, item int4, bidder text NOT NULL, price numeric, a int4);
  CREATE TABLE other (k int4 PRIMARY KEY)`;

const VIEWS: Readonly<Record<string, string>> = {
  best: "SELECT n, bidder, a FROM offers ORDER BY a DESC NULLS LAST, n LIMIT 10",
  // Equal prices print differently, and the order leaves open which of them comes first.
  cheapest: "SELECT * FROM offers ORDER BY price LIMIT 5 OFFSET 3",
  named: "SELECT bidder, n, item FROM offers ORDER BY bidder DESC, item NULLS FIRST, n DESC LIMIT 20",
  tied: "SELECT n, item FROM offers WHERE item IS NOT NULL ORDER BY item FETCH FIRST 3 ROWS WITH TIES",
  chosen: "SELECT n, price FROM offers WHERE n % 3 = 0 ORDER BY price DESC NULLS LAST, n LIMIT 7",
  sums: "SELECT bidder, item, sum(a) AS s FROM offers GROUP BY bidder, item ORDER BY sum(a) DESC NULLS LAST, bidder, item LIMIT 6",
  ends: "SELECT max(a) AS hi, min(a) AS lo, max(price) AS dear, min(bidder) AS name, count(*) AS n FROM offers",
  numbered: "SELECT n, r FROM (SELECT n, row_number() OVER (ORDER BY a, n) AS r FROM offers) x WHERE r <= 4",
  named_values: "SELECT a, bidder FROM offers ORDER BY a, bidder LIMIT 12",
};

function tableStore(name: string): Store {
  return db.core.tables.store(db.core.catalog.entry(name)!.id)!;
}

const PRICES = ["1", "1.0", "2.50", "2.5", "3", "4.75", "123456789012345678901.5", null];

describe("the first rows of a table", () => {
  it.each(Array.from({ length: 10 }, (_, i) => i + 1))(
    "are what they should be, wherever the rows are (seed %i)",
    async (seed) => {
      const random = new SeededRandom(seed);
      const numbers = [400, 1_500, 4_000][seed % 3]!;
      let disk = new SimulatedDisk({ seed });
      await open(disk);
      await sql(db, TABLES);
      // Some are there before the rows, others are made over rows that are on disk.
      const shown = Object.keys(VIEWS).filter(() => random.oneIn(2));
      const make = async (name: string): Promise<void> => {
        await sql(db, `CREATE MATERIALIZED VIEW ${name} AS ${VIEWS[name]!}`);
        await db.built();
      };
      for (const name of shown) await make(name);
      const offers = new Map<number, Offer>();
      const drop = async (gone: readonly number[]): Promise<void> => {
        if (gone.length === 0) return;
        await db.transact([{ topic: "offers", delete: [...gone] }]);
        for (const n of gone) offers.delete(n);
      };
      const offer = (n: number): Offer => ({
        n,
        item: random.oneIn(15) ? null : random.below(40),
        bidder: `bidder ${random.below(numbers / 4)}`,
        price: random.oneIn(4) ? PRICES[random.below(PRICES.length)]! : `${random.below(numbers * 2)}.25`,
        a: random.oneIn(20) ? null : random.below(numbers * 3) - numbers,
      });
      let mostCold = 0;
      const holds = (): Promise<void> =>
        allHold(db, Object.fromEntries(shown.map((name) => [name, VIEWS[name]!])));
      for (let round = 0; round < 14; round++) {
        for (let i = 0; i < 5; i++) {
          const by = [
            (x: Offer, y: Offer) => Number(y.a ?? 0) - Number(x.a ?? 0),
            (x: Offer, y: Offer) => Number(x.a ?? 0) - Number(y.a ?? 0),
            (x: Offer, y: Offer) => Number(x.price ?? 0) - Number(y.price ?? 0),
            (x: Offer, y: Offer) => (x.bidder < y.bidder ? 1 : -1),
          ][random.below(4)]!;
          switch (random.below(7)) {
            case 0: {
              // The best ones, sometimes more than there are behind them up to any edge.
              const gone = [...offers.values()]
                .sort(by)
                .slice(0, 1 + random.below(random.oneIn(3) ? numbers / 3 : 20));
              await drop(gone.map(({ n }) => n));
              break;
            }
            case 1:
              await drop([...offers.keys()].filter(() => random.oneIn(10)));
              break;
            case 2: {
              // From the first places to the last ones, and the other way.
              const moved = [...offers.values()]
                .sort(by)
                .slice(0, 30)
                .map(({ n }) => offer(n));
              if (moved.length === 0) break;
              await db.append("offers", moved);
              for (const one of moved) offers.set(one.n, one);
              break;
            }
            case 4: {
              // All of them before all others.
              const most = Math.max(0, ...[...offers.values()].map((one) => one.a ?? 0));
              const some = Array.from({ length: 1 + random.below(numbers / 2) }, (_, n) => ({
                ...offer(random.below(numbers)),
                a: most + n,
                bidder: `z ${most + n}`,
              }));
              await db.append("offers", some);
              for (const one of some) offers.set(one.n, one);
              break;
            }
            case 3:
              if (random.oneIn(6)) await drop([...offers.keys()]);
              break;
            default: {
              const some = Array.from({ length: 1 + random.below(numbers / 4) }, () =>
                offer(random.below(numbers)),
              );
              await db.append("offers", some);
              for (const one of some) offers.set(one.n, one);
            }
          }
          if (random.oneIn(3)) await db.settled();
        }
        await db.settled();
        if (random.oneIn(2)) await cooled();
        mostCold = Math.max(mostCold, tableStore("offers").cold!.rows);
        await holds();
        if (round === 6) {
          for (const name of Object.keys(VIEWS)) {
            if (shown.includes(name)) continue;
            await make(name);
            shown.push(name);
          }
        }
        if (round > 6 && random.oneIn(4)) {
          const name = random.oneIn(2) ? "best" : "ends";
          await sql(db, `DROP MATERIALIZED VIEW ${name}`);
          await make(name);
        }
        if (random.oneIn(4)) await db.checkpoint();
        if (random.oneIn(5)) {
          disk = await startAgain(disk, random);
          await holds();
        }
      }
      expect(mostCold).toBeGreaterThan(20);
    },
    120_000,
  );

  it.each([
    ["a few", "ORDER BY price DESC, n LIMIT 10", 10],
    ["a thousand", "ORDER BY price DESC, n LIMIT 1000", 1_000],
  ])(
    "stay within the limit where the table is several times as much, and leave other tables their room: %s",
    async (_, order, end) => {
      const limit = 4 << 20;
      const best = `SELECT n, bidder, price FROM offers ${order}`;
      const views = { best, ends: "SELECT min(a) AS lo, max(a) AS hi FROM offers" };
      const disk = new SimulatedDisk();
      await openWith(disk, { memoryLimit: limit });
      await sql(db, TABLES);
      for (const [name, query] of Object.entries(views))
        await sql(db, `CREATE MATERIALIZED VIEW ${name} AS ${query}`);
      await db.built();
      const most = watched();
      const random = new SeededRandom(1);
      const [ROWS, BATCH] = [60_000, 1_000];
      const offers = new Map<number, number>();
      const feed = async (some: readonly number[]): Promise<void> => {
        const rows = some.map((n) => {
          const price = random.below(1_000_000);
          offers.set(n, price);
          return { n, item: 1, bidder: `bidder ${n}`, price: `${price}.5`, a: random.below(1_000_000) };
        });
        await db.append("offers", rows);
        await db.append("other", [{ k: some[0]! }]);
        await db.settled();
      };
      for (let n = 0; n < ROWS; n += BATCH) await feed(Array.from({ length: BATCH }, (_, i) => n + i));
      const store = tableStore("offers");
      expect(store.cold!.rows).toBeGreaterThan(ROWS / 2);
      // The best ones go, more than there are up to the edge, and what was behind them, on disk most of it, takes their place.
      const { brought } = store.cold!;
      for (let round = 0; round < 12; round++) {
        const gone = [...offers].sort((x, y) => y[1] - x[1]).slice(0, end + 500);
        await db.transact([{ topic: "offers", delete: gone.map(([n]) => n) }]);
        for (const [n] of gone) offers.delete(n);
        await feed(Array.from({ length: 50 }, () => random.below(ROWS)));
      }
      expect(store.cold!.brought).toBeGreaterThan(brought + 2_000);
      for (const name of Object.keys(views)) expect(db.viewFailure(name)).toBeNull();
      expect(most.bytes / limit).toBeLessThan(1.1);
      expect(store.cold!.rows).toBeGreaterThan(ROWS / 3);
      await allHold(db, views);
    },
    120_000,
  );

  it("are asked for on disk once after a start, and no more while changes are behind the edge or before it", async () => {
    const disk = new SimulatedDisk();
    await open(disk);
    const view = "SELECT n, a FROM offers ORDER BY a DESC, n LIMIT 5";
    await sql(db, `${TABLES}; CREATE MATERIALIZED VIEW best AS ${view}`);
    await db.built();
    const ROWS = 6_000;
    const offer = (n: number, a = n) => ({ n, item: 1, bidder: `b ${n}`, price: null, a });
    for (let n = 0; n < ROWS; n += 1_000) {
      await db.append(
        "offers",
        Array.from({ length: 1_000 }, (_, i) => offer(n + i)),
      );
      await db.settled();
    }
    await cooled();
    const cold = () => tableStore("offers").cold!;
    expect(cold().rows).toBeGreaterThan(ROWS / 2);
    const changes = async (): Promise<void> => {
      for (let i = 0; i < 40; i++) {
        // A new row behind the edge; a new one before it; the best one goes.
        await db.append("offers", [offer(10_000 + i, -i)]);
        await db.append("offers", [offer(20_000 + i, 50_000 + i)]);
        await sql(db, `DELETE FROM offers WHERE n = ${20_000 + i}`);
        await db.settled();
      }
    };
    let passes = vi.spyOn(ColdRows.prototype, "scan");
    await changes();
    expect([passes.mock.calls.length, cold().brought]).toEqual([0, 0]);
    passes.mockRestore();
    await db.checkpoint();
    const again = disk.reboot("process");
    await db.close();
    await open(again);
    expect(cold().rows).toBeGreaterThan(ROWS / 2);
    passes = vi.spyOn(ColdRows.prototype, "scan");
    await changes();
    expect(passes.mock.calls.length).toBe(1);
    // Not all that was read has come back.
    expect(cold().brought).toBeLessThan(ROWS / 3);
    passes.mockRestore();
    await allHold(db, { best: view });
  });

  it("stop their view by name where rows cannot be read, and the table goes on", async () => {
    let disk = new SimulatedDisk();
    await openWith(disk, { warm: 0, report: () => {} });
    await sql(db, `${TABLES}; CREATE MATERIALIZED VIEW best AS ${VIEWS["best"]}`);
    const offer = (n: number) => ({ n, item: 1, bidder: "b", price: `${n}`, a: n });
    for (let n = 0; n < 900; n += 300) {
      await db.append(
        "offers",
        Array.from({ length: 300 }, (_, i) => offer(n + i)),
      );
      await cooled();
    }
    expect(tableStore("offers").cold!.rows).toBeGreaterThan(300);
    await db.checkpoint();
    disk = disk.reboot("process");
    await db.close();
    await openWith(disk, { warm: 0, report: () => {} });
    disk.fail({ operation: "read", path: /run-/, code: "EIO", times: Number.POSITIVE_INFINITY });
    // The table does not look into its files for a row that is new; the view knows no edge yet.
    await db.append("offers", [offer(1_000)]);
    await db.settled();
    expect(db.viewFailure("best")).toMatchObject({ code: "io_error" });
    disk.heal();
    await db.append("offers", [offer(2_000)]);
    await db.settled();
    expect((await db.sql("SELECT count(*) FROM offers")).results[0]!.rowsText()).toEqual([["902"]]);
    const again = disk.reboot("process");
    await db.close().catch(() => {});
    await open(again);
    await allHold(db, { best: VIEWS["best"]! });
  });
});

/** The most bytes that state takes from now on, measured whenever a step's work pauses. */
function watched(): { bytes: number } {
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
