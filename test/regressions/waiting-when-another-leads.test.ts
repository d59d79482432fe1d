/**
 * Who waited behind a change of the catalog that replicas did not have, when another was promoted in the leader's place, was told of a timeout when that came, and to send the request again: to one
 * that would never take it.
 */
import { expect, it } from "vitest";
import { started } from "../engine/replica/nodes.ts";
import { refusal, until } from "../engine/replica/support.ts";
import { sql } from "../engine/support/memory.ts";

it("who waits at the gate of a leader that is none any more is told so at once", async () => {
  // What waits does so for longer than any test.
  const leader = await started({ syncFollowers: 1, syncTimeoutMs: 3_600_000 });
  await leader.stop();
  await leader.start({ syncFollowers: 0 });
  await sql(leader.db, "CREATE TABLE s (n int) WITH (append_only); CREATE TABLE t (n int)");
  await leader.stop();
  await leader.start();
  const { db } = leader;
  const { log } = db.core;
  const dropped = db.sql("DROP TABLE t");
  const before = log.lastPosition;
  await until(() => log.lastPosition > before);
  const waiting = Array.from({ length: 3 }, (_, n) => refusal(db.append("s", [{ n }])));
  const alone = db.sql("INSERT INTO s VALUES (9)");
  await new Promise(setImmediate);
  const behind = log.lastPosition;
  await db.replication.fence({ logId: log.logId, epochs: [{ epoch: 1, id: 7, begins: 1 }] });
  for (const error of await Promise.all(waiting)) expect(error).toMatchObject({ code: "not_leader" });
  expect(await alone).toMatchObject({ error: { code: "not_leader" } });
  expect(await refusal(db.append("s", [{ n: 3 }]))).toMatchObject({ code: "not_leader" });
  expect(log.lastPosition).toBe(behind);
  log.confirm(log.lastPosition);
  await dropped;
});
