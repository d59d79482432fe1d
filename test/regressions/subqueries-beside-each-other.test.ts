/**
 * Subqueries beside each other that compare otherwise than by equality were asked for the rows with all that the subqueries before them had given: each doubled the
 * plan, and the fourteenth was refused as too large.
 */
import { afterEach, beforeEach, expect, it } from "vitest";
import type { Database } from "../../src/engine/database.ts";
import { openInMemory, rowsOf, sql } from "../engine/support/memory.ts";

let db: Database;

beforeEach(async () => {
  db = await openInMemory();
  await sql(
    db,
    `CREATE TABLE t (id int PRIMARY KEY, a int, b int);
     INSERT INTO t SELECT g, g % 5, CASE WHEN g % 4 = 0 THEN NULL ELSE g % 7 END FROM generate_series(1, 12) g`,
  );
});

afterEach(() => db.close());

const rows = Array.from({ length: 12 }, (_, i) => ({
  id: i + 1,
  a: (i + 1) % 5,
  b: (i + 1) % 4 === 0 ? null : (i + 1) % 7,
}));

it("are as many as are asked for, of every kind", async () => {
  const kinds = [
    (n: number) => `(SELECT count(*) FROM t x WHERE x.a < t.id - ${n})`,
    (n: number) => `(SELECT max(x.b) FROM t x WHERE x.id > t.a + ${n})`,
    (n: number) => `EXISTS (SELECT 1 FROM t x WHERE x.id > t.id + ${n})`,
    (n: number) => `t.b IN (SELECT x.a FROM t x WHERE x.id < t.id - ${n})`,
    (n: number) => `(SELECT x.b FROM t x WHERE x.id = t.id + ${n})`,
  ];
  const told = [
    (n: number, { id }: (typeof rows)[number]) => rows.filter((x) => x.a < id - n).length,
    (n: number, { a }: (typeof rows)[number]) => {
      const all = rows.flatMap((x) => (x.id > a + n && x.b !== null ? [x.b] : []));
      return all.length === 0 ? null : Math.max(...all);
    },
    (n: number, { id }: (typeof rows)[number]) => (rows.some((x) => x.id > id + n) ? "t" : "f"),
    (n: number, { id, b }: (typeof rows)[number]) => {
      const all = rows.filter((x) => x.id < id - n);
      if (all.length === 0) return "f";
      if (b === null) return null;
      return all.some((x) => x.a === b) ? "t" : "f";
    },
    (n: number, { id }: (typeof rows)[number]) => rows.find((x) => x.id === id + n)?.b ?? null,
  ];
  const asked = Array.from({ length: 40 }, (_, n) => kinds[n % kinds.length]!(n % 11));
  const answer = await rowsOf(db, `SELECT t.id, ${asked.join(", ")} FROM t ORDER BY t.id`);
  const expected = rows.map((row) => [row.id, ...asked.map((_, n) => told[n % told.length]!(n % 11, row))]);
  expect(answer).toEqual(expected.map((row) => row.map((value) => (value === null ? null : `${value}`))));
});

it("and are kept, as rows come and go", async () => {
  const asked = Array.from(
    { length: 25 },
    (_, n) => `(SELECT count(*) FROM t x WHERE x.a < t.b + ${n % 3} - ${n}) AS c${n}`,
  );
  const query = `SELECT t.id, ${asked.join(", ")} FROM t`;
  await sql(db, `CREATE MATERIALIZED VIEW v AS ${query}`);
  await db.built();
  for (const change of [
    "DELETE FROM t WHERE id % 5 = 0",
    "UPDATE t SET b = 30 WHERE a = 1",
    "INSERT INTO t VALUES (50, -9, 8)",
  ]) {
    await sql(db, change);
    await db.settled();
    expect(await rowsOf(db, "SELECT * FROM v ORDER BY id")).toEqual(
      await rowsOf(db, `${query} WHERE t.id < 1000 ORDER BY id`),
    );
  }
});

it("of a lateral chain, too", async () => {
  const chain = Array.from(
    { length: 20 },
    (_, n) => `LEFT JOIN LATERAL (SELECT min(x.id) AS m FROM t x WHERE x.id > t.id + ${n}) AS l${n} ON true`,
  );
  const answer = await rowsOf(db, `SELECT t.id, l0.m, l7.m FROM t ${chain.join(" ")} ORDER BY 1`);
  expect(answer).toEqual(
    rows.map(({ id }) => [`${id}`, id < 12 ? `${id + 1}` : null, id + 8 <= 12 ? `${id + 8}` : null]),
  );
});

it("and a lateral subquery ON true is one join", async () => {
  const query =
    "SELECT t.id, l.m FROM t LEFT JOIN LATERAL (SELECT max(x.b) AS m FROM t x WHERE x.a = t.b) AS l ON true";
  const plan = (await rowsOf(db, `EXPLAIN ${query}`)).map(([line]) => line as string);
  expect(plan.filter((line) => /Union|found/.test(line))).toEqual([]);
  const one =
    "SELECT t.id, u FROM t LEFT JOIN LATERAL unnest(CASE WHEN t.a > 2 THEN ARRAY[t.a, t.b] END) AS u ON true";
  expect((await rowsOf(db, `EXPLAIN ${one}`)).some(([line]) => /join/i.test(line!))).toBe(false);
  expect(await rowsOf(db, `${one} WHERE t.id < 5 ORDER BY 1, 2`)).toEqual([
    ["1", null],
    ["2", null],
    ["3", "3"],
    ["3", "3"],
    ["4", "4"],
    ["4", null],
  ]);
});
