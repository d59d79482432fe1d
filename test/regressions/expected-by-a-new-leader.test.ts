/**
 * A transaction may expect that a topic was not written since a position. A leader that had followed until then knew only of what had been written through itself, or before it
 * was started, and let pass what its former leader had written in between. Found by the simulation of copies, seed 330.
 */
import { expect, test } from "vitest";
import { level, Node } from "../engine/replica/support.ts";
import { sql } from "../engine/support/memory.ts";

test("a new leader knows what was written while it followed", async () => {
  const former = await Node.start();
  await sql(former.db, "CREATE TABLE t (k int4 PRIMARY KEY, v int4)");
  const replica = await Node.start({ follow: { url: former.url } });
  await level(former.db, replica.db);
  const { position } = await former.db.append("t", [{ k: 1, v: 1 }]);
  await former.db.append("t", [{ k: 1, v: 2 }]);
  await level(former.db, replica.db);
  await former.stop();
  const { position: begins } = await replica.db.replication.promote();
  const write = (expected: object) =>
    replica.db.transact([{ topic: "t", upsert: [{ k: 2, v: 1 }] }], {
      expect: [expected as { position: string }],
    });
  for (const expected of [{ position }, { topic: "t", position }, { topic: "t", key: 1, version: position }])
    await expect(write(expected)).rejects.toMatchObject({ code: "conflict" });
  await write({ topic: "t", key: 1, version: begins });
  await replica.stop();
});
