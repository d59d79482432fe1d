/** Consumers: where they go on after whatever happens, and that what they make of records is there once; recomputed from the records as oracle. */
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { type Db, type DbConsumer, open as openDb, table, topic } from "../../src/index.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { SimulatedClock } from "../../src/testing/simulated-clock.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { rowsOf, sql } from "./support/memory.ts";

const events = topic("events", { schema: z.object({ n: z.int() }) });
const others = topic("others", { schema: z.object({ n: z.int() }) });
const made = topic("made", { schema: z.object({ of: z.int(), sum: z.int() }) });
const totals = table("totals", { schema: z.object({ id: z.int(), sum: z.int() }), key: "id" });

let db: Db;
let disk: SimulatedDisk;
afterEach(() => db.close().catch(() => {}));

async function open(on: SimulatedDisk = new SimulatedDisk()): Promise<void> {
  disk = on;
  db = await openDb({
    dir: "/data",
    disk,
    clock: new SimulatedClock(),
    topics: [events, others, made, totals],
    checkpointIntervalMs: 0,
  });
}

/** What a crash leaves. */
async function crash(after: "process" | "power cut"): Promise<void> {
  const rebooted = disk.reboot(after);
  await db.close().catch(() => {});
  await open(rebooted);
}

const append = (from: number, to: number) =>
  db.append(
    events,
    Array.from({ length: to - from }, (_, i) => ({ n: from + i })),
  );

/** What it is given, without saying that it has been processed. */
async function given(consumer: DbConsumer<{ n: number }>): Promise<number[]> {
  const found: number[] = [];
  for await (const { records } of consumer) for (const { value } of records) found.push(value?.n ?? -1);
  return found;
}

const reader = (options: object = {}) =>
  db.consumer("reader", { topics: [events], follow: false, ...options });

describe("a consumer", () => {
  it("goes on behind what it has committed, also after a restart", async () => {
    await open();
    await append(0, 10);
    for await (const batch of reader({ batchRecordsMax: 1 })) {
      expect(batch.topic).toBe("events");
      await batch.commit();
      if (batch.records[0]?.offset === 3) break;
    }
    expect(await given(reader())).toEqual([4, 5, 6, 7, 8, 9]);
    // What was only read comes again.
    expect(await given(reader())).toEqual([4, 5, 6, 7, 8, 9]);
    await crash("process");
    await append(10, 12);
    expect(await given(reader())).toEqual([4, 5, 6, 7, 8, 9, 10, 11]);
    for await (const batch of reader()) await batch.commit();
    await db.close();
    await open(disk);
    expect(await given(reader())).toEqual([]);
    expect(await db.consumers()).toMatchObject([
      { name: "reader", epoch: 5, topics: [{ topic: "events", offset: 12, end: 12, lag: 0, lost: 0 }] },
    ]);
  });

  it.each([
    ["earliest", [0, 1, 2, 3, 4, 5]],
    ["latest", [5]],
    [3, [3, 4, 5]],
  ])("begins at %j where it has not been", async (from, expected) => {
    await open();
    await append(0, 5);
    const consumer = reader({ from });
    await consumer.open();
    await append(5, 6);
    expect(await given(consumer)).toEqual(expected);
    await db.engine.advanceConsumer("reader", 0, { events: 5 });
    expect(await given(reader({ from: 0 }))).toEqual([5]);
    expect(await given(reader({ from: 0, reset: true }))).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it("follows what is appended", async () => {
    await open();
    const seen: number[] = [];
    const consumer = db.consumer("reader", { topics: [events, others] });
    const reading = (async () => {
      for await (const { topic: name, records } of consumer) {
        for (const { value } of records) seen.push(name === "events" ? (value?.n ?? 0) : -(value?.n ?? 0));
        if (seen.length === 4) break;
      }
    })();
    await append(1, 3);
    await db.append(others, { n: 8 });
    await append(3, 4);
    await reading;
    expect(seen.filter((n) => n > 0)).toEqual([1, 2, 3]);
    expect(seen.filter((n) => n < 0)).toEqual([-8]);
  });

  it("ends when it is closed, or its signal is given", async () => {
    await open();
    const consumer = db.consumer("reader", { topics: [events] });
    const reading = given(consumer);
    await append(0, 1);
    consumer.close();
    await reading;
    const stop = new AbortController();
    const other = given(db.consumer("reader", { topics: [events], signal: stop.signal }));
    stop.abort();
    await other;
  });

  it("is told that a newer instance goes on", async () => {
    await open();
    await append(0, 4);
    const batches: (() => Promise<unknown>)[] = [];
    for await (const batch of reader({ batchRecordsMax: 1 })) batches.push(() => batch.commit());
    const [first, second] = batches as [() => Promise<unknown>, () => Promise<unknown>];
    await first();
    const newer = reader();
    await newer.open();
    await expect(second()).rejects.toMatchObject({
      code: "fenced",
      status: 403,
      message: 'consumer "reader" has been opened anew since',
    });
    expect(await given(newer)).toEqual([1, 2, 3]);
  });

  it("never goes back in an epoch", async () => {
    await open();
    await append(0, 9);
    await reader().open();
    const reach = (offset: number, epoch = 0) =>
      db.engine.advanceConsumer("reader", epoch, { events: offset });
    const { position } = await reach(5);
    expect(await reach(5)).toEqual({ position });
    await expect(reach(4)).rejects.toMatchObject({ code: "conflict" });
    await expect(reach(10)).rejects.toMatchObject({ code: "invalid_request" });
    await expect(reach(6, 1)).rejects.toMatchObject({ code: "invalid_request" });
    await expect(db.engine.advanceConsumer("reader", 0, { others: 0 })).rejects.toMatchObject({
      code: "invalid_request",
    });
    await expect(db.engine.advanceConsumer("nobody", 0, { events: 0 })).rejects.toMatchObject({
      code: "not_found",
    });
    await expect(db.engine.advanceConsumer("reader", 0, {})).rejects.toMatchObject({
      code: "invalid_request",
    });
  });

  it("is shown, blocks nobody, and goes when it is dropped, or with its topic", async () => {
    await open();
    await append(0, 9);
    await db.consumer("slow", { topics: [events, others] }).open();
    await reader().open();
    await db.engine.advanceConsumer("reader", 0, { events: 7 });
    expect(await db.consumers()).toMatchObject([
      { name: "reader", topics: [{ topic: "events", offset: 7, end: 9, lag: 2 }] },
      {
        name: "slow",
        topics: [
          { topic: "events", offset: 0, lag: 9 },
          { topic: "others", offset: 0, lag: 0 },
        ],
      },
    ]);
    expect(
      await rowsOf(db.engine, "SELECT consumer, topic, next_offset FROM evert_consumers ORDER BY 1, 2"),
    ).toEqual([
      ["reader", "events", "7"],
      ["slow", "events", "0"],
      ["slow", "others", "0"],
    ]);
    await expect(sql(db.engine, "DELETE FROM evert_consumers")).rejects.toThrow(/42809/);
    await db.engine.dropConsumer("reader");
    await expect(db.engine.consumer("reader")).rejects.toMatchObject({ code: "not_found" });
    await sql(db.engine, "DROP TABLE events");
    const left = [{ name: "slow", epoch: 0, topics: [{ topic: "others" }] }];
    expect(await db.consumers()).toMatchObject(left);
    await crash("power cut");
    expect(await db.consumers()).toMatchObject(left);
  });

  it("goes on when its topic has another name", async () => {
    await open();
    await sql(db.engine, "CREATE TABLE a (n int4) WITH (append_only); INSERT INTO a VALUES (0), (1)");
    await db.engine.openConsumer("c", ["a"]);
    await db.engine.advanceConsumer("c", 0, { a: 1 });
    await db.engine.append("a", [{ n: 2 }], { producer: { id: "p", epoch: 0, seq: 0 } });
    await sql(db.engine, "ALTER TABLE a RENAME TO b");
    expect(await db.consumers()).toMatchObject([{ name: "c", topics: [{ topic: "b", offset: 1, lag: 2 }] }]);
    await db.engine.advanceConsumer("c", 0, { b: 2 });
    await crash("process");
    expect(await db.consumers()).toMatchObject([{ name: "c", topics: [{ topic: "b", offset: 2 }] }]);
    expect(await db.engine.openConsumer("c", ["b"])).toMatchObject({ topics: [{ topic: "b", offset: 2 }] });
    expect(await db.engine.producer("p")).toMatchObject({ topics: [{ topic: "b", seq: 0 }] });
    await expect(sql(db.engine, "ALTER TABLE evert_consumers RENAME TO c")).rejects.toThrow(/42809/);
    await expect(sql(db.engine, "ALTER TABLE evert_consumers ADD COLUMN x int4")).rejects.toThrow(/42809/);
  });

  it("is opened once by a request that is repeated", async () => {
    await open();
    await append(0, 3);
    const ask = (key: string) => db.engine.openConsumer("reader", ["events"], { idempotencyKey: key });
    expect(await ask("one")).toMatchObject({ epoch: 0, topics: [{ topic: "events", offset: 0 }] });
    expect(await ask("two")).toMatchObject({ epoch: 1 });
    expect(await ask("one")).toMatchObject({ epoch: 0 });
    await crash("process");
    expect(await ask("one")).toMatchObject({ epoch: 0 });
    expect(await db.engine.consumer("reader")).toMatchObject({ epoch: 1 });
  });
});

describe("read, process, write", () => {
  it("stores what was made and the progress together", async () => {
    await open();
    await append(1, 7);
    for await (const batch of reader({ batchRecordsMax: 2 })) {
      await batch.transact(async (tx) => {
        const before = (await tx.get(totals, 0))?.sum ?? 0;
        tx.append(totals, { id: 0, sum: before + batch.records.reduce((s, r) => s + (r.value?.n ?? 0), 0) });
      });
      // The same records are not processed twice.
      await expect(batch.transact((tx) => tx.append(totals, { id: 1, sum: 1 }))).rejects.toMatchObject({
        code: "conflict",
      });
    }
    expect(await rowsOf(db.engine, "SELECT id, sum FROM totals")).toEqual([["0", "21"]]);
    expect(await db.consumers()).toMatchObject([{ topics: [{ offset: 6, lag: 0 }] }]);
  });

  it("stores neither when the work fails, nor when a newer instance goes on", async () => {
    await open();
    await append(0, 2);
    for await (const batch of reader()) {
      await expect(
        batch.transact((tx) => {
          tx.append(made, { of: 0, sum: 0 });
          throw new Error("no");
        }),
      ).rejects.toThrow("no");
      await reader().open();
      await expect(batch.transact((tx) => tx.append(made, { of: 0, sum: 0 }))).rejects.toMatchObject({
        code: "fenced",
      });
    }
    expect(await rowsOf(db.engine, "SELECT * FROM made")).toEqual([]);
    expect(await db.consumers()).toMatchObject([{ topics: [{ offset: 0 }] }]);
  });

  it("may make nothing of a batch, and still goes on", async () => {
    await open();
    await append(0, 2);
    for await (const batch of reader()) await batch.transact(() => {});
    expect(await given(reader())).toEqual([]);
  });

  it("takes operations and an expectation", async () => {
    await open();
    await append(0, 4);
    await reader().open();
    const consume = [{ name: "reader", epoch: 0, topic: "events", offset: 2 }];
    const make = (key?: string) =>
      db.engine.transact([{ topic: "made", append: [{ of: 1, sum: 1 }] }], { consume, idempotencyKey: key });
    const first = await make("k");
    expect(await make("k")).toEqual(first);
    await expect(make()).rejects.toMatchObject({ code: "conflict" });
    const wrong = [{ name: "reader", epoch: 0, topic: "events", offset: 3 }];
    await expect(
      db.engine.transact([{ topic: "made", append: [{ of: 1, sum: 1 }] }], {
        consume: wrong,
        expect: [{ topic: "made", position: "1" }],
      }),
    ).rejects.toMatchObject({ code: "conflict" });
    expect(await rowsOf(db.engine, "SELECT count(*) FROM made")).toEqual([["1"]]);
    expect(await db.consumers()).toMatchObject([{ topics: [{ offset: 2 }] }]);
  });

  it.each([1, 2, 3, 4, 5])("processes each record once over crashes anywhere, seed %i", async (seed) => {
    const random = new SeededRandom(seed);
    await open(new SimulatedDisk({ seed }));
    let appended = 0;
    for (let life = 0; life < 12; life++) {
      const more = random.below(12);
      if (more > 0) await append(appended, appended + more);
      appended += more;
      // Two instances at once, of which one is told; a crash in the middle of whatever they do.
      disk.crashAfter(random.below(14));
      const instances = [reader({ batchRecordsMax: 3 }), reader({ batchRecordsMax: 2 })];
      await Promise.allSettled(
        instances.map(async (consumer) => {
          for await (const batch of consumer) {
            await batch.transact(async (tx) => {
              const row = await tx.get(totals, 0);
              for (const { value, offset } of batch.records)
                tx.append(made, { of: offset, sum: value?.n ?? -1 });
              tx.append(totals, { id: 0, sum: (row?.sum ?? 0) + batch.records.length });
            });
          }
        }),
      );
      await crash(random.oneIn(2) ? "process" : "power cut");
      // Appends were durable before the crash, so that nothing of them is lost.
      const done = Number((await db.consumers())[0]?.topics[0]?.offset ?? 0);
      const processed = await rowsOf(db.engine, "SELECT of, sum FROM made ORDER BY of, sum");
      expect(processed).toEqual(Array.from({ length: done }, (_, i) => [String(i), String(i)]));
      expect(await rowsOf(db.engine, "SELECT sum FROM totals")).toEqual(done === 0 ? [] : [[String(done)]]);
    }
    for await (const batch of reader()) {
      await batch.transact((tx) => {
        for (const { value, offset } of batch.records) tx.append(made, { of: offset, sum: value?.n ?? -1 });
      });
    }
    expect(await rowsOf(db.engine, "SELECT count(*), count(DISTINCT of) FROM made")).toEqual([
      [String(appended), String(appended)],
    ]);
  });
});
