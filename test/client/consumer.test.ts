/** A consumer of the client, behind a network that does its worst: what it makes of records is there once, in order. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { connect } from "../../src/client/index.ts";
import type { AnyRow, Client, ConsumedBatch, Consumer } from "../../src/client/types.ts";
import type { Database } from "../../src/engine/database.ts";
import { createHttpServer, type HttpServer } from "../../src/servers/http/server.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, sql } from "../engine/support/memory.ts";
import { HostileProxy } from "../support/hostile-proxy.ts";

let disk: SimulatedDisk;
let engine: Database;
let server: HttpServer;
let proxy: HostileProxy;
let client: Client;

async function start(): Promise<void> {
  engine = await openInMemory(disk);
  await engine.built();
  server = await createHttpServer(engine, { port: 0, drainMs: 0 });
}

async function behind(seed: number, isKind = false): Promise<void> {
  proxy = await HostileProxy.start(new SeededRandom(seed));
  proxy.isKind = isKind;
  proxy.target = server.url;
  client = connect(proxy.url, { retryMsMax: 20_000 });
}

beforeEach(async () => {
  disk = new SimulatedDisk();
  await start();
  await sql(
    engine,
    "CREATE TABLE s (n int8, t text) WITH (append_only); CREATE TABLE made (n int8) WITH (append_only); CREATE TABLE k (id int4 PRIMARY KEY)",
  );
});

afterEach(async () => {
  client.close();
  await server.close();
  await engine.close().catch(() => {});
  await proxy.stop();
});

async function stored(topic: string): Promise<number[]> {
  const found: number[] = [];
  for await (const { valueJson } of engine.readTopic(topic)) found.push(JSON.parse(valueJson as string).n);
  return found;
}

const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
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
    await read(client.consumer("c", { topics: ["k"], follow: false }), ({ records }) => {
      expect(records.map(({ offset, value }) => [offset, value])).toEqual([
        [0, { id: 7 }],
        [1, null],
      ]);
    });
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
      for (let crash = 0; crash < 2; crash++) {
        await new Promise((resolve) => setTimeout(resolve, 100 + random.below(200)));
        proxy.target = null;
        const rebooted = disk.reboot(random.oneIn(2) ? "process" : "power cut");
        await server.close();
        await engine.close().catch(() => {});
        disk = rebooted;
        await start();
        proxy.target = server.url;
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
