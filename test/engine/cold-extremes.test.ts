/**
 * The least and the greatest value of each group of a table, whose rows go to disk as soon as they may (`warm: 0`), against what the rows say, computed anew
 * after every round: wherever the next best row is when the best one goes, and across stops of every kind.
 */
import { describe, expect, it } from "vitest";
import type { Store } from "../../src/state/store.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { cooled, db, open, openWith, startAgain } from "./support/cold.ts";
import { allHold } from "./support/holds.ts";
import { sql } from "./support/memory.ts";
import { difference, maintained, type TextRow } from "./support/views.ts";

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

function tableStore(name: string): Store {
  return db.core.tables.store(db.core.catalog.entry(name)!.id)!;
}

/** Cold rows of the operators whose identity begins so. */
function coldOf(identity: string): number {
  const stores = db.core.circuit.stores().filter(({ id }) => id.startsWith(identity));
  return stores.reduce((sum, { store }) => sum + (store.cold?.rows ?? 0), 0);
}

// ---- what the rows say ----------------------------------------------------------------------------------------------

function grouped(rows: Iterable<Offer>, of: (row: Offer) => TextRow): [TextRow, Offer[]][] {
  const groups = new Map<string, [TextRow, Offer[]]>();
  for (const row of rows) {
    const key = of(row);
    const known = groups.get(key.join());
    if (known === undefined) groups.set(key.join(), [key, [row]]);
    else known[1].push(row);
  }
  return [...groups.values()];
}

const text = (value: number | string | null): string | null => (value === null ? null : String(value));
const byItem = ({ item }: Offer): TextRow => [text(item)];

/** The first of those that are not null. */
function first<T>(values: readonly (T | null)[], compare: (a: T, b: T) => number): T | null {
  const there = values.filter((value) => value !== null);
  return there.length === 0 ? null : there.reduce((a, b) => (compare(b, a) < 0 ? b : a));
}

const inOrder = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
const least = (values: readonly (number | null)[]): string | null => text(first(values, (a, b) => a - b));
const most = (values: readonly (number | null)[]): string | null => text(first(values, (a, b) => b - a));
/** Of equal ones, which may print differently, that of the row whose number is least. */
function priceOf(rows: readonly Offer[], sign: 1 | -1): string | null {
  const priced = rows.filter(({ price }) => price !== null);
  return first(priced, (a, b) => sign * (Number(a.price) - Number(b.price)) || a.n - b.n)?.price ?? null;
}
const cheapest = (rows: readonly Offer[]): string | null => priceOf(rows, 1);
const dearest = (rows: readonly Offer[]): string | null => priceOf(rows, -1);
const amounts = (rows: readonly Offer[]): (number | null)[] => rows.map(({ a }) => a);
const sumOf = (rows: readonly Offer[]): number | null =>
  amounts(rows).reduce((sum, a) => (a === null ? sum : (sum ?? 0) + a), null);

interface View {
  readonly sql: string;
  of(rows: readonly Offer[]): TextRow[] | { sqlstate: string };
}

const VIEWS: Readonly<Record<string, View>> = {
  ends: {
    sql: "SELECT item, min(price) AS lo, max(price) AS hi FROM offers GROUP BY item",
    of: (rows) => grouped(rows, byItem).map(([key, of]) => [...key, cheapest(of), dearest(of)]),
  },
  texts: {
    sql: "SELECT item, max(bidder) AS z, count(*) AS n, min(bidder) AS a FROM offers GROUP BY item",
    of: (rows) =>
      grouped(rows, byItem).map(([key, of]) => {
        const names = of.map(({ bidder }) => bidder).sort(inOrder);
        return [...key, names[names.length - 1]!, String(of.length), names[0]!];
      }),
  },
  filtered: {
    sql: `SELECT item, max(a) FILTER (WHERE n % 3 = 0) AS hi, min(DISTINCT a) AS lo, count(DISTINCT a) AS d, max(item) AS same
      FROM offers GROUP BY item`,
    of: (rows) =>
      grouped(rows, byItem).map(([key, of]) => [
        ...key,
        most(amounts(of.filter(({ n }) => n % 3 === 0))),
        least(amounts(of)),
        String(new Set(amounts(of).filter((a) => a !== null)).size),
        ...key,
      ]),
  },
  of_both: {
    sql: "SELECT item, bidder, max(a) AS hi, sum(a) AS s FROM offers GROUP BY item, bidder",
    of: (rows) =>
      grouped(rows, ({ item, bidder }) => [text(item), bidder]).map(([key, of]) => [
        ...key,
        most(amounts(of)),
        text(sumOf(of)),
      ]),
  },
  failing: {
    sql: "SELECT item, max(100 / a) AS q, min(a) AS lo FROM offers GROUP BY item",
    of: (rows) => {
      if (rows.some(({ a }) => a === 0)) return { sqlstate: "22012" };
      const shares = (of: readonly Offer[]) =>
        amounts(of).map((a) => (a === null ? null : Math.trunc(100 / a)));
      return grouped(rows, byItem).map(([key, of]) => [...key, most(shares(of)), least(amounts(of))]);
    },
  },
  of_sums: {
    sql: "SELECT item, max(s) AS hi, min(s) AS lo FROM (SELECT item, bidder, sum(a) AS s FROM offers GROUP BY item, bidder) x GROUP BY item",
    of: (rows) =>
      grouped(rows, byItem).map(([key, of]) => {
        const sums = grouped(of, ({ bidder }) => [bidder]).map(([, some]) => sumOf(some));
        return [...key, most(sums), least(sums)];
      }),
  },
};

async function expectAll(
  names: Iterable<string>,
  rows: ReadonlyMap<number, Offer>,
  at: number,
): Promise<void> {
  for (const name of names) {
    const held = await maintained(db, name);
    const wanted = VIEWS[name]!.of([...rows.values()]);
    if ("sqlstate" in wanted) expect([at, name, held]).toEqual([at, name, wanted]);
    else expect([at, name, difference(held as TextRow[], wanted)]).toEqual([at, name, null]);
  }
}

/** Equal prices that print differently, and one that is no double. */
const PRICES = ["1", "1.0", "2.50", "2.5", "3", "4.75", "123456789012345678901.5", null];

/** Rows that are an end of some group: they go most. */
function endsOf(rows: ReadonlyMap<number, Offer>, random: SeededRandom): number[] {
  return grouped(rows.values(), byItem).flatMap(([, of]) => {
    const ends = [cheapest(of), dearest(of)];
    const [lo, hi] = [least(amounts(of)), most(amounts(of))];
    return of
      .filter(({ price, a }) => ends.includes(price) || text(a) === lo || text(a) === hi)
      .filter(() => random.oneIn(2))
      .map(({ n }) => n);
  });
}

describe("the ends of groups of a table", () => {
  it.each(
    [1, 2, 3, 4, 5, 6, 7, 8].flatMap((seed): [string, number, number, number][] => [
      ["some rows", seed, 12, 150],
      ["hundreds of rows", seed, 2, 900],
    ]),
  )(
    "are what they should be, wherever the rows are: %s in each (seed %i)",
    async (_, seed, items, numbers) => {
      const random = new SeededRandom(seed);
      let disk = new SimulatedDisk({ seed });
      await open(disk);
      await sql(db, TABLES);
      // Some are there before the rows, others are made over rows that are on disk.
      const shown = Object.keys(VIEWS).filter(() => random.oneIn(2));
      const make = async (name: string): Promise<void> => {
        await sql(db, `CREATE MATERIALIZED VIEW ${name} AS ${VIEWS[name]!.sql}`);
        await db.built();
      };
      for (const name of shown) await make(name);
      const offers = new Map<number, Offer>();
      const drop = async (numbers: readonly number[]): Promise<void> => {
        if (numbers.length === 0) return;
        await sql(db, `DELETE FROM offers WHERE n IN (${numbers.join()})`);
        for (const n of numbers) offers.delete(n);
      };
      const sawCold = { rows: 0, filtered: 0, groups: 0 };
      for (let round = 0; round < 24; round++) {
        for (let i = 0; i < 4; i++) {
          const some = Array.from({ length: 1 + random.below(numbers / 15) }, () => ({
            // null and 0 have one hash.
            item: random.oneIn(15) ? null : random.below(items),
            bidder: `bidder ${random.below(6)}`,
            price: PRICES[random.below(PRICES.length)]!,
            a: random.oneIn(10) ? null : (1 + random.below(numbers)) * (random.oneIn(4) ? -1 : 1),
            n: random.below(numbers),
          }));
          switch (random.below(5)) {
            case 0:
              await drop(some.map(({ n }) => n));
              break;
            case 1:
              await drop(endsOf(offers, random));
              break;
            case 2: {
              // All of a group.
              const item = random.below(12);
              if (items < 12 && !random.oneIn(4)) break;
              await drop([...offers.values()].filter((row) => row.item === item).map(({ n }) => n));
              break;
            }
            default:
              await db.append("offers", some);
              for (const offer of some) offers.set(offer.n, offer);
          }
        }
        if (random.oneIn(6)) {
          const failing = { n: random.below(numbers), item: 1, bidder: "b", price: null, a: 0 };
          await db.append("offers", [failing]);
          offers.set(failing.n, failing);
        } else await drop([...offers.values()].filter(({ a }) => a === 0).map(({ n }) => n));
        await db.settled();
        if (random.oneIn(2)) await cooled();
        sawCold.rows = Math.max(sawCold.rows, tableStore("offers").cold!.rows);
        sawCold.filtered = Math.max(sawCold.filtered, coldOf("keyed "));
        sawCold.groups = Math.max(sawCold.groups, coldOf("group of "));
        await expectAll(shown, offers, round);
        if (round === 10) {
          for (const name of Object.keys(VIEWS)) {
            if (shown.includes(name)) continue;
            await make(name);
            shown.push(name);
          }
        }
        if (random.oneIn(5) && round > 10) {
          const name = random.oneIn(2) ? "ends" : "filtered";
          await sql(db, `DROP MATERIALIZED VIEW ${name}`);
          await make(name);
        }
        if (random.oneIn(4)) await db.checkpoint();
        if (random.oneIn(6)) {
          disk = await startAgain(disk, random);
          await expectAll(shown, offers, round);
        }
      }
      await drop([...offers.values()].filter(({ a }) => a === 0).map(({ n }) => n));
      await allHold(db, Object.fromEntries(Object.entries(VIEWS).map(([name, view]) => [name, view.sql])));
      expect(sawCold.rows).toBeGreaterThan(20);
      expect(sawCold.filtered).toBeGreaterThan(10);
      expect(sawCold.groups).toBeGreaterThan(items - 1);
    },
    120_000,
  );

  it.each([1, 2])(
    "are found on disk where a group has thousands of rows (seed %i)",
    async (seed) => {
      const random = new SeededRandom(seed);
      let disk = new SimulatedDisk({ seed });
      await open(disk);
      await sql(db, TABLES);
      const names = ["ends", "filtered", "failing"];
      for (const name of names) await sql(db, `CREATE MATERIALIZED VIEW ${name} AS ${VIEWS[name]!.sql}`);
      await db.built();
      const offers = new Map<number, Offer>();
      const feed = async (some: readonly Offer[]): Promise<void> => {
        await db.append("offers", some);
        for (const offer of some) offers.set(offer.n, offer);
        await db.settled();
      };
      const [ROWS, ITEMS] = [6_000, 2];
      const offer = (n: number): Offer => ({
        n,
        item: n % ITEMS,
        bidder: `bidder ${random.below(4)}`,
        price: random.oneIn(50) ? null : `${random.below(3_000)}${random.oneIn(2) ? ".50" : ".5"}`,
        a: random.oneIn(50) ? null : 1 + random.below(3_000),
      });
      for (let n = 0; n < ROWS; n += 1_000) await feed(Array.from({ length: 1_000 }, (_, i) => offer(n + i)));
      await cooled();
      expect(tableStore("offers").cold!.rows).toBe(ROWS);
      for (let round = 0; round < 8; round++) {
        const gone = endsOf(offers, random);
        await sql(db, `DELETE FROM offers WHERE n IN (${[-1, ...gone].join()})`);
        for (const n of gone) offers.delete(n);
        await feed(Array.from({ length: 1 + random.below(4) }, () => offer(random.below(ROWS))));
        await expectAll(names, offers, round);
        if (random.oneIn(4)) await cooled();
        if (round === 3) await db.checkpoint();
        if (round === 5) disk = await startAgain(disk, random);
      }
      await allHold(db, Object.fromEntries(names.map((name) => [name, VIEWS[name]!.sql])));
    },
    120_000,
  );

  it.each([
    ["many groups", 20_000],
    ["few groups", 3],
  ])(
    "stay within the limit where the table is several times as much, and leave other tables their room: %s",
    async (_, items) => {
      const limit = 4 << 20;
      await openWith(new SimulatedDisk(), { memoryLimit: limit });
      await sql(db, `${TABLES}; CREATE MATERIALIZED VIEW ends AS ${VIEWS.ends!.sql}`);
      await db.built();
      const random = new SeededRandom(1);
      const [ROWS, BATCH] = [60_000, 1_000];
      const offers = new Map<number, Offer>();
      let most = 0;
      const feed = async (some: readonly Offer[]): Promise<void> => {
        await db.append("offers", some);
        for (const offer of some) offers.set(offer.n, offer);
        await db.append("other", [{ k: some[0]!.n }]);
        await db.settled();
        most = Math.max(most, db.core.circuit.memory.used);
      };
      const offer = (n: number): Offer => ({
        n,
        item: random.below(items),
        bidder: `bidder ${random.below(6)}`,
        price: `${random.below(100_000)}.5`,
        a: n,
      });
      for (let n = 0; n < ROWS; n += BATCH) await feed(Array.from({ length: BATCH }, (_, i) => offer(n + i)));
      const store = tableStore("offers");
      expect(store.cold!.rows).toBeGreaterThan(ROWS / 2);
      // The ends go, and what was behind them, on disk most of it, takes their place.
      for (let round = 0; round < 20; round++) {
        const gone = grouped(offers.values(), byItem).flatMap(([, of]) => {
          if (items > 100 && !random.oneIn(200)) return [];
          const ends = [cheapest(of), dearest(of)];
          return of.filter(({ price }) => ends.includes(price)).map(({ n }) => n);
        });
        await db.transact([{ topic: "offers", delete: gone }]);
        for (const n of gone) offers.delete(n);
        await feed(Array.from({ length: 50 }, () => offer(random.below(ROWS))));
      }
      expect(db.viewFailure("ends")).toBeNull();
      expect(most).toBeLessThan(limit * 1.1);
      expect(store.cold!.rows).toBeGreaterThan(ROWS / 2);
      await expectAll(["ends"], offers, ROWS);
    },
    120_000,
  );

  it("are found without bringing back a group of thousands", async () => {
    await open(new SimulatedDisk());
    await sql(
      db,
      `${TABLES}; CREATE MATERIALIZED VIEW best AS SELECT item, max(a) AS hi FROM offers GROUP BY item`,
    );
    await db.built();
    const random = new SeededRandom(1);
    const ROWS = 12_000;
    const offers = Array.from({ length: ROWS }, (_, n) => {
      return { n, item: 1, bidder: "b", price: null, a: random.below(1_000_000) };
    });
    for (let n = 0; n < ROWS; n += 2_000) await db.append("offers", offers.slice(n, n + 2_000));
    await cooled();
    const { cold } = tableStore("offers");
    expect(cold!.rows).toBe(ROWS);
    offers.sort((x, y) => y.a - x.a);
    for (let round = 0; round < 4; round++) {
      const before = cold!.brought;
      await sql(db, `DELETE FROM offers WHERE n = ${offers.shift()!.n}`);
      await db.settled();
      expect(await maintained(db, "best")).toEqual([["1", String(offers[0]!.a)]]);
      expect(cold!.brought - before).toBeLessThan(ROWS / 6);
      await cooled();
    }
  });

  it("stop their view by name where rows cannot be read, and the table goes on", async () => {
    const disk = new SimulatedDisk();
    await openWith(disk, { warm: 0, report: () => {} });
    await sql(db, `${TABLES}; CREATE MATERIALIZED VIEW ends AS ${VIEWS.ends!.sql}`);
    const offer = (n: number) => ({ n, item: n % 30, bidder: "b", price: `${n}`, a: n });
    await db.append(
      "offers",
      Array.from({ length: 300 }, (_, n) => offer(n)),
    );
    await cooled();
    expect(tableStore("offers").cold!.rows).toBe(300);
    disk.fail({ operation: "read", path: /run-/, code: "EIO", times: Number.POSITIVE_INFINITY });
    // The table does not look into its files for a row that is new.
    await db.append("offers", [offer(1_000)]);
    await db.settled();
    expect(db.viewFailure("ends")).toMatchObject({ code: "io_error" });
    disk.heal();
    await db.append("offers", [offer(2_000)]);
    await db.settled();
    expect((await db.sql("SELECT count(*) FROM offers")).results[0]!.rowsText()).toEqual([["302"]]);
    const again = disk.reboot("process");
    await db.close().catch(() => {});
    await open(again);
    await allHold(db, { ends: VIEWS.ends!.sql });
  });
});
