/** Appends in columns, and of rows as columns: what is stored is what the same rows as JSON would be. */
import { once } from "node:events";
import { mkdtemp } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, expectTypeOf, test } from "vitest";
import { isWellFormed } from "../../src/base/bytes.ts";
import { type Client, type ColumnsOf, connect } from "../../src/client/index.ts";
import type { Engine } from "../../src/engine/api.ts";
import { openEngine } from "../../src/engine/open-engine.ts";
import { createHttpServer, type HttpServer } from "../../src/servers/http/server.ts";
import { removeChecked } from "../support/left-behind.ts";

let directory: string;
let engine: Engine;
let server: HttpServer;
let client: Client;
/** Requests of the client, and what becomes of their answers. */
let asked: string[];
let lose: (path: string) => boolean;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "evert-columns-"));
  engine = await openEngine({ directory });
  server = await createHttpServer(engine, { port: 0 });
  asked = [];
  lose = () => false;
  client = connect(server.url, {
    fetch: async (input, init) => {
      const path = new URL(String(input)).pathname;
      asked.push(path);
      const answer = await fetch(input, init);
      if (lose(path)) throw new TypeError("the answer was lost");
      return answer;
    },
  });
  await engine.sql(
    "CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');" +
      "CREATE TABLE a (i2 int2, i4 int4, i8 int8, f4 float4, f8 float8, p numeric(10,2), n numeric, ok bool, t text, v varchar(5)," +
      " d date, c time, ts timestamp, tz timestamptz, u uuid, j jsonb, m mood) WITH (append_only);" +
      "CREATE TABLE b (LIKE_a int); CREATE TABLE events (id int8 NOT NULL, at timestamptz, n int4, kind text) WITH (append_only)",
  );
});

afterEach(async () => {
  client.close();
  await server.close();
  await engine.close();
  await removeChecked(directory);
});

async function values(topic: string): Promise<unknown[]> {
  const records: unknown[] = [];
  for await (const record of engine.readTopic(topic)) records.push(record.valueJson);
  return records;
}

const row = fc.record({
  i2: fc.option(fc.integer({ min: -32768, max: 32767 })),
  i4: fc.option(fc.integer()),
  i8: fc.option(fc.oneof(fc.maxSafeInteger(), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }))),
  f4: fc.option(fc.float({ noNaN: true, noDefaultInfinity: true })),
  f8: fc.option(fc.double({ noNaN: true, noDefaultInfinity: true })),
  p: fc.option(fc.integer({ min: -99999, max: 99999 }).map((n) => n / 100)),
  n: fc.option(fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }).map((n) => `${n}.50`)),
  ok: fc.option(fc.boolean()),
  t: fc.option(fc.string({ unit: "grapheme" }).filter((s) => isWellFormed(s) && !s.includes("\0"))),
  v: fc.option(fc.stringMatching(/^[a-z]{0,5}$/)),
  d: fc.option(fc.constantFrom("2024-02-29", "1999-12-31", "infinity", "0044-03-15 BC")),
  c: fc.option(fc.constantFrom("07:08:09", "23:59:59.999999")),
  ts: fc.option(fc.constantFrom("2024-05-06T07:08:09", "2024-05-06 07:08:09.123456", "-infinity")),
  tz: fc.option(fc.constantFrom("2024-05-06T07:08:09Z", "2024-05-06 07:08:09.123456+02", "infinity")),
  u: fc.option(fc.uuid()),
  j: fc.option(
    fc
      .json()
      .map((text) => JSON.parse(text) as unknown)
      .filter((v) => !/\\u0000|\\ud/.test(JSON.stringify(v))),
  ),
  m: fc.option(fc.constantFrom("sad", "ok", "happy")),
});

test("rows as JSON, rows as columns, and columns are the same", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 150 }), async (rows) => {
      const before = (await values("a")).length;
      const names = Object.keys(rows[0]!) as (keyof (typeof rows)[0])[];
      const columns = Object.fromEntries(names.map((name) => [name, rows.map((r) => r[name])]));
      await client.append("a", rows);
      await client.append("a", rows, { format: "arrow" });
      await client.appendColumns("a", columns);
      const stored = (await values("a")).slice(before);
      expect(stored).toHaveLength(3 * rows.length);
      expect(stored.slice(rows.length, 2 * rows.length)).toEqual(stored.slice(0, rows.length));
      expect(stored.slice(2 * rows.length)).toEqual(stored.slice(0, rows.length));
    }),
    { numRuns: 25 },
  );
});

test("typed arrays are columns of the types they suit", async () => {
  const micros = 1_700_000_000_123_456n;
  await client.appendColumns("a", {
    i2: Int8Array.of(-1, 2),
    i4: Uint16Array.of(1, 65535),
    i8: Float64Array.of(-5, 2 ** 52),
    f4: Float32Array.of(0.5, -0.25),
    f8: Int32Array.of(7, -8),
    p: Float64Array.of(1.25, 2),
    n: BigInt64Array.of(1n, -(2n ** 63n)),
    d: Int32Array.of(0, 19_000),
    c: BigInt64Array.of(0n, 1_000_000n),
    ts: BigInt64Array.of(0n, micros),
    tz: BigInt64Array.of(-micros, micros),
  });
  expect((await values("a")).map((text) => JSON.parse(text as string))).toMatchObject([
    {
      i2: -1,
      i4: 1,
      i8: -5,
      f4: 0.5,
      f8: 7,
      p: 1.25,
      n: 1,
      d: "1970-01-01",
      c: "00:00:00",
      ts: "1970-01-01T00:00:00",
    },
    {
      i2: 2,
      i4: 65535,
      i8: 2 ** 52,
      f8: -8,
      d: "2022-01-08",
      c: "00:00:01",
      tz: "2023-11-14T22:13:20.123456+00:00",
    },
  ]);
});

describe("is refused, and nothing is stored:", () => {
  test.each([
    [{ id: [1, 2], n: [1] }, "invalid_argument", /different lengths/],
    [{ id: [] }, "invalid_argument", /no record/],
    [{}, "invalid_argument", /no record/],
    [{ id: [1], nn: [1] }, "undefined_column", /^nn: /],
    [{ id: [1, null] }, "not_null_violation", /^id\[1\]: /],
    [{ n: [1] }, "not_null_violation", /id/],
    [{ id: [1, 2], n: [1, "x"] }, "datatype_mismatch", /^n\[1\]: /],
    [{ id: [1, 2], n: [1, 2 ** 31] }, "numeric_value_out_of_range", /^n\[1\]: /],
    [{ id: [1, 2], n: Float64Array.of(1, 0.5) }, "datatype_mismatch", /^n\[1\]: /],
    [{ id: [1], kind: ["\ud800"] }, undefined, /^kind\[0\]: /],
    [{ id: [1], kind: ["a\0"] }, undefined, /^kind\[0\]: /],
    [{ id: [1], kind: Int32Array.of(1) }, "datatype_mismatch", /^kind: /],
    [{ id: [1], at: Float64Array.of(1) }, "datatype_mismatch", /^at: /],
    [{ id: [1], at: BigInt64Array.of(-(2n ** 62n)) }, "datetime_overflow", /at/],
  ])("%#", async (columns, code, message) => {
    const error = await client.appendColumns("events", columns as never).catch((e: unknown) => e);
    expect(error).toMatchObject({ name: "EvertError", message: expect.stringMatching(message) });
    if (code !== undefined) expect(error).toMatchObject({ code });
    expect(await values("events")).toEqual([]);
  });

  test("a bad row among rows as columns, by its place", async () => {
    await expect(
      client.append("events", [{ id: 1 }, { id: 2, kind: 5 }], { format: "arrow" }),
    ).rejects.toMatchObject({
      code: "datatype_mismatch",
      message: expect.stringMatching(/^records\[1\]\.kind: /),
    });
    await expect(client.append("nothing", { id: 1 }, { format: "arrow" })).rejects.toMatchObject({
      code: "undefined_table",
    });
  });
});

test("many under way at once are each stored once, also when answers are lost", async () => {
  let lost = 0;
  lose = (path) => path.endsWith("/records") && lost++ % 3 === 0;
  const results = await Promise.all(
    Array.from({ length: 12 }, (_, k) =>
      client.appendColumns("events", { id: Float64Array.from({ length: 100 }, (_, i) => k * 100 + i) }),
    ),
  );
  expect(new Set(results.map((result) => result.position)).size).toBe(12);
  expect(results.every((result) => result.count === 100)).toBe(true);
  const ids = (await values("events")).map((text) => (JSON.parse(text as string) as { id: number }).id);
  expect(ids.sort((a, b) => a - b)).toEqual(Array.from({ length: 1200 }, (_, i) => i));
  expect(asked.filter((path) => path === "/v1/topics")).toHaveLength(1);
});

test("a key given is used: the same columns again are the first answer again", async () => {
  const options = { idempotencyKey: "k" };
  const first = await client.appendColumns("events", { id: [1, 2] }, options);
  expect(await client.appendColumns("events", { id: [1, 2] }, options)).toEqual(first);
  await expect(client.appendColumns("events", { id: [1, 3] }, options)).rejects.toMatchObject({
    code: "idempotency_conflict",
  });
});

test("a topic that has other columns now is asked again", async () => {
  await client.appendColumns("b", { like_a: [1] });
  await engine.sql("DROP TABLE b; CREATE TABLE b (like_a text, more int)");
  await client.appendColumns("b", { like_a: ["x"], more: [2] });
  expect(await values("b")).toEqual([`{"like_a":"x","more":2}`]);
});

test("the types of columns come from the topic's", () => {
  interface Events {
    readonly name: string;
    readonly $row?: { readonly id: number; readonly kind: string | null };
    readonly $input?: { readonly id: number; readonly kind?: string | null };
  }
  type Columns = ColumnsOf<Events>;
  expectTypeOf({ id: [1] }).toExtend<Columns>();
  expectTypeOf({ id: new Float64Array(1), kind: ["a", null] }).toExtend<Columns>();
  expectTypeOf({ kind: ["a"] }).not.toExtend<Columns>();
  expectTypeOf({ id: ["a"] }).not.toExtend<Columns>();
  expectTypeOf({ id: 1 }).not.toExtend<Columns>();
  expectTypeOf({ anything: [1, "a"] }).toExtend<ColumnsOf<unknown>>();
});

test.each([
  ["every request", () => true],
  ["appends alone", (method: string | undefined) => method === "POST"],
])(
  "where %s is sent on to another place, an append names it, and stores nothing there",
  async (_, isSentOn) => {
    const sentOn: (string | undefined)[] = [];
    const door = createServer((request, response) => {
      const to = server.url + request.url!;
      if (!isSentOn(request.method)) {
        void fetch(to).then(async (answer) => response.end(await answer.text()));
        return;
      }
      sentOn.push(request.method);
      request.resume();
      request.on("end", () => response.writeHead(307, { location: to }).end());
    });
    door.listen(0, "127.0.0.1");
    await once(door, "listening");
    // By Node's own fetch, which it is about.
    const other = connect(`http://127.0.0.1:${(door.address() as AddressInfo).port}`, { retryMsMax: 0 });
    await expect(other.appendColumns("events", { id: [1], kind: ["x"] })).rejects.toMatchObject({
      code: "protocol_violation",
      hint: `Use ${server.url} as the server's address.`,
    });
    expect(await values("events")).toEqual([]);
    // Once without a copy of the body, and once to learn why that failed.
    expect(sentOn.filter((method) => method === "POST")).toHaveLength(2);
    other.close();
    door.close();
    door.closeAllConnections();
  },
);
