/** Over HTTP, rows of an earlier definition say that they are: until the view has been built anew. */
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Database } from "../../../src/engine/database.ts";
import { openEngine } from "../../../src/engine/open-engine.ts";
import type { AnyView } from "../../../src/face/handles.ts";
import { count, int4, sum, topic, view } from "../../../src/face/index.ts";
import { openApiDocument } from "../../../src/servers/http/openapi.ts";
import { createHttpServer, type HttpServer } from "../../../src/servers/http/server.ts";
import { SimulatedDisk } from "../../../src/testing/simulated-disk.ts";
import { HeldLog } from "../../engine/support/held-log.ts";
import { Client } from "./harness.ts";

const plays = topic("plays", { schema: { song: int4, ms: int4 } });
const before = view("per_song", plays.groupBy("song", { plays: count() }));
const after = view("per_song", plays.groupBy("song", { ms: sum("ms") }));

let disk: HeldLog;
let engine: Database;
let server: HttpServer;
let c: Client;
let old: string;

async function start(...views: AnyView[]): Promise<void> {
  engine = await openEngine({ directory: "/data", disk, topics: [plays], views, checkpointIntervalMs: 0 });
  disk.reads.close();
}

beforeEach(async () => {
  disk = new HeldLog(new SimulatedDisk());
  await start(before);
  disk.goOn();
  await engine.built();
  ({ position: old } = await engine.append("plays", [
    { song: 1, ms: 10 },
    { song: 1, ms: 20 },
  ]));
  await engine.close();
  await start(after);
  server = await createHttpServer(engine, { port: 0 });
  c = new Client(server.url);
});

afterEach(async () => {
  disk.goOn();
  await c.close();
  await server.close();
  await engine.close();
});

test("the mark is documented where it may stand", async () => {
  const { schemas } = openApiDocument.components;
  const answers = {
    Rows: await c.request("/v1/views/per_song/rows"),
    Row: await c.request("/v1/views/per_song/rows/1"),
    RowMissing: await c.request("/v1/views/per_song/rows/7"),
  };
  for (const [name, { body }] of Object.entries(answers)) {
    const { properties, required } = schemas[name as keyof typeof answers] as unknown as {
      properties: Record<string, unknown>;
      required: string[];
    };
    const members = Object.keys(body as object);
    expect(members, name).toContain("stale");
    for (const member of members) expect(Object.keys(properties), name).toContain(member);
    expect(required, name).not.toContain("stale");
  }
});

test("a stream begins with them and says so, has no place to resume from, and is reset when there are new ones", async () => {
  const events = await c.events("/v1/views/per_song/rows", { "Last-Event-ID": engine.position });
  expect(await events.next()).toMatchObject({ event: "reset" });
  expect(await events.next()).toEqual({
    event: "snapshot",
    id: "0",
    data: {
      columns: [
        { name: "song", type: "int4" },
        { name: "plays", type: "int8" },
      ],
      keyColumns: ["song"],
      order: [],
      rows: [{ key: 1, row: { song: 1, plays: 2 } }],
      position: old,
      last: true,
      stale: true,
    },
  });
  disk.goOn();
  expect(await events.next()).toMatchObject({ event: "reset" });
  expect(await events.next()).toMatchObject({
    event: "snapshot",
    id: engine.position,
    data: { rows: [{ key: 1, row: { song: 1, ms: 30 } }], position: engine.position },
  });
});

test("rows are marked until they are those of the new definition", async () => {
  const stale = { position: old, stale: true };
  expect(await c.request("/v1/views/per_song/rows")).toMatchObject({
    status: 200,
    position: old,
    body: { rows: [{ song: 1, plays: 2 }], ...stale },
  });
  expect((await c.request("/v1/views/per_song/rows/1")).body).toEqual({
    row: { song: 1, plays: 2 },
    ...stale,
  });
  expect(await c.request("/v1/views/per_song/rows/7")).toMatchObject({ status: 404, body: stale });
  expect(await c.request("/v1/views/per_song")).toMatchObject({
    body: { status: "stale", position: old, columns: [{ name: "song" }, { name: "plays" }] },
  });
  const { body } = await c.post("/v1/topics/plays/records", { song: 1, ms: 30 });
  const { position } = body as { position: string };
  const late = await c.request(`/v1/views/per_song/rows?atLeast=${position}&timeoutMs=0`);
  expect(late).toMatchObject({ status: 504, body: { error: { code: "timeout" } } });
  const waiting = c.request(`/v1/views/per_song/rows?atLeast=${position}`);
  disk.goOn();
  const { body: fresh } = await waiting;
  expect(fresh).toEqual({ rows: [{ song: 1, ms: 60 }], position: engine.position });
  expect(await c.request("/v1/views/per_song")).toMatchObject({ body: { status: "live" } });
});
