/**
 * The first rows of each partition, of streams and of tables, whose rows go to disk as soon as they may (`warm: 0`), against what the rows say, sorted anew
 * after every round: wherever rows are, whichever change, and across stops of every kind.
 */
import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { cooled, db, open, openWith, startAgain } from "./support/cold.ts";
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
  }, 120_000);
});
