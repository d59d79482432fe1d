/** Groups that workers make in two steps, each of what it has and the first thread of what they say: they are what their queries give, whatever comes and goes. */
import { afterEach, describe, expect, it } from "vitest";
import type { Database } from "../../src/engine/database.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { allHold } from "./support/holds.ts";
import { openInMemory, rowsOf, sql } from "./support/memory.ts";

const open: Database[] = [];

async function start(disk = new SimulatedDisk(), workers = 3): Promise<Database> {
  const db = await openInMemory(disk, { workers });
  open.push(db);
  return db;
}

afterEach(async () => {
  for (const db of open.splice(0)) await db.close().catch(() => {});
});

const every = `count(*) AS n, count(i8) AS c, sum(i2) AS s2, sum(i4) AS s4, sum(i8) AS s8, sum(cents) AS sc,
  avg(i2) AS a2, avg(i4) AS a4, avg(i8) AS a8, avg(cents) AS ac, min(cents) AS mc, min(i8) AS least, max(word) AS most, max(at) AS last,
  bool_and(yes) AS yes, bool_or(yes) AS some_yes, bit_and(i4) AS band, bit_or(i8) AS bor,
  count(*) FILTER (WHERE i4 > 50) AS nf, avg(i4) FILTER (WHERE i4 > 90) AS af, sum(cents) FILTER (WHERE yes) AS sf, sum(CASE WHEN i8 BETWEEN 0 AND 1000 THEN i8 * 900000000000000 END) AS large, sum(-i8) AS less`;

const queries: Readonly<Record<string, string>> = {
  joined: `SELECT p.city, ${every} FROM o JOIN p ON o.who = p.id GROUP BY p.city`,
  computed: `SELECT p.born % 3 AS third, ${every} FROM o JOIN p ON o.who = p.id GROUP BY p.born % 3`,
  kept: `SELECT p.city, ${every} FROM o LEFT JOIN p ON o.who = p.id GROUP BY p.city HAVING count(*) > 3`,
  everyone: `SELECT ${every} FROM o JOIN p ON o.who = p.id`,
  stream: `SELECT ${every} FROM o`,
  people: "SELECT count(*) AS n, sum(born) AS s, avg(born) AS a, min(city) AS c FROM p",
  nothing: `SELECT ${every} FROM o WHERE i4 > 1000`,
  bests: `SELECT city, avg(best) AS a, count(*) AS n FROM (
      SELECT p.id, p.city, max(o.i8) AS best FROM o JOIN p ON o.who = p.id GROUP BY p.id, p.city) AS x GROUP BY city`,
  twice: `SELECT a.n + b.n AS n, a.city FROM (SELECT p.city, count(*) AS n FROM o JOIN p ON o.who = p.id GROUP BY p.city) AS a
      JOIN (SELECT p.city, sum(i4) AS n FROM o JOIN p ON o.who = p.id GROUP BY p.city) AS b ON a.city = b.city`,
  ranked: `SELECT city, n, rank() OVER (ORDER BY n DESC) AS place FROM (
      SELECT p.city, count(*) AS n FROM o JOIN p ON o.who = p.id GROUP BY p.city) AS x`,
  // What is not exact however it is divided sees all rows.
  floats:
    "SELECT p.city, sum(o.f) AS f, count(DISTINCT o.i4) AS d FROM o JOIN p ON o.who = p.id GROUP BY p.city",
};

async function tables(db: Database): Promise<void> {
  await sql(
    db,
    `CREATE TABLE o (who int, i2 int2, i4 int, i8 int8, cents numeric(12,2), num numeric, word text, yes bool, at timestamptz, f float8)
       WITH (append_only);
     CREATE TABLE p (id int PRIMARY KEY, city text, born int)`,
  );
}

async function define(db: Database, names = Object.keys(queries)): Promise<void> {
  for (const name of names) await sql(db, `CREATE MATERIALIZED VIEW ${name} AS ${queries[name]}`);
  await db.built();
}

/** `people`: changed and deleted too, so that rows which are joined leave one group for another, or for none. */
async function history(db: Database, random: SeededRandom, commits: number): Promise<void> {
  const maybe = <T>(value: T): T | null => (random.below(6) === 0 ? null : value);
  for (let commit = 0; commit < commits; commit++) {
    const id = random.below(20);
    const what = random.below(5);
    if (what === 0) await db.deleteKey("p", id);
    else if (what < 3)
      await db.append("p", [{ id, city: maybe(`city ${random.below(4)}`), born: 1950 + random.below(9) }]);
    const orders = Array.from({ length: 1 + random.below(30) }, () => ({
      who: random.below(20),
      i2: maybe(random.below(100)),
      i4: maybe(random.below(100) - 20),
      i8: maybe(
        random.below(9) === 0
          ? String((2n ** 62n + BigInt(random.below(5))) * (random.below(3) === 0 ? -1n : 1n))
          : String(random.below(1000)),
      ),
      cents: maybe(`${random.below(1000)}.${10 + random.below(89)}`),
      num: maybe(
        random.below(12) === 0 ? "123456789012345678.5" : `${random.below(100)}.${random.below(1000)}`,
      ),
      word: maybe(["", "a", "ab", "Ångström", "zz"][random.below(5)]),
      yes: maybe(random.below(2) === 0),
      at: maybe(new Date(1_700_000_000_000 + random.below(1e9)).toISOString()),
      f: maybe(random.below(100) / 7),
    }));
    await db.append("o", orders);
  }
}

describe("groups in two steps", () => {
  for (const seed of [1, 2, 3])
    it(`hold what their queries give, made before, amid and after the data, and after a restart (seed ${seed})`, async () => {
      const disk = new SimulatedDisk();
      const random = new SeededRandom(seed);
      let db = await start(disk, 1 + seed);
      await tables(db);
      const names = Object.keys(queries);
      await define(db, names.slice(0, 6));
      await db.settled();
      await allHold(db, Object.fromEntries(Object.entries(queries).slice(0, 6)));
      for (let part = 0; part < 4; part++) {
        await history(db, random, 10);
        await db.settled();
        await allHold(db, Object.fromEntries(Object.entries(queries).slice(0, 6)));
      }
      await define(db, names.slice(6));
      for (let part = 0; part < 3; part++) {
        await history(db, random, 10);
        await db.settled();
        await allHold(db, queries);
      }
      await db.close();
      db = await start(disk, 2);
      await db.built();
      await allHold(db, queries);
      await history(db, random, 10);
      await db.settled();
      await allHold(db, queries);
    });

  it("tell the first thread of groups alone, and not of the rows in them", async () => {
    const db = await start();
    await tables(db);
    await sql(db, "INSERT INTO p SELECT g, 'city ' || g % 4, g FROM generate_series(1, 100) g");
    await sql(db, `CREATE MATERIALIZED VIEW joined AS ${queries["joined"]}`);
    await db.built();
    await sql(
      db,
      "INSERT INTO o SELECT 1 + g % 100, g % 7, g, g, g, g, 'w', true FROM generate_series(1, 5000) g",
    );
    await db.settled();
    const plan = (await rowsOf(db, "EXPLAIN (ANALYZE, TIMING OFF) REFRESH MATERIALIZED VIEW joined")).map(
      ([line]) => line as string,
    );
    const inlet = plan.find((line) => line.includes("rows kept by"));
    expect(Number(/out=(\d+)/.exec(inlet!)![1])).toBeLessThanOrEqual(3 * 4 * 2);
  });

  it("are empty, or say so, where all their rows have gone", async () => {
    const db = await start();
    await tables(db);
    await define(db, ["joined", "everyone", "bests"]);
    await history(db, new SeededRandom(7), 10);
    await sql(db, "DELETE FROM p");
    await db.settled();
    expect(await rowsOf(db, "SELECT * FROM joined")).toEqual([]);
    expect((await rowsOf(db, "SELECT n, c, s4, a8, least FROM everyone"))[0]).toEqual([
      "0",
      "0",
      null,
      null,
      null,
    ]);
    expect(await rowsOf(db, "SELECT * FROM bests")).toEqual([]);
  });
});
