/** Changes of what a subscription wants that come while it tells something: what was told belonged to another of them, or to none. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Database } from "../../src/engine/database.ts";
import { createHttpServer, type HttpServer } from "../../src/servers/http/server.ts";
import { ROWS_PER_TURN } from "../../src/views/frame-maker.ts";
import type { AlteredItem, SubscriptionItem } from "../../src/views/subscription-item.ts";
import { openInMemory, sql } from "../engine/support/memory.ts";
import { smallSubscriptions } from "../engine/support/small-subscriptions.ts";
import { WsClient } from "../servers/http/ws-client.ts";

const ROWS = 4 * ROWS_PER_TURN;

let db: Database;
let server: HttpServer;

beforeEach(async () => {
  db = await openInMemory();
  await sql(
    db,
    `CREATE TABLE t (k int4 PRIMARY KEY);
     CREATE TABLE one (k int4 PRIMARY KEY, v int4);
     CREATE TABLE big (k int4 PRIMARY KEY, o int4);
     CREATE MATERIALIZED VIEW a AS SELECT k FROM t;
     CREATE MATERIALIZED VIEW b AS SELECT k FROM t;
     CREATE MATERIALIZED VIEW inverse AS SELECT 1 / (k - 13) AS v FROM t;
     CREATE MATERIALIZED VIEW large AS SELECT big.k, one.v FROM big JOIN one ON one.k = big.o`,
  );
  await db.append("t", [{ k: 13 }]);
  await db.settled();
  server = await createHttpServer(db, { port: 0 });
});

afterEach(async () => {
  vi.restoreAllMocks();
  await server.close();
  await db.close();
});

test("a view left while its error is told does not withhold positions for ever", async () => {
  const client = await WsClient.open(server.url);
  client.send({ type: "subscribe", view: "inverse" });
  client.send({ type: "unsubscribe", view: "inverse" });
  await client.until("unsubscribed");
  expect((await client.subscribe({ view: "a" })).at(-1)).toHaveProperty("id");
  await client.close();
});

test("a connection has at most a thousand rows, however they are asked for", async () => {
  const client = await WsClient.open(server.url);
  const keys = (view: string) => Array.from({ length: 1000 }, (_, key) => ({ view, key }));
  await client.subscribe(...keys("a"));
  // That it names the other view, with no key of it, does not make room.
  client.send({ type: "subscribe", targets: [{ view: "a", key: "x" }, ...keys("b")] });
  expect((await client.until("error")).at(-1)?.["error"].message).toContain("at most 1000");
  await client.close();
});

test("a message has as many characters as it says", async () => {
  const client = await WsClient.open(server.url);
  client.send(" ".repeat((1 << 20) + 1));
  expect(await client.next()).toMatchObject({
    type: "error",
    final: false,
    error: { code: "request_too_large" },
  });
  expect(await client.subscribe({ view: "a" })).toHaveLength(2);
  await client.close();
});

function wordsOf(event: SubscriptionItem | AlteredItem): string {
  if (event.type === "altered") return `altered ${event.tokens.join()}`;
  return "view" in event ? `${event.type} ${event.view}` : `step ${[...event.views.keys()].join()}`;
}

const all = (view: string) => [{ view, targets: [{ view }], isAnew: true }];

test("a view left and asked for again is told behind the word that it was left", async () => {
  const subscription = db.openSubscription(new AbortController().signal);
  await subscription.alter(all("a"), 0);
  await subscription.alter(all("b"), 1);
  await subscription.alter([{ view: "a", targets: [], isAnew: true }], 2);
  await subscription.alter(all("a"), 3);
  const told: string[] = [];
  for await (const event of subscription.events) {
    told.push(wordsOf(event));
    if (told.at(-1) === "altered 3") break;
  }
  expect(told).toEqual(["snapshot a", "snapshot b", "altered 0,1", "altered 2", "snapshot a", "altered 3"]);
});

test("a view of which one key is none is not told of at all", async () => {
  const subscription = db.openSubscription(new AbortController().signal);
  const events = subscription.events[Symbol.asyncIterator]();
  const keys = [1, "x"].map((key) => ({ view: "a", key }));
  await subscription.alter([{ view: "a", targets: keys, isAnew: true }], 0);
  await subscription.alter(all("b"), 1);
  const told: string[] = [];
  while (told.at(-1) !== "altered 0,1") told.push(wordsOf((await events.next()).value));
  expect(told).toEqual(["error a", "snapshot b", "altered 0,1"]);
  await db.append("t", [{ k: 1 }]);
  expect(wordsOf((await events.next()).value)).toBe("step b");
  await events.return?.();
});

test("a change has not come about where a step that is lost was still to be told", async () => {
  await db.append("one", [{ k: 1, v: 1 }]);
  await sql(db, `INSERT INTO big SELECT g, 1 FROM generate_series(1, ${ROWS}) g`);
  await db.settled();
  const own = smallSubscriptions(db);
  const { subscription, items } = own.open(undefined);
  subscription.alter(all("large"), 1);
  const told: string[] = [];
  for await (const item of items) {
    told.push("view" in item ? `${item.type} ${item.view}` : item.type);
    if (item.type !== "altered") continue;
    if (item.tokens.includes(2)) break;
    // Of more changes than are kept; while they are made, one more view is wanted.
    await db.append("one", [{ k: 1, v: 2 }]);
    await db.settled();
    subscription.alter(all("a"), 2);
  }
  const news = told.slice(told.indexOf("altered") + 1);
  expect(news[0]).toBe("reset large");
  expect(new Set(news)).toEqual(new Set(["reset large", "snapshot a", "snapshot large", "altered"]));
  expect(news.at(-1)).toBe("altered");
});
