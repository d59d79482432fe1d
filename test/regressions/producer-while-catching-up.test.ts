/**
 * A producer that went on while the log was still replayed (answerWhileCatchingUp) was refused as out of sequence: what it had sent before was not known yet.
 * And where the replay fails, it is not told so by tables that are not full: it would send all of it again, under another epoch. Found by the simulation, seeds 9 and 20759.
 */
import { expect, test } from "vitest";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, sql } from "../engine/support/memory.ts";

test("a producer goes on while the log is replayed", async () => {
  const disk = new SimulatedDisk();
  let db = await openInMemory(disk);
  await sql(db, "CREATE TABLE t (n int4) WITH (append_only)");
  await db.checkpoint();
  const { epoch } = await db.registerProducer("p");
  const place = (seq: number) => ({ producer: { id: "p", epoch, seq } });
  const first = await db.append("t", [{ n: 0 }], place(0));
  const next = disk.reboot("process");
  await db.close().catch(() => {});
  db = await openInMemory(next, { answerWhileCatchingUp: true });
  const answers = [
    db.producer("p"),
    db.append("t", [{ n: 1 }], place(1)),
    db.append("t", [{ n: 0 }], place(0)),
  ];
  expect(await answers[0]).toMatchObject({ epoch, topics: [{ topic: "t", seq: 0 }] });
  expect(await answers[1]).toMatchObject({ firstOffset: 1 });
  expect(await answers[2]).toEqual(first);
  await db.close();
});

test("a producer is not told what is not known when the replay fails", async () => {
  const disk = new SimulatedDisk();
  let db = await openInMemory(disk);
  await sql(db, "CREATE TABLE t (n int4) WITH (append_only)");
  await db.checkpoint();
  const { epoch } = await db.registerProducer("p");
  const place = (seq: number) => ({ producer: { id: "p", epoch, seq } });
  await db.append("t", [{ n: 0 }], place(0));
  const next = disk.reboot("process");
  await db.close().catch(() => {});
  db = await openInMemory(next, { answerWhileCatchingUp: true });
  next.fail({ operation: "read", path: /\.log$/, times: 1_000, code: "EIO" });
  const calls = [db.append("t", [{ n: 1 }], place(1)), db.registerProducer("p"), db.openConsumer("c", ["t"])];
  for (const call of await Promise.allSettled(calls))
    expect(call).toMatchObject({ status: "rejected", reason: { code: "io_error" } });
  await db.close().catch(() => {});
});
