/**
 * Who had missed too much and left then was first told the whole view once more, on a subscription nobody listened to; and who had left before the
 * subscription began waited for ever.
 */
import { expect, it } from "vitest";
import { openInMemory, sql } from "../engine/support/memory.ts";

it("a subscription that was closed does not begin anew", async () => {
  const db = await openInMemory();
  await sql(db, "CREATE TABLE t (k int4 PRIMARY KEY, v text)");
  await sql(db, "CREATE MATERIALIZED VIEW v AS SELECT k, v FROM t");
  const stop = new AbortController();
  const slow = db.subscribe([{ view: "v" }], { signal: stop.signal })[Symbol.asyncIterator]();
  await slow.next();
  const mebibyte = "x".repeat(1 << 20);
  // More than a queue holds, so what comes next is a reset: each in a step of its own.
  for (let n = 0; n < 20; n++) {
    await db.append("t", [{ k: 1, v: `${n} ${mebibyte}` }]);
    await db.settled();
  }
  stop.abort();
  expect((await slow.next()).done).toBe(true);
  await db.close();
});

it("a subscription that is closed before it begins ends at once", async () => {
  const db = await openInMemory();
  await sql(db, "CREATE TABLE t (k int4 PRIMARY KEY); CREATE MATERIALIZED VIEW v AS SELECT k FROM t");
  const events = db.subscribe([{ view: "v" }], { signal: AbortSignal.abort() })[Symbol.asyncIterator]();
  expect((await events.next()).done).toBe(true);
  expect(db.stats().subscribers).toBe(0);
  await db.close();
});
