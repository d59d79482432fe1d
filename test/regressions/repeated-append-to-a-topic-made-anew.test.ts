/** An append that is repeated under its key after its topic was dropped, and made anew, was answered with a count of nothing. */
import { expect, it } from "vitest";
import { openInMemory, sql } from "../engine/support/memory.ts";

it("is answered as it was the first time", async () => {
  const db = await openInMemory();
  await sql(db, "CREATE TABLE t (k int4 PRIMARY KEY)");
  const append = () => db.append("t", [{ k: 1 }, { k: 2 }], { idempotencyKey: "one" });
  const first = await append();
  expect(first).toMatchObject({ count: 2, firstOffset: 0, lastOffset: 1 });
  await sql(db, "DROP TABLE t; CREATE TABLE t (k int4 PRIMARY KEY)");
  expect(await append()).toEqual(first);
  expect(await db.append("t", [])).toMatchObject({ count: 0, firstOffset: 0, lastOffset: -1 });
  await db.close();
});
