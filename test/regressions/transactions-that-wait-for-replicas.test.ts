/** With --sync-followers and no replica there, an append was told so in time; a transaction that only read, or was refused by what another had stored, waited for ever, and one that expects something kept all others waiting. */
import { afterEach, expect, test } from "vitest";
import { Node, TABLES, until } from "../engine/replica/support.ts";
import { rowsOf, sql } from "../engine/support/memory.ts";

let nodes: Node[] = [];

afterEach(async () => {
  for (const node of nodes.reverse()) await node.stop();
  nodes = [];
});

async function leaderAlone(): Promise<Node> {
  const leader = await Node.start();
  nodes.push(leader);
  await sql(leader.db, `${TABLES}; INSERT INTO t VALUES (1, 'one')`);
  await leader.stop();
  await leader.start({ syncFollowers: 1, syncTimeoutMs: 40 });
  return leader;
}

const timeout = { code: "timeout", status: 504 };

test("each way of a transaction is told in time, and what is stored of it", async () => {
  const leader = await leaderAlone();
  const { db } = leader;
  const stays = { ...timeout, detail: expect.stringContaining("It is stored here, and stays") };
  const nothing = { ...timeout, detail: expect.stringContaining("Nothing of this request is stored") };
  const { position } = db;

  // Stored, and not told yet.
  await expect(db.transact([{ topic: "t", upsert: [{ k: 2, a: "two" }] }])).rejects.toMatchObject(stays);
  await expect(db.transaction((tx) => tx.append("t", [{ k: 3, a: "three" }]))).rejects.toMatchObject(stays);
  await expect(sql(db, "BEGIN; INSERT INTO t VALUES (4, 'four'); COMMIT")).rejects.toThrow("57014");

  // What they would answer follows from these.
  await expect(db.transaction((tx) => tx.get("t", 2))).rejects.toMatchObject(nothing);
  await expect(
    db.transaction(async (tx) => {
      await tx.get("t", 2);
      throw new Error("by what was read");
    }),
  ).rejects.toMatchObject(nothing);
  const expected = { expect: [{ position }] };
  await expect(db.transact([{ topic: "t", upsert: [{ k: 5, a: "five" }] }], expected)).rejects.toMatchObject(
    nothing,
  );
  const version = { expect: [{ topic: "t", key: 2, version: null }] };
  await expect(db.transact([{ topic: "t", upsert: [{ k: 5, a: "five" }] }], version)).rejects.toMatchObject(
    nothing,
  );

  // Nobody is kept waiting by them.
  await expect(db.append("s", [{ n: 1 }])).rejects.toMatchObject(stays);
  expect(await rowsOf(db, "SELECT k FROM t")).toEqual([["1"]]);
  nodes.push(await Node.start({ follow: { url: leader.url } }));
  await until(() => Number(db.position) === db.core.log.lastPosition);
  expect(await rowsOf(db, "SELECT k FROM t ORDER BY k")).toEqual([["1"], ["2"], ["3"], ["4"]]);
  expect((await db.transaction((tx) => tx.get("t", 2))).result).toEqual({ k: 2, a: "two" });
  await expect(db.transact([{ topic: "t", upsert: [{ k: 5, a: "five" }] }], version)).rejects.toMatchObject({
    code: "conflict",
  });
});
