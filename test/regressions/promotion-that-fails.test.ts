/**
 * A promotion that found no room for its first commit was refused, and the replica followed nobody any more, until its next start: it said neither that nor why, and answered with what it had had.
 */
import { expect, it } from "vitest";
import { started } from "../engine/replica/nodes.ts";
import { level, refusal } from "../engine/replica/support.ts";
import { rowsOf, sql } from "../engine/support/memory.ts";

it("a replica that cannot be promoted goes on following", async () => {
  const leader = await started();
  await sql(leader.db, "CREATE TABLE t (k int4 PRIMARY KEY)");
  const replica = await started({ follow: { url: leader.url } });
  await level(leader.db, replica.db);
  await replica.stop();
  const { disk } = replica;
  // Nothing has been made ready for a segment that it would begin.
  for (const path of disk.files()) if (path.includes("/next-")) await disk.unlink(path);
  disk.capacityBytes = disk.files().reduce((sum, path) => sum + disk.contents(path).length, 2_000);
  await replica.start();
  await level(leader.db, replica.db);
  for (let time = 0; time < 2; time++) {
    expect(await refusal(replica.db.replication.promote())).toMatchObject({ code: "disk_full" });
    expect(replica.db.replication.info()).toMatchObject({ role: "follower", epoch: 0 });
    expect(await refusal(replica.db.append("t", [{ k: 0 }]))).toMatchObject({ code: "not_leader" });
    await leader.db.append("t", [{ k: time + 1 }]);
    await level(leader.db, replica.db);
  }
  expect(leader.db.replication.info()).toMatchObject({ role: "leader", followers: [{}] });
  disk.capacityBytes = Number.POSITIVE_INFINITY;
  expect(await replica.db.replication.promote()).toMatchObject({ epoch: 1 });
  await replica.db.append("t", [{ k: 3 }]);
  expect(await rowsOf(replica.db, "SELECT k FROM t ORDER BY k")).toEqual([["1"], ["2"], ["3"]]);
});
