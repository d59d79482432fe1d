/**
 * The HTTP interface as a stranger uses it: a real server, the app of the interface page, every operation of /v1 once, and each answer
 * held against the server's own OpenAPI document.
 */
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readArrow, readArrowSchema, writeArrow } from "../../src/batch/arrow.ts";
import { BatchBuilder } from "../../src/batch/builder.ts";
import { rowToObject } from "../../src/batch/json.ts";
import { schemaOf } from "../../src/batch/schema.ts";
import { int4, int8, text } from "../../src/batch/types.ts";
import { SseDecoder, type SseEvent } from "../../src/wire/http/sse.ts";
import { WsClient } from "../servers/http/ws-client.ts";
import { Contract } from "./contract.ts";
import { TestServer } from "./server.ts";

const json = "application/json";
const ndjson = "application/x-ndjson";
const arrow = "application/vnd.apache.arrow.stream";
const events = "text/event-stream";

let server: TestServer;
let contract: Contract;

beforeAll(async () => {
  server = await TestServer.start(join(import.meta.dirname, "app.ts"));
  contract = new Contract((await (await fetch(`${server.url}/v1/openapi.json`)).json()) as never);
  await ok("POST /v1/sql", {
    sql: `CREATE TABLE item (id int4 PRIMARY KEY, name text NOT NULL, price numeric(10,2));
          CREATE TABLE pair (a int4, b text, n int4, PRIMARY KEY (a, b));
          CREATE TABLE loose (n int4);
          CREATE TABLE event (n int8, word text) WITH (append_only);
          CREATE TABLE large (n int8, word text) WITH (append_only);
          CREATE MATERIALIZED VIEW items AS SELECT id, name, price FROM item;
          CREATE MATERIALIZED VIEW ranked AS SELECT name, id FROM item ORDER BY name DESC, id;
          CREATE MATERIALIZED VIEW pairs AS SELECT a, b, n FROM pair;
          CREATE MATERIALIZED VIEW words AS SELECT word FROM event;
          CREATE MATERIALIZED VIEW inverse AS SELECT id, 100 / id AS share FROM item;
          INSERT INTO item VALUES (1, 'one', 1.50), (2, 'two', NULL), (3, 'three', 3);
          INSERT INTO pair VALUES (1, 'x/y', 10), (1, 'ü "z"', 20)`,
  });
});
afterAll(async () => expect(await server.stop()).toBe(0));

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly body: never;
}

interface RequestOptions {
  readonly type?: string;
  readonly accept?: string;
  readonly headers?: Record<string, string>;
  /** Of another server; absent: the one that all tests share. */
  readonly url?: string;
}

/** `GET /v1/…`; a body that is no text or bytes goes as JSON. The answer is checked against the contract. */
async function ask(request: string, content?: unknown, options: RequestOptions = {}): Promise<Answer> {
  const [method = "", path = ""] = request.split(/ (.*)/s);
  const plain = content === undefined || typeof content === "string" || content instanceof Uint8Array;
  const headers: Record<string, string> = { ...options.headers };
  if (content !== undefined) headers["Content-Type"] = options.type ?? json;
  if (options.accept !== undefined) headers["Accept"] = options.accept;
  const body = plain ? (content as BodyInit | undefined) : JSON.stringify(content);
  const response = await fetch((options.url ?? server.url) + path, { method, headers, body: body ?? null });
  const answer = await response.text();
  contract.check(method, path, response, answer);
  expect(response.headers.get("Evert-Position"), request).toMatch(/^\d+$/);
  const isJson = response.headers.get("Content-Type") === json;
  const { status } = response;
  return {
    status,
    headers: response.headers,
    text: answer,
    body: (isJson ? JSON.parse(answer) : undefined) as never,
  };
}

async function ok(request: string, content?: unknown, options?: RequestOptions): Promise<Answer> {
  const answer = await ask(request, content, options);
  expect(answer.status, answer.text).toBe(200);
  return answer;
}

async function bytesOf(path: string, accept: string): Promise<Uint8Array> {
  const response = await fetch(server.url + path, { headers: { Accept: accept } });
  expect(response.headers.get("Content-Type")).toBe(accept);
  return new Uint8Array(await response.arrayBuffer());
}

/** An open event stream. */
async function listen(path: string, headers: Record<string, string> = {}) {
  const stop = new AbortController();
  const response = await fetch(server.url + path, {
    headers: { Accept: events, ...headers },
    signal: stop.signal,
  });
  expect(response.status, path).toBe(200);
  expect(response.headers.get("Content-Type")).toBe(events);
  const decoder = new SseDecoder();
  const utf8 = new TextDecoder();
  const reader = response.body!.getReader();
  const queue: SseEvent[] = [];
  return {
    /** The next event: its name, its id, its data, held against the document's schema of that name. */
    async next(schema: string): Promise<{ event: string; id: string; data: never }> {
      while (queue.length === 0) {
        const { value, done } = await reader.read();
        if (done) throw new Error("the stream has ended");
        queue.push(...decoder.push(utf8.decode(value, { stream: true })));
      }
      const { event, id, data } = queue.shift()!;
      expect(contract.fits(schema, JSON.parse(data)), data).toEqual([]);
      return { event, id, data: JSON.parse(data) as never };
    },
    async close(): Promise<void> {
      stop.abort();
      await reader.read().catch(() => undefined);
    },
  };
}

const error = (code: string, sqlstate: string, more: object = {}) => ({
  error: { code, sqlstate, message: expect.any(String), ...more },
});
const position = expect.stringMatching(/^\d+$/);
const result = (command: string, columns: [string, string][], rows: unknown[][]) => ({
  command,
  columns: columns.map(([name, type]) => ({ name, type })),
  rows,
  rowCount: rows.length,
});

/** What is asked, the status, what the answer's body is like (every member of it). */
type Case = [request: string, content: unknown, status: number, body: unknown];

const sqlCases: Case[] = [
  [
    "SELECT",
    { sql: "SELECT id, name, price FROM item WHERE id < 3 ORDER BY id" },
    200,
    {
      results: [
        result(
          "SELECT 2",
          [
            ["id", "int4"],
            ["name", "text"],
            ["price", "numeric"],
          ],
          [
            [1, "one", 1.5],
            [2, "two", null],
          ],
        ),
      ],
      position,
    },
  ],
  [
    "parameters",
    { sql: "SELECT $1::int4 + 1 AS n, $2::text AS t", params: [4, "x"] },
    200,
    {
      results: [
        result(
          "SELECT 1",
          [
            ["n", "int4"],
            ["t", "text"],
          ],
          [[5, "x"]],
        ),
      ],
      position,
    },
  ],
  [
    "several statements",
    { sql: "SELECT 1 AS a; SELECT 'b' AS b" },
    200,
    {
      results: [result("SELECT 1", [["a", "int4"]], [[1]]), result("SELECT 1", [["b", "text"]], [["b"]])],
      position,
    },
  ],
  ["none", { sql: " -- nothing" }, 200, { results: [], position }],
  [
    "text is PostgreSQL's text output, or null",
    { sql: "SELECT price, id = 1 AS b, NULL AS n, 1e20::float8 AS f FROM item WHERE id = 1", format: "text" },
    200,
    {
      results: [
        result(
          "SELECT 1",
          [
            ["price", "numeric"],
            ["b", "bool"],
            ["n", "text"],
            ["f", "float8"],
          ],
          [["1.50", "t", null, "1e+20"]],
        ),
      ],
      position,
    },
  ],
  [
    "statement k fails: the results before it stand beside the error, with the error's status",
    { sql: "SELECT 1 AS a; SELECT 1/0; SELECT 3" },
    400,
    {
      results: [result("SELECT 1", [["a", "int4"]], [[1]])],
      ...error("division_by_zero", "22012"),
      position,
    },
  ],
  [
    "a constraint",
    { sql: "INSERT INTO item VALUES (1, 'again')" },
    409,
    {
      results: [],
      ...error("unique_violation", "23505", { detail: "Key (id)=(1) already exists." }),
      position,
    },
  ],
  [
    "a syntax error has its place",
    { sql: "SELEC 1" },
    400,
    { results: [], ...error("syntax_error", "42601", { position: 1 }), position },
  ],
  [
    "an unknown table",
    { sql: "SELECT 1 FROM nothing" },
    404,
    { results: [], ...error("undefined_table", "42P01", { position: 15 }), position },
  ],
  [
    "no such member",
    { sql: "SELECT 1", parms: [] },
    400,
    error("invalid_request", "22023", { hint: expect.stringContaining("params") }),
  ],
  ["no JSON", "{", 400, error("invalid_text_representation", "22P02", { detail: expect.any(String) })],
  [
    "atLeast in vain",
    { sql: "SELECT 1", atLeast: "999999", timeoutMs: 20 },
    504,
    error("timeout", "57014", { detail: expect.any(String), hint: expect.any(String) }),
  ],
];

describe("POST /sql", () => {
  it.each(sqlCases)("%s", async (_, content, status, body) => {
    const answer = await ask("POST /v1/sql", content);
    expect([answer.status, answer.body]).toEqual([status, body]);
  });

  it("runs a block as one transaction, and nothing of one that fails", async () => {
    const block = await ok("POST /v1/sql", {
      sql: "BEGIN; INSERT INTO item VALUES (20, 'a'); INSERT INTO item VALUES (21, 'b'); COMMIT",
    });
    const tags = (answer: Answer) =>
      (answer.body as { results: { command: string }[] }).results.map((r) => r.command);
    expect(tags(block)).toEqual(["BEGIN", "INSERT 0 1", "INSERT 0 1", "COMMIT"]);
    const failed = await ask("POST /v1/sql", {
      sql: "BEGIN; INSERT INTO item VALUES (22, 'c'); INSERT INTO item VALUES (20, 'd'); COMMIT",
    });
    expect(failed.status).toBe(409);
    const count = await ok("POST /v1/sql", { sql: "SELECT count(*) FROM item WHERE id >= 20" });
    expect(count.body).toMatchObject({ results: [{ rows: [[2]] }] });
    await ok("POST /v1/sql", { sql: "DELETE FROM item WHERE id >= 20" });
  });

  it("waits for atLeast, so that a program reads what it wrote", async () => {
    const { body } = await ok("POST /v1/topics/item/records", { id: 30, name: "thirty" });
    const { position: atLeast } = body as { position: string };
    const read = await ok("POST /v1/sql", { sql: "SELECT name FROM items WHERE id = 30", atLeast });
    expect(read.body).toMatchObject({ results: [{ rows: [["thirty"]] }] });
    expect(Number(read.headers.get("Evert-Position"))).toBeGreaterThanOrEqual(Number(atLeast));
    await ok("DELETE /v1/topics/item/records/30");
  });
});

const appended = (count: number) => ({
  position,
  count,
  firstOffset: expect.any(Number),
  lastOffset: expect.any(Number),
});

const appendCases: [
  what: string,
  topic: string,
  type: string,
  content: unknown,
  status: number,
  body: unknown,
][] = [
  ["one value", "event", json, { n: 1, word: "a" }, 200, appended(1)],
  ["an array", "event", json, [{ n: 1 }, { word: "b" }], 200, appended(2)],
  ["NDJSON", "event", ndjson, '{"n":9007199254740993}\n\n{"n":2,"word":"c"}\r\n', 200, appended(2)],
  ["a table takes its key from the value", "item", json, { id: 3, name: "drei" }, 200, appended(1)],
  ["a table without a key", "loose", json, { n: 7 }, 200, appended(1)],
  ["a topic of the app", "plays", json, { song_id: 1, duration: 1 }, 200, appended(1)],
  [
    "a bad record names index, path and reason",
    "item",
    json,
    [
      { id: 50, name: "x" },
      { id: 51, name: 7 },
    ],
    400,
    error("datatype_mismatch", "42804", { message: "records[1].name: expected a string, got 7" }),
  ],
  [
    "a bad line names line, path and reason",
    "item",
    ndjson,
    '{"id":50,"name":"x"}\n{"id":51}\n',
    400,
    error("not_null_violation", "23502", { message: expect.stringMatching(/^line 2: name: /) }),
  ],
  [
    "what the app's own schema refuses",
    "plays",
    ndjson,
    '{"song_id":1,"duration":1}\n{"song_id":1.5,"duration":1}',
    400,
    error("invalid_value", "22000", { message: expect.stringMatching(/^line 2: song_id: /) }),
  ],
  [
    "an unknown property",
    "loose",
    json,
    { different: 1 },
    400,
    error("undefined_column", "42703", { hint: "The columns are n." }),
  ],
  [
    "no JSON in a line",
    "event",
    ndjson,
    '{"n":1}\n{"n":',
    400,
    error("invalid_text_representation", "22P02", {
      message: expect.stringMatching(/^line 2: /),
      detail: expect.any(String),
    }),
  ],
  [
    "invalid UTF-8",
    "event",
    ndjson,
    Uint8Array.of(0x22, 0xff, 0x22),
    400,
    error("untranslatable_character", "22021", { hint: expect.any(String) }),
  ],
  ["nothing", "event", json, [], 400, error("invalid_request", "22023", { hint: expect.any(String) })],
  ["an unknown topic", "nothing", json, {}, 404, error("undefined_table", "42P01")],
  [
    "an unknown format",
    "event",
    "text/plain",
    "x",
    400,
    error("invalid_request", "22023", { hint: expect.stringContaining(ndjson) }),
  ],
  [
    "damaged Arrow",
    "event",
    arrow,
    Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8),
    400,
    error("invalid_request", "22023"),
  ],
];

const records = async (topic: string) => (await ok(`GET /v1/topics/${topic}/records`)).text;

describe("POST /topics/{t}/records", () => {
  it.each(appendCases)("%s", async (_, topic, type, content, status, body) => {
    const before = topic === "nothing" ? "" : await records(topic);
    const answer = await ask(`POST /v1/topics/${topic}/records`, content, { type });
    expect([answer.status, answer.body]).toEqual([status, body]);
    // Refused whole, stored whole.
    if (status !== 200) {
      if (topic !== "nothing") expect(await records(topic)).toBe(before);
      return;
    }
    const { count, firstOffset, lastOffset } = answer.body as {
      count: number;
      firstOffset: number;
      lastOffset: number;
    };
    expect(firstOffset).toBe(before.split("\n").length - 1);
    expect(lastOffset).toBe(firstOffset + count - 1);
  });

  it("Idempotency-Key: same key and body, the first answer again; another body, 422", async () => {
    const send = (key: string, n: number) =>
      ask("POST /v1/topics/event/records", { n }, { headers: { "Idempotency-Key": key } });
    const first = await send("k 1", 1);
    expect(first.status).toBe(200);
    expect((await send("k 1", 1)).body).toEqual(first.body);
    const other = await send("k 1", 2);
    expect([other.status, other.body]).toEqual([
      422,
      error("idempotency_conflict", "23505", { detail: expect.any(String), hint: expect.any(String) }),
    ]);
    expect((await send("k 2", 2)).body).not.toEqual(first.body);
  });

  it("takes 64 MiB at once, and more with atomic=false, telling how far it came", async () => {
    const line = `${JSON.stringify({ n: 1, word: "w".repeat(1 << 20) })}\n`;
    const large = line.repeat(65);
    expect(await ask("POST /v1/topics/large/records", large, { type: ndjson })).toMatchObject({
      status: 413,
      body: error("request_too_large", "54000"),
    });
    const stream = await ok("POST /v1/topics/large/records?atomic=false", line.repeat(65), { type: ndjson });
    expect(stream.body).toEqual({ ...appended(65), commits: expect.any(Number) });
    const broken = await ask(
      "POST /v1/topics/large/records?atomic=false",
      '{"n":1}\n{"n":2}\n{"n":"x"}\n{"n":4}\n',
      { type: ndjson },
    );
    expect(broken.status).toBe(400);
    expect(broken.body).toEqual({
      error: expect.objectContaining({ message: expect.stringMatching(/^line 3: n: /) }),
      committed: { ...appended(2), commits: expect.any(Number) },
    });
  });

  describe("Arrow", () => {
    const schema = schemaOf([
      { name: "word", type: text, nullable: true },
      { name: "n", type: int8, nullable: true },
    ]);
    const stream = (rows: object[], columns = schema): Uint8Array => {
      const builder = new BatchBuilder(columns);
      builder.appendRows(rows);
      return Buffer.concat([...writeArrow(columns, [builder.finish()])]);
    };

    it("gives columns by name, in any order, and is one commit with offsets like any other", async () => {
      const before = (await records("event")).split("\n").length - 1;
      const rows = [
        { word: "ü", n: 1 },
        { word: null, n: 2n ** 60n },
        { word: "z", n: null },
      ];
      const answer = await ok("POST /v1/topics/event/records", stream(rows), { type: arrow });
      expect(answer.body).toEqual({ position, count: 3, firstOffset: before, lastOffset: before + 2 });
      const { text: stored } = await ok(`GET /v1/topics/event/records?from=${before}`);
      expect(stored.split("\n").map((l) => /"value":(.*)}$/.exec(l)?.[1])).toEqual([
        '{"n":1,"word":"ü"}',
        '{"n":1152921504606846976,"word":null}',
        '{"n":null,"word":"z"}',
        undefined,
      ]);
    });

    it("is known by its Idempotency-Key", async () => {
      const send = (n: number) =>
        ask("POST /v1/topics/event/records", stream([{ n, word: "k" }]), {
          type: arrow,
          headers: { "Idempotency-Key": "a" },
        });
      const first = await send(1);
      expect(first.status).toBe(200);
      expect((await send(1)).body).toEqual(first.body);
      expect((await send(2)).status).toBe(422);
    });

    const column = (name: string, type: typeof int4 | typeof text) =>
      schemaOf([{ name, type, nullable: true }]);
    const itemColumns = schemaOf([
      { name: "id", type: int4, nullable: false },
      { name: "name", type: text, nullable: true },
    ]);
    it.each<[string, string, Uint8Array, unknown]>([
      [
        "a null where none may be",
        "item",
        stream(
          [
            { id: 60, name: "x" },
            { id: 61, name: null },
          ],
          itemColumns,
        ),
        error("not_null_violation", "23502"),
      ],
      [
        "a column that is missing and may not be null",
        "item",
        stream([{ id: 60 }], column("id", int4)),
        error("not_null_violation", "23502"),
      ],
      [
        "a column the topic does not have",
        "loose",
        stream([{ m: 1 }], column("m", int4)),
        error("undefined_column", "42703", { hint: "The columns are n." }),
      ],
      ["another type", "loose", stream([{ n: "x" }], column("n", text)), error("datatype_mismatch", "42804")],
      [
        "what the app's own schema refuses",
        "plays",
        stream([{ song_id: 1 }], column("song_id", int4)),
        error("invalid_value", "22000", { message: expect.stringMatching(/^records\[0\]\.duration: /) }),
      ],
      ["no record", "event", stream([]), error("invalid_request", "22023")],
    ])("refuses %s, and stores nothing", async (_, topic, body, expected) => {
      const before = await records(topic);
      const answer = await ask(`POST /v1/topics/${topic}/records`, body, { type: arrow });
      expect([answer.status, answer.body]).toEqual([400, expected]);
      expect(await records(topic)).toBe(before);
    });

    it("reaches the views, of a table with and without a key, and of the app", async () => {
      await ok("POST /v1/topics/item/records", stream([{ id: 70, name: "siebzig" }], itemColumns), {
        type: arrow,
      });
      await ok("POST /v1/topics/loose/records", stream([{ n: 5 }], column("n", int4)), { type: arrow });
      expect((await ok("GET /v1/views/items/rows/70")).body).toMatchObject({ row: { name: "siebzig" } });
      await ok("DELETE /v1/topics/item/records/70");
    });

    it("is refused with atomic=false, by name", async () => {
      const answer = await ask("POST /v1/topics/event/records?atomic=false", stream([{ n: 1 }]), {
        type: arrow,
      });
      expect([answer.status, answer.body]).toEqual([
        400,
        error("feature_not_supported", "0A000", { hint: expect.any(String) }),
      ]);
    });
  });
});

describe("records of a topic", () => {
  it("DELETE is a tombstone", async () => {
    await ok("POST /v1/topics/pair/records", { a: 5, b: "x y", n: 1 });
    const key = encodeURIComponent(JSON.stringify([5, "x y"]));
    expect((await ok(`DELETE /v1/topics/pair/records/${key}`)).body).toEqual({ position });
    const last = (await records("pair")).trimEnd().split("\n").at(-1)!;
    expect(JSON.parse(last)).toEqual({
      offset: expect.any(Number),
      position,
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/),
      key: [5, "x y"],
      value: null,
    });
    expect((await ask(`GET /v1/views/pairs/rows/${key}`)).status).toBe(404);
  });

  it.each<[string, string, number, string]>([
    ["a stream", "plays/records/1", 400, "wrong_object_type"],
    ["a table without a key", "loose/records/1", 400, "wrong_object_type"],
    ["an unknown topic", "nothing/records/1", 404, "undefined_table"],
    ["no such key", "item/records/abc", 400, "invalid_text_representation"],
  ])("DELETE of %s is refused", async (_, path, status, code) => {
    expect(await ask(`DELETE /v1/topics/${path}`)).toMatchObject({ status, body: { error: { code } } });
  });

  it("GET gives a line per record, with key and value, from an offset, with a limit", async () => {
    const lines = (await records("item"))
      .trimEnd()
      .split("\n")
      .map((l) => JSON.parse(l) as object);
    expect(lines[0]).toEqual({
      offset: 0,
      position,
      timestamp: expect.any(String),
      key: 1,
      value: { id: 1, name: "one", price: 1.5 },
    });
    for (const line of lines) expect(contract.fits("Record", line)).toEqual([]);
    const two = await ok("GET /v1/topics/item/records?from=1&limit=2");
    expect(two.headers.get("Content-Type")).toBe(ndjson);
    expect(
      two.text
        .trimEnd()
        .split("\n")
        .map((l) => (JSON.parse(l) as { offset: number }).offset),
    ).toEqual([1, 2]);
    expect((await ok("GET /v1/topics/item/records?from=latest")).text).toBe("");
    expect((await ok("GET /v1/topics/item/records?from=earliest&limit=0")).text).toBe("");
    const last = JSON.parse(two.text.trimEnd().split("\n").at(-1)!) as { offset: number; timestamp: string };
    const since = await ok(`GET /v1/topics/item/records?from=${encodeURIComponent(last.timestamp)}`);
    const found = since.text
      .trimEnd()
      .split("\n")
      .map((l) => JSON.parse(l) as { offset: number; timestamp: string });
    expect(found.map((r) => r.offset)).toContain(last.offset);
    expect(found.every((r) => r.timestamp >= last.timestamp)).toBe(true);
    expect((await ok("GET /v1/topics/item/records?from=2999-01-01T00:00:00Z")).text).toBe("");
    expect((await ok("GET /v1/topics/plays/records?limit=1")).text).not.toContain('"key"');
  });

  it("follow goes on with what becomes durable", async () => {
    const stop = new AbortController();
    const response = await fetch(`${server.url}/v1/topics/loose/records?from=latest&follow=true`, {
      signal: stop.signal,
    });
    const reader = response.body!.getReader();
    await ok("POST /v1/topics/loose/records", { n: 77 });
    const { value } = await reader.read();
    expect(JSON.parse(new TextDecoder().decode(value))).toMatchObject({ value: { n: 77 } });
    stop.abort();
    await reader.read().catch(() => undefined);
  });

  it("GET with Accept: Arrow gives the same records as columns", async () => {
    const bytes = await bytesOf("/v1/topics/item/records", arrow);
    const schema = readArrowSchema(bytes);
    expect(schema.fields.map((f) => f.name)).toEqual([
      "_offset",
      "_position",
      "_timestamp",
      "_deleted",
      "id",
      "name",
      "price",
    ]);
    const rows = [...readArrow(bytes, schema)].flatMap((b) =>
      Array.from({ length: b.length }, (_, i) => rowToObject(schema, b, i)),
    );
    const lines = (await records("item"))
      .trimEnd()
      .split("\n")
      .map((l) => JSON.parse(l) as never);
    expect(
      rows.map((r) => [r["_offset"], String(r["_position"]), r["id"], r["_deleted"] ? null : r["name"]]),
    ).toEqual(
      lines.map((l: { offset: number; position: string; key: number; value: { name: string } | null }) => [
        l.offset,
        l.position,
        l.key,
        l.value?.name ?? null,
      ]),
    );
  });

  it.each<[string, number, string]>([
    ["from=x", 400, "invalid_request"],
    ["limit=-1", 400, "invalid_request"],
    ["follow=perhaps", 400, "invalid_request"],
    ["color=red", 400, "invalid_request"],
    ["atLeast=999999&timeoutMs=20", 504, "timeout"],
  ])("GET ?%s is refused", async (query, status, code) => {
    expect(await ask(`GET /v1/topics/item/records?${query}`)).toMatchObject({
      status,
      body: { error: { code } },
    });
  });
});

describe("Avro", () => {
  const vnd = { type: "application/vnd.schemaregistry.v1+json" };
  const schema = JSON.stringify({ type: "record", name: "e", fields: [{ name: "n", type: "int" }] });

  it("schemas are registered, looked up and found by id", async () => {
    const subjects = (await ok("GET /registry/subjects")).body as string[];
    expect(subjects).toEqual(expect.arrayContaining(["event-value", "item-value", "item-key", "songs-key"]));
    expect((await ok("GET /registry/config")).body).toEqual({ compatibilityLevel: "FORWARD" });
    await ok("GET /registry/config/event-value");
    const { id } = (await ok("POST /registry/subjects/event-value/versions", { schema }, vnd)).body as {
      id: number;
    };
    expect((await ok(`GET /registry/schemas/ids/${id}`)).body).toEqual({ schema });
    const version = { subject: "event-value", version: 2, id, schema };
    expect((await ok("POST /registry/subjects/event-value", { schema }, vnd)).body).toEqual(version);
    expect((await ok("GET /registry/subjects/event-value/versions")).body).toEqual([1, 2]);
    expect((await ok("GET /registry/subjects/event-value/versions/latest")).body).toEqual(version);
    const check = "POST /registry/compatibility/subjects/item-value/versions/latest";
    expect((await ok(check, { schema }, vnd)).body).toMatchObject({ is_compatible: false });
    expect((await ask("GET /registry/subjects/none-value/versions")).body).toMatchObject({
      error_code: 40401,
    });
    const frame = (n: number) => [0, 0, 0, 6, 0, 0, 0, 0, id, 2 * n, 0, 0, 0, 0];
    const sent = Uint8Array.from([...frame(11), ...frame(12)]);
    const { body } = await ok("POST /v1/topics/event/records", sent, { type: "avro/binary" });
    expect(body).toMatchObject({ count: 2 });
    await ok("GET /v1/topics/event/records", undefined, { accept: "avro/binary" });
    await ok("GET /v1/topics/event/records", undefined, { accept: "application/avro" });
  });
});

describe("producers", () => {
  it("what one sends is stored once and in order", async () => {
    const { body } = await ok("POST /v1/producers", { id: "walker" });
    expect(body).toEqual({ id: "walker", epoch: 0, position });
    const send = (seq: number, epoch = 0) =>
      ask(
        "POST /v1/topics/event/records",
        { n: 70 + seq },
        {
          headers: { "Producer-Id": "walker", "Producer-Epoch": String(epoch), "Producer-Seq": String(seq) },
        },
      );
    const first = await send(0);
    expect(first.status).toBe(200);
    expect((await send(0)).body).toEqual(first.body);
    const early = await send(5);
    expect([early.status, early.headers.get("Producer-Expected-Seq")]).toEqual([409, "1"]);
    expect(early.body).toEqual(
      error("out_of_sequence", "55000", { detail: expect.any(String), hint: expect.any(String) }),
    );
    expect((await ok("GET /v1/producers/walker")).body).toMatchObject({
      epoch: 0,
      topics: [{ topic: "event", seq: 0 }],
    });
    await ok("POST /v1/producers", { id: "walker" });
    const fenced = await send(1);
    expect([fenced.status, fenced.headers.get("Producer-Epoch")]).toEqual([403, "1"]);
    expect((await ask("GET /v1/producers/nobody")).status).toBe(404);
  });
});

describe("consumers", () => {
  it("go on where they have come, and store what they make with it", async () => {
    const opened = await ok("POST /v1/consumers", { name: "walker", topics: ["item"] });
    expect(opened.body).toEqual({
      name: "walker",
      epoch: 0,
      topics: [{ topic: "item", offset: 0 }],
      position,
    });
    const first = await ok("GET /v1/topics/item/records?consumer=walker&limit=1");
    expect(JSON.parse(first.text)).toMatchObject({ offset: 0, value: { id: 1 } });
    await ok("PUT /v1/consumers/walker", { epoch: 0, progress: { item: 1 } });
    const made = { operations: [{ topic: "event", append: { n: 60 } }] };
    const consume = { name: "walker", epoch: 0, topic: "item", offset: 2 };
    await ok("POST /v1/transactions", { ...made, consume });
    expect(await ask("POST /v1/transactions", { ...made, consume: [consume] })).toMatchObject({
      status: 409,
      body: { error: { code: "conflict" } },
    });
    expect((await ok("GET /v1/consumers/walker")).body).toMatchObject({
      name: "walker",
      topics: [{ topic: "item", offset: 2 }],
    });
    await ok("POST /v1/consumers", { name: "walker", topics: ["item"] });
    expect(await ask("PUT /v1/consumers/walker", { epoch: 0, progress: { item: 3 } })).toMatchObject({
      status: 403,
      body: { error: { code: "fenced" } },
    });
    expect((await ok("GET /v1/consumers")).body).toMatchObject({ consumers: [{ name: "walker", epoch: 1 }] });
    await ok("DELETE /v1/consumers/walker");
    expect((await ask("GET /v1/consumers/walker")).status).toBe(404);
  });
});

describe("POST /transactions", () => {
  const transactionCases: [what: string, content: unknown, status: number, body: unknown][] = [
    [
      "several topics",
      {
        operations: [
          { topic: "item", append: { id: 80, name: "a" } },
          { topic: "event", append: [{ n: 80 }] },
        ],
      },
      200,
      { position },
    ],
    [
      "upsert and delete, by key and by composite key",
      {
        operations: [
          { topic: "item", upsert: [{ id: 80, name: "b" }] },
          { topic: "item", delete: 80 },
          { topic: "pair", delete: [[7, "x"]] },
        ],
      },
      200,
      { position },
    ],
    [
      "a bad record names operation, path and reason",
      {
        operations: [
          { topic: "item", append: { id: 81, name: "a" } },
          { topic: "event", append: [{ n: "x" }] },
        ],
      },
      400,
      error("datatype_mismatch", "42804", {
        message: expect.stringMatching(/^operations\[1\]\.append\[0\]\.n: /),
      }),
    ],
    [
      "an unknown topic",
      { operations: [{ topic: "nothing", append: {} }] },
      404,
      error("undefined_table", "42P01"),
    ],
    [
      "delete from a stream",
      {
        operations: [
          { topic: "item", append: { id: 81, name: "a" } },
          { topic: "event", delete: 1 },
        ],
      },
      400,
      error("wrong_object_type", "42809", { hint: expect.any(String) }),
    ],
    [
      "two verbs",
      { operations: [{ topic: "item", append: {}, delete: 1 }] },
      400,
      error("invalid_request", "22023", { message: expect.stringMatching(/^operations\[0\]/) }),
    ],
    [
      "what it expects does not hold",
      {
        operations: [{ topic: "item", append: { id: 81, name: "a" } }],
        expect: { topic: "item", position: "1" },
      },
      409,
      error("conflict", "40001", {
        message: expect.stringMatching(/^expect\[0\]: "item" was written/),
        detail: expect.any(String),
        hint: expect.any(String),
      }),
    ],
    [
      "no operation",
      { operations: [] },
      400,
      error("invalid_request", "22023", { hint: expect.any(String) }),
    ],
  ];

  it.each(transactionCases)("%s", async (_, content, status, body) => {
    const before = [await records("item"), await records("event")];
    const answer = await ask("POST /v1/transactions", content);
    expect([answer.status, answer.body]).toEqual([status, body]);
    if (status !== 200) expect([await records("item"), await records("event")]).toEqual(before);
  });

  it("all of it has one position, and idempotencyKey gives the first answer again", async () => {
    const transaction = {
      operations: [
        { topic: "item", upsert: { id: 82, name: "a" } },
        { topic: "event", append: { n: 82 } },
      ],
      idempotencyKey: "t 1",
    };
    const { body } = await ok("POST /v1/transactions", transaction);
    expect((await ok("POST /v1/transactions", transaction)).body).toEqual(body);
    const lastOf = async (topic: string) =>
      JSON.parse((await records(topic)).trimEnd().split("\n").at(-1)!) as { position: string };
    const { position: at } = body as { position: string };
    expect([(await lastOf("item")).position, (await lastOf("event")).position]).toEqual([at, at]);
    const other = { ...transaction, operations: [{ topic: "event", append: { n: 83 } }] };
    expect((await ask("POST /v1/transactions", other)).status).toBe(422);
    await ok("DELETE /v1/topics/item/records/82");
  });
});

describe("GET /backup", () => {
  it("says which files the log has, and gives their bytes", async () => {
    const { body } = await ok("GET /v1/backup");
    const { files, logId } = body as {
      readonly files: readonly { readonly name: string; readonly bytes: number }[];
      readonly logId: number;
    };
    expect(logId).toEqual(expect.any(Number));
    const { name, bytes } = files[0]!;
    const all = await bytesOf(`/v1/backup/${name}?to=${bytes}`, "application/octet-stream");
    expect(all.length).toBe(bytes);
    const { status, headers } = await ok(`GET /v1/backup/${name}?from=8&to=16`);
    expect([status, headers.get("Content-Type")]).toEqual([200, "application/octet-stream"]);
    expect(await bytesOf(`/v1/backup/${name}?from=8&to=16`, "application/octet-stream")).toEqual(
      all.slice(8, 16),
    );
    expect((await ask("GET /v1/backup/nothing?to=1")).status).toBe(404);
    expect((await ask(`GET /v1/backup/${encodeURIComponent("../lock.owner")}?to=1`)).status).toBe(404);
    expect((await ask(`GET /v1/backup/${name}`)).status).toBe(400);
    expect((await ask(`GET /v1/backup/${name}?to=${bytes + 1}`)).status).toBe(400);
  });
});

describe("topics and views", () => {
  it("GET /topics and GET /views list what there is, with figures", async () => {
    const topics = (await ok("GET /v1/topics")).body as { topics: { name: string }[] };
    expect(topics.topics.map((t) => t.name).sort()).toEqual([
      "event",
      "item",
      "large",
      "loose",
      "pair",
      "plays",
      "songs",
    ]);
    const views = (await ok("GET /v1/views")).body as { views: { name: string }[] };
    expect(views.views.map((v) => v.name).sort()).toEqual([
      "charts",
      "inverse",
      "items",
      "pairs",
      "play_counts",
      "ranked",
      "words",
    ]);
    const { operators, ...figures } = (await ok("GET /v1/views/items")).body as {
      operators: { operator: string }[];
    };
    expect(figures).toEqual(views.views.find((v) => v.name === "items"));
    expect(operators.map((o) => o.operator)).toContain("table item");
    expect(await ask("GET /v1/views/nothing")).toMatchObject({
      status: 404,
      body: error("undefined_table", "42P01"),
    });
  });

  const rowsCases: [query: string, status: number, body: unknown][] = [
    [
      "items/rows?order=id&limit=2",
      200,
      {
        rows: [
          { id: 1, name: "one", price: 1.5 },
          { id: 2, name: "two", price: null },
        ],
        position,
      },
    ],
    ["items/rows?order=-id&limit=1", 200, { rows: [{ id: 3, name: "drei", price: null }], position }],
    ["items/rows?name=two", 200, { rows: [{ id: 2, name: "two", price: null }], position }],
    ["items/rows?name=two&id=1", 200, { rows: [], position }],
    ["items/rows?id=1&atLeast=1", 200, { rows: [{ id: 1, name: "one", price: 1.5 }], position }],
    ["items/rows?limit=0", 200, { rows: [], position }],
    [
      "ranked/rows",
      200,
      {
        rows: [
          { name: "two", id: 2 },
          { name: "one", id: 1 },
          { name: "drei", id: 3 },
        ],
        position,
      },
    ],
    ["pairs/rows?b=x%2Fy", 200, { rows: [{ a: 1, b: "x/y", n: 10 }], position }],
    ["items/rows/1", 200, { row: { id: 1, name: "one", price: 1.5 }, position }],
    [`pairs/rows/${encodeURIComponent('[1,"x/y"]')}`, 200, { row: { a: 1, b: "x/y", n: 10 }, position }],
    [
      `pairs/rows/${encodeURIComponent('[1,"ü \\"z\\""]')}`,
      200,
      { row: { a: 1, b: 'ü "z"', n: 20 }, position },
    ],
    ["items/rows/9", 404, { ...error("not_found", "02000", { detail: expect.any(String) }), position }],
    ["items/rows/abc", 400, error("invalid_text_representation", "22P02")],
    [
      "pairs/rows/1",
      400,
      error("invalid_text_representation", "22P02", { hint: expect.stringContaining("2 values") }),
    ],
    [
      "items/rows?order=nothing",
      400,
      error("undefined_column", "42703", { hint: "Columns: id, name, price." }),
    ],
    [
      "items/rows?nothing=1",
      400,
      error("invalid_request", "22023", { hint: expect.stringContaining("price") }),
    ],
    ["items/rows?id=x", 400, error("invalid_text_representation", "22P02")],
    ["items/rows?limit=x", 400, error("invalid_request", "22023", { detail: expect.any(String) })],
    ["items/rows?from=1", 400, error("invalid_request", "22023", { hint: expect.stringContaining(events) })],
    [
      "items/rows?atLeast=999999&timeoutMs=20",
      504,
      error("timeout", "57014", { detail: expect.any(String), hint: expect.any(String) }),
    ],
    ["items/rows?atLeast=x", 400, error("invalid_request", "22023", { hint: expect.any(String) })],
    ["nothing/rows", 404, error("undefined_table", "42P01")],
    ["nothing/rows/1", 404, error("undefined_table", "42P01")],
  ];
  it.each(rowsCases)("GET /views/%s", async (path, status, body) => {
    const answer = await ask(`GET /v1/views/${path}`);
    expect([answer.status, answer.body]).toEqual([status, body]);
  });

  it("a view with an error in its rows answers with it, and heals", async () => {
    await ok("POST /v1/topics/item/records", { id: 0, name: "zero" });
    for (const path of ["inverse/rows", "inverse/rows/1"]) {
      expect(await ask(`GET /v1/views/${path}`)).toMatchObject({ body: error("division_by_zero", "22012") });
    }
    await ok("DELETE /v1/topics/item/records/0");
    expect((await ok("GET /v1/views/inverse/rows/2")).body).toMatchObject({ row: { share: 50 } });
  });

  it("gives a long view whole", async () => {
    const body = Array.from({ length: 30_000 }, (_, n) => `{"n":${n},"word":"long ${n}"}\n`).join("");
    await ok("POST /v1/sql", {
      sql: "CREATE TABLE many (n int4 PRIMARY KEY, word text); CREATE MATERIALIZED VIEW many_rows AS SELECT n, word FROM many",
    });
    const { body: written } = await ok("POST /v1/topics/many/records", body, { type: ndjson });
    const { position: atLeast } = written as { position: string };
    const { rows } = (await ok(`GET /v1/views/many_rows/rows?order=n&atLeast=${atLeast}`)).body as {
      rows: { n: number }[];
    };
    expect(rows.map((r) => r.n)).toEqual(Array.from({ length: 30_000 }, (_, n) => n));
    const stream = await listen("/v1/views/many_rows/rows");
    const sizes: [number, boolean][] = [];
    do {
      const { data } = (await stream.next("SnapshotEvent")) as { data: { rows: unknown[]; last: boolean } };
      sizes.push([data.rows.length, data.last]);
    } while (!sizes.at(-1)![1]);
    await stream.close();
    expect(sizes.every(([rowCount]) => rowCount <= 10_000)).toBe(true);
    expect(sizes.reduce((sum, [n]) => sum + n, 0)).toBe(30_000);
  });

  it("DELETE drops one", async () => {
    await ok("POST /v1/sql", { sql: "CREATE MATERIALIZED VIEW gone AS SELECT 1 AS one" });
    expect((await ok("DELETE /v1/views/gone")).body).toEqual({ position });
    expect((await ask("DELETE /v1/views/gone")).status).toBe(404);
    expect(await ask("DELETE /v1/views/play_counts")).toMatchObject({
      status: 409,
      body: { error: { code: "dependent_objects" } },
    });
  });
});

describe("event streams", () => {
  const put = async (id: number, name: string): Promise<string> =>
    ((await ok("POST /v1/topics/item/records", { id, name })).body as { position: string }).position;
  const drop = async (id: number): Promise<string> =>
    ((await ok(`DELETE /v1/topics/item/records/${id}`)).body as { position: string }).position;

  it("a view: a snapshot, then one change per step; Last-Event-ID and from resume with the missed changes only", async () => {
    const stream = await listen("/v1/views/items/rows");
    const snapshot = await stream.next("SnapshotEvent");
    expect(snapshot).toMatchObject({
      event: "snapshot",
      data: {
        keyColumns: ["id"],
        last: true,
        columns: [
          { name: "id", type: "int4" },
          { name: "name", type: "text" },
          { name: "price", type: "numeric" },
        ],
      },
    });
    expect((snapshot.data as { rows: unknown[] }).rows).toContainEqual({
      key: 1,
      row: { id: 1, name: "one", price: 1.5 },
    });
    expect(snapshot.id).toBe((snapshot.data as { position: string }).position);

    const a = { id: 90, name: "a", price: null };
    const b = { id: 90, name: "b", price: null };
    const expected = [
      [await put(90, "a"), [{ op: "insert", key: 90, row: a }]],
      [await put(90, "b"), [{ op: "update", key: 90, row: b, old: a }]],
      [await drop(90), [{ op: "delete", key: 90, old: b }]],
    ] as const;
    const seen: unknown[] = [];
    for (const [at, changes] of expected) {
      const event = await stream.next("ChangeEvent");
      expect(event).toEqual({ event: "change", id: at, data: { position: at, changes } });
      seen.push(event);
    }
    await stream.close();
    for (const [path, headers] of [
      ["/v1/views/items/rows", { "Last-Event-ID": snapshot.id }],
      [`/v1/views/items/rows?from=${snapshot.id}`, {}],
      [`/v1/views/items/rows/90?from=${snapshot.id}`, {}],
    ] as const) {
      const again = await listen(path, headers);
      for (const event of seen) expect(await again.next("ChangeEvent")).toEqual(event);
      await again.close();
    }
  });

  it("resumes from what a read or a write said, with nobody having listened", async () => {
    const { body } = await ok("GET /v1/views/ranked/rows");
    const at = await put(92, "x");
    await drop(92);
    const stream = await listen(`/v1/views/ranked/rows?from=${(body as { position: string }).position}`);
    expect(await stream.next("ChangeEvent")).toMatchObject({ event: "change", id: at });
    await stream.close();
  });

  it("a position nothing is kept from: reset, and a snapshot", async () => {
    for (const [from, reason] of [
      ["0", /older than what is kept/],
      ["999999", /has not been reached/],
    ] as const) {
      const stream = await listen(`/v1/views/items/rows?from=${from}`);
      expect(await stream.next("ResetEvent")).toMatchObject({
        event: "reset",
        data: { reason: expect.stringMatching(reason) },
      });
      expect(await stream.next("SnapshotEvent")).toMatchObject({ event: "snapshot", data: { last: true } });
      await stream.close();
    }
  });

  it("one row", async () => {
    const stream = await listen("/v1/views/items/rows/91");
    expect(await stream.next("SnapshotEvent")).toMatchObject({ data: { rows: [], last: true } });
    await put(94, "another");
    const at = await put(91, "mine");
    expect(await stream.next("ChangeEvent")).toMatchObject({
      id: at,
      data: { changes: [{ op: "insert", key: 91 }] },
    });
    await stream.close();
    await drop(91);
    await drop(94);
  });

  it("a view without a key has content hashes with an ordinal", async () => {
    const stream = await listen("/v1/views/words/rows");
    await stream.next("SnapshotEvent");
    await ok("POST /v1/topics/event/records", [{ word: "twice" }, { word: "twice" }]);
    const { data } = (await stream.next("ChangeEvent")) as { data: { changes: { key: string }[] } };
    const [first, second] = data.changes.map((c) => c.key);
    expect(first).toMatch(/^[0-9a-f]+:0$/);
    expect(second).toBe(first!.replace(/0$/, "1"));
    await stream.close();
  });

  it("many views on one connection show one moment", async () => {
    const stream = await listen("/v1/subscribe?view=items&view=ranked&view=nothing");
    const first = [
      await stream.next("ErrorEvent"),
      await stream.next("SnapshotEvent"),
      await stream.next("SnapshotEvent"),
    ];
    expect(first.map((e) => (e.data as { view: string }).view).sort()).toEqual([
      "items",
      "nothing",
      "ranked",
    ]);
    const at = await put(93, "y");
    expect(await stream.next("StepEvent")).toEqual({
      event: "step",
      id: at,
      data: {
        position: at,
        views: {
          items: [{ op: "insert", key: 93, row: { id: 93, name: "y", price: null } }],
          ranked: [{ op: "insert", key: 93, row: { name: "y", id: 93 } }],
        },
      },
    });
    await stream.close();
    const again = await listen("/v1/subscribe?view=items&view=ranked", { "Last-Event-ID": first[2]!.id });
    expect(await again.next("StepEvent")).toMatchObject({ id: at });
    await again.close();
    await drop(93);
  });

  it("a WebSocket is told of all it subscribes to at one moment, in the forms of event streams", async () => {
    const c = await WsClient.open(server.url);
    const told = await c.subscribe({ view: "items" }, { view: "ranked" }, { view: "nothing" });
    expect(told.map((m) => m.type)).toEqual(["error", "snapshot", "snapshot", "subscribed"]);
    const at = await put(94, "w");
    const step = await c.next();
    expect(step).toMatchObject({ type: "step", id: at, position: at });
    for (const [name, { type, id: _, request: __, ended: ___, ...message }] of [
      ["ErrorEvent", told[0]!],
      ["SnapshotEvent", told[1]!],
      ["StepEvent", step!],
    ] as const)
      expect(contract.fits(name, message), `${name} of ${type}`).toEqual([]);
    await c.close();
    const answer = await ask("GET /v1/ws");
    expect(answer.status).toBe(426);
    await drop(94);
  });

  it.each([
    "subscribe",
    "subscribe?view=items&view=items",
    "subscribe?key=1",
    "subscribe?view=items&from=x",
    "views/items/rows?from=x",
    "views/items/rows?limit=x",
    "views/items/rows?name=two&nothing=1",
  ])("%s is refused", async (path) => {
    const answer = await ask(`GET /v1/${path}`, undefined, { accept: events });
    expect(answer.status, answer.text).toBe(400);
  });
});

describe("versions of a view", () => {
  it("are built, compared, promoted, taken back and dropped", async () => {
    const doubled = { sql: "SELECT id, name, price * 2 AS price FROM item" };
    const row = { id: 95, name: "v", price: 1.5 };
    const { position: at } = (await ok("POST /v1/topics/item/records", row)).body as { position: string };
    const built = (await ok("POST /v1/views/items/versions", doubled)).body;
    expect(built).toMatchObject({ version: 2, name: "items@2" });
    expect((await ok("GET /v1/views/items@2/rows/95")).body).toMatchObject({ row: { id: 95, name: "v" } });
    const first = (await ok("GET /v1/views/items/rows")).body as { rows: object[] };
    const count = first.rows.length;
    expect((await ok("GET /v1/views/items/versions")).body).toMatchObject({
      versions: [
        { version: 1, isCurrent: true, isPrevious: false, view: { name: "items@1", rows: count } },
        { version: 2, isCurrent: false, isPrevious: false, view: { name: "items@2", rows: count } },
      ],
    });
    const stream = await listen("/v1/subscribe?view=items&view=ranked");
    await stream.next("SnapshotEvent");
    await stream.next("SnapshotEvent");
    const promoted = (await ok("POST /v1/views/items/versions/2/promote")).body as { position: string };
    expect(Number(promoted.position)).toBeGreaterThan(Number(at));
    expect((await stream.next("ResetEvent")).data).toMatchObject({ view: "items" });
    expect((await stream.next("SnapshotEvent")).data).toMatchObject({ view: "items", last: true });
    await stream.close();
    const now = `?atLeast=${promoted.position}`;
    const second = (await ok(`GET /v1/views/items/rows${now}`)).body as { rows: object[] };
    expect(second.rows).toEqual(((await ok("GET /v1/views/items@2/rows")).body as { rows: object[] }).rows);
    expect(
      (
        await ok("POST /v1/views/items/versions", {
          sql: "SELECT id, name FROM item WHERE id <> 95",
          version: 7,
        })
      ).body,
    ).toMatchObject({ version: 7 });
    const found = (await ok("GET /v1/views/items/diff?from=1&to=7&limit=5")).body;
    expect(found).toMatchObject({
      onlyFrom: 1,
      onlyTo: 0,
      differing: 0,
      columnsOnlyFrom: ["price"],
      columnsOnlyTo: [],
    });
    expect(found).toMatchObject({ rows: [{ from: { id: 95, name: "v" }, to: null }] });
    expect((await ask("DELETE /v1/views/items@2")).status).toBe(409);
    expect((await ok("POST /v1/views/items/rollback")).body).toMatchObject({ version: 1 });
    expect(((await ok("GET /v1/views/items/rows")).body as { rows: object[] }).rows).toEqual(first.rows);
    for (const version of [2, 7]) await ok(`DELETE /v1/views/items@${version}`);
    await ok("DELETE /v1/topics/item/records/95");
  });

  it("are refused where they cannot be", async () => {
    for (const [request, content, status] of [
      ["POST /v1/views/nothing/versions", { sql: "SELECT 1" }, 404],
      ["POST /v1/views/items/versions", { sql: "SELECT 1; SELECT 2" }, 400],
      ["POST /v1/views/items/versions", { sql: "SELEC" }, 400],
      ["POST /v1/views/items/versions", { sql: "SELECT 1", version: 0 }, 400],
      ["POST /v1/views/items/versions", { sql: "SELECT 1", version: 1 }, 409],
      ["POST /v1/views/items/versions/9/promote", undefined, 404],
      ["POST /v1/views/items/versions/x/promote", undefined, 400],
      ["POST /v1/views/items/rollback", undefined, 404],
      ["GET /v1/views/items/diff?from=1", undefined, 400],
      ["GET /v1/views/items/diff?from=1&to=9", undefined, 404],
    ] as const) {
      const answer = await ask(request, content);
      expect(answer.status, `${request}: ${answer.text}`).toBe(status);
    }
  });
});

describe("the rest", () => {
  it("health, readiness, figures, the document", async () => {
    for (const prefix of ["/v1", ""]) {
      expect((await ok(`GET ${prefix}/health`)).body).toEqual({ status: "ok", position });
      expect((await ok(`GET ${prefix}/ready`)).body).toEqual({ ready: true, progress: 1, position });
      expect((await ok(`GET ${prefix}/metrics`)).text).toMatch(/^# (HELP|TYPE) evert_/m);
    }
    expect((await ok("GET /v1/openapi.json")).body).toMatchObject({
      openapi: expect.stringMatching(/^3\.1\./),
    });
  });

  it("POST /copy takes rows in and gives them out", async () => {
    await ok("POST /v1/sql", { sql: "CREATE TABLE copied (a int PRIMARY KEY, b text)" });
    const copy = (statement: string, content?: string, options?: RequestOptions) =>
      ask(`POST /v1/copy?statement=${encodeURIComponent(statement)}`, content, options);
    const csv = { type: "text/csv" };
    const stored = await copy(
      "COPY copied FROM STDIN WITH (FORMAT csv, HEADER)",
      'a,b\n1,one\n2,"t, wo"\n',
      csv,
    );
    expect([stored.status, stored.body]).toEqual([200, { command: "COPY 2", rowCount: 2, position }]);
    expect((await copy("COPY copied TO STDOUT")).text).toBe("1\tone\n2\tt, wo\n");
    expect((await copy("COPY (SELECT b FROM copied WHERE a = 2) TO STDOUT WITH (FORMAT csv)")).text).toBe(
      '"t, wo"\n',
    );
    expect(await copy("COPY copied FROM STDIN", "3\tthree\nx\tno\n", csv)).toMatchObject({
      status: 400,
      body: error("invalid_text_representation", "22P02", { detail: expect.stringContaining("line 2") }),
    });
    expect((await copy("COPY copied FROM STDIN", "1\tagain\n", csv)).status).toBe(409);
    expect((await copy("COPY copied FROM STDIN", "4\tfour\n", { type: "text/plain" })).status).toBe(400);
    expect((await copy("SELECT 1")).status).toBe(400);
    expect((await ok("POST /v1/sql", { sql: "SELECT a FROM copied" })).body).toMatchObject({
      results: [{ rows: [[1], [2]] }],
    });
  });

  it("POST /sql gives any number of rows, as JSON and as lines", async () => {
    const series = "SELECT i, 'row ' || i AS s FROM generate_series(1, 30000) i";
    const { results } = (await ok("POST /v1/sql", { sql: `SELECT 1; ${series}` })).body as {
      results: { command: string; rows: unknown[]; rowCount: number }[];
    };
    expect(results.map((r) => [r.command, r.rows.length, r.rowCount])).toEqual([
      ["SELECT 1", 1, 1],
      ["SELECT 30000", 30_000, 30_000],
    ]);
    const answer = await ok("POST /v1/sql", { sql: series }, { accept: ndjson });
    expect(answer.headers.get("Content-Type")).toBe(ndjson);
    const rows = answer.text.split("\n");
    expect([rows.length, rows[0], rows[29_999], rows[30_000]]).toEqual([
      30_001,
      '{"i":1,"s":"row 1"}',
      '{"i":30000,"s":"row 30000"}',
      "",
    ]);
    const lines = async (sql: string, more = {}) =>
      ask("POST /v1/sql", { sql, ...more }, { accept: `${ndjson}, */*;q=0.1` });
    expect((await lines("SELECT 1 AS a WHERE false")).text).toBe("");
    expect((await lines("VALUES (1), (2)")).text).toBe('{"column1":1}\n{"column1":2}\n');
    expect((await lines("SHOW server_version")).text).toMatch(/^\{"server_version":.*\}\n$/);
    for (const [sql, more] of [["SELECT 1; SELECT 2"], ["SELECT 1", { format: "text" }]] as const)
      expect((await lines(sql, more)).status).toBe(400);
    expect(await lines("SELECT 1/0")).toMatchObject({
      status: 400,
      body: error("division_by_zero", "22012"),
    });
  });

  it("what is not there says so", async () => {
    const response = await fetch(`${server.url}/v1/nothing`);
    expect([response.status, await response.json()]).toEqual([
      404,
      error("not_found", "02000", { hint: expect.any(String) }),
    ]);
  });

  it("a page of another site may not write, another name is not answered to", async () => {
    const crossSite = await ask(
      "POST /v1/sql",
      { sql: "SELECT 1" },
      { headers: { "Sec-Fetch-Site": "cross-site" } },
    );
    expect([crossSite.status, crossSite.body]).toEqual([403, error("forbidden", "42501")]);
  });
});

// Last of all: the server that the others share writes nothing more then.
describe("copies of the log", () => {
  it("the schemas of a topic", async () => {
    expect((await ok("GET /v1/topics/item/schemas")).body).toMatchObject({
      schemas: [{ version: 1, columns: [{ name: "id" }, { name: "name" }, { name: "price" }] }],
    });
  });

  it("a copy follows, tells how far it is, takes the place, and is told when another takes its own", async () => {
    const copy = await TestServer.start(undefined, ["--follow", server.url]);
    try {
      const at = (await ok("GET /v1/replication")).headers.get("Evert-Position")!;
      const reads = await ok(`GET /v1/topics/item/records?limit=1&atLeast=${at}`, undefined, {
        url: copy.url,
      });
      expect(reads.text).not.toBe("");
      expect((await ok("GET /v1/replication", undefined, { url: copy.url })).body).toMatchObject({
        role: "follower",
        following: { leader: server.url },
      });
      const refused = await ask("POST /v1/topics/loose/records", { n: 1 }, { url: copy.url });
      expect([refused.status, refused.body]).toEqual([
        409,
        error("not_leader", expect.any(String), {
          detail: expect.stringContaining(server.url),
          hint: expect.any(String),
        }),
      ]);
      const { logId, role } = (await ok("GET /v1/replication")).body as { logId: number; role: string };
      expect(role).toBe("leader");
      const stop = new AbortController();
      const asks = `follower=7&logId=${logId}&from=1&epochs=[]`;
      const stream = await fetch(`${server.url}/v1/replication/log?${asks}`, { signal: stop.signal });
      expect([stream.status, stream.headers.get("Content-Type")]).toEqual([200, "application/octet-stream"]);
      expect((await stream.body!.getReader().read()).value!.length).toBeGreaterThan(0);
      await ok("POST /v1/replication/progress", { follower: "7", position: "1" });
      stop.abort();

      expect((await ok("POST /v1/promote", {}, { url: copy.url })).body).toMatchObject({ epoch: 1 });
      await ok("POST /v1/topics/loose/records", { n: 1 }, { url: copy.url });
      const epochs = [{ epoch: 2, id: 5, begins: 10 }];
      await ok("POST /v1/replication/fence", { logId, epochs }, { url: copy.url });
      const late = await ask("POST /v1/topics/loose/records", { n: 2 }, { url: copy.url });
      expect([late.status, late.body]).toEqual([
        409,
        error("not_leader", expect.any(String), { detail: expect.any(String), hint: expect.any(String) }),
      ]);
    } finally {
      expect(await copy.stop()).toBe(0);
    }
  });
});

it("every operation of the document was walked", async () => {
  const walked = new Set(
    [...contract.seen].filter((entry) => entry.endsWith(" 200")).map((entry) => entry.split(" ")[0]),
  );
  // Their answers do not end: above, outside ask().
  walked.add("subscribe").add("followLog").add("openWebSocket");
  expect(contract.operationIds.filter((id) => !walked.has(id))).toEqual([]);
});
