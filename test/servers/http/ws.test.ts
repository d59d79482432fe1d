/** /v1/ws over the real engine: subscriptions that come and go on one connection, which shows one moment. */
import { connect as connectTcp } from "node:net";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Database } from "../../../src/engine/database.ts";
import {
  createHttpServer,
  type HttpServer,
  type HttpServerOptions,
} from "../../../src/servers/http/server.ts";
import { defineMarks, mark, type Shown, shownNow } from "../../engine/support/client.ts";
import { commitTo } from "../../engine/support/commit.ts";
import { createTable } from "../../engine/support/grammar.ts";
import { openInMemory, sql } from "../../engine/support/memory.ts";
import { programs, programText } from "../../engine/support/program.ts";
import { Tape, tapes } from "../../engine/support/tape.ts";
import { until } from "./harness.ts";
import { type Message, WsClient } from "./ws-client.ts";

const runs = Number(process.env["EVERT_SUBSCRIPTION_RUNS"] ?? 20);

let db: Database;
let server: HttpServer;
let clients: WsClient[];

async function serve(options: Partial<HttpServerOptions> = {}): Promise<void> {
  server = await createHttpServer(db, { port: 0, ...options });
}

async function open(headers: Record<string, string> = {}): Promise<WsClient> {
  const client = await WsClient.open(server.url, headers);
  clients.push(client);
  return client;
}

beforeEach(async () => {
  clients = [];
  db = await openInMemory();
  await sql(
    db,
    "CREATE TABLE songs (id int8 PRIMARY KEY, name text NOT NULL);" +
      "CREATE TABLE pairs (a int8, b text, n int, PRIMARY KEY (a, b));" +
      "CREATE MATERIALIZED VIEW songs_view AS SELECT id, name FROM songs;" +
      "CREATE MATERIALIZED VIEW counts AS SELECT count(*) AS n FROM songs;" +
      "CREATE MATERIALIZED VIEW inverse AS SELECT id, 1 / (id - 13) AS v FROM songs;" +
      "CREATE MATERIALIZED VIEW pairs_view AS SELECT a, b, n FROM pairs",
  );
});

afterEach(async () => {
  for (const client of clients) client.socket.terminate();
  await server.close();
  await db.close();
});

/** Ends when views show it, too. */
async function put(...ids: number[]): Promise<void> {
  await db.append(
    "songs",
    ids.map((id) => ({ id, name: `n${id}` })),
  );
  await db.settled();
}

describe("one connection", () => {
  beforeEach(() => serve());

  test("gives a snapshot, then steps with all the views they touch, as event streams do", async () => {
    await put(1);
    const c = await open();
    const [snapshot, done] = await c.subscribe({ view: "songs_view" });
    expect(snapshot).toEqual({
      type: "snapshot",
      view: "songs_view",
      columns: [
        { name: "id", type: "int8" },
        { name: "name", type: "text" },
      ],
      keyColumns: ["id"],
      order: [],
      rows: [{ key: 1, row: { id: 1, name: "n1" } }],
      position: db.position,
      last: true,
    });
    expect(done).toEqual({ type: "subscribed", id: db.position, request: null, position: db.position });
    c.send({ type: "subscribe", view: "counts", request: "c" });
    expect((await c.until("subscribed")).at(-1)).toMatchObject({ request: "c", id: db.position });
    await put(2);
    expect(await c.next()).toEqual({
      type: "step",
      id: db.position,
      position: db.position,
      views: {
        songs_view: [{ op: "insert", key: 2, row: { id: 2, name: "n2" } }],
        counts: [{ op: "update", key: expect.anything(), row: { n: 2 }, old: { n: 1 } }],
      },
    });
    await c.unsubscribe({ view: "counts" });
    await put(3);
    expect(Object.keys((await c.next())?.["views"])).toEqual(["songs_view"]);
  });

  test("tells of rows by key, and begins a view anew when one more is wanted", async () => {
    await put(1, 2, 3);
    const c = await open();
    expect((await c.subscribe({ view: "songs_view", key: 2 }))[0]?.["rows"]).toHaveLength(1);
    await put(4);
    await db.append("songs", [{ id: 2, name: "two" }]);
    expect((await c.next())?.["views"]).toMatchObject({ songs_view: [{ op: "update", key: 2 }] });
    const more = await c.subscribe({ view: "songs_view", key: "3" });
    expect(more.map((m) => m.type)).toEqual(["reset", "snapshot", "subscribed"]);
    expect(more[1]?.["rows"].map((r: { key: number }) => r.key).sort()).toEqual([2, 3]);
    expect(await c.unsubscribe({ view: "songs_view", key: 2 })).toHaveLength(1);
    await db.append("songs", [
      { id: 2, name: "zwei" },
      { id: 3, name: "drei" },
    ]);
    expect((await c.next())?.["views"].songs_view).toMatchObject([{ key: 3 }]);
    await db.append("pairs", [{ a: 1, b: "x", n: 1 }]);
    await db.settled();
    const [reset, pair] = await c.subscribe({ view: "pairs_view", key: [1, "x"] }, { view: "songs_view" });
    expect(reset).toMatchObject({ type: "reset", view: "songs_view" });
    expect(pair?.["rows"]).toEqual([{ key: [1, "x"], row: { a: 1, b: "x", n: 1 } }]);
    expect(c.screen.views.get("songs_view")?.size).toBe(4);
  });

  test("a key of all digits is that key", async () => {
    await db.append("songs", [{ id: 9007199254740993n, name: "large" }]);
    await db.settled();
    const c = await open();
    c.send('{"type":"subscribe","view":"songs_view","key":9007199254740993}');
    expect((await c.next())?.["rows"]).toHaveLength(1);
  });

  test("resumes with what was missed and nothing else", async () => {
    await put(1);
    const from = db.position;
    const { views } = await shownNow(db, ["songs_view"]);
    const first = await open();
    await first.subscribe({ view: "songs_view" });
    await put(2);
    await first.until("step");
    first.socket.terminate();
    await put(3);
    const c = await open();
    c.screen.resume(views, Number(from));
    const told = await c.subscribe({ view: "songs_view", from }, { view: "counts" });
    expect(c.screen.views.get("songs_view")?.size).toBe(3);
    expect(told.map((m) => m.type)).toEqual(["step", "step", "snapshot", "subscribed"]);
    expect(told.slice(0, 2).map((m) => m["views"].songs_view[0].key)).toEqual([2, 3]);
    expect(told[1]).not.toHaveProperty("id");
    expect(told.at(-1)).toMatchObject({ id: db.position });
  });

  test("a position that is not there any more begins the view anew", async () => {
    await put(1);
    const c = await open();
    const told = await c.subscribe({ view: "songs_view", from: "99999" });
    expect(told.map((m) => m.type)).toEqual(["reset", "snapshot", "subscribed"]);
  });

  test("atLeast is waited for, in bounds", async () => {
    const c = await open();
    const next = String(Number(db.position) + 1);
    c.send({ type: "subscribe", view: "songs_view", atLeast: next });
    await put(1);
    expect((await c.until("subscribed"))[0]?.["rows"]).toHaveLength(1);
    c.send({ type: "subscribe", view: "counts", atLeast: "99999", timeoutMs: 1, request: 7 });
    expect(await c.next()).toMatchObject({
      type: "error",
      request: 7,
      final: false,
      error: { code: "timeout" },
    });
  });

  test("a view with an error says so, keeps silent while it lasts, and begins anew when it heals", async () => {
    await put(13);
    const c = await open();
    const told = await c.subscribe({ view: "inverse" });
    expect(told[0]).toMatchObject({ type: "error", view: "inverse", error: { code: "division_by_zero" } });
    expect(told[0]).not.toHaveProperty("ended");
    expect(told.at(-1)).not.toHaveProperty("id");
    expect((await c.subscribe({ view: "counts" })).map((m) => m.type)).toEqual(["snapshot", "subscribed"]);
    await db.deleteKey("songs", 13);
    await until(() => c.screen.views.has("inverse"));
    expect(c.screen.errors.size).toBe(0);
  });

  test("a view that is dropped ends, and the others go on", async () => {
    const c = await open();
    await c.subscribe({ view: "counts" }, { view: "songs_view" });
    await sql(db, "DROP MATERIALIZED VIEW counts");
    const ended = (await c.until("error")).at(-1);
    expect(ended).toMatchObject({ view: "counts", ended: true, error: { code: "undefined_table" } });
    await put(1);
    await until(() => c.screen.views.get("songs_view")?.size === 1);
    c.send({ type: "unsubscribe", view: "counts" });
    expect((await c.until("unsubscribed")).find((m) => m.type === "error")).toMatchObject({
      error: { code: "undefined_object" },
    });
  });

  test("bad messages are answered, and disturb nothing", async () => {
    const c = await open();
    await c.subscribe({ view: "counts" });
    const bad: [unknown, object][] = [
      ["{", { code: "invalid_text_representation" }],
      ["[]", { code: "invalid_request" }],
      ["null", { code: "invalid_request" }],
      [{ type: "dance" }, { hint: expect.stringContaining("subscribe") }],
      [{ type: "subscribe" }, { message: expect.stringContaining("view") }],
      [{ type: "subscribe", targets: [] }, { message: expect.stringContaining("targets") }],
      [
        { type: "subscribe", targets: [{ view: "counts", vew: 1 }] },
        { message: expect.stringContaining("vew") },
      ],
      [{ type: "subscribe", view: "counts", from: "x" }, { code: "invalid_request" }],
      [{ type: "subscribe", view: "counts", key: {} }, { code: "invalid_request" }],
      [
        { type: "subscribe", view: "songs_view", request: {} },
        { message: expect.stringContaining("request") },
      ],
      [
        {
          type: "subscribe",
          targets: Array(1001)
            .fill(0)
            .map((_, i) => ({ view: "songs_view", key: i })),
        },
        { message: expect.stringContaining("1000") },
      ],
    ];
    for (const [message, error] of bad) {
      c.send(message);
      const answer = await c.next();
      expect(answer, JSON.stringify(message)?.slice(0, 80)).toMatchObject({
        type: "error",
        final: false,
        error,
      });
      expect(answer?.["error"].sqlstate).toMatch(/^[0-9A-Z]{5}$/);
    }
    c.socket.send(Buffer.from("{}"));
    expect(await c.next()).toMatchObject({
      type: "error",
      final: false,
      error: { detail: "It came as bytes." },
    });
    for (const [view, key] of [
      ["nothing", 1],
      ["songs_view", "x"],
    ] as const) {
      c.send({ type: "subscribe", request: 3, targets: [{ view, key }] });
      expect(await c.next()).toMatchObject({ type: "error", view, request: 3, ended: true });
      expect(await c.next()).toMatchObject({ type: "subscribed", request: 3 });
    }
    await put(1);
    expect(await c.next()).toMatchObject({ type: "step" });
  });

  test("a message that is too long ends the connection, and no other", async () => {
    const [c, other] = [await open(), await open()];
    c.socket.send("x".repeat(4 << 20));
    expect((await c.closed).code).toBe(1009);
    expect(await other.subscribe({ view: "counts" })).toHaveLength(2);
  });

  test("a step of many rows comes whole", async () => {
    const c = await open();
    await c.subscribe({ view: "songs_view" });
    await put(...Array.from({ length: 20_000 }, (_, i) => i));
    await until(() => c.screen.views.get("songs_view")?.size === 20_000);
  });

  test("metrics count it", async () => {
    const c = await open();
    await c.subscribe({ view: "counts" });
    const text = async () => (await fetch(`${server.url}/metrics`)).text();
    expect(await text()).toMatch(/^evert_http_websockets 1$/m);
    expect(await text()).toMatch(/^evert_subscribers 1$/m);
    expect(await text()).toMatch(/evert_http_request_seconds_count\{.*route="\/v1\/ws",status="101".*\} 1/);
    await c.close();
    await until(() => db.stats().subscribers === 0);
    expect(await text()).toMatch(/^evert_http_websockets 0$/m);
  });
});

describe("who may connect", () => {
  beforeEach(() => serve());

  /** The status a handshake is answered with. */
  async function status(headers: Record<string, string>, path = "/v1/ws"): Promise<string> {
    const socket = connectTcp(server.port, "127.0.0.1");
    const all = {
      Host: `127.0.0.1:${server.port}`,
      Connection: "Upgrade",
      Upgrade: "websocket",
      "Sec-WebSocket-Version": "13",
      "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
      ...headers,
    };
    const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.write(`GET ${path} HTTP/1.1\r\n${lines.join("")}\r\n`);
    const text = await new Promise<string>((resolve) => socket.once("data", (data) => resolve(String(data))));
    socket.destroy();
    return text.slice(9, 12);
  }

  test("programs, and pages of this server", async () => {
    const { port } = server;
    expect(await status({})).toBe("101");
    expect(await status({ Origin: `http://127.0.0.1:${port}` })).toBe("101");
    expect(await status({ Host: `localhost:${port}`, Origin: `http://localhost:${port}` })).toBe("101");
    // A proxy that speaks https to the browser.
    expect(await status({ Host: "localhost", Origin: "https://localhost" })).toBe("101");
  });

  test("no page of anybody else", async () => {
    const { port } = server;
    for (const Origin of [
      "https://evil.example",
      `http://localhost:${port}`,
      `http://127.0.0.1:${port + 1}`,
      "http://127.0.0.1",
      "null",
      "file://",
      "",
    ])
      expect(await status({ Origin }), Origin).toBe("403");
    // A page that has pointed its own name here.
    expect(await status({ Host: "evil.example", Origin: "http://evil.example" })).toBe("403");
  });

  test("nobody elsewhere or otherwise", async () => {
    expect(await status({}, "/v1/views")).toBe("404");
    expect(await status({}, "/v1/ws?view=counts")).toBe("400");
    expect(await status({ "Sec-WebSocket-Key": "short" })).toBe("400");
    expect(await status({ Upgrade: "h2c" }, "/v1/views")).toBe("200");
    const plain = await fetch(`${server.url}/v1/ws`);
    expect(plain.status).toBe(426);
    expect(plain.headers.get("upgrade")).toBe("websocket");
    expect(await plain.json()).toMatchObject({ error: { code: "invalid_request" } });
  });
});

describe("a connection ends", () => {
  test("with a goodbye when the server does", async () => {
    await serve();
    const c = await open();
    await c.subscribe({ view: "counts" });
    await server.close();
    expect(await c.next()).toMatchObject({ type: "error", final: true, error: { code: "shutting_down" } });
    expect(await c.closed).toEqual({ code: 1001, reason: "shutting_down" });
    expect(db.stats().subscribers).toBe(0);
  });

  test("when the server's time to drain is over, and the client has not read", async () => {
    await serve({ drainMs: 50 });
    const c = await open();
    await c.subscribe({ view: "counts" });
    c.socket.pause();
    await server.close();
    expect(db.stats().subscribers).toBe(0);
  });

  test("when its client takes nothing for too long; nobody waits for it", async () => {
    await serve({ stallMs: 100, heartbeatMs: 10 });
    const [slow, other] = [await open(), await open()];
    await slow.subscribe({ view: "songs_view" });
    await other.subscribe({ view: "counts" });
    slow.socket.pause();
    const name = "x".repeat(1 << 16);
    for (let id = 0; db.stats().subscribers > 1; id++) {
      await db.append("songs", [{ id: id % 64, name: name + id }]);
    }
    await until(() => other.messages.some((m) => m.type === "step"));
  });

  test("when its client is gone without a word", async () => {
    await serve({ stallMs: 50, heartbeatMs: 10 });
    const c = await open();
    await c.subscribe({ view: "counts" });
    // What it would answer with.
    c.socket.pong = () => {};
    await until(() => db.stats().subscribers === 0);
    expect(c.messages.some((m) => m.type === "heartbeat")).toBe(true);
  });
});

test("a reader that does not keep up is told anew, and is right again", async () => {
  await serve();
  const c = await open();
  await c.subscribe({ view: "songs_view" });
  c.socket.pause();
  const name = "x".repeat(1 << 16);
  // More than the queue, the sockets' buffers and what is kept for those who come back.
  for (let i = 0; i < 1500; i++) await db.append("songs", [{ id: i % 8, name: name + i }]);
  c.socket.resume();
  await put(100);
  await until(() => c.screen.views.get("songs_view")?.has("100") === true);
  expect(c.screen.resets.length).toBeGreaterThan(0);
  const { views } = await shownNow(db, ["songs_view"]);
  expect(c.screen.views.get("songs_view")).toEqual(views.get("songs_view"));
});

test("random views under random commits, subscribed to and left at any time: all that is shown is of one moment", async () => {
  await serve();
  await fc.assert(
    fc.asyncProperty(programs, tapes, async (program, choices) => {
      const own = await openInMemory();
      const http = await createHttpServer(own, { port: 0 });
      try {
        await defineMarks(own);
        for (const base of program.bases) await sql(own, createTable(base, "evert"));
        for (const { name, sql: text } of program.views)
          await sql(own, `CREATE MATERIALIZED VIEW ${name} AS ${text}`);
        const names = program.views.map((v) => v.name);
        const tape = new Tape(choices);
        const past = new Map<number, ReadonlyMap<string, Shown>>();
        const note = async (): Promise<void> => {
          const { views, position } = await shownNow(own, names);
          past.set(position, views);
        };
        await note();
        const c = await WsClient.open(http.url);
        const wanted = new Set<string>();
        /** Of each message in whose moment all is shown: which views it shows, and how. */
        const moments: { position: number; views: Map<string, Shown> }[] = [];
        c.onMessage = (message: Message) => {
          const { id } = message;
          if (id === undefined) return;
          moments.push({
            position: Number(id),
            // What is being left is not told any more, and stands on the screen until the answer has come.
            views: new Map(
              [...c.screen.views].flatMap(([name, rows]) =>
                wanted.has(name) ? [[name, new Map(rows)]] : [],
              ),
            ),
          });
        };
        for (const commit of program.commits) {
          for (let n = tape.below(3); n > 0; n--) {
            const view = names[tape.below(names.length)] as string;
            if (wanted.has(view)) {
              wanted.delete(view);
              await c.unsubscribe({ view });
              c.screen.views.delete(view);
            } else {
              wanted.add(view);
              if (tape.below(2) === 0) await c.subscribe({ view });
              else c.send({ type: "subscribe", view });
            }
          }
          await commitTo(own, commit);
          await own.settled();
          await note();
        }
        await c.subscribe({ view: "marks" });
        await mark(own);
        await until(() => c.screen.views.get("marks")?.size === 1);
        for (const { position, views } of moments) {
          const then = past.get(position);
          if (then === undefined) continue;
          for (const [name, rows] of views) expect(rows).toEqual(then.get(name));
        }
        for (const name of wanted)
          expect(c.screen.views.get(name)).toEqual([...past.values()].at(-1)?.get(name));
        await c.close();
      } catch (error) {
        throw new Error(`${(error as Error).message}\n\n${programText(program)}`, { cause: error });
      } finally {
        await http.close();
        await own.close();
      }
    }),
    { numRuns: runs },
  );
}, 600_000);
