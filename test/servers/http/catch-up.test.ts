/** Over HTTP, a server that has just started says of what it answers that the log behind it is still replayed. */
import { expect, test } from "vitest";
import { createHttpServer } from "../../../src/servers/http/server.ts";
import { SimulatedDisk } from "../../../src/testing/simulated-disk.ts";
import { HeldLog } from "../../engine/support/held-log.ts";
import { openInMemory, sql } from "../../engine/support/memory.ts";
import { Client } from "./harness.ts";

test("rows, views and readiness say that they catch up, and how far they are", async () => {
  const killed = new SimulatedDisk();
  const first = await openInMemory(killed);
  await sql(first, "CREATE TABLE t (k int4 PRIMARY KEY)");
  await sql(first, "CREATE MATERIALIZED VIEW v AS SELECT k FROM t");
  await first.append("t", [{ k: 1 }]);
  await first.checkpoint();
  const at = first.position;
  const { position: end } = await first.append("t", [{ k: 2 }]);
  const held = new HeldLog(killed.reboot("process"));
  const engine = await openInMemory(undefined, { disk: held, answerWhileCatchingUp: true });
  held.reads.close();
  const server = await createHttpServer(engine, { port: 0 });
  const c = new Client(server.url);
  const behind = { position: at, catchingUp: true };
  expect((await c.request("/v1/views/v/rows")).body).toEqual({ rows: [{ k: 1 }], ...behind });
  expect((await c.request("/v1/views/v/rows/1")).body).toEqual({ row: { k: 1 }, ...behind });
  expect(await c.request("/v1/views/v/rows/2")).toMatchObject({ status: 404, body: behind });
  expect((await c.request("/v1/views")).body).toMatchObject({
    views: [{ name: "v", status: "catching_up", lag: 1, progress: 0 }],
    memoryLimit: engine.stats().memoryLimit,
    coldBytes: 0,
  });
  expect(await c.request("/ready")).toMatchObject({
    status: 200,
    body: { ready: true, progress: 0, position: at },
  });
  held.goOn();
  expect((await c.request(`/v1/views/v/rows?atLeast=${end}`)).body).toMatchObject({
    rows: [{ k: 1 }, { k: 2 }],
  });
  await engine.settled();
  expect((await c.request("/v1/views/v/rows/2")).body).toEqual({ row: { k: 2 }, position: engine.position });
  expect((await c.request("/v1/views")).body).toMatchObject({
    views: [{ status: "live", lag: 0, progress: 1 }],
  });
  expect((await c.request("/ready")).body).toEqual({ ready: true, progress: 1, position: engine.position });
  await c.close();
  await server.close();
  await engine.close();
});
