/**
 * The first rows of each partition, of streams and of tables, whose rows go to disk as soon as they may (`warm: 0`), against what the rows say, sorted anew
 * after every round: wherever rows are, whichever change, and across stops of every kind.
 */
import { describe, expect, it } from "vitest";
import type { Store } from "../../src/state/store.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { cooled, damageRuns, db, open, openWith, said, startAgain } from "./support/cold.ts";
import { allHold } from "./support/holds.ts";
import { sql } from "./support/memory.ts";
import { difference, maintained, type TextRow } from "./support/views.ts";

/** Cold rows of the operators whose identity begins so. */
function coldOf(identity: string): number {
  const stores = db.core.circuit.stores().filter(({ id }) => id.startsWith(identity));
  return stores.reduce((sum, { store }) => sum + (store.cold?.rows ?? 0), 0);
}

interface Bid {
  readonly item: number | null;
  readonly bidder: string;
  readonly price: string;
  readonly n: number;
}

/** By name: the partition, the order, and how many. */
interface Top {
  readonly of: (bid: Bid) => string;
  readonly limit: number;
  readonly sql: string;
}

const STREAM_TOPS: Readonly<Record<string, Top>> = {
  best: {
    of: ({ item }) => String(item),
    limit: 3,
    sql: "SELECT item, bidder, price, n FROM (SELECT *, row_number() OVER (PARTITION BY item ORDER BY price DESC, n) AS r FROM bids) b WHERE r <= 3",
  },
  of_both: {
    of: ({ item, bidder }) => `${item} ${bidder}`,
    limit: 2,
    sql: "SELECT item, bidder, price, n FROM (SELECT *, row_number() OVER (PARTITION BY item, bidder ORDER BY price DESC, n) AS r FROM bids) b WHERE r <= 2",
  },
};

/** Highest first, and of equal ones the earliest. */
const before = (a: Bid, b: Bid): number => Number(b.price) - Number(a.price) || a.n - b.n;

const textOf = ({ item, bidder, price, n }: Bid): TextRow => [
  item === null ? null : String(item),
  bidder,
  price,
  String(n),
];

function topOf(bids: Iterable<Bid>, { of, limit }: Pick<Top, "of" | "limit">): TextRow[] {
  const parts = new Map<string, Bid[]>();
  for (const bid of bids) {
    const part = parts.get(of(bid));
    if (part === undefined) parts.set(of(bid), [bid]);
    else part.push(bid);
  }
  return [...parts.values()].flatMap((part) => part.sort(before).slice(0, limit).map(textOf));
}

/** Equal prices that print differently, and one that is no double. */
const PRICES = ["1", "1.0", "2.50", "2.5", "3", "4.75", "123456789012345678901.5"];

describe("the first rows of partitions of a stream", () => {
  it.each([1, 2, 3, 4, 5, 6])(
    "are what they should be, wherever they are (seed %i)",
    async (seed) => {
      const random = new SeededRandom(seed);
      let disk = new SimulatedDisk({ seed });
      await open(disk);
      await sql(
        db,
        `CREATE TABLE bids (item int4, bidder text NOT NULL, price numeric NOT NULL, n int4 NOT NULL) WITH (append_only);
         CREATE TABLE other (k int4 PRIMARY KEY)`,
      );
      for (const [name, top] of Object.entries(STREAM_TOPS))
        await sql(db, `CREATE MATERIALIZED VIEW ${name} AS ${top.sql}`);
      await db.built();
      const bids: Bid[] = [];
      let most = 0;
      for (let round = 0; round < 24; round++) {
        for (let i = 0; i < 3; i++) {
          const some = Array.from({ length: 1 + random.below(12) }, () => ({
            // null and 0 have one hash.
            item: random.oneIn(15) ? null : random.below(30),
            bidder: `bidder ${random.below(6)}`,
            price: PRICES[random.below(PRICES.length)]!,
            n: 0,
          })).map((bid, at) => ({ ...bid, n: bids.length + at }));
          await db.append("bids", some);
          bids.push(...some);
        }
        await db.settled();
        if (random.oneIn(2)) await cooled();
        most = Math.max(most, coldOf("first "));
        for (const [name, top] of Object.entries(STREAM_TOPS)) {
          const held = await maintained(db, name);
          expect([name, difference(held as TextRow[], topOf(bids, top))]).toEqual([name, null]);
        }
        if (random.oneIn(4)) await db.checkpoint();
        if (random.oneIn(6)) disk = await startAgain(disk, random);
      }
      await allHold(
        db,
        Object.fromEntries(Object.entries(STREAM_TOPS).map(([name, top]) => [name, top.sql])),
      );
      expect(most).toBeGreaterThan(20);
    },
    120_000,
  );

  it("stay within the limit where they are several times as much, and are what they should be", async () => {
    const limit = 4 << 20;
    await openWith(new SimulatedDisk(), { memoryLimit: limit });
    await sql(
      db,
      `CREATE TABLE bids (item int4, bidder text NOT NULL, price numeric NOT NULL, n int4 NOT NULL) WITH (append_only);
       CREATE MATERIALIZED VIEW best AS ${STREAM_TOPS.best!.sql}`,
    );
    await db.built();
    const random = new SeededRandom(1);
    const [ITEMS, BATCH] = [40_000, 2_000];
    const bids: Bid[] = [];
    let most = 0;
    for (let n = 0; n < 200_000; n += BATCH) {
      const some = Array.from({ length: BATCH }, (_, i) => ({
        item: random.below(ITEMS),
        bidder: `bidder ${random.below(6)}`,
        price: `${random.below(1000)}.5`,
        n: n + i,
      }));
      await db.append("bids", some);
      bids.push(...some);
      most = Math.max(most, db.core.circuit.memory.used);
    }
    await db.settled();
    expect(db.viewFailure("best")).toBeNull();
    expect(most).toBeLessThan(limit * 1.1);
    const wanted = topOf(bids, STREAM_TOPS.best!);
    expect(coldOf("first ")).toBeGreaterThan(wanted.length / 4);
    const texts = (all: readonly TextRow[]): string[] => all.map((row) => row.join()).sort();
    expect(texts((await maintained(db, "best")) as TextRow[])).toEqual(texts(wanted));
  });
});

const TABLE_TOPS: Readonly<Record<string, Top>> = {
  best: {
    of: ({ item }) => String(item),
    limit: 3,
    sql: "SELECT item, bidder, price, n FROM (SELECT *, row_number() OVER (PARTITION BY item ORDER BY price DESC, n) AS r FROM offers) b WHERE r <= 3",
  },
  first: {
    of: ({ bidder }) => bidder,
    limit: 1,
    sql: "SELECT DISTINCT ON (bidder) item, bidder, price, n FROM offers ORDER BY bidder, price DESC, n",
  },
  of_both: {
    of: ({ item, bidder }) => `${item} ${bidder}`,
    limit: 2,
    sql: "SELECT item, bidder, price, n FROM (SELECT *, row_number() OVER (PARTITION BY item, bidder ORDER BY price DESC, n) AS r FROM offers) b WHERE r <= 2",
  },
};

/** Views that rank more than the rows of a table, and with what else a table may be read. */
const OTHERS: Readonly<Record<string, string>> = {
  second:
    "SELECT item, n FROM (SELECT *, row_number() OVER (PARTITION BY item ORDER BY price DESC, n) AS r FROM offers) b WHERE r > 1 AND r <= 4",
  ties: "SELECT item, n FROM (SELECT *, rank() OVER (PARTITION BY item ORDER BY price DESC) AS r FROM offers) b WHERE r <= 2",
  of_sums:
    "SELECT item, bidder, s FROM (SELECT *, row_number() OVER (PARTITION BY item ORDER BY s DESC, bidder) AS r FROM (SELECT item, bidder, sum(n) AS s FROM offers GROUP BY item, bidder) x) y WHERE r <= 2",
  of_some:
    "SELECT item, price FROM (SELECT item, price, row_number() OVER (PARTITION BY item ORDER BY price, bidder) AS r FROM (SELECT item, price, bidder FROM offers WHERE n % 3 <> 0) x) y WHERE r <= 2",
  met: "SELECT o.n, p.n AS p FROM offers o JOIN offers p ON o.item = p.item WHERE o.n < p.n",
};

function tableStore(name: string): Store {
  return db.core.tables.store(db.core.catalog.entry(name)!.id)!;
}

const TABLES = `
  CREATE TABLE offers (n int4 PRIMARY KEY, item int4, bidder text NOT NULL, price numeric NOT NULL);
  CREATE TABLE other (k int4 PRIMARY KEY)`;

describe("the first rows of partitions of a table", () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8])(
    "are what they should be, wherever they are (seed %i)",
    async (seed) => {
      const random = new SeededRandom(seed);
      let disk = new SimulatedDisk({ seed });
      await open(disk);
      await sql(db, TABLES);
      const views = {
        ...Object.fromEntries(Object.entries(TABLE_TOPS).map(([n, t]) => [n, t.sql])),
        ...OTHERS,
      };
      // Some are there before the rows, others are made over rows that are on disk.
      const shown = Object.keys(views).filter(() => random.oneIn(2));
      const make = async (name: string): Promise<void> => {
        await sql(db, `CREATE MATERIALIZED VIEW ${name} AS ${views[name as keyof typeof views]}`);
        await db.built();
      };
      for (const name of shown) await make(name);
      const offers = new Map<number, Bid>();
      const numbers = 150;
      let [most, mostSums] = [0, 0];
      for (let round = 0; round < 24; round++) {
        for (let i = 0; i < 4; i++) {
          const some = Array.from({ length: 1 + random.below(10) }, () => ({
            item: random.oneIn(15) ? null : random.below(12),
            bidder: `bidder ${random.below(6)}`,
            price: PRICES[random.below(PRICES.length)]!,
            n: random.below(numbers),
          }));
          switch (random.below(4)) {
            case 0: {
              await sql(db, `DELETE FROM offers WHERE n IN (${some.map(({ n }) => n).join()})`);
              for (const { n } of some) offers.delete(n);
              break;
            }
            case 1: {
              // The best ones go.
              const best = topOf(offers.values(), TABLE_TOPS.best!).filter(() => random.oneIn(3));
              if (best.length === 0) break;
              await sql(db, `DELETE FROM offers WHERE n IN (${best.map((row) => row[3]).join()})`);
              for (const row of best) offers.delete(Number(row[3]));
              break;
            }
            default:
              await db.append("offers", some);
              for (const offer of some) offers.set(offer.n, offer);
          }
        }
        await db.settled();
        if (random.oneIn(2)) await cooled();
        most = Math.max(most, tableStore("offers").cold!.rows);
        mostSums = Math.max(mostSums, coldOf("keyed "));
        for (const [name, top] of Object.entries(TABLE_TOPS)) {
          if (!shown.includes(name)) continue;
          const held = await maintained(db, name);
          expect([name, difference(held as TextRow[], topOf(offers.values(), top))]).toEqual([name, null]);
        }
        if (round % 8 === 7)
          await allHold(
            db,
            Object.fromEntries(shown.map((name) => [name, views[name as keyof typeof views]])),
          );
        if (round === 10) {
          for (const name of Object.keys(views)) {
            if (shown.includes(name)) continue;
            await make(name);
            shown.push(name);
          }
        }
        if (random.oneIn(5) && round > 10) {
          const name = random.oneIn(2) ? "best" : "met";
          await sql(db, `DROP MATERIALIZED VIEW ${name}`);
          await make(name);
        }
        if (random.oneIn(4)) await db.checkpoint();
        if (random.oneIn(6)) disk = await startAgain(disk, random);
      }
      expect(most).toBeGreaterThan(20);
      expect(mostSums).toBeGreaterThan(10);
    },
    120_000,
  );

  it.each([1, 2])(
    "are read through on disk where a partition has thousands (seed %i)",
    async (seed) => {
      const random = new SeededRandom(seed);
      let disk = new SimulatedDisk({ seed });
      await open(disk);
      await sql(db, TABLES);
      const views = { best: TABLE_TOPS.best!.sql, first: TABLE_TOPS.first!.sql, ties: OTHERS.ties! };
      for (const [name, query] of Object.entries(views))
        await sql(db, `CREATE MATERIALIZED VIEW ${name} AS ${query}`);
      await db.built();
      const offers = new Map<number, Bid>();
      const feed = async (some: readonly Bid[]): Promise<void> => {
        await db.append("offers", some);
        for (const offer of some) offers.set(offer.n, offer);
      };
      const [ROWS, ITEMS] = [5_000, 3];
      const offer = (n: number): Bid => ({
        item: n % ITEMS,
        bidder: `bidder ${random.below(4)}`,
        price: `${random.below(3_000)}`,
        n,
      });
      for (let n = 0; n < ROWS; n += 1_000) await feed(Array.from({ length: 1_000 }, (_, i) => offer(n + i)));
      await cooled();
      expect(tableStore("offers").cold!.rows).toBe(ROWS);
      for (let round = 0; round < 8; round++) {
        const best = topOf(offers.values(), TABLE_TOPS.best!);
        const gone = random.oneIn(2) ? best : best.filter(() => random.oneIn(3));
        if (gone.length > 0) {
          await sql(db, `DELETE FROM offers WHERE n IN (${gone.map((row) => row[3]).join()})`);
          for (const row of gone) offers.delete(Number(row[3]));
        }
        await feed(Array.from({ length: 1 + random.below(4) }, () => offer(random.below(ROWS))));
        await db.settled();
        const held = await maintained(db, "best");
        expect([round, difference(held as TextRow[], topOf(offers.values(), TABLE_TOPS.best!))]).toEqual([
          round,
          null,
        ]);
        if (random.oneIn(8)) await cooled();
        if (round === 3) await db.checkpoint();
        if (round === 5) disk = await startAgain(disk, random);
      }
      await allHold(db, views);
    },
    120_000,
  );

  it.each([
    ["many partitions", 20_000],
    ["few partitions", 3],
  ])(
    "stay within the limit where the table is several times as much: %s",
    async (_, items) => {
      const limit = 4 << 20;
      await openWith(new SimulatedDisk(), { memoryLimit: limit });
      await sql(db, `${TABLES}; CREATE MATERIALIZED VIEW best AS ${TABLE_TOPS.best!.sql}`);
      await db.built();
      const random = new SeededRandom(1);
      const [ROWS, BATCH] = [60_000, 1_000];
      const offers = new Map<number, Bid>();
      let most = 0;
      const feed = async (some: readonly Bid[]): Promise<void> => {
        await db.append("offers", some);
        for (const offer of some) offers.set(offer.n, offer);
        await db.settled();
        most = Math.max(most, db.core.circuit.memory.used);
      };
      const offer = (n: number): Bid => ({
        item: random.below(items),
        bidder: `bidder ${random.below(6)}`,
        price: `${random.below(100_000)}.5`,
        n,
      });
      for (let n = 0; n < ROWS; n += BATCH) await feed(Array.from({ length: BATCH }, (_, i) => offer(n + i)));
      await db.settled();
      const store = tableStore("offers");
      expect(store.cold!.rows).toBeGreaterThan(ROWS / 2);
      // The best go, and what was behind them, on disk most of it, takes their place.
      for (let round = 0; round < 20; round++) {
        const best = topOf(offers.values(), TABLE_TOPS.best!).filter(() => items < 100 || random.oneIn(200));
        await db.transact([{ topic: "offers", delete: best.map((row) => Number(row[3])) }]);
        for (const row of best) offers.delete(Number(row[3]));
        await feed(Array.from({ length: 50 }, () => offer(random.below(ROWS))));
      }
      await db.settled();
      most = Math.max(most, db.core.circuit.memory.used);
      expect(db.viewFailure("best")).toBeNull();
      expect(most).toBeLessThan(limit * 1.1);
      expect(store.cold!.rows).toBeGreaterThan(ROWS / 2);
      const texts = (all: readonly TextRow[]): string[] => all.map((row) => row.join()).sort();
      expect(texts((await maintained(db, "best")) as TextRow[])).toEqual(
        texts(topOf(offers.values(), TABLE_TOPS.best!)),
      );
    },
    120_000,
  );
});

/** View `best` over 300 offers of 30 items, all of which are on disk. */
async function putOut(): Promise<void> {
  await sql(db, `${TABLES}; CREATE MATERIALIZED VIEW best AS ${TABLE_TOPS.best!.sql}`);
  await db.append(
    "offers",
    Array.from({ length: 300 }, (_, n) => ({ n, item: n % 30, bidder: "b", price: `${n}` })),
  );
  await cooled();
  expect(tableStore("offers").cold!.rows).toBe(300);
}

/** The table does not look into its files for a row that is new. */
const more = [{ n: 1_000, item: 7, bidder: "b", price: "0.5" }];

describe("rows of partitions that cannot be read", () => {
  it("stop their view by name, and the table goes on", async () => {
    const disk = new SimulatedDisk();
    await openWith(disk, { warm: 0, report: () => {} });
    await putOut();
    disk.fail({ operation: "read", path: /run-/, code: "EIO", times: Number.POSITIVE_INFINITY });
    await db.append("offers", more);
    await db.settled();
    expect(db.viewFailure("best")).toMatchObject({ code: "io_error" });
    disk.heal();
    await db.append("offers", [{ n: 2_000, item: 1, bidder: "c", price: "1000" }]);
    await db.settled();
    expect((await db.sql("SELECT count(*) FROM offers")).results[0]!.rowsText()).toEqual([["302"]]);
    const again = disk.reboot("process");
    await db.close().catch(() => {});
    await open(again);
    said.length = 0;
    await allHold(db, { best: TABLE_TOPS.best!.sql });
  });

  it("are made anew from the log where they are damaged", async () => {
    const disk = new SimulatedDisk();
    const fatal: unknown[] = [];
    await openWith(disk, { warm: 0, onFatal: (error) => fatal.push(error), report: () => {} });
    await putOut();
    await db.checkpoint();
    damageRuns(disk);
    await db.append("offers", more).catch(() => {});
    await db.settled().catch(() => {});
    expect(fatal).toMatchObject([{ code: "log_damaged" }]);
    const again = disk.reboot("process");
    await db.close().catch(() => {});
    await open(again);
    said.length = 0;
    await allHold(db, { best: TABLE_TOPS.best!.sql });
  });
});
