/** A consumer of the client, behind a network that does its worst: what it makes of records is there once, in order. */
import { beforeEach, describe, expect, test } from "vitest";
import type { AnyRow, ConsumedBatch, Consumer } from "../../src/client/types.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { sql } from "../engine/support/memory.ts";
import { behind, client, crash, engine, numbers, proxy, stored } from "./hostile.ts";

beforeEach(async () => {
  await sql(
    engine,
    "CREATE TABLE s (n int8, t text) WITH (append_only); CREATE TABLE made (n int8) WITH (append_only); CREATE TABLE k (id int4 PRIMARY KEY)",
  );
});

const values = ({ records }: ConsumedBatch): unknown[] => records.map(({ value }) => value?.["n"]);

async function read(consumer: Consumer, each: (batch: ConsumedBatch<AnyRow>) => unknown): Promise<void> {
  for await (const batch of consumer) if ((await each(batch)) === "enough") break;
}

describe("a consumer", () => {
  test("is told whose row a tombstone took away", async () => {
    await behind(1, true);
    await sql(engine, "CREATE TABLE p (a text, b int8, c numeric(9, 2), PRIMARY KEY (a, b))");
    await sql(engine, "INSERT INTO p VALUES ('x', 9007199254740993, 1.5); DELETE FROM p");
    await sql(engine, "INSERT INTO k VALUES (7); DELETE FROM k");
    const told: Record<string, unknown[]> = { p: [], k: [] };
    await read(client.consumer("c", { topics: ["p", "k"], follow: false }), async (batch) => {
      for (const { key, value } of batch.records) told[batch.topic]?.push([key, value]);
      await batch.commit();
    });
    const key = ["x", 9007199254740993n];
    expect(told["p"]).toEqual([
      [key, { a: "x", b: 9007199254740993n, c: "1.50" }],
      [key, null],
    ]);
    expect(told["k"]).toEqual([
      [7, { id: 7 }],
      [7, null],
    ]);
  });

  test("goes on behind what it has committed, with values of their types", async () => {
    await behind(1, true);
    await client.append("s", [{ n: 2n ** 60n, t: "ü" }, { n: 1 }, { n: 2 }]);
    const options = { topics: ["s"], follow: false };
    await read(client.consumer("c", { ...options, batchRecordsMax: 2 }), async (batch) => {
      expect(batch.records.map(({ value }) => value)).toEqual([
        { n: 2n ** 60n, t: "ü" },
        { n: 1, t: null },
      ]);
      await batch.commit();
      return "enough";
    });
    const seen: unknown[] = [];
    await read(client.consumer("c", options), (batch) => seen.push(...values(batch)));
    expect(seen).toEqual([2]);
    await sql(engine, "INSERT INTO k VALUES (7); DELETE FROM k");
    await engine.settled();
    const deleted: unknown[] = [];
    await read(client.consumer("c", { topics: ["k"], follow: false }), ({ records }) => {
      for (const { offset, value } of records) deleted.push([offset, value]);
    });
    expect(deleted).toEqual([
      [0, { id: 7 }],
      [1, null],
    ]);
  });

  test("is told that a newer instance goes on", async () => {
    await behind(1, true);
    await client.append("s", [{ n: 0 }, { n: 1 }]);
    const older = client.consumer("c", { topics: ["s"] });
    await read(older, async (batch) => {
      expect(await client.consumer("c", { topics: ["s"] }).open()).toMatchObject({ epoch: 1 });
      await expect(batch.commit()).rejects.toMatchObject({ code: "fenced" });
      await expect(batch.transact([{ topic: "made", append: { n: 0 } }])).rejects.toMatchObject({
        code: "fenced",
      });
      return "enough";
    });
    expect(await stored("made")).toEqual([]);
  });
});

describe("through a hostile network", () => {
  test.each([1, 2])(
    "each record is processed once, in order, while the server crashes, seed %i",
    async (seed) => {
      await behind(seed);
      const random = new SeededRandom(seed);
      const producer = client.producer("p");
      const appending = Promise.all(numbers(60).map((n) => producer.append("s", { n })));
      let isDone = false;
      const reading = (async () => {
        while (!isDone) {
          try {
            // One instance after the other: each goes on where the one before has come.
            let batches = 0;
            await read(client.consumer("c", { topics: ["s"], batchRecordsMax: 7 }), async (batch) => {
              await batch.transact([{ topic: "made", append: values(batch).map((n) => ({ n })) }]);
              isDone = values(batch).includes(59);
              return isDone || ++batches === 4 ? "enough" : undefined;
            });
          } catch (error) {
            // A late copy of an earlier instance's opening may have taken its place.
            expect(error).toMatchObject({
              code: expect.stringMatching(/^(fenced|connection_failed|shutting_down)$/),
            });
          }
        }
      })();
      for (let crashes = 0; crashes < 2; crashes++) {
        await new Promise((resolve) => setTimeout(resolve, 100 + random.below(200)));
        await crash(random);
      }
      await appending;
      await reading;
      await proxy.calm();
      expect(await stored("s")).toEqual(numbers(60));
      expect(await stored("made")).toEqual(numbers(60));
      expect(await engine.consumer("c")).toMatchObject({ topics: [{ offset: 60, lag: 0 }] });
    },
  );
});
