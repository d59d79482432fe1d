/**
 * A consumer that was to be opened, and waited at the gate while one of its topics was dropped, was opened for what was no topic any more. When a topic was made under that name it was told two places of "s", and which of them it took was chance.
 */
import { expect, it } from "vitest";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { HeldLog } from "../engine/support/held-log.ts";
import { openInMemory, sql } from "../engine/support/memory.ts";

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

it("a consumer of a topic that is dropped meanwhile is not opened", async () => {
  const held = new HeldLog(new SimulatedDisk());
  const db = await openInMemory(held as unknown as SimulatedDisk);
  await sql(db, "CREATE TABLE s (a int4) WITH (append_only); CREATE TABLE t (a int4) WITH (append_only)");
  await db.append("s", [{ a: 1 }]);
  await db.openConsumer("before", ["s", "t"]);
  const { lastPosition } = db.core.log;
  held.writes.close();
  const dropped = sql(db, "DROP TABLE s");
  while (db.core.log.lastPosition === lastPosition) await nextTurn();
  const opened = Promise.allSettled([
    db.openConsumer("fresh", ["s", "t"]),
    db.openConsumer("before", ["s", "t"], { idempotencyKey: "once" }),
    db.openConsumer("other", ["t"]),
  ]);
  for (let turn = 0; turn < 20; turn++) await nextTurn();
  held.writes.open();
  await dropped;
  expect(await opened).toMatchObject([
    { status: "rejected", reason: { code: "undefined_table" } },
    { status: "rejected", reason: { code: "undefined_table" } },
    { status: "fulfilled" },
  ]);
  await sql(db, "CREATE TABLE s (a int4) WITH (append_only)");
  for (const name of ["fresh", "before"]) {
    const { topics } = await db.openConsumer(name, ["s", "t"]);
    expect(topics).toEqual([
      { topic: "s", offset: 0 },
      { topic: "t", offset: 0 },
    ]);
  }
  await db.close();
});
