import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { EvertError } from "../../../src/base/errors.ts";
import { Harness, until } from "./harness.ts";

let h: Harness;
beforeEach(async () => {
  h = await Harness.start({ bodyLimitBytes: 200_000, bodiesBytesMax: 250_000 });
});
afterEach(() => h.stop());

const records = "/v1/topics/songs/records";
const song = (id: number) => `${JSON.stringify({ id, name: `song ${id}` })}\n`;

async function stored(topic = "songs"): Promise<Record<string, unknown>[]> {
  const { text } = await h.request(`/v1/topics/${topic}/records`);
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
}

describe("append", () => {
  test("one value, an array, NDJSON", async () => {
    expect(await h.post(records, { id: 1, name: "a" })).toMatchObject({
      status: 200,
      position: "1",
      body: { position: "1", count: 1, firstOffset: 0, lastOffset: 0 },
    });
    expect(
      await h.post(records, [
        { id: 2, name: "b" },
        { id: 3, name: "c" },
      ]),
    ).toMatchObject({
      status: 200,
      body: { position: "2", count: 2, firstOffset: 1, lastOffset: 2 },
    });
    expect(await h.ndjson(records, `${song(4)}\r\n\n${song(5).trim()}`)).toMatchObject({
      status: 200,
      body: { position: "3", count: 2, firstOffset: 3, lastOffset: 4 },
    });
    expect((await stored()).map((record) => record["key"])).toEqual([1, 2, 3, 4, 5]);
  });

  test("every digit of an int8 and of a numeric arrives", async () => {
    const body =
      '[{"a":9223372036854775807,"b":"x","n":1.10},{"a":-9223372036854775808,"b":"x","n":123456789012345678901.5}]';
    const headers = { "Content-Type": "application/json" };
    expect(await h.request("/v1/topics/wide/records", { method: "POST", headers, body })).toMatchObject({
      status: 200,
    });
    const { text } = await h.request("/v1/topics/wide/records");
    expect(text).toContain('"a":9223372036854775807,');
    expect(text).toContain('"n":1.10,');
    expect(text).toContain('"a":-9223372036854775808,');
    expect(text).toContain('"n":123456789012345678901.5,');
  });

  test("a bad record refuses the whole request and is named by line, path and reason", async () => {
    const answer = await h.ndjson(records, `${song(1)}\n{"id":"x","name":"b"}\n${song(3)}`);
    expect(answer).toMatchObject({
      status: 400,
      body: { error: { code: expect.any(String), sqlstate: expect.any(String) } },
    });
    expect(answer.text).toMatch(/"message":"line 3: id: /);
    expect(await stored()).toEqual([]);
  });

  test("a bad record in an array is named by index", async () => {
    const answer = await h.post(records, [{ id: 1, name: "a" }, { id: 2 }]);
    expect(answer).toMatchObject({ status: 400, body: { error: { code: "not_null_violation" } } });
    expect(answer.text).toMatch(/"message":"records\[1\]\.name: /);
  });

  test.each([
    [
      "malformed NDJSON",
      "application/x-ndjson",
      `${song(1)}{"id":\n`,
      "invalid_text_representation",
      /line 2: /,
    ],
    [
      "malformed JSON",
      "application/json",
      '[{"id":1,"name":"a"},{"id":2,}]',
      "invalid_text_representation",
      /records\[1\]: /,
    ],
    ["an array cut short", "application/json", '[{"id":1,"name":"a"}', "invalid_text_representation", /JSON/],
    [
      "text after the array",
      "application/json",
      '[{"id":1,"name":"a"}] 1',
      "invalid_text_representation",
      /JSON/,
    ],
    [
      "an empty element",
      "application/json",
      '[{"id":1,"name":"a"},,1]',
      "invalid_text_representation",
      /JSON/,
    ],
    ["no record", "application/json", "[]", "invalid_request", /no record/],
    ["an empty body", "application/x-ndjson", "\n\n", "invalid_request", /no record/],
    ["text/plain", "text/plain", song(1), "invalid_request", /text\/plain/],
    ["another charset", "application/json; charset=latin1", "{}", "invalid_request", /latin1/],
    [
      "an unknown member",
      "application/json",
      '{"id":1,"name":"a","nam":2}',
      undefined,
      /records\[0\]\.nam: /,
    ],
  ])("%s is refused", async (_, type, body, code, message) => {
    const answer = await h.request(records, { method: "POST", headers: { "Content-Type": type }, body });
    expect(answer.status).toBe(400);
    const { error } = answer.body as { error: { code: string; message: string } };
    if (code !== undefined) expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
    expect(await stored()).toEqual([]);
  });

  test("a compressed body is refused by the name of its encoding", async () => {
    const answer = await h.request(records, {
      method: "POST",
      headers: { "Content-Type": "application/json", "Content-Encoding": "gzip" },
      body: gzipSync(song(1)),
    });
    expect(answer).toMatchObject({
      status: 400,
      body: { error: { code: "invalid_request", message: expect.stringContaining("gzip") } },
    });
    expect(await stored()).toEqual([]);
  });

  test.each(["application/json", "application/x-ndjson"])("invalid UTF-8 as %s is refused", async (type) => {
    const bytes = new Uint8Array([...new TextEncoder().encode('{"id":1,"name":"'), 0xff, 0x22, 0x7d, 0x0a]);
    const answer = await h.request(records, {
      method: "POST",
      headers: { "Content-Type": type },
      body: bytes,
    });
    expect(answer).toMatchObject({
      status: 400,
      body: { error: { code: "untranslatable_character", sqlstate: "22021" } },
    });
  });

  test("an unknown topic is 404, also when its name means something elsewhere", async () => {
    for (const name of [
      "nothing",
      "..%2Fsongs",
      "songs%22%3B%20DROP%20TABLE%20songs",
      "__proto__",
      "%E2%9C%93",
    ]) {
      expect(await h.post(`/v1/topics/${name}/records`, { id: 1, name: "a" })).toMatchObject({
        status: 404,
        body: { error: { code: "undefined_table", sqlstate: "42P01" } },
      });
    }
    expect(await h.post("/v1/topics/%E2%9C/records", {})).toMatchObject({ status: 400 });
  });

  test("an unknown query parameter is refused with a hint", async () => {
    expect(await h.post(`${records}?atomc=false`, { id: 1, name: "a" })).toMatchObject({
      status: 400,
      body: { error: { code: "invalid_request", hint: "Parameters: atomic, firstLine." } },
    });
  });
});

describe("limits", () => {
  test("a declared length over the limit is refused before the body is read", async () => {
    const answer = await h.ndjson(records, song(1).repeat(10_000));
    expect(answer).toMatchObject({ status: 413, body: { error: { code: "request_too_large" } } });
    expect(h.engine.appends).toEqual([]);
  });

  test("so is a body of unknown length once it is too long", async () => {
    const piece = new TextEncoder().encode(song(1).repeat(1000));
    let sent = 0;
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (sent++ < 20) controller.enqueue(piece);
        else controller.close();
      },
    });
    expect(await h.ndjson(records, body)).toMatchObject({ status: 413 });
    expect(h.engine.appends).toEqual([]);
  });

  test("bodies held together are bounded; what is given back can be used again", async () => {
    let open = () => {};
    h.engine.gate = new Promise((resolve) => {
      open = resolve;
    });
    const body = song(1).repeat(6000);
    const first = h.ndjson(records, body);
    await until(() => h.engine.appends.length === 1);
    expect(await h.ndjson(records, body)).toMatchObject({
      status: 429,
      body: { error: { code: "too_many_requests" } },
    });
    open();
    expect(await first).toMatchObject({ status: 200 });
    expect(await h.ndjson(records, body)).toMatchObject({ status: 200 });
  });
});

describe("idempotency", () => {
  const headers = { "Idempotency-Key": "k-1" };

  test("same key and body: the first answer again; another body: 422", async () => {
    const first = await h.post(records, { id: 1, name: "a" }, headers);
    expect(await h.post(records, { id: 1, name: "a" }, headers)).toMatchObject({
      status: 200,
      body: first.body,
    });
    expect(await h.post(records, { id: 2, name: "a" }, headers)).toMatchObject({
      status: 422,
      body: { error: { code: "idempotency_conflict" } },
    });
    expect(await stored()).toHaveLength(1);
  });

  test("the same body to another topic is another request", async () => {
    await h.post(records, { id: 1, name: "a" }, headers);
    expect(await h.post("/v1/topics/plays/records", { id: 1, name: "a" }, headers)).toMatchObject({
      status: 422,
    });
  });

  test("not with atomic=false, and not any text", async () => {
    expect(await h.post(`${records}?atomic=false`, { id: 1, name: "a" }, headers)).toMatchObject({
      status: 400,
    });
    expect(await h.post(records, { id: 1, name: "a" }, { "Idempotency-Key": "x".repeat(256) })).toMatchObject(
      {
        status: 400,
      },
    );
  });
});

describe("a topic that looks at its records one by one", () => {
  beforeEach(() => h.engine.checked.add("songs"));

  test("takes them as values, and names what it refuses alike", async () => {
    expect(await h.ndjson(records, song(1) + song(2))).toMatchObject({ status: 200, body: { count: 2 } });
    const bad = await h.ndjson(records, `${song(3)}\n{"id":"x","name":"b"}\n`);
    expect(bad.text).toMatch(/"message":"line 3: id: /);
    expect((await h.post(records, [{ id: 4, name: "a" }, { id: 5 }])).text).toMatch(
      /"message":"records\[1\]\.name: /,
    );
    expect(await stored()).toHaveLength(2);
  });

  test("in chunks: everything before the first bad record is committed, nothing from it on", async () => {
    const lines = [song(1), song(2), '{"id":"no","name":"x"}\n', song(4)];
    expect(await h.ndjson(`${records}?atomic=false`, lines.join(""))).toMatchObject({
      status: 400,
      body: {
        error: { message: expect.stringMatching(/^line 3: id: /) },
        committed: { count: 2, firstOffset: 0, lastOffset: 1, commits: 1, position: "1" },
      },
    });
    expect((await stored()).map((record) => record["key"])).toEqual([1, 2]);
  });
});

describe("atomic=false", () => {
  const chunked = `${records}?atomic=false`;

  test("takes more than the limit and commits in chunks", async () => {
    const body = Array.from({ length: 10_000 }, (_, i) => song(i)).join("");
    expect(await h.ndjson(chunked, body)).toMatchObject({
      status: 200,
      body: { count: 10_000, firstOffset: 0, lastOffset: 9999, position: String(h.engine.appends.length) },
    });
    expect(h.engine.appends.length).toBeGreaterThan(1);
    expect(Math.max(...h.engine.appends)).toBeLessThanOrEqual(4096);
  });

  test("commits what has come when the body falls silent", async () => {
    let controller: ReadableStreamDefaultController<Uint8Array>;
    const body = new ReadableStream<Uint8Array>({
      start(c) {
        controller = c;
      },
    });
    const answer = h.ndjson(chunked, body);
    controller!.enqueue(new TextEncoder().encode(song(1)));
    await until(() => h.engine.position === "1");
    controller!.enqueue(new TextEncoder().encode(song(2)));
    await until(() => h.engine.position === "2");
    controller!.close();
    expect(await answer).toMatchObject({ status: 200, body: { count: 2, commits: 2, position: "2" } });
  });

  test("everything before the first bad record is committed, nothing from it on", async () => {
    const lines = [song(1), song(2), '{"id":"no","name":"x"}\n', song(4)];
    expect(await h.ndjson(chunked, lines.join(""))).toMatchObject({
      status: 400,
      body: {
        error: { message: expect.stringMatching(/^line 3: id: /) },
        committed: { count: 2, firstOffset: 0, lastOffset: 1, commits: 1, position: "1" },
      },
    });
    expect((await stored()).map((record) => record["key"])).toEqual([1, 2]);
  });

  test("also when the line is no JSON or no UTF-8", async () => {
    expect(await h.ndjson(chunked, `${song(1)}nonsense\n${song(2)}`)).toMatchObject({
      status: 400,
      body: { error: { message: expect.stringMatching(/^line 2: /) }, committed: { count: 1 } },
    });
    const bytes = new Uint8Array([...new TextEncoder().encode(song(2)), 0xff, 0x0a]);
    expect(await h.ndjson(chunked, bytes)).toMatchObject({
      status: 400,
      body: { error: { message: expect.stringMatching(/^line 2: /) }, committed: { count: 1 } },
    });
  });

  test("a bad first record commits nothing", async () => {
    expect(await h.ndjson(chunked, "1\n")).toMatchObject({
      status: 400,
      body: { committed: { count: 0, position: null, firstOffset: null, lastOffset: null, commits: 0 } },
    });
  });

  test("a JSON array is streamed as well; an empty body is fine", async () => {
    expect(
      await h.post(chunked, [
        { id: 1, name: "a" },
        { id: 2, name: "b" },
      ]),
    ).toMatchObject({
      status: 200,
      body: { count: 2 },
    });
    expect(await h.ndjson(chunked, "")).toMatchObject({ status: 200, body: { count: 0, position: null } });
  });

  test("a disk that fails on the way ends it with the error and how far it came", async () => {
    h.engine.failAfter = { appends: 1, error: new EvertError("disk_full", "no space left") };
    const body = Array.from({ length: 9000 }, (_, i) => song(i)).join("");
    expect(await h.ndjson(chunked, body)).toMatchObject({
      status: 503,
      body: { error: { code: "disk_full" }, committed: { commits: 1, count: h.engine.appends[0] } },
    });
  });

  test("a slow disk slows the reading of the body", async () => {
    let open = () => {};
    h.engine.gate = new Promise((resolve) => {
      open = resolve;
    });
    const piece = new TextEncoder().encode(song(1).repeat(2000));
    let asked = 0;
    const body = new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          if (asked++ < 150) controller.enqueue(piece);
          else controller.close();
        },
      },
      { highWaterMark: 0 },
    );
    const answer = h.ndjson("/v1/topics/plays/records?atomic=false", body);
    await until(() => h.engine.appends.length === 1);
    // What is on the way (two chunks here, socket buffers) is bounded; the rest of the 8 MB is not asked for.
    let before = -1;
    while (before !== asked) {
      before = asked;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(asked).toBeLessThan(140);
    open();
    expect(await answer).toMatchObject({ status: 200, body: { count: 300_000 } });
  }, 60_000);
});

describe("delete", () => {
  test("for good, and says which topics have a history of their own", async () => {
    await h.song(7, "x");
    expect(await h.request(`${records}/7?erase=true`, { method: "DELETE" })).toMatchObject({
      status: 200,
      body: { position: "2", sinks: ["sunk"] },
    });
    expect(await h.request(`${records}/7?erase=perhaps`, { method: "DELETE" })).toMatchObject({
      status: 400,
    });
  });

  test("by key, with the key column's type", async () => {
    await h.song(7, "x");
    expect(await h.request(`${records}/7`, { method: "DELETE" })).toMatchObject({
      status: 200,
      body: { position: "2" },
    });
    expect((await stored())[1]).toMatchObject({ key: 7, value: null });
    expect(await h.request(`${records}/seven`, { method: "DELETE" })).toMatchObject({
      status: 400,
      body: { error: { code: "invalid_text_representation" } },
    });
  });

  test("by a composite key, a URL-encoded JSON array", async () => {
    await h.post("/v1/topics/wide/records", { a: 1, b: "a/b?c %" });
    const key = encodeURIComponent('[1,"a/b?c %"]');
    expect(await h.request(`/v1/topics/wide/records/${key}`, { method: "DELETE" })).toMatchObject({
      status: 200,
    });
    expect((await stored("wide"))[1]).toMatchObject({ key: [1, "a/b?c %"], value: null });
    for (const bad of ["[1]", "1", "nonsense", "[1,2,3]"]) {
      const path = `/v1/topics/wide/records/${encodeURIComponent(bad)}`;
      expect(await h.request(path, { method: "DELETE" })).toMatchObject({ status: 400 });
    }
  });

  test("a stream has no key", async () => {
    expect(await h.request("/v1/topics/plays/records/1", { method: "DELETE" })).toMatchObject({
      status: 400,
      body: { error: { code: "wrong_object_type" } },
    });
  });
});

describe("read", () => {
  beforeEach(async () => {
    await h.post(
      records,
      [1, 2, 3, 4].map((id) => ({ id, name: `n${id}` })),
    );
  });

  test("from, limit", async () => {
    const read = async (query: string) => {
      const { text } = await h.request(`${records}?${query}`);
      return [...text.matchAll(/"offset":(\d+)/g)].map((match) => Number(match[1]));
    };
    expect(await read("")).toEqual([0, 1, 2, 3]);
    expect(await read("from=2")).toEqual([2, 3]);
    expect(await read("from=1&limit=2")).toEqual([1, 2]);
    expect(await read("from=latest")).toEqual([]);
    expect(await read("limit=0")).toEqual([]);
  });

  test("a line has offset, position, timestamp, key and value", async () => {
    const { text, position } = await h.request(`${records}?limit=1`);
    expect(JSON.parse(text)).toEqual({
      offset: 0,
      position: "1",
      timestamp: "2024-05-06T07:08:09+00:00",
      key: 1,
      value: { id: 1, name: "n1", price: null },
    });
    expect(position).toBe("1");
  });

  test.each([
    "from=x",
    "limit=-1",
    "limit=x",
    "follow=maybe",
    "atLeast=x",
    "timeoutMs=-1",
    "limit=1&limit=2",
    "frm=1",
  ])("?%s is refused", async (query) => {
    expect(await h.request(`${records}?${query}`)).toMatchObject({ status: 400, body: { error: {} } });
  });

  test("Arrow's bytes pass as they are; an engine without them refuses by name", async () => {
    const headers = { Accept: "application/vnd.apache.arrow.stream" };
    expect(await h.request(records, { headers })).toMatchObject({
      status: 400,
      body: { error: { sqlstate: "0A000" } },
    });
    const asked: unknown[] = [];
    const readTopicArrow = async function* (topic: string, options: object) {
      asked.push(topic, options);
      yield new Uint8Array([0xff, 0xfe]);
      yield new Uint8Array([0]);
    };
    Object.assign(h.engine, { readTopicArrow });
    const response = await h.fetch(`${records}?from=2&limit=1`, { headers });
    expect(response.headers.get("Content-Type")).toBe("application/vnd.apache.arrow.stream");
    expect([...new Uint8Array(await response.arrayBuffer())]).toEqual([0xff, 0xfe, 0]);
    expect(asked).toMatchObject(["songs", { from: 2, limit: 1, follow: false }]);
  });

  test("follow goes on with what is appended, and ends with the client", async () => {
    const abort = new AbortController();
    const response = await h.fetch(`${records}?follow&from=3`, { signal: abort.signal });
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    expect((await reader.read()).value).toContain('"offset":3,');
    await h.song(9, "new");
    expect((await reader.read()).value).toContain('"offset":4,');
    abort.abort();
    await reader.read().catch(() => undefined);
  });

  test("atLeast waits, and gives up with 504", async () => {
    expect(await h.request(`${records}?atLeast=99&timeoutMs=20`)).toMatchObject({
      status: 504,
      position: "1",
      body: { error: { code: "timeout", sqlstate: "57014" } },
    });
    const waiting = h.request(`${records}?atLeast=2`);
    await h.song(5, "n5");
    expect((await waiting).text.trim().split("\n")).toHaveLength(5);
  });
});
