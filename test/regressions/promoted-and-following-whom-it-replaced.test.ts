/**
 * A promoted replica whose start line still said --follow was refused until the former leader had been told of it, and followed it from then on: a leader that had been fenced, behind one that
 * took it for its own, and nobody who took writes.
 */
import { expect, test } from "vitest";
import { gone, started } from "../engine/replica/nodes.ts";
import { level, type Node, refusal, TABLES, until } from "../engine/replica/support.ts";
import { sql } from "../engine/support/memory.ts";

async function pair(): Promise<[Node, Node]> {
  const leader = await started();
  await sql(leader.db, TABLES);
  const replica = await started({ follow: { url: leader.url } });
  await level(leader.db, replica.db);
  return [leader, replica];
}

test("a promoted replica does not follow whom it has replaced, also when that one knows", async () => {
  const [former, replica] = await pair();
  await replica.db.replication.promote();
  await until(() => former.db.replication.info().role === "superseded");
  await replica.stop();
  const follow = { url: former.url };
  const error = await refusal(replica.start({ follow }));
  expect(error).toMatchObject({
    code: "invalid_request",
    message: expect.stringContaining("was promoted in place of"),
  });
  await replica.start({ follow: undefined });
  await replica.db.append("s", [{ n: 1 }]);
});

test("it follows that one once it has been superseded in its turn", async () => {
  const [first, second] = await pair();
  await second.db.replication.promote();
  await until(() => first.db.replication.info().role === "superseded");
  await first.stop();
  await first.start({ follow: { url: second.url } });
  await level(second.db, first.db);
  await first.db.replication.promote();
  await until(() => second.db.replication.info().role === "superseded");
  await second.stop();
  await second.start({ follow: { url: first.url } });
  await first.db.append("s", [{ n: 2 }]);
  await level(first.db, second.db);
  // And by name where it has not heard of it.
  await second.stop();
  gone(second);
  await first.stop();
  expect(await refusal(first.start({ follow: { url: second.url } }))).toMatchObject({
    code: "invalid_request",
  });
  await first.start({ follow: undefined });
});
