/**
 * A leader whose commits wait for replicas is closed while none has the last one. Who waited for it was told that it would not come; a checkpoint that was being written asked only then, and the
 * database was never closed. Found by the simulation of copies, seeds 1104 and 1407.
 */
import { expect, test } from "vitest";
import { Node } from "../engine/replica/support.ts";
import { rowsOf, sql } from "../engine/support/memory.ts";

test("a database is closed while a checkpoint is written of what no replica has", async () => {
  const leader = await Node.start();
  await sql(leader.db, "CREATE TABLE t (k int4 PRIMARY KEY)");
  await leader.stop();
  await leader.start({ syncFollowers: 1, syncTimeoutMs: 60_000 });
  const { db } = leader;
  const append = db.append("t", [{ k: 1 }]).catch((error: unknown) => error);
  for (let i = 0; i < 100 && db.core.log.storedPosition === db.core.log.durablePosition; i++)
    await new Promise((resolve) => setImmediate(resolve));
  const checkpoint = db.checkpoint().catch((error: unknown) => error);
  await leader.stop();
  expect(await checkpoint).toMatchObject({ code: "shutting_down" });
  await append;
  await leader.start({ syncFollowers: 0 });
  expect(await rowsOf(leader.db, "SELECT k FROM t")).toEqual([["1"]]);
  await leader.stop();
});
