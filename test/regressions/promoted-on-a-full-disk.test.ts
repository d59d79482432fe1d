/**
 * A promotion whose epoch had begun, and whose note found no room, was called refused: nobody told the former leader, so that both of them wrote, and what a leader does by itself did not begin. So it was where what the program declares could not be made. And a
 * former leader on a full disk, told twice that another one leads, said the second time that it knew, and had noted it nowhere: the next start led again.
 */
import { expect, it } from "vitest";
import type { EvertError } from "../../src/base/errors.ts";
import { started } from "../engine/replica/nodes.ts";
import { level, type Node, until } from "../engine/replica/support.ts";
import { sql } from "../engine/support/memory.ts";

async function pair(options: Parameters<typeof started>[0] = {}): Promise<{ leader: Node; replica: Node }> {
  const leader = await started();
  await sql(leader.db, "CREATE TABLE t (k int4 PRIMARY KEY)");
  const replica = await started({ follow: { url: leader.url }, ...options });
  await level(leader.db, replica.db);
  return { leader, replica };
}

const roleOf = ({ db }: Node): string => db.replication.info().role;

/** Nothing has room any more but what has been taken before. */
function fill({ disk }: Node): void {
  disk.capacityBytes = disk.files().reduce((sum, path) => sum + disk.contents(path).length, 0);
}

it("a promotion that cannot be noted is one, the former leader is told, and it can be tried again", async () => {
  const { leader, replica } = await pair();
  fill(replica);
  // A start would not know it.
  await expect(replica.db.replication.promote()).rejects.toMatchObject({ code: "disk_full" });
  expect(roleOf(replica)).toBe("leader");
  expect(replica.reports).toContainEqual(expect.stringContaining("could not be noted, and is tried again"));
  await until(() => roleOf(leader) === "superseded", "the former leader to be told");
  await expect(leader.db.append("t", [{ k: 1 }])).rejects.toMatchObject({ code: "not_leader" });
  await expect(replica.db.replication.promote()).rejects.toMatchObject({ code: "disk_full" });
  replica.disk.capacityBytes = Number.POSITIVE_INFINITY;
  await replica.db.append("t", [{ k: 2 }]);
  expect(await replica.db.replication.promote()).toEqual({ epoch: 1, position: "2" });
  await replica.kill("power cut");
  await replica.start({ follow: undefined });
  expect(roleOf(replica)).toBe("leader");
});

it("so is one behind which something fails, and that can be tried again", async () => {
  const { leader, replica } = await pair();
  const { ticker } = replica.db.core;
  let fails = true;
  const start = ticker.start.bind(ticker);
  ticker.start = () => {
    if (fails) throw new Error("not now");
    start();
  };
  await expect(replica.db.replication.promote()).rejects.toThrow("not now");
  await until(() => roleOf(leader) === "superseded", "the former leader to be told");
  expect(roleOf(replica)).toBe("leader");
  fails = false;
  expect(await replica.db.replication.promote()).toEqual({ epoch: 1, position: "2" });
  await expect(replica.db.replication.promote()).rejects.toMatchObject({ code: "invalid_request" });
});

it("a former leader whose disk is full does not forget it", async () => {
  const { leader, replica } = await pair();
  fill(leader);
  await replica.db.replication.promote();
  const fence = { logId: replica.db.core.log.logId, epochs: replica.db.core.catalog.epochs };
  const tell = (): Promise<void> => leader.db.replication.fence(fence);
  for (let time = 0; time < 2; time++)
    expect(await tell().catch((error: EvertError) => error.code)).toBe("disk_full");
  expect(roleOf(leader)).toBe("superseded");
  leader.disk.capacityBytes = Number.POSITIVE_INFINITY;
  await tell();
  await leader.kill("power cut");
  await leader.start();
  expect(roleOf(leader)).toBe("superseded");
});
