/**
 * Rows of views and groups that go to disk as soon as they may (`warm: 0`), against what the rows of the tables say, computed anew after every round:
 * wherever rows are, whoever asks, and across stops of every kind.
 */
import { describe, expect, it } from "vitest";
import type { Store } from "../../src/state/store.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { Client, jsonText, type Shown, shownNow } from "./support/client.ts";
import { cooled, db, open, openWith, startAgain } from "./support/cold.ts";
import { rowsOf, sql } from "./support/memory.ts";
import { difference, maintained, type TextRow } from "./support/views.ts";

function viewStore(name: string): Store {
  return db.core.views.named(name).node!.store;
}

function cold(name: string): number {
  return viewStore(name).cold!.rows;
}

/** Cold rows of all group-bys. */
function coldGroups(): number {
  const stores = db.core.circuit.stores().filter(({ id }) => id.endsWith(" / groups"));
  return stores.reduce((sum, { store }) => sum + (store.cold?.rows ?? 0), 0);
}

interface Row {
  readonly g: string | null;
  readonly a: number;
  readonly x: string;
}

const VIEWS = `
  CREATE MATERIALIZED VIEW sums AS SELECT g, count(*) AS n, sum(a) AS s, sum(x) AS x, count(DISTINCT a) AS d FROM t GROUP BY g;
  CREATE MATERIALIZED VIEW high AS SELECT k, a, g FROM t WHERE a > 20;
  CREATE MATERIALIZED VIEW bag AS SELECT a % 5 AS m, g FROM t;
  CREATE MATERIALIZED VIEW sizes AS SELECT n, count(*) AS groups FROM sums GROUP BY n;
  CREATE MATERIALIZED VIEW least AS SELECT g, min(a) AS a, max(a) AS z FROM t GROUP BY g;
  CREATE MATERIALIZED VIEW inverse AS SELECT k, 100 / (a - 7) AS i FROM t;
  CREATE MATERIALIZED VIEW latest AS SELECT k, n, said FROM (SELECT DISTINCT ON (k) k, n, said FROM heard ORDER BY k, n DESC) l`;

/** What every view holds of these rows. */
function expected(
  rows: ReadonlyMap<string, Row>,
  heard: ReadonlyMap<string, readonly [number, string]>,
): Map<string, TextRow[]> {
  const groups = new Map<string | null, Row[]>();
  for (const row of rows.values()) groups.set(row.g, [...(groups.get(row.g) ?? []), row]);
  const sizes = new Map<number, number>();
  for (const { length } of groups.values()) sizes.set(length, (sizes.get(length) ?? 0) + 1);
  const all = [...rows];
  const sum = (of: readonly number[]): number => of.reduce((total, n) => total + n, 0);
  return new Map<string, TextRow[]>([
    [
      "sums",
      [...groups].map(([g, of]) => [
        g,
        String(of.length),
        String(sum(of.map(({ a }) => a))),
        sum(of.map(({ x }) => Number(x))).toFixed(2),
        String(new Set(of.map(({ a }) => a)).size),
      ]),
    ],
    ["high", all.filter(([, { a }]) => a > 20).map(([k, { a, g }]) => [k, String(a), g])],
    ["bag", all.map(([, { a, g }]) => [String(a % 5), g])],
    ["sizes", [...sizes].map(([n, count]) => [String(n), String(count)])],
    [
      "least",
      [...groups].map(([g, of]) => [
        g,
        String(Math.min(...of.map(({ a }) => a))),
        String(Math.max(...of.map(({ a }) => a))),
      ]),
    ],
    ["inverse", all.map(([k, { a }]) => [k, String(Math.trunc(100 / (a - 7)) + 0)])],
    ["latest", [...heard].map(([k, [n, text]]) => [k, String(n), text])],
  ]);
}

function textsOf(shown: Shown): TextRow[] {
  return [...shown.values()].map((json) =>
    Object.values(JSON.parse(json) as Record<string, unknown>).map((v) => (v === null ? null : String(v))),
  );
}

describe("views whose rows go to disk", () => {
  it.each([1, 2, 3, 4, 5, 6])(
    "hold what their queries say (seed %i)",
    async (seed) => {
      const random = new SeededRandom(seed);
      let disk = new SimulatedDisk({ seed });
      await open(disk);
      await sql(
        db,
        `CREATE TABLE t (k text PRIMARY KEY, g text, a int4 NOT NULL, x numeric(9, 2) NOT NULL);
         CREATE TABLE heard (k text NOT NULL, n int4 NOT NULL, said text NOT NULL) WITH (append_only);
         CREATE TABLE other (k int4 PRIMARY KEY)`,
      );
      await sql(db, VIEWS);
      await db.built();
      const rows = new Map<string, Row>();
      const heard = new Map<string, readonly [number, string]>();
      let [sawRows, sawGroups, sawBag, sawLatest] = [0, 0, 0, 0];
      for (let round = 0; round < 24; round++) {
        for (let i = 0; i < 4; i++) {
          const some = Array.from({ length: 1 + random.below(8) }, () => ({
            k: `key ${random.below(80)}`,
            g: random.oneIn(12) ? null : `group ${random.below(40)}`,
            a: random.oneIn(200) ? 7 : 8 + random.below(60),
            x: (random.below(1000) / 100).toFixed(2),
          }));
          switch (random.below(5)) {
            case 0:
              await sql(db, `DELETE FROM t WHERE k IN (${some.map(({ k }) => `'${k}'`).join()})`);
              for (const { k } of some) rows.delete(k);
              break;
            case 1: {
              const { g } = some[0]!;
              await sql(db, `UPDATE t SET a = a + 1 WHERE g ${g === null ? "IS NULL" : `= '${g}'`}`);
              for (const [k, row] of rows) if (row.g === g) rows.set(k, { ...row, a: row.a + 1 });
              break;
            }
            case 2: {
              const told = some.map(({ k }, j) => ({
                k,
                n: round * 100 + i * 10 + j,
                said: `${k} at ${round}`,
              }));
              await db.append("heard", told);
              for (const { k, n, said: text } of told) heard.set(k, [n, text]);
              break;
            }
            default:
              await db.append("t", some);
              for (const { k, ...row } of some) rows.set(k, row);
          }
        }
        await db.settled();
        if (random.oneIn(2)) await cooled();
        sawRows = Math.max(sawRows, cold("high"));
        sawBag = Math.max(sawBag, cold("bag"));
        sawLatest = Math.max(sawLatest, cold("latest"));
        sawGroups = Math.max(sawGroups, coldGroups());
        const failing = [...rows.values()].some(({ a }) => a === 7);
        for (const [name, wanted] of expected(rows, heard)) {
          const held = await maintained(db, name);
          if (name === "inverse" && failing) expect(held).toEqual({ sqlstate: "22012" });
          else expect([name, difference(held as TextRow[], wanted)]).toEqual([name, null]);
        }
        await readsBy(random, rows);
        await watched(expected(rows, heard));
        if (random.oneIn(4)) await db.checkpoint();
        if (random.oneIn(6)) disk = await startAgain(disk, random);
        // Over views of which most rows are on disk.
        if (round === 14) {
          await sql(db, "CREATE MATERIALIZED VIEW total AS SELECT count(*) AS n, sum(s.s) AS s FROM sums s");
          await sql(
            db,
            "CREATE MATERIALIZED VIEW pairs AS SELECT x.k, y.n FROM high x JOIN sums y ON x.g = y.g",
          );
          await db.built();
        }
        if (round >= 14) {
          const all = expected(rows, heard);
          const sums = all.get("sums")!;
          const total = sums.reduce((sum, [, , s]) => sum + Number(s), 0);
          expect(await maintained(db, "total")).toEqual([
            [String(sums.length), total === 0 ? null : String(total)],
          ]);
          const sizes = new Map(sums.map(([g, n]) => [g, n!]));
          const pairs = all.get("high")!.flatMap(([k, , g]) => (g === null ? [] : [[k!, sizes.get(g!)!]]));
          expect(difference((await maintained(db, "pairs")) as TextRow[], pairs)).toBeNull();
        }
      }
      expect(
        Math.min(sawRows, sawBag, sawLatest, sawGroups),
        `${[sawRows, sawBag, sawLatest, sawGroups]}`,
      ).toBeGreaterThan(10);
    },
    120_000,
  );
});

it("keeps a view of more groups than there is memory for within the limit, and answers as one with all of them", async () => {
  const limit = 4 << 20;
  await openWith(new SimulatedDisk(), { memoryLimit: limit });
  await sql(
    db,
    `CREATE TABLE other (k int4 PRIMARY KEY);
     CREATE TABLE t (k int4 PRIMARY KEY, g int4 NOT NULL, a int4 NOT NULL);
     CREATE MATERIALIZED VIEW plain AS SELECT g, count(*) AS n, sum(a) AS s FROM t GROUP BY g`,
  );
  await db.built();
  const random = new SeededRandom(1);
  const rows = new Map<number, { g: number; a: number }>();
  const [KEYS, BATCH] = [60_000, 1_000];
  let most = 0;
  const feed = async (keys: readonly number[]): Promise<void> => {
    const batch = keys.map((k) => ({ k, g: (k * 7919) % KEYS, a: random.below(1000) }));
    await db.append("t", batch);
    for (const { k, g, a } of batch) rows.set(k, { g, a });
    most = Math.max(most, db.core.circuit.memory.used);
  };
  for (let from = 0; from < KEYS; from += BATCH)
    await feed(Array.from({ length: BATCH }, (_, i) => from + i));
  for (let i = 0; i < 20; i++)
    await feed([...new Set(Array.from({ length: BATCH }, () => random.below(KEYS)))]);
  await db.settled();
  expect(db.viewFailure("plain")).toBeNull();
  expect(most).toBeLessThan(limit * 1.1);
  expect(coldGroups()).toBeGreaterThan(KEYS / 4);
  expect(cold("plain")).toBeGreaterThan(KEYS / 4);
  const held = await maintained(db, "plain");
  const wanted = [...rows.values()].map(({ g, a }) => [String(g), "1", String(a)]);
  const text = (all: readonly TextRow[]): string[] => all.map((row) => row.join()).sort();
  expect(text(held as TextRow[])).toEqual(text(wanted));
});

/** What is read of view `high`, by key, by filter and in an order. */
async function readsBy(random: SeededRandom, rows: ReadonlyMap<string, Row>): Promise<void> {
  const some = db.view("high");
  const all = [...rows].flatMap(([k, { a, g }]) => (a > 20 ? [{ k, a, g }] : []));
  const k = `key ${random.below(80)}`;
  const wanted = all.find((row) => row.k === k);
  expect((await some.get(k)).row).toEqual(wanted);
  expect((await some.rows({ where: { k } })).rows).toEqual(wanted === undefined ? [] : [wanted]);
  expect(await rowsOf(db, `SELECT a FROM high WHERE k = '${k}'`)).toEqual(
    wanted === undefined ? [] : [[String(wanted.a)]],
  );
  const { a } = all[0] ?? { a: 0 };
  const byKey = (x: { k: string }, y: { k: string }): number => (x.k < y.k ? -1 : 1);
  expect((await some.rows({ where: { a } })).rows.sort(byKey as never)).toEqual(
    all.filter((row) => row.a === a).sort(byKey),
  );
  const ordered = all.sort((x, y) => y.a - x.a || byKey(x, y));
  expect((await some.rows({ order: ["-a", "k"], limit: 5 })).rows).toEqual(ordered.slice(0, 5));
  expect((await some.rows({ order: ["-a", "k"] })).rows).toEqual(ordered);
}

/** Who begins to watch now is shown the same. */
async function watched(views: ReadonlyMap<string, TextRow[]>): Promise<void> {
  const names = ["high", "bag", "latest"];
  const shown = await shownNow(db, names);
  for (const name of names)
    expect([name, difference(textsOf(shown.views.get(name)!), views.get(name)!)]).toEqual([name, null]);
  const key = views.get("high")![0]?.[0];
  if (key === undefined) return;
  const client = new Client();
  for await (const event of db.subscribe([{ view: "high", key }])) {
    client.apply(event);
    if (client.views.size === 1) break;
  }
  expect([...client.views.get("high")!.keys()]).toEqual([jsonText(key)]);
}
