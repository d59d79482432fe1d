/**
 * Of several views that could not go on, the first was told anew with a position to resume from while the others still stood where they had been: who
 * came back with it never saw what they had missed.
 */
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Database } from "../../src/engine/database.ts";
import { createHttpServer, type HttpServer } from "../../src/servers/http/server.ts";
import { decodeSseStream } from "../../src/wire/http/sse.ts";
import { openInMemory, sql } from "../engine/support/memory.ts";
import { WsClient } from "../servers/http/ws-client.ts";

let db: Database;
let server: HttpServer;

beforeEach(async () => {
  db = await openInMemory();
  await sql(
    db,
    "CREATE TABLE t (k int4 PRIMARY KEY); CREATE MATERIALIZED VIEW a AS SELECT k FROM t; CREATE MATERIALIZED VIEW b AS SELECT k FROM t;" +
      "CREATE MATERIALIZED VIEW c AS SELECT k FROM t",
  );
  server = await createHttpServer(db, { port: 0 });
});

afterEach(async () => {
  await server.close();
  await db.close();
});

/** Names of events, up to the first with a position to resume from: a reset's own, 0, is none. */
async function untilId(query: string): Promise<string[]> {
  const left = new AbortController();
  const answer = await fetch(`${server.url}/v1/subscribe?${query}`, { signal: left.signal });
  const told: string[] = [];
  for await (const { event, id, data } of decodeSseStream(answer.body!)) {
    const { view } = JSON.parse(data) as { view?: string };
    told.push([event, view].filter((word) => word !== undefined).join(" "));
    if (!["", "0"].includes(id ?? "")) break;
  }
  left.abort();
  return told;
}

test("an event stream gives an id when all that was reset is shown", async () => {
  expect(await untilId("from=99999&view=a&view=b")).toEqual([
    "reset a",
    "reset b",
    "snapshot a",
    "snapshot b",
  ]);
});

test("what is missed of one view carries no id while another is to be reset", async () => {
  const from = db.position;
  await untilId("view=a&view=b");
  await db.append("t", [{ k: 1 }]);
  await db.settled();
  // Of c nothing was kept: nobody watched it.
  await sql(db, "DROP MATERIALIZED VIEW c; CREATE MATERIALIZED VIEW c AS SELECT k FROM t");
  expect(await untilId(`view=a&from=${from}&view=c&from=${from}`)).toEqual(["reset c", "step", "snapshot c"]);
});

test("nor does a WebSocket give one", async () => {
  const client = await WsClient.open(server.url);
  await client.subscribe({ view: "a" }, { view: "b" }, { view: "c" });
  await sql(db, "DROP MATERIALIZED VIEW c");
  const told = [];
  for (let message = await client.next(); ; message = await client.next()) {
    told.push(`${message?.type} ${message?.["view"]}`);
    if (message?.["id"] !== undefined) break;
  }
  expect(told).toEqual(["error c", "reset a", "reset b", "snapshot a", "snapshot b"]);
  await client.close();
});
