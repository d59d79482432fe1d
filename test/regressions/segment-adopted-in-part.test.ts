/**
 * A replica that took over a sealed segment, and then could not remove the frames that it stands for, took that for a segment that had not come: its log had grown, and its views were not fed.
 * They lacked these rows until the next start, and close() waited for them.
 */
import { expect, it } from "vitest";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { networked, started } from "../engine/replica/nodes.ts";
import { change, contents, level, TABLES } from "../engine/replica/support.ts";
import { sql } from "../engine/support/memory.ts";

it("a replica steps what it has taken, though it cannot remove what that replaces", async () => {
  const random = new SeededRandom(1);
  const leader = await started();
  await sql(leader.db, TABLES);
  await change(leader.db, random, 30);
  const network = await networked(leader);
  const replica = await started({ follow: { url: network.url } });
  await level(leader.db, replica.db);
  network.cut();
  await change(leader.db, random, 400);
  await leader.db.core.log.sealed();
  const { disk } = replica;
  disk.fail({ operation: "unlink", path: /log\/\d+\.log$/, code: "EIO" });
  network.mend();
  await level(leader.db, replica.db);
  expect(replica.reports).toContainEqual(
    expect.stringMatching(/^frames that a sealed segment stands for could not be removed: /),
  );
  expect(await contents(replica.db)).toEqual(await contents(leader.db));
  await replica.stop();
  await replica.start();
  await level(leader.db, replica.db);
  expect(await contents(replica.db)).toEqual(await contents(leader.db));
});
