/**
 * Of 10,000 subscribers that came at once some heard nothing for half a minute, and were reset then: 511 connections may wait to be taken unless a server says how many, and those beyond wait for the
 * system to try again, or are told that they are connected and dropped.
 */
import { existsSync, readFileSync } from "node:fs";
import { Worker } from "node:worker_threads";
import { expect, it } from "vitest";
import { createHttpServer } from "../../src/servers/http/server.ts";
import { openInMemory } from "../engine/support/memory.ts";

const crowd = 1_500;
const setting = "/proc/sys/net/core/somaxconn";
/** What the system allows: elsewhere than on Linux, and where it has been set lower, a crowd is not taken by any program. */
const allowed = existsSync(setting) ? Number(readFileSync(setting, "utf8")) : 0;

const clients = `
  const { connect } = require("node:net");
  const { workerData: { port, crowd, connected } } = require("node:worker_threads");
  const sockets = [];
  for (let i = 0; i < crowd; i++) {
    const socket = connect(port, "127.0.0.1", () => {
      if (Atomics.add(connected, 0, 1) + 1 < crowd) return;
      Atomics.store(connected, 1, 1);
      Atomics.notify(connected, 1);
    });
    sockets.push(socket.on("error", () => {}));
  }`;

it.skipIf(allowed < crowd)("waits to be taken, every one of it, while the server has no turn", async () => {
  const db = await openInMemory();
  const server = await createHttpServer(db, { port: 0, drainMs: 0 });
  const connected = new Int32Array(new SharedArrayBuffer(8));
  const workerData = { port: server.port, crowd, connected };
  const worker = new Worker(clients, { eval: true, workerData });
  // From here on this thread takes no connection.
  Atomics.wait(connected, 1, 0, 20_000);
  expect(connected[0]).toBe(crowd);
  await worker.terminate();
  await server.close();
  await db.close();
});
