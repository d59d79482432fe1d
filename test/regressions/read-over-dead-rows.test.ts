/**
 * A read in order went on, after a pause, behind the last row that it had seen: where thousands of dead rows followed that row (somebody else's read kept
 * them), it came to its pause again before the next living one, and never ended. Found while a second walk of that kind was written.
 */
import { expect, it } from "vitest";
import { openInMemory, rowsOf, sql } from "../engine/support/memory.ts";

it("passes by any number of dead rows", async () => {
  const db = await openInMemory();
  await sql(
    db,
    `CREATE TABLE t (k int PRIMARY KEY, a int); CREATE INDEX ON t (a);
     CREATE MATERIALIZED VIEW v AS SELECT k, a FROM t ORDER BY k`,
  );
  await db.append(
    "t",
    Array.from({ length: 12_000 }, (_, k) => ({ k, a: k })),
  );
  await db.settled();
  const { rowsJson } = await db.view("v").rowsJson();
  const chunks = rowsJson[Symbol.asyncIterator]();
  await chunks.next();
  await sql(db, "DELETE FROM t WHERE k BETWEEN 1 AND 11000");
  await db.settled();
  expect((await db.view("v").rows({ limit: 2 })).rows).toEqual([
    { k: 0, a: 0 },
    { k: 11_001, a: 11_001 },
  ]);
  expect(await rowsOf(db, "SELECT k FROM v ORDER BY k LIMIT 2")).toEqual([["0"], ["11001"]]);
  expect(await rowsOf(db, "SELECT k FROM t WHERE a >= 0 AND a < 11002")).toEqual([["0"], ["11001"]]);
  await chunks.return?.(undefined);
  await db.close();
});
