/** Records that are read, and those that are deleted. */
import { beforeEach, describe, expect, test } from "vitest";
import { h, records, stored } from "./records.ts";

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
