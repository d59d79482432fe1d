/** Records that are appended over HTTP, and what refuses them. */
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { until } from "./harness.ts";
import { h, records, song, stored } from "./records.ts";

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
