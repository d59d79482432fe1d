/** SQL, transactions, the catalog, rows. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { EvertError } from "../../../src/base/errors.ts";
import { Harness } from "./harness.ts";

let h: Harness;
beforeEach(async () => {
  h = await Harness.start();
});
afterEach(() => h.stop());

describe("sql", () => {
  test("results and position", async () => {
    expect(await h.post("/v1/sql", { sql: 'SELECT [1];SELECT ["é"]' })).toMatchObject({
      status: 200,
      position: "0",
      body: {
        results: [
          { command: "SELECT 1", columns: [{ name: "?column?", type: "int4" }], rows: [[1]], rowCount: 1 },
          { rows: [["é"]] },
        ],
        position: "0",
      },
    });
  });

  test("rows are spliced, not parsed: every digit stays", async () => {
    const { text } = await h.post("/v1/sql", { sql: "SELECT [9223372036854775807,1.10]" });
    expect(text).toContain('"rows":[[9223372036854775807,1.10]]');
  });

  test("text format", async () => {
    const { body } = await h.post("/v1/sql", { sql: "SELECT [1,null]", format: "text" });
    expect(body).toMatchObject({ results: [{ rows: [["1", null]] }] });
  });

  test("results before the failed statement stand beside the error, with its status", async () => {
    expect(await h.post("/v1/sql", { sql: "SELECT [1];FAIL;SELECT [2]" })).toMatchObject({
      status: 404,
      body: { results: [{ rows: [[1]] }], error: { code: "undefined_table", position: 1 }, position: "0" },
    });
    const { body } = await h.post("/v1/sql", { sql: "FAIL" });
    expect(body).toEqual({ results: [], error: expect.not.objectContaining({ status: 404 }), position: "0" });
  });

  test("large results come in pieces and whole", async () => {
    const { body } = await h.post("/v1/sql", { sql: "BIG 100000" });
    const { rows, rowCount } = (body as { results: { rows: number[][]; rowCount: number }[] }).results[0]!;
    expect(rowCount).toBe(100_000);
    expect(rows).toHaveLength(100_000);
    expect(rows[99_999]).toEqual([99_999]);
  });

  test("the engine is told the parameters, the position to wait for, and when the client has gone", async () => {
    await h.post("/v1/sql", { sql: "SELECT [1]", params: [1, "x"], atLeast: "0", timeoutMs: 5 });
    const { text, options } = h.engine.sqlCalls[0]!;
    expect(text).toBe("SELECT [1]");
    expect(options).toMatchObject({ params: [1, "x"], atLeast: "0", timeoutMs: 5 });
    expect(options.signal).toBeInstanceOf(AbortSignal);
  });

  test("bad requests", async () => {
    const send = (body: string, type = "application/json") =>
      h.request("/v1/sql", { method: "POST", headers: { "Content-Type": type }, body });
    expect(await send("{")).toMatchObject({ status: 400, body: { error: { sqlstate: "22P02" } } });
    expect(await send('{"sql":""}', "text/plain")).toMatchObject({ status: 400 });
    expect(await send('{"sql":"","x":1}')).toMatchObject({
      status: 400,
      body: { error: { hint: /Members/ } },
    });
    expect(await h.post("/v1/sql?x=1", { sql: "" })).toMatchObject({ status: 400 });
    expect(await h.post("/v1/sql", { sql: "SELECT [1]", atLeast: "9", timeoutMs: 10 })).toMatchObject({
      status: 504,
    });
  });
});

describe("transactions", () => {
  const operations = [
    { topic: "songs", upsert: { id: 1, name: "a" } },
    { topic: "plays", append: [{ id: 1, name: "a" }] },
    { topic: "songs", delete: 1 },
  ];

  test("answer with a position, and with the same one again for the same key", async () => {
    const body = { operations, idempotencyKey: "t" };
    const first = await h.post("/v1/transactions", body);
    expect(first).toMatchObject({ status: 200, body: { position: h.engine.position } });
    expect(await h.post("/v1/transactions", body)).toMatchObject({ status: 200, body: first.body });
    expect(await h.post("/v1/transactions", { ...body, operations: operations.slice(1) })).toMatchObject({
      status: 422,
    });
    expect(await h.post("/v1/transactions", body, { "Idempotency-Key": "u" })).toMatchObject({ status: 400 });
  });

  test("an unknown topic stores nothing", async () => {
    const body = { operations: [...operations, { topic: "nothing", append: 1 }] };
    expect(await h.post("/v1/transactions", body)).toMatchObject({ status: 404 });
    expect(h.engine.position).toBe("0");
  });

  test.each([
    [{}, "expect[0]: an expectation has a position, or a key and its version"],
    [{ position: 1 }, "expect[0]: position must be a string"],
    [{ position: "1.5" }, 'expect[0]: position is not a position: "1.5"'],
    [{ position: "1", version: "1" }, "expect[0]: an expectation has a position, or a key and its version"],
    [
      { topic: "songs", key: 1, position: "1" },
      "expect[0]: an expectation has a position, or a key and its version",
    ],
    [{ topic: 1, position: "1" }, "expect[0]: topic must be a string"],
    [{ key: 1, version: "1" }, "expect[0]: a key is one of a topic"],
    [
      { topic: "songs", key: 1, version: 1 },
      "expect[0]: version must be a position, or null where no row is expected",
    ],
    [{ at: "1" }, 'expect[0]: an expectation has no member "at"'],
    [7, "expect[0]: an expectation must be a JSON object"],
  ])("what cannot be expected is refused: %j", async (expected, message) => {
    const answer = await h.post("/v1/transactions", { operations, expect: expected });
    expect(answer).toMatchObject({ status: 400, body: { error: { code: "invalid_request", message } } });
    expect(await h.post("/v1/transactions", { operations, expect: [expected] })).toMatchObject(answer);
    expect(h.engine.position).toBe("0");
  });
});

describe("catalog", () => {
  test("topics", async () => {
    await h.song(1, "a");
    const { status, body } = await h.request("/v1/topics");
    expect(status).toBe(200);
    expect((body as { topics: unknown[] }).topics[0]).toEqual({
      name: "songs",
      kind: "table",
      schemaVersion: 1,
      columns: [
        { name: "id", type: "int4", declaredType: "int4", nullable: false },
        { name: "name", type: "text", declaredType: "text", nullable: false },
        { name: "price", type: "numeric", declaredType: "numeric(10,2)", nullable: true },
      ],
      key: ["id"],
      records: 1,
      start: 0,
      keeping: null,
      rows: 1,
      stateBytes: 10,
      coldBytes: 0,
    });
  });

  test("views, one view, drop", async () => {
    const { body } = await h.request("/v1/views");
    expect((body as { views: { name: string }[] }).views.map((view) => view.name)).toEqual([
      "songs_view",
      "wide_view",
    ]);
    expect(await h.request("/v1/views/songs_view?atLeast=0")).toMatchObject({
      status: 200,
      body: { name: "songs_view", order: [{ column: "id", descending: true, nullsFirst: true }], lag: 0 },
    });
    expect(await h.request("/v1/views/songs_view", { method: "DELETE" })).toMatchObject({
      status: 200,
      body: { position: "1" },
    });
    expect(await h.request("/v1/views/songs_view")).toMatchObject({ status: 404 });
    expect(await h.request("/v1/views/songs_view", { method: "DELETE" })).toMatchObject({ status: 404 });
  });
});

describe("rows", () => {
  beforeEach(async () => {
    await h.post(
      "/v1/topics/songs/records",
      [1, 2, 3].map((id) => ({ id, name: `n${id % 2}` })),
    );
    await h.post("/v1/topics/wide/records", { a: 5, b: "x/y ?", ok: true });
  });

  test("all, filtered, limited", async () => {
    const ids = async (query: string) =>
      ((await h.request(`/v1/views/songs_view/rows${query}`)).body as { rows: { id: number }[] }).rows.map(
        (row) => row.id,
      );
    expect(await ids("")).toEqual([1, 2, 3]);
    expect(await ids("?name=n1")).toEqual([1, 3]);
    expect(await ids("?name=n1&id=3")).toEqual([3]);
    expect(await ids("?limit=2&order=-id,name")).toEqual([1, 2]);
    expect(await ids("?name=%6E1&limit=1")).toEqual([1]);
  });

  test("the position of the answer is in it and in the header", async () => {
    expect(await h.request("/v1/views/songs_view/rows?atLeast=2")).toMatchObject({
      position: "2",
      body: { position: "2" },
    });
  });

  test.each([
    ["nam=x", "invalid_request"],
    ["id=x", "invalid_text_representation"],
    ["id=1&id=2", "invalid_request"],
    ["order=nam", "undefined_column"],
    ["limit=many", "invalid_request"],
    ["from=1", "invalid_request"],
    ["id=%ff", "invalid_request"],
    ["__proto__=1", "invalid_request"],
  ])("?%s is refused", async (query, code) => {
    expect(await h.request(`/v1/views/songs_view/rows?${query}`)).toMatchObject({
      status: 400,
      body: { error: { code } },
    });
  });

  test("a row by key", async () => {
    expect(await h.request("/v1/views/songs_view/rows/2")).toMatchObject({
      status: 200,
      position: "2",
      body: { row: { id: 2, name: "n0", price: null }, position: "2" },
    });
    const key = encodeURIComponent('[5,"x/y ?"]');
    expect(await h.request(`/v1/views/wide_view/rows/${key}`)).toMatchObject({
      status: 200,
      body: { row: { ok: true } },
    });
  });

  test("no such row: 404 at a position", async () => {
    expect(await h.request("/v1/views/songs_view/rows/99")).toMatchObject({
      status: 404,
      position: "2",
      body: { error: { code: "not_found" }, position: "2" },
    });
    expect(await h.request("/v1/views/nothing/rows/99")).toMatchObject({
      status: 404,
      body: { error: { code: "undefined_table" } },
    });
  });

  test("a row that is to come is waited for", async () => {
    const waiting = h.request("/v1/views/songs_view/rows/4?atLeast=3");
    await h.song(4, "new");
    expect(await waiting).toMatchObject({ status: 200, body: { row: { name: "new" }, position: "3" } });
  });

  test("a view with an error answers with it", async () => {
    h.engine.fail("songs_view", new EvertError("division_by_zero", "division by zero"));
    expect(await h.request("/v1/views/songs_view/rows/1")).toMatchObject({
      status: 400,
      body: { error: { sqlstate: "22012" } },
    });
  });
});
