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
