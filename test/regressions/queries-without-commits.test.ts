/**
 * What a query kept was freed with the next step; where nothing was written there was none, and after some six hundred queries the address
 * space was used up. Found by running SQLite's select1.test.
 */
import { expect, it } from "vitest";
import { openInMemory, rowsOf, sql } from "../engine/support/memory.ts";

it("leave nothing behind", async () => {
  const db = await openInMemory();
  await sql(
    db,
    "CREATE TABLE t (k int PRIMARY KEY, c text); INSERT INTO t SELECT n, 'row ' || n FROM generate_series(1, 50) AS n",
  );
  const ask = (i: number) =>
    rowsOf(
      db,
      `SELECT x.c || '${i}', count(*) FROM t x JOIN t y ON x.k < y.k GROUP BY 1 ORDER BY 2 DESC LIMIT 3`,
    );
  await ask(0);
  await db.core.stepper.atBoundary(() => {});
  const before = db.core.dictionary.bytes;
  for (let i = 1; i <= 700; i++) await ask(i);
  await db.core.stepper.atBoundary(() => {});
  expect(db.core.circuit.buried).toBe(0);
  expect(db.core.dictionary.bytes).toBeLessThan(before + 65_536);
  await db.close();
});
