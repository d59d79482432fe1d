/**
 * A leader whose commits wait for replicas was closed while none had the last one. Who had sent it was told that it would not come; but the mark that the log is closed with, which nobody has to
 * confirm, made the commit durable for all who looked: a request that had come again under the same key was acknowledged, and views showed it. Found by the simulation of copies, seed 503122.
 */
import { expect, test } from "vitest";
import { Node } from "../engine/replica/support.ts";
import { rowsOf, sql } from "../engine/support/memory.ts";

test("what no replica has is told to nobody by the closing of the log", async () => {
  const leader = await Node.start();
  await sql(leader.db, "CREATE TABLE t (k int4 PRIMARY KEY)");
  await leader.stop();
  await leader.start({ syncFollowers: 1, syncTimeoutMs: 60_000 });
  const { db } = leader;
  const { log } = db.core;
  const before = log.durablePosition;
  const append = () => db.append("t", [{ k: 1 }], { idempotencyKey: "one" }).catch((error: unknown) => error);
  const first = append();
  while (log.storedPosition === log.durablePosition) await new Promise((resolve) => setImmediate(resolve));
  const again = append();
  await leader.stop();
  expect(await first).toMatchObject({ code: "shutting_down" });
  expect(await again).toMatchObject({ code: "shutting_down" });
  expect([log.durablePosition, db.position]).toEqual([before, String(before)]);
  await leader.start({ syncFollowers: 0 });
  expect(await rowsOf(leader.db, "SELECT k FROM t")).toEqual([["1"]]);
  await leader.stop();
});
