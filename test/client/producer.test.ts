/** A producer of the client, behind a network that does its worst: everything is stored once and in order. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { connect } from "../../src/client/index.ts";
import type { Client } from "../../src/client/types.ts";
import type { Database } from "../../src/engine/database.ts";
import { createHttpServer, type HttpServer } from "../../src/servers/http/server.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, rowsOf, sql } from "../engine/support/memory.ts";
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

async function behind(seed: number): Promise<void> {
  proxy = await HostileProxy.start(new SeededRandom(seed));
  proxy.target = server.url;
  client = connect(proxy.url, { retryMsMax: 20_000 });
}

beforeEach(async () => {
  disk = new SimulatedDisk();
  await start();
  await sql(engine, "CREATE TABLE s (n int4) WITH (append_only); CREATE TABLE u (n int4) WITH (append_only)");
});

afterEach(async () => {
  client.close();
  await proxy.stop();
  await server.close();
  await engine.close().catch(() => {});
});

async function stored(topic = "s"): Promise<number[]> {
  const found: number[] = [];
  for await (const { valueJson } of engine.readTopic(topic)) found.push(JSON.parse(valueJson as string).n);
  return found;
}

const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

describe("through a hostile network", () => {
  test.each([1, 2])("everything is stored once and in order, seed %i", async (seed) => {
    await behind(seed);
    const producer = client.producer("p");
    const answers = await Promise.all(
      numbers(50).flatMap((n) => [
        producer.append("s", { n }),
        producer.append("u", [{ n: 2 * n }, { n: 2 * n + 1 }]),
      ]),
    );
    await proxy.calm();
    expect(await stored("s")).toEqual(numbers(50));
    expect(await stored("u")).toEqual(numbers(100));
    // Each was told where its own rows are.
    const offsets = answers.filter((_, i) => i % 2 === 0).map(({ firstOffset }) => firstOffset);
    expect(offsets).toEqual(numbers(50));
    const { dropped, doubled, lost } = proxy.counts;
    expect(Math.min(dropped, doubled, lost)).toBeGreaterThan(0);
  });

  test.each([5, 6])("also while the server crashes and comes back, seed %i", async (seed) => {
    await behind(seed);
    const random = new SeededRandom(seed);
    const producer = client.producer("p");
    const all = Promise.all(numbers(60).map((n) => producer.append("s", { n })));
    for (let crash = 0; crash < 3; crash++) {
      await new Promise((resolve) => setTimeout(resolve, 60 + random.below(100)));
      proxy.target = null;
      const rebooted = disk.reboot(random.oneIn(2) ? "process" : "power cut");
      await server.close();
      await engine.close().catch(() => {});
      disk = rebooted;
      await start();
      proxy.target = server.url;
    }
    await all;
    await proxy.calm();
    expect(await stored()).toEqual(numbers(60));
  });

  test("what is refused is left out, and nothing behind it is lost or doubled", async () => {
    await behind(8);
    const producer = client.producer("p");
    const outcomes = await Promise.allSettled(
      numbers(40).map((n) => producer.append("s", n % 9 === 4 ? { n: "wrong" } : { n })),
    );
    const refused = numbers(40).filter((n) => n % 9 === 4);
    expect(outcomes.flatMap(({ status }, n) => (status === "rejected" ? [n] : []))).toEqual(refused);
    await proxy.calm();
    expect(await stored()).toEqual(numbers(40).filter((n) => n % 9 !== 4));
  });
});

describe("two instances", () => {
  test("the newer one goes on, the older is told", async () => {
    await behind(1);
    proxy.isKind = true;
    const [older, newer] = [client.producer("p"), client.producer("p")];
    await older.append("s", { n: 0 });
    await newer.append("s", { n: 1 });
    await expect(older.append("s", { n: 9 })).rejects.toMatchObject({ code: "fenced" });
    await expect(older.append("u", { n: 9 })).rejects.toMatchObject({ code: "fenced" });
    await newer.append("s", { n: 2 });
    expect([older.epoch, newer.epoch]).toEqual([0, 1]);
    expect(await stored()).toEqual([0, 1, 2]);
  });
});

test("a topic that is made anew is gone on with", async () => {
  await behind(1);
  proxy.isKind = true;
  const producer = client.producer("p");
  await producer.append("s", { n: 0 });
  await producer.append("s", { n: 1 });
  await sql(engine, "DROP TABLE s; CREATE TABLE s (n int4) WITH (append_only)");
  await producer.append("s", { n: 2 });
  expect(await stored()).toEqual([2]);
});

test("closed, it refuses what comes, and flush() waits for what went before", async () => {
  await behind(1);
  proxy.isKind = true;
  const producer = client.producer("p");
  const answers = numbers(20).map((n) => producer.append("s", { n }));
  await producer.flush();
  await Promise.all(answers);
  producer.close();
  await expect(producer.append("s", { n: 99 })).rejects.toMatchObject({ code: "shutting_down" });
  expect(await rowsOf(engine, "SELECT count(*) FROM s")).toEqual([["20"]]);
});
