/** An array made of a series whose step was computed came in the order of its values, and not in that of the series. */
import { afterEach, expect, it } from "vitest";
import { openInMemory, rowsOf, sql } from "../engine/support/memory.ts";

const open: { close(): Promise<void> }[] = [];

afterEach(async () => {
  for (const db of open.splice(0)) await db.close();
});

it("has the order of the series", async () => {
  const db = await openInMemory();
  open.push(db);
  await sql(
    db,
    "CREATE TABLE t (k int PRIMARY KEY, w int8); INSERT INTO t VALUES (1, -1), (2, 2), (3, NULL)",
  );
  const one = async (query: string) => (await rowsOf(db, query)).map((row) => row.at(-1));
  expect(await one("SELECT ARRAY(SELECT generate_series(3, 1, -(1::int4)))")).toEqual(["{3,2,1}"]);
  expect(await one("SELECT ARRAY(SELECT generate_series(1, 3, +(1::int4)))")).toEqual(["{1,2,3}"]);
  expect(await one("SELECT k, ARRAY(SELECT generate_series(3, 1, -k)) FROM t ORDER BY k")).toEqual([
    "{3,2,1}",
    "{3,1}",
    "{3}",
  ]);
  expect(await one("SELECT k, ARRAY(SELECT generate_series(0, 4 * w, w)) FROM t ORDER BY k")).toEqual([
    "{0,-1,-2,-3,-4}",
    "{0,2,4,6,8}",
    "{}",
  ]);
  expect(await one("SELECT ARRAY(SELECT generate_series(-2147483647, -2147483648, -(1::int4)))")).toEqual([
    "{-2147483647,-2147483648}",
  ]);
});
