/**
 * /ready said 200 on a replica in its first copy as soon as that had begun (of a log that was not compacted), on one that had stopped because its history is another than its leader's, and on a leader in whose
 * place another one had been promoted: a load balancer went on sending readers there.
 */
import { expect, test } from "vitest";
import { gone, networked, started } from "../engine/replica/nodes.ts";
import { level, type Node, SEGMENT, TABLES, until } from "../engine/replica/support.ts";
import { sql } from "../engine/support/memory.ts";

async function ready({ url }: Node): Promise<number> {
  const answer = await fetch(`${url}/ready`);
  await answer.body?.cancel();
  return answer.status;
}

test("a replica in its first copy is not ready, also after a restart; later it is, with its leader or without", async () => {
  const leader = await started();
  await sql(leader.db, TABLES);
  const a = "x".repeat(800);
  for (let k = 0; k < 400; k++) await leader.db.append("t", [{ k, a }]);
  await leader.db.core.log.sealed();
  const network = await networked(leader);
  // One sealed segment gets through.
  let asked = 0;
  network.heard = (piece) => {
    if (piece.includes("/v1/backup/") && ++asked === 2) network.cut();
  };
  const replica = await started({ follow: { url: network.url } });
  await until(() => asked === 2);
  await until(() => Number(replica.db.position) > 10);
  expect(leader.db.core.log.files().files.length * SEGMENT).toBeGreaterThan(3 * SEGMENT);
  expect(await ready(replica)).toBe(503);
  await replica.stop();
  await replica.start();
  expect(await ready(replica)).toBe(503);
  network.mend();
  await level(leader.db, replica.db);
  await until(() => replica.db.readiness().ready);
  expect(await ready(replica)).toBe(200);
  await replica.stop();
  await leader.stop();
  gone(leader);
  await replica.start();
  expect(await ready(replica)).toBe(200);
});

test("a replica that has parted from its leader is not ready, nor is a former leader", async () => {
  const former = await started();
  await sql(former.db, TABLES);
  const network = await networked(former);
  const replica = await started({ follow: { url: network.url } });
  await level(former.db, replica.db);
  network.cut();
  await replica.db.replication.promote();
  await former.db.append("s", [{ n: 1 }]);
  expect(await ready(former)).toBe(200);
  network.mend();
  await until(() => former.db.replication.info().role === "superseded");
  expect(await ready(former)).toBe(503);
  await former.stop();
  await former.start({ follow: { url: replica.url } });
  await until(() => former.db.replication.info().following?.state === "stopped");
  expect(await ready(former)).toBe(503);
  expect(await ready(replica)).toBe(200);
});
