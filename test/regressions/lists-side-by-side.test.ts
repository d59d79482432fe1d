/**
 * Lists of a group's rows are put together with a budget of rows. Where the budget was used up by one list exactly, the next list of the same group
 * began with none, and went on behind the last row of another group instead of at its own first one.
 */
import { expect, it } from "vitest";
import { openInMemory, rowsOf, sql } from "../engine/support/memory.ts";

// The first call may look at 128 rows: for both lists of the first group, and for the first list of the second.
it.each([117, 118, 119, 120, 121])("two lists of a group of %i rows hold these rows", async (size) => {
  const db = await openInMemory();
  await sql(db, "CREATE TABLE t (g int4, n int4)");
  await sql(
    db,
    `CREATE MATERIALIZED VIEW lists AS
      SELECT g, array_agg(n ORDER BY n) AS up, array_agg(n ORDER BY n DESC) AS down FROM t GROUP BY g`,
  );
  const small = [1, 2, 3];
  const large = Array.from({ length: size }, (_, i) => i);
  await db.append("t", [
    ...small.map((n) => ({ g: 1, n })),
    ...large.map((n) => ({ g: 2, n })),
    ...small.map((n) => ({ g: 3, n })),
  ]);
  await db.settled();
  const list = (numbers: number[]): string => `{${numbers.join(",")}}`;
  const expected = [small, large, small].map((numbers, i) => [
    String(i + 1),
    list(numbers),
    list(numbers.toReversed()),
  ]);
  expect(await rowsOf(db, "SELECT g, up, down FROM lists ORDER BY g")).toEqual(expected);
  await db.close();
});
