/** Whoever writes while a leader begins waits before the door: nobody waits for ever where that beginning fails, is broken off or is overtaken. */
import { expect, test } from "vitest";
import { int4, table, text } from "../../src/index.ts";
import { gone, started } from "../engine/replica/nodes.ts";
import { level, type Node, refusal, TABLES } from "../engine/replica/support.ts";
import { sql } from "../engine/support/memory.ts";

const songs = table("songs", { key: "id", schema: { id: int4, name: text } });
const program = { topics: [songs] };
const sync = { syncFollowers: 1, syncTimeoutMs: 60_000 };

async function heirOf(leader: Node): Promise<Node> {
  const heir = await started({ follow: { url: leader.url }, ...program, ...sync });
  await level(leader.db, heir.db);
  return heir;
}

/** Appends in each turn until one is refused with something else than that it follows. */
async function writing(node: Node, codes: Set<string>): Promise<void> {
  const appends: Promise<unknown>[] = [];
  for (let n = 0; n < 2_000 && !codes.has("shutting_down") && !codes.has("io_error"); n++) {
    appends.push(
      node.db.append("s", [{ n }], n % 3 === 0 ? { idempotencyKey: `k${n}` } : {}).then(
        () => codes.add("acknowledged"),
        (error) => codes.add(error.code),
      ),
    );
    await new Promise((resolve) => setImmediate(resolve));
  }
  await Promise.all(appends);
}

test("closed amid its promotion", async () => {
  for (let turns = 0; turns < 12; turns++) {
    const leader = await started();
    await sql(leader.db, TABLES);
    const heir = await heirOf(leader);
    const codes = new Set<string>();
    const promotion = heir.db.replication.promote().then(
      () => "promoted",
      (error) => error.code,
    );
    const all = writing(heir, codes);
    for (let n = 0; n < turns * 3; n++) await new Promise((resolve) => setImmediate(resolve));
    gone(heir);
    await heir.stop();
    await promotion;
    await all;
    expect(codes).not.toContain("acknowledged");
    gone(leader);
    await leader.stop();
  }
});

test("closed amid a start that answers", async () => {
  for (let turns = 0; turns < 12; turns++) {
    const leader = await started();
    await sql(leader.db, TABLES);
    for (let n = 0; n < 20; n++) await leader.db.append("s", [{ n }]);
    await leader.stop();
    await leader.start({ ...program, ...sync, answerWhileCatchingUp: true });
    const codes = new Set<string>();
    const all = writing(leader, codes);
    for (let n = 0; n < turns * 2; n++) await new Promise((resolve) => setImmediate(resolve));
    gone(leader);
    await leader.stop();
    await all;
    expect([...codes]).toEqual(["shutting_down"]);
  }
});

test("whose disk fails amid its promotion", async () => {
  for (let after = 1; after <= 8; after++) {
    const leader = await started();
    await sql(leader.db, TABLES);
    const heir = await heirOf(leader);
    const codes = new Set<string>();
    heir.disk.crashAfter(after, /\/log\//);
    const promotion = heir.db.replication.promote().then(
      () => "promoted",
      (error) => error.code,
    );
    const all = writing(heir, codes);
    await promotion;
    gone(heir);
    await heir.stop().catch(() => {});
    await all;
    expect(codes).not.toContain("acknowledged");
    gone(leader);
    await leader.stop();
  }
});

test("overtaken by another one amid its promotion", async () => {
  const leader = await started();
  await sql(leader.db, TABLES);
  const [first, second] = [await heirOf(leader), await started({ follow: { url: leader.url } })];
  await level(leader.db, second.db);
  const codes = new Set<string>();
  const promotion = first.db.replication.promote().then(
    () => "promoted",
    (error) => error.code,
  );
  const all = writing(first, codes);
  await second.db.replication.promote();
  await promotion;
  await first.db.replication
    .fence({ logId: second.db.core.log.logId, epochs: second.db.core.catalog.epochs })
    .catch(() => {});
  gone(first);
  await first.stop();
  await all;
  expect(codes).not.toContain("acknowledged");
});

test("that finds its disk full, and tries again", async () => {
  const leader = await started();
  await sql(leader.db, TABLES);
  const heir = await heirOf(leader);
  heir.disk.capacityBytes = 0;
  expect(await refusal(heir.db.replication.promote())).toMatchObject({ code: "disk_full" });
  heir.disk.capacityBytes = Number.POSITIVE_INFINITY;
  const append = heir.db.append("s", [{ n: 1 }]);
  const follower = await started({ follow: { url: heir.url } });
  await append;
  await heir.db.replication.promote();
  expect(heir.db.topics().map(({ name }) => name)).toContain("songs");
  await level(heir.db, follower.db);
});
