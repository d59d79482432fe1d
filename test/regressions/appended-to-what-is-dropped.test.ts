/**
 * An append that found its topic, and then waited at the gate while that was dropped, was stored in what was no topic any more, and acknowledged: nobody could read it, and what the committer keeps for each topic
 * was kept for this one for good. Found by the simulation of copies, seed 8700067.
 */
import { expect, it } from "vitest";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { HeldLog } from "../engine/support/held-log.ts";
import { openInMemory, sql } from "../engine/support/memory.ts";

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

it("what is appended while its topic is dropped is refused", async () => {
  const held = new HeldLog(new SimulatedDisk());
  const db = await openInMemory(held as unknown as SimulatedDisk);
  await sql(
    db,
    "CREATE TABLE s (a int4) WITH (append_only); CREATE TABLE t (k int4 PRIMARY KEY); CREATE TABLE kept (a int4)",
  );
  const { lastPosition } = db.core.log;
  held.writes.close();
  const dropped = sql(db, "DROP TABLE s, t");
  while (db.core.log.lastPosition === lastPosition) await nextTurn();
  const gone = [
    db.append("s", [{ a: 1 }]),
    db.append(
      "s",
      Array.from({ length: 5_000 }, (_, a) => ({ a })),
    ),
    db.append("t", [{ k: 1 }], { idempotencyKey: "once" }),
    db.transact([
      { topic: "kept", append: [{ a: 1 }] },
      { topic: "t", delete: [1] },
    ]),
  ];
  const there = db.append("kept", [{ a: 2 }]);
  const told = Promise.allSettled(gone);
  for (let turn = 0; turn < 20; turn++) await nextTurn();
  held.writes.open();
  await dropped;
  for (const outcome of await told) {
    expect(outcome).toMatchObject({ status: "rejected", reason: { code: "undefined_table" } });
  }
  await there;
  await db.settled();
  expect(db.core.log.lastPosition).toBe(lastPosition + 2);
  await db.close();
});
