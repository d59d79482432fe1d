/** A filter over a join, of a call that cannot fail for its constants, did not compile: its code looks whether it has failed all the same. */
import { expect, it } from "vitest";
import { openInMemory, rowsOf, sql } from "../engine/support/memory.ts";

it("filters in the loop of the join", async () => {
  const db = await openInMemory();
  await sql(
    db,
    `CREATE TABLE t (k int4 PRIMARY KEY, a int4, b text);
     CREATE MATERIALIZED VIEW v AS SELECT y.a, count(*) FROM t x JOIN t y ON x.b = y.b
       WHERE substr('ab'::text, 1, 1) BETWEEN upper('A') AND upper(y.b) || y.a || x.a GROUP BY y.a;
     CREATE MATERIALIZED VIEW w AS SELECT x.k, substr(y.b, 1, 2) AS s FROM t x JOIN t y ON x.b = y.b
       WHERE substr('ab'::text, 1, 1) || x.b <> 'ab' || y.a`,
  );
  await sql(db, "INSERT INTO t VALUES (1, 1, 'a'), (2, 2, 'b'), (3, 3, 'B'), (4, NULL, 'b'), (5, 5, NULL)");
  await db.settled();
  expect(await rowsOf(db, "SELECT * FROM v ORDER BY a")).toEqual([]);
  expect(await rowsOf(db, "SELECT * FROM w ORDER BY k, s")).toEqual([
    ["1", "a"],
    ["2", "b"],
    ["3", "B"],
    ["4", "b"],
  ]);
  await db.close();
});
