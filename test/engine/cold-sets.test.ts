/**
 * INTERSECT and EXCEPT, whose rows go to disk as soon as they may (`warm: 0`), against what the rows of both sides say, counted anew after every round:
 * wherever rows are, whichever side changes, and across stops of every kind.
 */
import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { cooled, db, open, openWith, said, startAgain } from "./support/cold.ts";
import { allHold } from "./support/holds.ts";
import { sql } from "./support/memory.ts";
import { difference, maintained, type TextRow } from "./support/views.ts";

/** Cold rows of set operations whose label begins so. */
function coldOf(label: string): number {
  const stores = db.core.circuit.stores().filter(({ store }) => store.name.startsWith(label));
  return stores.reduce((sum, { store }) => sum + (store.cold?.rows ?? 0), 0);
}

/** Of either side, without its key. */
interface Row {
  readonly a: number | null;
  readonly x: string;
  readonly s: string | null;
}

type Side = Map<number, Row>;

const LEFT = "SELECT a, x, s FROM l";
const RIGHT = "SELECT a, x, s FROM r";

/** How often a row is there, which is there so often on either side. */
const OPERATIONS: Readonly<Record<string, readonly [sql: string, of: (l: number, r: number) => number]>> = {
  shared: [`${LEFT} INTERSECT ${RIGHT}`, (l, r) => (l > 0 && r > 0 ? 1 : 0)],
  shared_all: [`${LEFT} INTERSECT ALL ${RIGHT}`, (l, r) => Math.min(l, r)],
  rest: [`${LEFT} EXCEPT ${RIGHT}`, (l, r) => (l > 0 && r === 0 ? 1 : 0)],
  rest_all: [`${LEFT} EXCEPT ALL ${RIGHT}`, (l, r) => Math.max(l - r, 0)],
  // One chunk comes to both sides.
  of_one: ["SELECT a, x, s FROM l EXCEPT SELECT a, x, s FROM l WHERE a > 3", (l) => (l > 0 ? 1 : 0)],
};

const QUERIES = Object.fromEntries(Object.entries(OPERATIONS).map(([name, [query]]) => [name, query]));

/** Values that are equal have one text: 1, whatever 1.0 looks like on the other side. */
const textOf = ({ a, x, s }: Row): TextRow => [a === null ? null : String(a), x, s];

function expected(name: string, l: Side, r: Side): TextRow[] {
  const counts = new Map<string, { row: TextRow; n: [number, number] }>();
  for (const [side, rows] of [l, r].entries())
    for (const row of rows.values()) {
      const text = textOf({ ...row, x: String(BigInt(row.x.replace(/\.0+$/, ""))) });
      const known = counts.get(JSON.stringify(text)) ?? { row: text, n: [0, 0] };
      (known.n[side] as number) += 1;
      counts.set(JSON.stringify(text), known);
    }
  const [, of] = OPERATIONS[name]!;
  return [...counts.values()].flatMap(({ row, n }) => {
    if (name === "of_one" && row[0] !== null && Number(row[0]) > 3) return [];
    return Array.from({ length: of(...n) }, () => row);
  });
}

/** Left as they are shown; on the right some of them look otherwise. One is no double. */
const NUMBERS = ["0", "1", "2", "123456789012345678901"];

function rowBy(random: SeededRandom, isLeft: boolean): Row {
  const x = NUMBERS[random.below(NUMBERS.length)]!;
  return {
    // A null's code is that of 0.
    a: random.oneIn(4) ? null : random.below(6),
    x: isLeft ? x : `${x}${["", ".0", ".00"][random.below(3)]}`,
    s: random.oneIn(5) ? null : random.oneIn(5) ? "" : `text ${random.below(4)}`,
  };
}

describe("set operations whose rows go to disk", () => {
  it.each([1, 2, 3, 4, 5, 6])(
    "hold what both sides say (seed %i)",
    async (seed) => {
      const random = new SeededRandom(seed);
      let disk = new SimulatedDisk({ seed });
      await open(disk);
      // What is null on one side alone takes nulls in the state.
      await sql(
        db,
        `CREATE TABLE l (k int4 PRIMARY KEY, a int4, x numeric NOT NULL, s text);
         CREATE TABLE r (k int4 PRIMARY KEY, a int4, x numeric NOT NULL, s text);
         CREATE TABLE other (k int4 PRIMARY KEY);
         CREATE MATERIALIZED VIEW keys AS SELECT k FROM l EXCEPT SELECT a FROM r`,
      );
      for (const [name, query] of Object.entries(QUERIES))
        await sql(db, `CREATE MATERIALIZED VIEW ${name} AS ${query}`);
      await db.built();
      const [l, r]: [Side, Side] = [new Map(), new Map()];
      let [sawBoth, sawRest] = [0, 0];
      for (let round = 0; round < 24; round++) {
        for (let i = 0; i < 4; i++) {
          const isLeft = random.oneIn(2);
          const [name, side] = isLeft ? (["l", l] as const) : (["r", r] as const);
          const keys = [...new Set(Array.from({ length: 1 + random.below(12) }, () => random.below(120)))];
          if (random.oneIn(4)) {
            await sql(db, `DELETE FROM ${name} WHERE k IN (${keys.join()})`);
            for (const k of keys) side.delete(k);
            continue;
          }
          const rows = keys.map((k) => ({ k, ...rowBy(random, isLeft) }));
          await db.append(name, rows);
          for (const { k, ...row } of rows) side.set(k, row);
        }
        await db.settled();
        if (random.oneIn(2)) await cooled();
        sawBoth = Math.max(sawBoth, coldOf("intersect"));
        sawRest = Math.max(sawRest, coldOf("except"));
        for (const name of Object.keys(QUERIES)) {
          const held = await maintained(db, name);
          expect([name, difference(held as TextRow[], expected(name, l, r))]).toEqual([name, null]);
        }
        const taken = new Set([...r.values()].map(({ a }) => a));
        const keys = [...l.keys()].flatMap((k) => (taken.has(k) ? [] : [[String(k)]]));
        expect(difference((await maintained(db, "keys")) as TextRow[], keys)).toBeNull();
        if (random.oneIn(4)) await db.checkpoint();
        if (random.oneIn(6)) disk = await startAgain(disk, random);
        // One of the same state, which is on disk.
        if (round === 14) {
          await sql(
            db,
            `CREATE MATERIALIZED VIEW sizes AS SELECT a, count(*) AS n FROM (${QUERIES.rest_all}) d GROUP BY a`,
          );
          await db.built();
        }
        if (round >= 14) {
          const sizes = new Map<string | null, number>();
          for (const [a] of expected("rest_all", l, r)) sizes.set(a ?? null, (sizes.get(a ?? null) ?? 0) + 1);
          const wanted = [...sizes].map(([a, n]) => [a, String(n)]);
          expect(difference((await maintained(db, "sizes")) as TextRow[], wanted)).toBeNull();
        }
      }
      await allHold(db, QUERIES);
      expect(Math.min(sawBoth, sawRest), `${[sawBoth, sawRest]}`).toBeGreaterThan(20);
    },
    120_000,
  );

  it("stay within the limit where they are several times as much, and are what they should be", async () => {
    const limit = 4 << 20;
    await openWith(new SimulatedDisk(), { memoryLimit: limit });
    const query = "SELECT a, s FROM l EXCEPT SELECT a, s FROM r";
    await sql(
      db,
      `CREATE TABLE l (k int4 PRIMARY KEY, a int4 NOT NULL, s text NOT NULL);
       CREATE TABLE r (k int4 PRIMARY KEY, a int4 NOT NULL, s text NOT NULL);
       CREATE MATERIALIZED VIEW rest AS ${query}`,
    );
    await db.built();
    const random = new SeededRandom(1);
    const [KEYS, BATCH] = [60_000, 1_000];
    let most = 0;
    const feed = async (side: "l" | "r", keys: readonly number[]): Promise<void> => {
      const rows = keys.map((k) => ({ k, a: random.oneIn(10) ? -k : k, s: `row ${k}` }));
      await db.append(side, rows);
      most = Math.max(most, db.core.circuit.memory.used);
    };
    for (let from = 0; from < KEYS; from += BATCH) {
      await feed(
        "l",
        Array.from({ length: BATCH }, (_, i) => from + i),
      );
      await feed(
        "r",
        Array.from({ length: BATCH / 2 }, (_, i) => from + 2 * i),
      );
    }
    for (let i = 0; i < 20; i++) {
      const keys = [
        ...new Set(Array.from({ length: BATCH }, () => Math.floor(KEYS * (random.below(KEYS) / KEYS) ** 4))),
      ];
      await feed(i % 2 === 0 ? "l" : "r", keys);
    }
    await db.settled();
    expect(db.viewFailure("rest")).toBeNull();
    expect(most).toBeLessThan(limit * 1.1);
    expect(coldOf("except")).toBeGreaterThan(KEYS / 4);
    await allHold(db, { rest: query });
  }, 120_000);

  it("stop their view by name where they cannot be read, and the tables go on", async () => {
    const disk = new SimulatedDisk();
    await openWith(disk, { warm: 0, report: () => {} });
    const query = "SELECT a FROM l EXCEPT SELECT a FROM r";
    await sql(
      db,
      `CREATE TABLE l (k int4 PRIMARY KEY, a int4); CREATE TABLE r (k int4 PRIMARY KEY, a int4); CREATE TABLE other (k int4 PRIMARY KEY);
       CREATE MATERIALIZED VIEW rest AS ${query}`,
    );
    await db.append(
      "l",
      Array.from({ length: 300 }, (_, k) => ({ k, a: k })),
    );
    await cooled();
    expect(coldOf("except")).toBe(300);
    disk.fail({ operation: "read", path: /run-/, code: "EIO", times: Number.POSITIVE_INFINITY });
    // The table does not look into its files for a row that is new.
    await db.append("r", [{ k: 1_000, a: 7 }]);
    await db.settled();
    expect(db.viewFailure("rest")).toMatchObject({ code: "io_error" });
    disk.heal();
    await db.append("r", [{ k: 1_001, a: 8 }]);
    await db.settled();
    const again = disk.reboot("process");
    await db.close().catch(() => {});
    await open(again);
    said.length = 0;
    await allHold(db, { rest: query });
  });

  it("come to the same rows by one step as by many, over rows on disk", async () => {
    await open(new SimulatedDisk());
    await sql(
      db,
      `CREATE TABLE l (k int4 PRIMARY KEY, a int4); CREATE TABLE r (k int4 PRIMARY KEY, a int4); CREATE TABLE other (k int4 PRIMARY KEY);
       CREATE MATERIALIZED VIEW rest AS SELECT a FROM l EXCEPT ALL SELECT a FROM r;
       CREATE MATERIALIZED VIEW shared AS SELECT a FROM l INTERSECT ALL SELECT a FROM r`,
    );
    await db.built();
    const ROWS = 9_000;
    const rows = (add: number) => Array.from({ length: ROWS }, (_, k) => ({ k, a: (k % 4_500) + add }));
    await db.append("l", rows(0));
    await db.append("r", rows(3_000));
    await cooled();
    expect(coldOf("except")).toBe(7_500);
    // More than a chunk on either side in one commit, all of whose values are on disk.
    await db.transact([
      { topic: "l", upsert: rows(3_000) },
      { topic: "r", upsert: rows(0) },
    ]);
    const [rest, both] = [[], []] as TextRow[][];
    for (let a = 0; a < 7_500; a++) {
      const [inL, inR] = [a >= 3_000 ? 2 : 0, a < 4_500 ? 2 : 0];
      for (let i = 0; i < Math.min(inL, inR); i++) both!.push([String(a)]);
      for (let i = 0; i < inL - inR; i++) rest!.push([String(a)]);
    }
    const texts = (all: readonly TextRow[]): string[] => all.map(([a]) => a!).sort();
    expect(texts((await maintained(db, "rest")) as TextRow[])).toEqual(texts(rest!));
    expect(texts((await maintained(db, "shared")) as TextRow[])).toEqual(texts(both!));
  });
});
