/**
 * What mutants of statements found (test/engine/mutants/, the seed behind each), PostgreSQL as the judge: rows, or SQLSTATE and place of what is refused. Each of these was answered, refused, or refused without its
 * place, otherwise.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Database } from "../../src/engine/database.ts";
import { openInMemory, sql } from "../engine/support/memory.ts";
import { Postgres } from "../engine/support/postgres.ts";

const tables = [
  "CREATE TABLE t (k int PRIMARY KEY, a int, c text)",
  "INSERT INTO t VALUES (1, 5, 'x'), (2, NULL, 'y'), (3, 5, 'x')",
  "CREATE TABLE n (a int, c text)",
  "INSERT INTO n VALUES (1, 'x'), (2, NULL)",
];

let db: Database;
let postgres: Postgres;

beforeAll(async () => {
  db = await openInMemory();
  for (const table of tables) await sql(db, table);
  postgres = await Postgres.open();
  await postgres.define(tables.join("; "));
});

afterAll(async () => {
  await db.close();
  await postgres.close();
});

async function same(text: string): Promise<void> {
  const { results, error } = await db.sql(text);
  const theirs = await postgres.ask(text);
  if (theirs.refused === null) {
    expect(error).toBeUndefined();
    expect(results[0]!.rowsText()).toEqual(theirs.rows);
  } else expect([error?.sqlstate, error?.position]).toEqual([theirs.refused, theirs.position]);
}

describe("rows of VALUES that are inserted", () => {
  it.each([
    // 111: the third was stored with nulls.
    "INSERT INTO t VALUES (11, 1), (12, 1, 'x'), (13)",
    "INSERT INTO t VALUES (11, 1, 'x'), (12)",
    "INSERT INTO t (k, a) VALUES (11, 1), (12)",
    "INSERT INTO t VALUES (11, 1, 'x', 2), (12)",
  ])("have one length: %s", async (text) => {
    await same(text);
    expect((await sql(db, "SELECT count(*) FROM t")).rowsText()).toEqual([["3"]]);
  });
});

describe("a star stands behind a table's name", () => {
  // 594: it was the column of that name.
  it.each([
    "SELECT a.*::text FROM t",
    "SELECT a.* IS NULL FROM t",
    "SELECT count(a.*) FROM t",
    "SELECT count(t.*) FROM t",
  ])("%s", same);
});

describe("a window that nobody uses", () => {
  it.each([
    // 163: it was not looked at over groups.
    "SELECT count(*) FROM t WINDOW w AS (ORDER BY k)",
    "SELECT a FROM t GROUP BY a WINDOW w AS (PARTITION BY c)",
    "SELECT count(*) FROM t WINDOW w AS (ORDER BY count(*))",
  ])("is one over the groups: %s", same);

  it("may be ordered by the same thing twice, with a RANGE (seed 20032)", () =>
    same(
      "SELECT k, sum(k) OVER (ORDER BY a, a RANGE BETWEEN 2 PRECEDING AND 0 FOLLOWING) FROM t ORDER BY k",
    ));
});

describe("a place is told", () => {
  it.each([
    // 117, 128, 887, 20539, 610
    "SELECT 1 FROM t HAVING 1 IN (SELECT k)",
    "SELECT count(*), (SELECT n.a FROM n WHERE n.a = t.k) FROM t",
    "SELECT DISTINCT a, json_agg(c) FROM t GROUP BY a",
    "SELECT DISTINCT k FROM t ORDER BY k + 1",
    "SELECT DISTINCT k FROM t ORDER BY (1, a)",
    "SELECT array_agg(DISTINCT c ORDER BY c, c, a + 1) FROM t",
    "WITH RECURSIVE x (n) AS (SELECT 1 UNION SELECT max(n) FROM x) SELECT n FROM x",
  ])("%s", same);
});

describe("prefixes of to_char's patterns", () => {
  it.each([
    // 593: they were shown where no keyword is behind them, and several in a row were one.
    "SELECT to_char(interval '1 day', 'FM999th FM')",
    "SELECT to_char(timestamp '2024-03-05 07:08:09', 'FM99 FMxx TM fm FM\"DD\"DD FX')",
    "SELECT to_char(timestamp '2024-03-05 07:08:09', 'FMDD FMFMDD TMFMDD FXFMDD FMFXDD FMFMFMDD FXTHDD FMDDth')",
  ])("%s", same);
});

describe("an aggregate of an aggregate", () => {
  it.each([
    // 61246: a broken invariant, where both are the outer query's.
    "SELECT (SELECT max(sum(t.k))) FROM t",
    "SELECT (SELECT max(sum(t.k) + t.a) FROM n) FROM t",
    "SELECT (SELECT max(n.a + sum(t.k)) FROM n) FROM t",
    "SELECT (SELECT max(t.k) + min(n.a) FROM n) FROM t",
  ])("%s", same);
});

// 60531: the process ended, as V8 does where an array is larger than one may be.
it("a row whose text would be longer than any is refused", async () => {
  const nested = (depth: number): string =>
    `SELECT ${"ROW(".repeat(depth)}k${")".repeat(depth)} FROM t WHERE k = 1`;
  await same(nested(12));
  const { error } = await db.sql(nested(120));
  expect(error).toMatchObject({ code: "statement_too_complex", sqlstate: "54001" });
}, 120_000);

describe("USING and NATURAL of a function in FROM", () => {
  it.each([
    // They were passed over: all pairs came.
    "SELECT * FROM t JOIN generate_series(1, 3) USING (k)",
    "SELECT * FROM t JOIN generate_series(1, 2) k USING (k) ORDER BY 1",
    "SELECT g.*, t.*, k FROM t JOIN generate_series(2, 5) g(k) USING (k) ORDER BY 1",
    "SELECT * FROM t JOIN generate_series(1, 3) x USING (x)",
    "SELECT * FROM t NATURAL JOIN generate_series(1, 2) k ORDER BY 1",
    "SELECT * FROM t NATURAL JOIN generate_series(1, 2) x ORDER BY 1, x",
    "SELECT * FROM t JOIN LATERAL generate_series(1, t.k) k USING (k) ORDER BY 1",
    "SELECT * FROM t JOIN unnest(ARRAY[1, 5], ARRAY['x', 'y']) u(k, c) USING (k, c) ORDER BY 1",
    "SELECT * FROM t LEFT JOIN generate_series(2, 3) k USING (k) ORDER BY 1",
    "SELECT * FROM (t JOIN generate_series(1, 2) k USING (k)) j ORDER BY 1",
  ])("%s", same);
});

describe("a name with its schema", () => {
  it.each([
    // It named whatever was called so.
    "SELECT public.t.c FROM t t",
    "SELECT public.x.c FROM t x",
    "SELECT public.t.* FROM t t",
    "WITH t AS (SELECT 1 AS c) SELECT public.t.c FROM t",
    "SELECT public.t.c FROM (SELECT 1 AS c) t",
    "SELECT public.t.c FROM t ORDER BY 1",
    "SELECT public.t.c, u.c FROM public.t JOIN n u ON u.a = t.k ORDER BY 1",
    "SELECT (SELECT public.t.c) FROM t ORDER BY 1",
  ])("%s", same);
});

describe("a literal without a type", () => {
  it.each([
    // It was taken for text where PostgreSQL does not know, and waited for the other side where PostgreSQL does not.
    "SELECT array_agg('{}')",
    "SELECT array_agg(NULL ORDER BY 1)",
    "SELECT json_object_agg('a', NULL)",
    "SELECT DISTINCT NULL UNION SELECT 1",
    "SELECT 1 UNION SELECT DISTINCT '2'",
    "SELECT 1 INTERSECT SELECT DISTINCT NULL",
    "(SELECT NULL ORDER BY 1) UNION SELECT 1",
    "SELECT NULL GROUP BY 1 UNION SELECT 1",
    "VALUES (NULL) UNION SELECT 1",
    "SELECT 1 UNION ALL SELECT NULL ORDER BY 1",
    "SELECT DISTINCT NULL UNION SELECT 'x' ORDER BY 1",
    "SELECT num_nulls(VARIADIC ARRAY[1, EXISTS (SELECT 1)])",
    "SELECT concat(VARIADIC ARRAY[1, true])",
    "SELECT concat(VARIADIC ARRAY[1, 2.50, NULL])",
    "SELECT num_nulls(VARIADIC ARRAY[])",
  ])("%s", same);

  it.each(["json_agg", "jsonb_agg"])("of %s has none that it could collect", async (name) => {
    for (const call of [`${name}(NULL)`, `${name}('x')`, `${name}(DISTINCT 'x')`]) {
      const { error } = await db.sql(`SELECT ${call} FROM t`);
      expect([error?.sqlstate, (await postgres.ask(`SELECT ${call} FROM t`)).refused]).toEqual([
        "42804",
        "42804",
      ]);
    }
  });
});

describe("a comparison of rows", () => {
  it.each([
    // Each row of the function's was compared.
    "SELECT (unnest(ARRAY[1]), c) = (1, 'x') FROM t",
    "SELECT (1, 2) < (unnest(ARRAY[1]), 2)",
    "SELECT (unnest(ARRAY[1]), 2) IN ((1, 2))",
    "SELECT (SELECT max(g) FROM generate_series(1, 3) g) = 3, (k, 1) = (1, 1) FROM t ORDER BY k",
  ])("is not one of several: %s", same);
});

describe("a star in a call with OVER", () => {
  it.each([
    "SELECT cume_dist(*) OVER (), rank(*) OVER (ORDER BY k), row_number(*) OVER (ORDER BY k) FROM t ORDER BY 3",
    "SELECT ntile(*) OVER () FROM t",
    "SELECT lag(*) OVER () FROM t",
  ])("means that there are no arguments: %s", same);
});

describe("the place of", () => {
  it.each([
    "SELECT 1 FROM t HAVING k IN (SELECT 1)",
    "SELECT 1 FROM t HAVING (k, c) IN (SELECT 1, 'x')",
    "SELECT count(*) FROM t ORDER BY k > ALL (SELECT 1)",
    "SELECT count(*), (SELECT t.k) FROM t",
    "SELECT DISTINCT ON (1) '1'::json",
    "SELECT DISTINCT ON (a, j) '1'::json AS j FROM t",
  ])("what is refused is told: %s", same);
});
