/** A program that awaited one row after the other kept the event loop to itself: each was answered in the turn in which it was asked. Timers did not run, appends took seconds. */
import { expect, test } from "vitest";
import { openInMemory, sql } from "../engine/support/memory.ts";

test("one row after the other leaves the event loop its turns", async () => {
  const db = await openInMemory();
  await sql(db, "CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t VALUES (1, 1)");
  await sql(db, "CREATE MATERIALIZED VIEW v AS SELECT id, a FROM t");
  await db.built();
  let isOver = false;
  setImmediate(() => {
    isOver = true;
  });
  for (let n = 0; !isOver; n++) {
    if (n === 20_000) expect.unreachable("the event loop had no turn");
    await db.view("v").get(1);
  }
  await db.close();
});
