/** The HTTP interface over the real engine: what a client sees from end to end. */
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Engine } from "../../../src/engine/api.ts";
import { openEngine } from "../../../src/engine/open-engine.ts";
import { createHttpServer, type HttpServer } from "../../../src/servers/http/server.ts";
import { removeChecked } from "../../support/left-behind.ts";
import { Client } from "./harness.ts";

let directory: string;
let engine: Engine;
let server: HttpServer;
let c: Client;

async function open(): Promise<void> {
  engine = await openEngine({ directory });
  server = await createHttpServer(engine, { port: 0 });
  c = new Client(server.url);
}

async function close(): Promise<void> {
  await c.close();
  await server.close();
  await engine.close();
}

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "evert-http-"));
  await open();
  const { status, text } = await c.post("/v1/sql", {
    sql:
      "CREATE TABLE songs (id int PRIMARY KEY, name text NOT NULL, price numeric(10,2));" +
      "CREATE TABLE plays (song_id int8, seconds float8) WITH (append_only);" +
      "CREATE TABLE pairs (a int8, b text, n int, PRIMARY KEY (a, b));" +
      "CREATE MATERIALIZED VIEW counts AS SELECT song_id, count(*) AS n, sum(seconds) AS s FROM plays GROUP BY song_id;" +
      "CREATE MATERIALIZED VIEW named AS SELECT id, name, n FROM songs JOIN counts ON song_id = id;" +
      "CREATE MATERIALIZED VIEW pairs_view AS SELECT a, b, n FROM pairs",
  });
  expect(status, text).toBe(200);
});

afterEach(async () => {
  await close();
  await removeChecked(directory);
});

/** Sends it, and reads a view that has it: only then do the engine's own figures, and reads that ask for nothing, have it for sure. */
async function shown(sending: Promise<{ readonly body: unknown }>): Promise<string> {
  const { position } = (await sending).body as { position: string };
  expect(await c.request(`/v1/views/counts/rows?atLeast=${position}`)).toMatchObject({ status: 200 });
  return position;
}

test("one view is described with its operators, a list of views without", async () => {
  await shown(c.post("/v1/topics/plays/records", { song_id: 1, seconds: 0.5 }));
  const { body } = await c.request("/v1/views/counts");
  expect(body).toMatchObject({
    rowsIn: 1,
    rowsOut: 1,
    operators: [
      { operator: "stream plays", role: "source", inputs: [] },
      {
        operator: "group by",
        plan: ["Group by song_id: count(*), sum(seconds)"],
        inputs: [0],
        rowsIn: 1,
        rows: 1,
      },
      { operator: "rows kept (keyed)", role: "own", inputs: [1], rowsOut: 1, steps: 1 },
    ],
  });
  const list = (await c.request("/v1/views")).body as { views: object[] };
  expect(list.views[0]).not.toHaveProperty("operators");
});

test("an append is seen by reads at its position, in every view", async () => {
  await c.post("/v1/topics/songs/records", { id: 1, name: "one", price: 1.5 });
  const { body } = await c.post("/v1/topics/plays/records", [
    { song_id: 1, seconds: 0.5 },
    { song_id: 1, seconds: 0.25 },
  ]);
  const { position } = body as { position: string };
  expect(body).toEqual({ position, count: 2, firstOffset: 0, lastOffset: 1 });
  expect(await c.request(`/v1/views/named/rows/1?atLeast=${position}`)).toMatchObject({
    status: 200,
    position,
    body: { row: { id: 1, name: "one", n: 2 }, position },
  });
  expect(await c.request(`/v1/views/counts/rows?song_id=1&atLeast=${position}`)).toMatchObject({
    body: { rows: [{ song_id: 1, n: 2, s: 0.75 }] },
  });
  expect(await c.request("/v1/views/counts/rows/9")).toMatchObject({ status: 404, body: { position } });
});

test("a bad record is named by line or index, and nothing is stored", async () => {
  const before = engine.position;
  const lines = '{"id":1,"name":"a"}\n\n{"id":2,"name":"b","price":"dear"}\n';
  expect(await c.ndjson("/v1/topics/songs/records", lines)).toMatchObject({
    status: 400,
    body: { error: { message: expect.stringMatching(/^line 3: price: /) } },
  });
  expect(await c.post("/v1/topics/songs/records", [{ id: 1, name: "a" }, { id: 2 }])).toMatchObject({
    status: 400,
    body: { error: { code: "not_null_violation", message: expect.stringMatching(/^records\[1\]\.name: /) } },
  });
  expect(engine.position).toBe(before);
  expect(await c.ndjson("/v1/topics/songs/records?atomic=false", lines)).toMatchObject({
    status: 400,
    body: { error: { message: expect.stringMatching(/^line 3: price: /) }, committed: { count: 1 } },
  });
});

test("idempotency keys survive a restart", async () => {
  const headers = { "Idempotency-Key": "k" };
  const first = await c.post("/v1/topics/plays/records", { song_id: 1, seconds: 1 }, headers);
  expect(first.status).toBe(200);
  await close();
  await open();
  expect(await c.post("/v1/topics/plays/records", { song_id: 1, seconds: 1 }, headers)).toMatchObject({
    status: 200,
    body: first.body,
  });
  expect(await c.post("/v1/topics/plays/records", { song_id: 2, seconds: 1 }, headers)).toMatchObject({
    status: 422,
  });
  expect(await c.request("/v1/views/counts/rows")).toMatchObject({ body: { rows: [{ n: 1 }] } });
});

test("a transaction is all or nothing", async () => {
  const good = [
    { topic: "songs", upsert: { id: 1, name: "a" } },
    { topic: "plays", append: { song_id: 1, seconds: 1 } },
  ];
  const bad = [...good, { topic: "songs", upsert: { id: "x", name: "a" } }];
  const before = engine.position;
  expect(await c.post("/v1/transactions", { operations: bad })).toMatchObject({ status: 400 });
  expect(engine.position).toBe(before);
  const { body } = await c.post("/v1/transactions", { operations: good });
  const { position } = body as { position: string };
  expect(await c.request(`/v1/views/named/rows/1?atLeast=${position}`)).toMatchObject({
    body: { row: { n: 1 } },
  });
});

test("a transaction is stored if what it expects holds", async () => {
  const put = (name: string) => [{ topic: "songs", upsert: { id: 1, name } }];
  const send = (name: string, expected: unknown) =>
    c.post("/v1/transactions", { operations: put(name), expect: expected });
  const key = { topic: "songs", key: 1 };
  const position = await shown(send("a", { ...key, version: null }));
  expect(await send("b", [{ ...key, version: position }])).toMatchObject({ status: 200 });
  expect(await send("c", [{ ...key, version: position }])).toMatchObject({
    status: 409,
    body: {
      error: {
        code: "conflict",
        sqlstate: "40001",
        message: expect.stringContaining('a row of "songs" has changed'),
        detail: "Key (id)=(1).",
      },
    },
  });
  expect(await send("c", { topic: "songs", position })).toMatchObject({ status: 409 });
  expect(await send("c", { topic: "plays", position })).toMatchObject({ status: 200 });
});

test("int8 is exact over its whole range, in and out and as a key", async () => {
  const text = '{"a":9223372036854775807,"b":"x/y","n":1}';
  const headers = { "Content-Type": "application/json" };
  const { body } = await c.request("/v1/topics/pairs/records", { method: "POST", headers, body: text });
  const { position } = body as { position: string };
  const key = encodeURIComponent('[9223372036854775807,"x/y"]');
  const found = await c.request(`/v1/views/pairs_view/rows/${key}?atLeast=${position}`);
  expect(found.text).toBe(`{"row":${text},"position":"${position}"}`);
  const sql = await c.request("/v1/sql", {
    method: "POST",
    headers,
    body: '{"sql":"SELECT a FROM pairs_view WHERE a = $1","params":[9223372036854775807]}',
  });
  expect(sql.text).toContain('"rows":[[9223372036854775807]]');
  const gone = await shown(c.request(`/v1/topics/pairs/records/${key}`, { method: "DELETE" }));
  const after = await c.request(`/v1/views/pairs_view/rows/${key}?atLeast=${gone}`);
  expect(after.status).toBe(404);
});

test("events: the snapshot, the changes, and what was missed", async () => {
  const events = await c.events("/v1/subscribe?view=counts&view=named");
  expect(await events.next()).toMatchObject({
    event: "snapshot",
    data: { view: "counts", rows: [], last: true },
  });
  expect(await events.next()).toMatchObject({
    event: "snapshot",
    data: { view: "named", rows: [], last: true },
  });
  await c.post("/v1/topics/songs/records", { id: 1, name: "one" });
  await c.post("/v1/topics/plays/records", { song_id: 1, seconds: 1 });
  const step = await events.next();
  expect(step).toMatchObject({
    event: "step",
    data: {
      views: {
        counts: [{ op: "insert", key: 1, row: { song_id: 1, n: 1, s: 1 } }],
        named: [{ op: "insert", key: 1, row: { id: 1, name: "one", n: 1 } }],
      },
    },
  });
  await events.close();
  await c.post("/v1/topics/songs/records", { id: 1, name: "uno" });
  const again = await c.events(`/v1/subscribe?view=counts&view=named`, { "Last-Event-ID": step!.id });
  expect(await again.next()).toMatchObject({
    event: "step",
    data: { views: { named: [{ op: "update", row: { name: "uno" }, old: { name: "one" } }] } },
  });
  const one = await c.events("/v1/views/named/rows/1");
  expect(await one.next()).toMatchObject({
    event: "snapshot",
    data: { rows: [{ key: 1, row: { name: "uno" } }] },
  });
});

test("records are read back in order, and followed", async () => {
  await c.post("/v1/topics/songs/records", { id: 1, name: "one" });
  await c.request("/v1/topics/songs/records/1", { method: "DELETE" });
  const { text } = await c.request("/v1/topics/songs/records");
  const records = text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(records).toMatchObject([
    { offset: 0, key: 1, value: { id: 1, name: "one", price: null } },
    { offset: 1, key: 1, value: null },
  ]);
  const follow = c.request("/v1/topics/songs/records?follow&from=2&limit=1");
  await c.post("/v1/topics/songs/records", { id: 2, name: "two" });
  expect(JSON.parse((await follow).text)).toMatchObject({ offset: 2, key: 2 });
});

test("errors of SQL carry PostgreSQL's state and place", async () => {
  expect(await c.post("/v1/sql", { sql: "SELECT 1; SELECT nope FROM songs" })).toMatchObject({
    status: 400,
    body: {
      results: [{ rows: [[1]] }],
      error: { code: "undefined_column", sqlstate: "42703", position: 18 },
    },
  });
  expect(await c.post("/v1/sql", { sql: "SELEC 1" })).toMatchObject({
    status: 400,
    body: { error: { sqlstate: "42601" } },
  });
});

test("dropping a view takes it away", async () => {
  expect(await c.request("/v1/views/named", { method: "DELETE" })).toMatchObject({ status: 200 });
  expect(await c.request("/v1/views/named")).toMatchObject({ status: 404 });
});

test("records of every door are the same: a table without key, one with constraints", async () => {
  await c.post("/v1/sql", {
    sql: "CREATE TABLE notes (n int CHECK (n < 100), t text UNIQUE); CREATE MATERIALIZED VIEW notes_view AS SELECT n, t FROM notes",
  });
  const path = "/v1/topics/notes/records";
  const many = Array.from({ length: 3000 }, (_, i) => ({ n: i % 100, t: `t${i}` }));
  const stored = await c.post(path, many);
  expect(stored).toMatchObject({ status: 200, body: { count: 3000 } });
  const { position } = stored.body as { position: string };
  expect(
    await c.post(path, [
      { n: 1, t: "a" },
      { n: 100, t: "b" },
    ]),
  ).toMatchObject({
    status: 409,
    body: { error: { code: "check_violation" } },
  });
  expect(
    await c.post(path, [
      { n: 1, t: "a" },
      { n: 2, t: "t7" },
    ]),
  ).toMatchObject({
    status: 409,
    body: { error: { code: "unique_violation" } },
  });
  const { body } = await c.post("/v1/sql", {
    sql: "SELECT count(*), sum(n) FROM notes_view",
    atLeast: position,
  });
  expect(body).toMatchObject({ results: [{ rows: [[3000, 30 * 4950]] }] });
});

test.each([
  ["application/json", '[{"n":1,"t":"a"}]'],
  ["application/json", '{"n":1,"t":"a"}'],
  ["application/x-ndjson", '{"n":1,"t":"a"}'],
  ["application/x-ndjson", '{"n":1,"t":"a"}\n'],
])(
  "a request is answered again by its key, though its records would be refused now: %s %s",
  async (type, body) => {
    const path = "/v1/topics/notes/records";
    const post = (text: string, key?: string) =>
      c.request(path, {
        method: "POST",
        headers: { "Content-Type": type, ...(key === undefined ? {} : { "Idempotency-Key": key }) },
        body: text,
      });
    await c.post("/v1/sql", { sql: "CREATE TABLE notes (n int, t text)" });
    const first = await post(body, "again");
    expect(first).toMatchObject({ status: 200, body: { count: 1 } });
    await c.post("/v1/sql", { sql: "DROP TABLE notes; CREATE TABLE notes (n int)" });
    expect(await post(body, "again")).toMatchObject({
      status: 200,
      body: { position: (first.body as { position: string }).position },
    });
    expect(await post(body.replace("1", '"x"'), "again")).toMatchObject({
      status: 422,
      body: { error: { code: "idempotency_conflict" } },
    });
    expect(await post(body)).toMatchObject({ status: 400, body: { error: { code: "undefined_column" } } });
  },
);

test("some rows of a view are followed: they come, go and change as who reads these alone sees it", async () => {
  await c.post(
    "/v1/topics/pairs/records",
    [1, 2, 3].map((n) => ({ a: n, b: "x", n: n % 2 })),
  );
  const events = await c.events("/v1/views/pairs_view/rows?n=1&order=-a,b");
  const change = (changes: object[]) => ({ event: "change", data: { changes } });
  const snapshot = (await events.next()) as { data: { rows: { key: unknown }[]; order: object[] } };
  expect(snapshot.data.rows.map(({ key }) => key).sort()).toEqual([
    [1, "x"],
    [3, "x"],
  ]);
  expect(snapshot.data.order).toEqual([
    { column: "a", descending: true, nullsFirst: true },
    { column: "b", descending: false, nullsFirst: false },
  ]);
  const set = (a: number, n: number) => c.post("/v1/topics/pairs/records", { a, b: "x", n });
  await set(4, 2);
  await set(2, 1);
  expect(await events.next()).toMatchObject(
    change([{ op: "insert", key: [2, "x"], row: { a: 2, b: "x", n: 1 } }]),
  );
  await set(1, 5);
  const left = (await events.next()) as { id: string };
  expect(left).toMatchObject(change([{ op: "delete", key: [1, "x"], old: { a: 1, b: "x", n: 1 } }]));
  await events.close();
  await set(5, 1);
  const again = await c.events("/v1/views/pairs_view/rows?n=1", { "Last-Event-ID": left.id });
  expect(await again.next()).toMatchObject(change([{ op: "insert", key: [5, "x"] }]));
  await again.close();
  const headers = { Accept: "text/event-stream" };
  for (const limit of ["10001", "-1", "x"])
    expect(await c.request(`/v1/views/pairs_view/rows?limit=${limit}`, { headers })).toMatchObject({
      status: 400,
    });
  expect(await c.request("/v1/views/pairs_view/rows?n=x", { headers })).toMatchObject({ status: 400 });
});

test("the first rows of a view are followed: one that leaves makes room for the next", async () => {
  const set = (a: number, n: number) => c.post("/v1/topics/pairs/records", { a, b: "x", n });
  for (const a of [1, 2, 3, 4]) await set(a, a % 2);
  const rows = "/v1/views/pairs_view/rows";
  const events = await c.events(`${rows}?n=1&order=-a&limit=2`);
  const row = (a: number, n = 1) => ({ a, b: "x", n });
  const change = (...changes: object[]) => ({ event: "change", data: { changes } });
  const first = (await events.next()) as { id: string; data: object };
  expect(first).toMatchObject({
    event: "snapshot",
    data: {
      rows: [
        { key: [3, "x"], row: row(3) },
        { key: [1, "x"], row: row(1) },
      ],
      order: [{ column: "a", descending: true, nullsFirst: true }],
      last: true,
    },
  });
  await set(2, 1);
  expect(await events.next()).toMatchObject(
    change({ op: "delete", key: [1, "x"], old: row(1) }, { op: "insert", key: [2, "x"], row: row(2) }),
  );
  // What concerns none of them is not told.
  await set(9, 7);
  await set(0, 1);
  const { body } = await c.post("/v1/sql", { sql: "UPDATE pairs SET n = 2 WHERE a = 3" });
  const told = (await events.next()) as { id: string };
  expect(told).toMatchObject(
    change({ op: "delete", key: [3, "x"], old: row(3) }, { op: "insert", key: [1, "x"], row: row(1) }),
  );
  expect(told.id).toBe((body as { position: string }).position);
  await events.close();
  const again = await c.events(`${rows}?n=1&order=-a&limit=2`, { "Last-Event-ID": told.id });
  expect(await again.next()).toMatchObject({ event: "reset" });
  expect(await again.next()).toMatchObject({
    event: "snapshot",
    data: { rows: [{ row: row(2) }, { row: row(1) }] },
  });
  await again.close();
});

test("first rows without a key, and beside an error of the view", async () => {
  const run = (sql: string) => c.post("/v1/sql", { sql });
  await run("CREATE MATERIALIZED VIEW bag AS SELECT n, 10 / n AS q FROM pairs");
  const put = (a: number, n: number) => c.post("/v1/topics/pairs/records", { a, b: "x", n });
  await put(1, 5);
  await put(2, 5);
  await put(3, 2);
  const events = await c.events("/v1/views/bag/rows?order=-n&limit=2");
  const whole = await c.events("/v1/views/bag/rows");
  const { data } = (await events.next()) as {
    data: { rows: { key: string; row: object }[]; columns: object[] };
  };
  expect(data.rows.map(({ row }) => row)).toEqual([
    { n: 5, q: 2 },
    { n: 5, q: 2 },
  ]);
  // Keys and columns are those of the whole view.
  const all = (await whole.next()) as { data: { rows: { key: string }[]; columns: object[] } };
  expect(data.columns).toEqual(all.data.columns);
  for (const { key } of data.rows) expect(all.data.rows.map((one) => one.key)).toContain(key);
  await put(4, 0);
  expect(await events.next()).toMatchObject({ event: "error", data: { error: { sqlstate: "22012" } } });
  await put(4, 10);
  expect(await events.next()).toMatchObject({ event: "reset" });
  expect(await events.next()).toMatchObject({
    event: "snapshot",
    data: { rows: [{ row: { n: 10, q: 1 } }, { row: { n: 5, q: 2 } }] },
  });
  await put(1, 0);
  expect(await events.next()).toMatchObject({ event: "error" });
  await events.close();
  const late = await c.events("/v1/views/bag/rows?order=-n&limit=1");
  expect(await late.next()).toMatchObject({ event: "error" });
  await put(1, 1);
  expect(await late.next()).toMatchObject({ event: "reset" });
  expect(await late.next()).toMatchObject({ event: "snapshot", data: { rows: [{ row: { n: 10, q: 1 } }] } });
  await late.close();
  await whole.close();
});
