/**
 * Between two pieces of work every operator of the step was asked how much it keeps, so a change seen by n operators cost n * n / 16 looks:
 * with five hundred views of joins, a change of ten rows took two seconds. Only what has worked since the last look is asked.
 */
import { expect, it, vi } from "vitest";
import { Store } from "../../src/state/store.ts";
import { openInMemory, sql } from "../engine/support/memory.ts";

it("a step asks each operator a few times what it keeps, however many there are", async () => {
  const db = await openInMemory();
  try {
    await sql(db, "CREATE TABLE t (k int PRIMARY KEY, a int, b int)");
    await sql(db, "CREATE TABLE u (k int PRIMARY KEY, a int)");
    const views = 120;
    for (let i = 0; i < views; i++) {
      const on = `t.b + ${i} = u.a`;
      await sql(db, `CREATE MATERIALIZED VIEW v${i} AS SELECT t.k, u.k AS l FROM t JOIN u ON ${on}`);
    }
    await sql(db, "INSERT INTO u VALUES (1, 1)");
    await db.settled();
    const asked = vi.spyOn(Store.prototype, "bytes", "get");
    try {
      await sql(db, "INSERT INTO t VALUES (1, 7, 1)");
      await db.settled();
      // Of each view a filter, a join and what the join keeps.
      expect(asked.mock.calls.length).toBeGreaterThan(0);
      expect(asked.mock.calls.length).toBeLessThan(views * 8);
    } finally {
      asked.mockRestore();
    }
    expect((await db.view("v0").rows()).rows).toEqual([{ k: 1, l: 1 }]);
  } finally {
    await db.close();
  }
});
