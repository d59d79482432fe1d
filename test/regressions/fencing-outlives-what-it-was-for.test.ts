/** Epochs began at 0 again when a consumer was deleted, or a producer's topic dropped and the database started again: instances that had been followed by newer ones went on. */
import { expect, test } from "vitest";
import { newTopic } from "../../src/engine/catalog/entries.ts";
import { Consumers } from "../../src/engine/own/consumers.ts";
import { Producers } from "../../src/engine/own/producers.ts";
import type { Log } from "../../src/log/log.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, rowsOf, sql } from "../engine/support/memory.ts";

test("an instance of a consumer that was deleted is refused when the name comes again", async () => {
  const disk = new SimulatedDisk();
  let db = await openInMemory(disk);
  const open = () => db.openConsumer("c", ["s"]);
  await sql(db, "CREATE TABLE s (a int4) WITH (append_only); INSERT INTO s SELECT generate_series(1, 9)");
  expect(await open()).toMatchObject({ epoch: 0 });
  const { epoch } = await open();
  await db.dropConsumer("c");
  const again = await open();
  expect(again.epoch).toBeGreaterThan(epoch);
  await expect(db.advanceConsumer("c", epoch, { s: 5 })).rejects.toMatchObject({ code: "fenced" });
  await db.advanceConsumer("c", again.epoch, { s: 3 });
  await db.dropConsumer("c");
  expect(await db.consumers()).toEqual([]);
  await db.close();
  db = await openInMemory(disk);
  expect(await db.consumers()).toEqual([]);
  const later = await open();
  expect(later.epoch).toBeGreaterThan(again.epoch);
  await sql(db, "DROP TABLE s; CREATE TABLE s (a int4) WITH (append_only); INSERT INTO s VALUES (1)");
  expect(await db.consumers()).toEqual([]);
  await db.close();
  db = await openInMemory(disk);
  expect((await open()).epoch).toBeGreaterThan(later.epoch);
  await expect(db.advanceConsumer("c", later.epoch, { s: 1 })).rejects.toMatchObject({ code: "fenced" });
  await db.close();
});

test("a producer's epoch outlives the topic that it was begun on, also over a start", async () => {
  const disk = new SimulatedDisk();
  let db = await openInMemory(disk);
  await sql(db, "CREATE TABLE a (n int4) WITH (append_only); CREATE TABLE b (n int4) WITH (append_only)");
  const send = (topic: string, epoch: number, seq: number) =>
    db.append(topic, [{ n: seq }], { producer: { id: "p", epoch, seq } });
  await send("a", 4, 0);
  await send("b", 5, 0);
  await sql(db, "DROP TABLE b");
  for (const start of [false, true]) {
    if (start) {
      await db.close();
      db = await openInMemory(disk);
    }
    await expect(send("a", 4, 1)).rejects.toMatchObject({ code: "fenced" });
    expect(await db.producer("p")).toMatchObject({ epoch: 5, topics: [] });
  }
  await send("a", 5, 0);
  await db.settled();
  expect(await rowsOf(db, "SELECT n FROM a")).toEqual([["0"], ["0"]]);
  await db.close();
});

test("a request without records has none, whatever is noted of it", async () => {
  const db = await openInMemory();
  await sql(db, "CREATE TABLE s (a int4) WITH (append_only)");
  const send = (rows: object[], seq: number) =>
    db.append("s", rows, { producer: { id: "p", epoch: 0, seq } });
  expect(await send([], 0)).toMatchObject({ count: 0, firstOffset: 0, lastOffset: -1 });
  expect(await send([], 0)).toMatchObject({ count: 0, firstOffset: 0, lastOffset: -1 });
  expect(await send([{ a: 1 }], 1)).toMatchObject({ count: 1, firstOffset: 0, lastOffset: 0 });
  await db.close();
});

test("too many are refused before room is asked for", () => {
  const log = { topicEnd: () => 0, topicStart: () => 0, nowUs: () => 0, lastPosition: 0 } as unknown as Log;
  const topic = (id: number) => newTopic(id, `t${id}`, "stream", [], null);
  const producers = new Producers(
    log,
    () => undefined,
    () => 0,
  );
  const consumers = new Consumers(
    log,
    (id) => `t${id}`,
    () => 0,
  );
  const topics = Array.from({ length: 1000 }, (_, i) => ({ topic: topic(i + 1), from: 0 }));
  for (let n = 0; n < 100_000; n++) {
    const rider = producers.registers(`p${n}`, () => {});
    rider.stage(n, []);
    rider.staged();
  }
  for (let n = 0; n < 100; n++) {
    const rider = consumers.opens(`c${n}`, topics, false, () => {});
    rider.stage(n, []);
    rider.staged();
  }
  const refused = expect.objectContaining({ code: "too_many_requests" });
  expect(() => producers.registers("one more", () => {}).known()).toThrow(refused);
  expect(() => producers.sends(topic(1), { id: "one more", epoch: 0, seq: 0 }).known()).toThrow(refused);
  expect(producers.registers("p0", () => {}).known()).toBeNull();
  expect(() => consumers.opens("c", topics.slice(0, 1), false, () => {}).known()).toThrow(refused);
  expect(consumers.opens("c0", topics, true, () => {}).known()).toBeNull();
});
