/**
 * A key that was erased on the leader, and deleted once more before it was erased on a replica, has a record in the replica's last segment: it was said there that a segment had not been sealed, as if the
 * disk had failed. It is refused as other erasing that comes too early. Found by the simulation of copies, seeds 5048 and 5128.
 */
import { expect, it } from "vitest";
import { started } from "../engine/replica/nodes.ts";
import { level } from "../engine/replica/support.ts";
import { sql } from "../engine/support/memory.ts";

it("is refused, and done when the leader has erased it again", async () => {
  const leader = await started();
  await sql(leader.db, "CREATE TABLE t (k int4 PRIMARY KEY, a text); INSERT INTO t VALUES (1, 'one')");
  const replica = await started({ follow: { url: leader.url } });
  await leader.db.erase("t", 1);
  await leader.db.deleteKey("t", 1);
  await level(leader.db, replica.db);
  await expect(replica.db.erase("t", 1)).rejects.toMatchObject({
    code: "conflict",
    message: "the key has records in the segment that is written to",
    hint: expect.stringContaining("on the leader first"),
  });
  await leader.db.erase("t", 1);
  await level(leader.db, replica.db);
  expect(Number((await replica.db.erase("t", 1)).position)).toBeGreaterThan(0);
  for await (const record of replica.db.readTopic("t")) expect.unreachable(JSON.stringify(record));
});
