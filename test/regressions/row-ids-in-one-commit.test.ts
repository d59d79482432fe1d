/** Two operations of one transaction on one table without primary key gave their rows the same hidden ids: one of them was lost. */
import { expect, it } from "vitest";
import { openInMemory, rowsOf, sql } from "../engine/support/memory.ts";

it("rows of several operations in one commit are several rows", async () => {
  const db = await openInMemory();
  await sql(db, "CREATE TABLE t (n int4)");
  await db.transact([
    { topic: "t", append: [{ n: 1 }] },
    { topic: "t", append: [{ n: 2 }, { n: 3 }] },
    { topic: "t", append: [{ n: 4 }] },
  ]);
  await db.append("t", [{ n: 5 }]);
  expect(await rowsOf(db, "SELECT n FROM t ORDER BY n")).toEqual([["1"], ["2"], ["3"], ["4"], ["5"]]);
  await db.close();
});
