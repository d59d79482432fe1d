/** Whoever was told that no replica has a commit yet stayed among those who wait for it, for as long as replicas were away: each request, and each time it was sent again. */
import { expect, it } from "vitest";
import { started } from "../engine/replica/nodes.ts";
import { refusal } from "../engine/replica/support.ts";
import { sql } from "../engine/support/memory.ts";

it("nobody waits who was told", async () => {
  const leader = await started({ syncFollowers: 1, syncTimeoutMs: 40 });
  await leader.stop();
  await leader.start({ syncFollowers: 0 });
  await sql(leader.db, "CREATE TABLE t (id int PRIMARY KEY)");
  await leader.stop();
  await leader.start();
  const { db } = leader;
  const { durability } = db.core;
  expect(await refusal(db.append("t", [{ id: 1 }]))).toMatchObject({ code: "timeout" });
  const before = durability.size;
  for (let i = 0; i < 5; i++) {
    const told = await db.sql("INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING");
    expect(told).toMatchObject({ error: { code: "timeout" } });
  }
  expect(durability.size).toBe(before);
  await leader.stop();
});
