/**
 * A follower reads the groups of a segment that it has taken over, and of streams only the columns that views read. Views that were still being filled did not count: one that joined
 * the circuit meanwhile was fed zeros. Views that are to be filled count from the moment in which they are known. Found by the simulation of copies, seed 9.
 */
import { expect, test } from "vitest";
import { level, Node } from "../engine/replica/support.ts";
import { holds } from "../engine/support/holds.ts";
import { sql } from "../engine/support/memory.ts";
import { maintained } from "../engine/support/views.ts";

test("a view that is filled while a copy is taken over reads its columns", async () => {
  const leader = await Node.start();
  await sql(
    leader.db,
    `CREATE TABLE s (a int4, b int4) WITH (append_only); CREATE TABLE filler (x text) WITH (append_only);
     CREATE MATERIALIZED VIEW v AS SELECT a, sum(b) AS b, count(*) AS n FROM s GROUP BY a`,
  );
  const rows = Array.from({ length: 300 }, (_, i) => ({ a: 1 + (i % 3), b: 100 + i }));
  await Promise.all(rows.map((row) => leader.db.append("s", [row])));
  for (let i = 0; i < 20; i++) await leader.db.append("filler", [{ x: "x".repeat(10_000) }]);
  await leader.db.core.log.sealed();
  expect(leader.db.stats().sealedSegments).toBeGreaterThan(0);
  const follower = await Node.start({ follow: { url: leader.url } });
  await level(leader.db, follower.db);
  await holds(follower.db, "v", follower.db.views()[0]?.definition as string);
  expect(await maintained(follower.db, "v")).toHaveLength(3);
  await follower.stop();
  await leader.stop();
});
