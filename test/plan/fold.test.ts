/** What constants decide, beside PostgreSQL: the same rows, and the same silence of what is never evaluated. */
import { PGlite } from "@electric-sql/pglite";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Database } from "../../src/engine/database.ts";
import { openInMemory, sql } from "../engine/support/memory.ts";

const schema = "CREATE TABLE t (a int PRIMARY KEY, b int); INSERT INTO t VALUES (1, 0), (2, NULL), (3, 7);";
let judge: PGlite;
let engine: Database;

beforeAll(async () => {
  judge = await PGlite.create();
  await judge.exec(schema);
  engine = await openInMemory();
  await sql(engine, schema);
});

afterAll(async () => {
  await judge.close();
  await engine.close();
});

async function theirs(query: string): Promise<string> {
  try {
    const { rows } = await judge.query<unknown[]>(query, [], { rowMode: "array" });
    return JSON.stringify(rows.map((row) => row.map(textOf)));
  } catch (error) {
    return (error as { code: string }).code;
  }
}

function textOf(value: unknown): string | null {
  return value === null ? null : typeof value === "boolean" ? (value ? "t" : "f") : String(value);
}

async function ours(query: string): Promise<string> {
  const { results, error } = await engine.sql(query);
  return error === undefined ? JSON.stringify(results.at(-1)!.rowsText()) : error.sqlstate;
}

it.each([
  "SELECT a FROM t WHERE a / 0 = NULL",
  "SELECT a, (a / 0) + NULL FROM t ORDER BY a",
  "SELECT a FROM t WHERE NOT (a / 0 = NULL) ORDER BY a",
  "SELECT a FROM t WHERE a / 0 = NULL OR a = 3",
  "SELECT a FROM t WHERE (a / b = 1 AND NULL) OR a = 3",
  "SELECT a FROM t WHERE NOT a * 2 NOT BETWEEN a / - (a * 0) AND NULL",
  "SELECT a FROM t WHERE NOT (a > 1 AND (b = 0 OR NULL)) ORDER BY a",
  "SELECT a FROM t WHERE NOT (NOT (a > 1 OR NULL) OR b IS NULL) ORDER BY a",
  "SELECT a FROM t WHERE NOT (NOT (a > 1) AND b / a = 0) ORDER BY a",
  "SELECT * FROM t WHERE NOT NULL NOT BETWEEN a * - + 28 * 39 * - a * 100000000 * b AND a",
  "SELECT a FROM t WHERE a * CAST(NULL AS int) IN (b) AND - 13 + (- a) / + - 0 BETWEEN - a AND NULL",
  "SELECT a FROM t WHERE a / (1 - 1) + NULL = 2 + 2147483646 - 1",
  "SELECT DISTINCT + 43 / + - NULLIF(0, 99 + - MIN(ALL - 27)) * CAST(NULL AS real) FROM t",
  "SELECT a FROM t WHERE NULL = 2147483647 + 1",
  "SELECT a FROM t WHERE false AND a / 0 = 1",
  "SELECT a, (SELECT b FROM t) FROM t WHERE lpad('ab', 3, 'c') LIKE '%b%c'",
  "SELECT a, (SELECT b FROM t) FROM t WHERE lpad('ab', 3, 'c') LIKE '%b'",
  "SELECT a FROM t WHERE lpad('ab', 3, 'c') LIKE '%b' AND length('ab') + 1 = a",
  "SELECT a FROM t WHERE lower('A') = 'b' AND (SELECT b FROM t) = 1",
  "SELECT a FROM t WHERE NOT (lower('A') = 'b') AND (a = 1 OR upper('a') = 'a')",
  "SELECT a FROM t WHERE lower('A') IS NULL OR a = 2",
  "SELECT a FROM t WHERE a / 0 = 1 AND false",
  "SELECT a FROM t WHERE a / 0 = 1 AND NULL",
  "SELECT a FROM t WHERE a / 0 = 1 OR true ORDER BY a",
  "SELECT a, (a / 0 = 1 OR true), (a = 1 AND NULL), (a = 1 OR NULL) FROM t ORDER BY a",
  "SELECT a, CASE WHEN false THEN a / 0 WHEN true THEN a ELSE a / 0 END FROM t ORDER BY a",
  "SELECT a, CASE WHEN a = 1 THEN 10 WHEN true THEN 20 WHEN a / 0 = 1 THEN 30 END FROM t ORDER BY a",
  "SELECT a, CASE WHEN NULL THEN 1 END, CASE WHEN NULL THEN 1 ELSE b END FROM t ORDER BY a",
  "SELECT a, coalesce(NULL, 5, a / 0), coalesce(NULL, b, 5, a / 0), coalesce(NULL::int, NULL) FROM t ORDER BY a",
  "SELECT a FROM t WHERE NULL IS NULL AND NOT false AND NULL IS NOT DISTINCT FROM NULL ORDER BY a",
  "SELECT count(*), sum(a / NULL), max(b) FROM t WHERE a / 0 > NULL",
  "SELECT b / NULL, count(*) FROM t GROUP BY b / NULL",
  "SELECT count(*) FROM t HAVING count(*) / 0 = NULL",
  "SELECT x.a, y.a FROM t x LEFT JOIN t y ON x.a = y.a AND y.a / 0 = NULL ORDER BY 1",
  "SELECT x.a, y.a FROM t x LEFT JOIN t y ON x.a = y.a AND true ORDER BY 1",
  "SELECT a FROM t WHERE EXISTS (SELECT 1 FROM t u WHERE u.b = NULL AND u.a = t.a)",
  "SELECT a, (SELECT max(b) FROM t u WHERE u.a = t.a AND NULL) FROM t ORDER BY a",
  "SELECT a FROM (SELECT a, a / 0 AS x FROM t) q WHERE NULL",
  "WITH RECURSIVE r(n) AS (SELECT 1 UNION SELECT n + 1 FROM r WHERE n < 5 AND NULL) SELECT n FROM r",
  "SELECT a FROM t WHERE 1 / 0 = NULL",
  "SELECT a FROM t WHERE a + 1 / 0 = NULL",
  "SELECT a / 0 FROM t WHERE a = 1",
  "SELECT a FROM t WHERE a / 0 = 1 AND b = 0",
])("%s", async (query) => {
  expect(await ours(query)).toBe(await theirs(query));
});
