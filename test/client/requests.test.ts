/** append, sql, get, rows: what is sent, what comes back, what is tried again. */
import { afterEach, beforeEach, describe, expect, expectTypeOf, test } from "vitest";
import {
  type AppendResult,
  type Client,
  type ClientOptions,
  connect,
  type RowOf,
  viewRef,
} from "../../src/client/index.ts";
import { FakeServer } from "./fake-server.ts";

let server: FakeServer;
let client: Client;

beforeEach(async () => {
  server = await new FakeServer().start();
  client = connect(server.url);
});

afterEach(async () => {
  client.close();
  await server.stop();
});

function reopen(options: ClientOptions, url = server.url): void {
  client.close();
  client = connect(url, options);
}

const appended: AppendResult = { position: "12", count: 2, firstOffset: 4, lastOffset: 5 };
const viewInfo = {
  name: "v",
  columns: [
    { name: "id", type: "int8" },
    { name: "amount", type: "numeric" },
  ],
};

describe("append", () => {
  test("posts the rows with a key of its own", async () => {
    server.answer = () => ({ body: appended });
    expect(await client.append("or ders", [{ id: 1n }, { id: 2n ** 63n - 1n }])).toEqual(appended);
    const [asked] = server.asked;
    expect(asked).toMatchObject({ method: "POST", body: '[{"id":1},{"id":9223372036854775807}]' });
    expect(asked!.url.pathname).toBe("/v1/topics/or%20ders/records");
    expect(asked!.headers["content-type"]).toBe("application/json");
    expect(asked!.headers["idempotency-key"]).toMatch(/^[0-9a-f]{32}$/);
    expect(client.position).toBe("12");
  });

  test("what has no room in memory is not sent again: it would be refused as before", async () => {
    const error = { code: "commit_too_large", message: "the commit has no room below the memory limit" };
    server.answer = () => ({ status: 413, body: { error } });
    await expect(client.append("orders", { id: 1 })).rejects.toMatchObject({ ...error, retryable: false });
    expect(server.asked).toHaveLength(1);
  });

  test("after a lost answer it repeats the same request with the same key", async () => {
    server.answer = () =>
      server.asked.length < 2
        ? "break"
        : server.asked.length < 3
          ? { status: 503, body: { error: { code: "shutting_down", message: "bye" } } }
          : { body: appended };
    expect(await client.append({ name: "orders" }, { id: 1 })).toEqual(appended);
    expect(server.asked.length).toBe(3);
    expect(new Set(server.asked.map((a) => `${a.headers["idempotency-key"]} ${a.body}`)).size).toBe(1);
  });

  test("two appends have two keys; a given key is used", async () => {
    server.answer = () => ({ body: appended });
    await client.append("orders", { id: 1 });
    await client.append("orders", { id: 1 });
    await client.append("orders", { id: 1 }, { idempotencyKey: "mine" });
    const keys = server.asked.map((a) => a.headers["idempotency-key"]);
    expect(keys[0]).not.toBe(keys[1]);
    expect(keys[2]).toBe("mine");
  });

  test("a refusal is told at once, with all its fields", async () => {
    const error = {
      code: "not_null_violation",
      sqlstate: "23502",
      message: "no id",
      detail: "Row 1.",
      hint: "Give one.",
    };
    server.answer = () => ({ status: 400, body: { error } });
    await expect(client.append("orders", {})).rejects.toMatchObject({ name: "EvertError", ...error });
    expect(server.asked.length).toBe(1);
  });

  test("gives up after its time, with what was wrong", async () => {
    reopen({ retryMsMax: 1 });
    await server.stop();
    await expect(client.append("orders", {})).rejects.toMatchObject({
      code: "connection_failed",
      retryable: true,
    });
  });

  test("can be aborted while it waits", async () => {
    server.answer = () => "break";
    const controller = new AbortController();
    const appending = client.append("orders", {}, { signal: controller.signal });
    controller.abort(new Error("enough"));
    await expect(appending).rejects.toThrow("enough");
  });
});

describe("sql", () => {
  const result = { command: "SELECT 1", columns: viewInfo.columns, rowCount: 1 };

  test("posts text and parameters; values keep their digits", async () => {
    server.answer = () => ({
      body: `{"results":[${JSON.stringify(result).slice(0, -1)},"rows":[[9007199254740993,1.50]]}],"position":"3"}`,
    });
    const answer = await client.sql("SELECT $1", [5n, "x", null], { atLeast: "2", timeoutMs: 5 });
    expect(answer).toEqual({ results: [{ ...result, rows: [[9007199254740993n, "1.50"]] }], position: "3" });
    expect(server.asked[0]!.body).toBe(
      '{"sql":"SELECT $1","params":[5,"x",null],"atLeast":"2","timeoutMs":5}',
    );
  });

  test("rows as they arrive, each an object", async () => {
    const columns = [
      { name: "a", type: "int8" },
      { name: "b", type: "numeric" },
    ];
    server.answer = () => ({
      body: `{"results":[{"columns":${JSON.stringify(columns)},"rows":[[9007199254740993,1.50],[2,null]],"rowCount":2,"command":"SELECT 2"}],"position":"7"}`,
    });
    const rows: unknown[] = [];
    for await (const some of client.stream<{ a: number | bigint; b: string | null }>("SELECT $1", [5n])) {
      expectTypeOf(some).toEqualTypeOf<readonly { a: number | bigint; b: string | null }[]>();
      rows.push(...some);
    }
    expect(rows).toEqual([
      { a: 9007199254740993n, b: "1.50" },
      { a: 2, b: null },
    ]);
    expect(server.asked[0]).toMatchObject({ method: "POST", body: '{"sql":"SELECT $1","params":[5]}' });
    expect(client.position).toBe("7");
  });

  test("rows of two queries are not mixed, and what else is in the text has none", async () => {
    const query = '{"columns":[{"name":"a","type":"int4"}],"rows":[[1]],"rowCount":1,"command":"SELECT 1"}';
    const insert = '{"command":"INSERT 0 1","columns":[],"rows":[],"rowCount":1}';
    const rows: unknown[] = [];
    const ask = async (...results: string[]) => {
      server.answer = () => ({ body: `{"results":[${results.join(",")}],"position":"7"}` });
      for await (const some of client.stream("SELECT")) rows.push(...some);
    };
    await ask(insert, query, insert);
    await expect(ask(query, query)).rejects.toMatchObject({ code: "invalid_request" });
    await ask('{"columns":[],"rows":[[],[]],"rowCount":2,"command":"SELECT 2"}');
    expect(rows).toEqual([{ a: 1 }, { a: 1 }, {}, {}]);
  });

  test("an answer that ends before its time is no answer", async () => {
    server.answer = () => ({ body: '{"results":[{"columns":[],"rows":[[1],[2' });
    const all = async () => {
      for await (const some of client.stream("SELECT 1")) void some;
    };
    await expect(all()).rejects.toMatchObject({
      code: "connection_failed",
      detail: "Not all rows have come.",
    });
  });

  test("an error is thrown with its place in the text, and never tried again", async () => {
    const error = {
      code: "syntax_error",
      sqlstate: "42601",
      message: 'syntax error at or near "SELEC"',
      position: 1,
    };
    server.answer = () => ({ status: 400, body: { results: [], error, position: "3" } });
    await expect(client.sql("SELEC 1")).rejects.toMatchObject(error);
    server.answer = () => "break";
    await expect(client.sql("SELECT 1")).rejects.toMatchObject({ code: "connection_failed" });
    expect(server.asked.length).toBe(2);
  });
});

describe("reads", () => {
  test("get asks for one row by key", async () => {
    server.answer = ({ url }) =>
      url.pathname.endsWith("/v")
        ? { body: viewInfo }
        : { body: '{"row":{"id":9007199254740993,"amount":2.0},"position":"8"}' };
    expect(await client.get("v", 9007199254740993n, { atLeast: "8" })).toEqual({
      id: 9007199254740993n,
      amount: "2.0",
    });
    expect(server.asked.map((a) => a.url.pathname + a.url.search)).toEqual([
      "/v1/views/v",
      "/v1/views/v/rows/9007199254740993?atLeast=8",
    ]);
    await client.get("v", ["a/b", 2]);
    expect(decodeURIComponent(server.asked[2]!.url.pathname)).toBe('/v1/views/v/rows/["a/b",2]');
    expect(client.position).toBe("8");
  });

  test("get gives undefined for a row that is not there, and an error for a view that is not", async () => {
    server.answer = ({ url }) =>
      url.pathname.endsWith("/v")
        ? { body: viewInfo }
        : { status: 404, body: { error: { code: "not_found", message: "no such row" }, position: "8" } };
    expect(await client.get("v", 1)).toBeUndefined();
    server.answer = () => ({
      status: 404,
      body: { error: { code: "undefined_table", message: "no such view" } },
    });
    await expect(client.get("w", 1)).rejects.toMatchObject({ code: "undefined_table" });
  });

  test("rows of an earlier definition come as such, and those after them are read by their own columns", async () => {
    let built = false;
    const earlier = { status: "stale", columns: [{ name: "id", type: "int8" }] };
    server.answer = ({ url }) => {
      if (url.pathname.endsWith("/v")) return { body: { ...viewInfo, ...(built ? {} : earlier) } };
      return built
        ? { body: '{"rows":[{"id":9007199254740993,"amount":1.00}],"position":"9"}' }
        : { body: { rows: [{ id: 1 }], position: "8", stale: true } };
    };
    expect(await client.rows("v")).toEqual({ rows: [{ id: 1 }], position: "8", stale: true });
    built = true;
    const rows = [{ id: 9007199254740993n, amount: "1.00" }];
    expect(await client.rows("v", { atLeast: "9" })).toEqual({ rows, position: "9" });
    // What is known of the columns now is kept.
    const asked = server.asked.length;
    await client.rows("v");
    expect(server.asked.length).toBe(asked + 1);
  });

  test("rows asks with filters, order and limit", async () => {
    server.answer = ({ url }) =>
      url.pathname.endsWith("/v")
        ? { body: viewInfo }
        : { body: '{"rows":[{"id":1,"amount":1.00}],"position":"8"}' };
    const answer = await client.rows("v", {
      where: { id: 1 },
      order: ["-amount", "id"],
      limit: 5,
      atLeast: "7",
    });
    expect(answer).toEqual({ rows: [{ id: 1, amount: "1.00" }], position: "8" });
    expect(Object.fromEntries(server.asked[1]!.url.searchParams)).toEqual({
      id: "1",
      order: "-amount,id",
      limit: "5",
      atLeast: "7",
    });
  });

  test("an answer that is no JSON, and a status nobody explains", async () => {
    server.answer = () => ({ body: "<html>" });
    await expect(client.sql("SELECT 1")).rejects.toMatchObject({ code: "protocol_violation" });
    server.answer = () => ({ status: 418, body: "teapot" });
    await expect(client.sql("SELECT 1")).rejects.toMatchObject({ code: "invalid_request", detail: "teapot" });
    server.answer = () => ({
      status: 429,
      body: { error: { code: "from the future", message: "slow down" } },
    });
    await expect(client.sql("SELECT 1")).rejects.toMatchObject({
      code: "too_many_requests",
      message: "slow down",
    });
  });
});

test("token, headers and a base path go with every request", async () => {
  reopen({ token: "secret", headers: { "x-app": "1" } }, `${server.url}/db/`);
  server.answer = () => ({ body: { results: [], position: "1" } });
  await client.sql("SELECT 1");
  expect(server.asked[0]!.url.pathname).toBe("/db/v1/sql");
  expect(server.asked[0]!.headers).toMatchObject({ authorization: "Bearer secret", "x-app": "1" });
});

test.each(["", "nonsense", "ftp://x"])(
  "connect(%j): an address that is none is refused, at the latest when used",
  async (url) => {
    await expect((async () => connect(url).sql("SELECT 1"))()).rejects.toMatchObject({ name: "EvertError" });
  },
);

test("the position never falls", async () => {
  const positions = ["9", "10", "3"];
  server.answer = () => ({ body: { results: [], position: positions.shift() } });
  for (const expected of ["9", "10", "10"]) {
    await client.sql("SELECT 1");
    expect(client.position).toBe(expected);
  }
});

test("row types come from a handle's type alone", () => {
  interface Handle {
    readonly name: string;
    readonly $row?: { readonly id: number; readonly name: string };
  }
  type Row = { readonly id: number; readonly name: string };
  expectTypeOf<RowOf<Handle>>().toEqualTypeOf<Row>();
  expectTypeOf<RowOf<{ id: number }>>().toEqualTypeOf<{ id: number }>();
  expectTypeOf(client.view<Handle>("x").rows).toEqualTypeOf<readonly Row[]>();
  expectTypeOf(client.view(viewRef<Handle>("x")).rows).toEqualTypeOf<readonly Row[]>();
  expectTypeOf(client.view({} as Handle).rows).toEqualTypeOf<readonly Row[]>();
  expectTypeOf(client.view("x").rows).toEqualTypeOf<readonly Readonly<Record<string, unknown>>[]>();
  expectTypeOf(client.get<Handle>).returns.resolves.toEqualTypeOf<Row | undefined>();
  expectTypeOf(client.append<Handle>)
    .parameter(1)
    .toEqualTypeOf<Row | readonly Row[]>();
});
