/** A database on a simulated disk behind its HTTP server, of each test anew. */
import { afterEach, beforeEach } from "vitest";
import type { Database } from "../../../src/engine/database.ts";
import type { OpenEngineOptions } from "../../../src/engine/open-engine.ts";
import { createHttpServer, type HttpServer } from "../../../src/servers/http/server.ts";
import { SimulatedDisk } from "../../../src/testing/simulated-disk.ts";
import { openInMemory } from "../../engine/support/memory.ts";
import { Client } from "./harness.ts";

export let disk: SimulatedDisk;
export let engine: Database;
export let client: Client;
export let server: HttpServer;

beforeEach(async () => {
  disk = new SimulatedDisk();
  await open();
});

afterEach(close);

/** On the disk of before, or on another from now on. */
export async function open(on = disk, options: Partial<OpenEngineOptions> = {}): Promise<void> {
  disk = on;
  engine = await openInMemory(disk, options);
  server = await createHttpServer(engine, { port: 0 });
  client = new Client(server.url);
}

export async function close(): Promise<void> {
  await client.close();
  await server.close();
  await engine.close();
}
