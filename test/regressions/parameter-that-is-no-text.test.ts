/**
 * A parameter with half of a surrogate pair was taken as if it had U+FFFD there: a query for it found another row, and storing it was refused as a duplicate of that. What no text may hold
 * is refused, as PostgreSQL does.
 */
import { expect, it } from "vitest";
import { openInMemory, rowsOf, sql } from "../engine/support/memory.ts";

it("is refused by its number", async () => {
  const db = await openInMemory();
  await sql(db, "CREATE TABLE t (id text PRIMARY KEY, v int4)");
  await db.append("t", [{ id: "\ufffd", v: 3 }]);
  for (const text of ["\ud800", "a\0"]) {
    for (const statement of [
      "SELECT * FROM t WHERE v = $1 AND id = $2",
      "SELECT $1::int4, $2::text",
      "INSERT INTO t (v, id) VALUES ($1, $2)",
      "DELETE FROM t WHERE v > $1 AND id = $2",
    ]) {
      const { error, results } = await db.sql(statement, { params: [1, text] });
      expect([error?.code, results.length], statement).toEqual(["untranslatable_character", 0]);
      expect(error?.message).toMatch(/^\$2: /);
    }
  }
  expect(
    (await db.sql("SELECT v FROM t WHERE id = $1", { params: ["\ufffd"] })).results[0]?.rowsText(),
  ).toEqual([["3"]]);
  expect(await rowsOf(db, "SELECT count(*) FROM t")).toEqual([["1"]]);
  await db.close();
});
