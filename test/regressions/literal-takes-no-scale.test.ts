/**
 * CASE WHEN b THEN '1' ELSE price END, with price numeric(6,1), made a numeric(6,1) of the literal: 1.0. PostgreSQL gives it the type
 * without its scale. Found by answers.test.ts, seed 1975052480.
 */
import { expect, it } from "vitest";
import { openInMemory, rowsOf, sql } from "../engine/support/memory.ts";

it("a literal beside a column keeps its own scale and length", async () => {
  const engine = await openInMemory();
  await sql(engine, "CREATE TABLE t (k int PRIMARY KEY, price numeric(6,1), c varchar(2))");
  await sql(engine, "INSERT INTO t VALUES (1, 2, 'ab')");
  const asked = (from: string) =>
    rowsOf(
      engine,
      `SELECT CASE WHEN k = ${from} THEN '1.25' ELSE price END, coalesce(nullif(c, 'ab'), 'abc') FROM t`,
    );
  expect(await asked("1")).toEqual([["1.25", "abc"]]);
  expect(await asked("2")).toEqual([["2.0", "abc"]]);
  expect(await rowsOf(engine, "SELECT CASE WHEN k = 1 THEN price END FROM t")).toEqual([["2.0"]]);
  await engine.close();
});
