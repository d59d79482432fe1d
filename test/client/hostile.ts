/** A client behind a network that does its worst, and a server that may crash, of each test anew. */
import { afterEach, beforeEach } from "vitest";
import { connect } from "../../src/client/index.ts";
import type { Client } from "../../src/client/types.ts";
import type { Database } from "../../src/engine/database.ts";
import { createHttpServer, type HttpServer } from "../../src/servers/http/server.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory } from "../engine/support/memory.ts";
import { HostileProxy } from "../support/hostile-proxy.ts";

export let engine: Database;
export let server: HttpServer;
export let proxy: HostileProxy;
export let client: Client;
let disk: SimulatedDisk;

beforeEach(async () => {
  disk = new SimulatedDisk();
  await start();
});

afterEach(async () => {
  client.close();
  await server.close();
  await engine.close().catch(() => {});
  await proxy.stop();
});

async function start(): Promise<void> {
  engine = await openInMemory(disk);
  await engine.built();
  server = await createHttpServer(engine, { port: 0, drainMs: 0 });
}

/** The client's network. `isKind`: for now it does no harm. */
export async function behind(seed: number, isKind = false): Promise<void> {
  proxy = await HostileProxy.start(new SeededRandom(seed));
  proxy.isKind = isKind;
  proxy.target = server.url;
  client = connect(proxy.url, { retryMsMax: 20_000 });
}

/** The server ends, with its process or its machine, and comes back. */
export async function crash(random: SeededRandom): Promise<void> {
  proxy.target = null;
  const rebooted = disk.reboot(random.oneIn(2) ? "process" : "power cut");
  await server.close();
  await engine.close().catch(() => {});
  disk = rebooted;
  await start();
  proxy.target = server.url;
}

/** The numbers `n` of a topic's records. */
export async function stored(topic: string): Promise<number[]> {
  const found: number[] = [];
  for await (const { valueJson } of engine.readTopic(topic)) found.push(JSON.parse(valueJson as string).n);
  return found;
}

export const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
