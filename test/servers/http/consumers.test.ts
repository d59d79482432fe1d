/** Consumers over HTTP. */
import { beforeEach, describe, expect, test } from "vitest";
import { rowsOf, sql } from "../../engine/support/memory.ts";
import type { Answer } from "./harness.ts";
import { client, engine } from "./served.ts";

beforeEach(async () => {
  await sql(
    engine,
    "CREATE TABLE s (n int4) WITH (append_only); CREATE TABLE made (n int4) WITH (append_only)",
  );
  await client.post("/v1/topics/s/records", [{ n: 0 }, { n: 1 }, { n: 2 }, { n: 3 }]);
});

const open = (body: object = {}) => client.post("/v1/consumers", { name: "c", topics: ["s"], ...body });

function put(path: string, body: unknown): Promise<Answer> {
  const headers = { "Content-Type": "application/json" };
  return client.request(path, { method: "PUT", headers, body: JSON.stringify(body) });
}

async function read(query: string): Promise<number[]> {
  const { text, status } = await client.request(`/v1/topics/s/records?${query}`);
  expect(status).toBe(200);
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line).value.n);
}

describe("a consumer", () => {
  test("is opened, reads where it goes on, and says how far it has come", async () => {
    expect((await open()).body).toMatchObject({ name: "c", epoch: 0, topics: [{ topic: "s", offset: 0 }] });
    expect(await read("consumer=c&limit=2")).toEqual([0, 1]);
    expect((await put("/v1/consumers/c", { epoch: 0, progress: { s: 2 } })).status).toBe(200);
    expect(await read("consumer=c")).toEqual([2, 3]);
    expect((await client.request("/v1/consumers/c")).body).toMatchObject({
      name: "c",
      topics: [{ topic: "s", offset: 2, end: 4, lag: 2, lost: 0 }],
    });
    expect((await client.request("/v1/consumers")).body).toMatchObject({ consumers: [{ name: "c" }] });
    expect((await client.request("/metrics")).text).toMatch(
      /^evert_consumer_lag_records\{consumer="c",topic="s"\} 2$/m,
    );
    expect((await client.request("/v1/consumers/c", { method: "DELETE" })).status).toBe(200);
    expect((await client.request("/v1/consumers/c")).status).toBe(404);
  });

  test.each([
    ["latest", 4],
    [2, 2],
    ["2999-01-01T00:00:00Z", 4],
  ])("begins at %j", async (from, offset) => {
    expect((await open({ from })).body).toMatchObject({ topics: [{ offset }] });
  });

  test("that was opened anew refuses the older one", async () => {
    await open();
    await open();
    const refused = await put("/v1/consumers/c", { epoch: 0, progress: { s: 1 } });
    expect([refused.status, refused.body]).toMatchObject([403, { error: { code: "fenced" } }]);
    expect((await put("/v1/consumers/c", { epoch: 1, progress: { s: 3 } })).status).toBe(200);
    expect((await put("/v1/consumers/c", { epoch: 1, progress: { s: 2 } })).status).toBe(409);
    expect((await open({ from: 1, reset: true })).body).toMatchObject({ epoch: 2, topics: [{ offset: 1 }] });
  });

  test("stores what it made with its progress, or neither", async () => {
    await open();
    const operations = [{ topic: "made", append: [{ n: 10 }] }];
    const consume = { name: "c", epoch: 0, topic: "s", offset: 2 };
    const transact = (more: object = {}, key?: string) =>
      client.post(
        "/v1/transactions",
        { operations, consume: { ...consume, ...more } },
        key === undefined ? {} : { "Idempotency-Key": key },
      );
    const first = await transact({}, "k");
    expect(first.status).toBe(200);
    expect((await transact({}, "k")).text).toBe(first.text);
    expect((await transact()).body).toMatchObject({ error: { code: "conflict" } });
    expect((await transact({ offset: 9 })).status).toBe(400);
    expect((await transact({ topic: "made", offset: 1 })).status).toBe(400);
    expect((await transact({ name: "nobody" })).status).toBe(404);
    await open();
    expect((await transact({ offset: 3 })).body).toMatchObject({ error: { code: "fenced" } });
    expect(await rowsOf(engine, "SELECT n FROM made")).toEqual([["10"]]);
    expect(await read("consumer=c")).toEqual([2, 3]);
  });
});

describe("refused is", () => {
  test.each([
    {},
    { name: "c" },
    { name: 1, topics: ["s"] },
    { name: "c", topics: [] },
    { name: "c", topics: ["s", "s"] },
    { name: "c", topics: ["s"], from: 5 },
    { name: "c", topics: ["s"], from: -1 },
    { name: "c", topics: ["s"], from: "soon" },
    { name: "c", topics: ["s"], reset: 1 },
    { name: "c", topics: ["s"], more: 1 },
    { name: "", topics: ["s"] },
  ])("opening with %j", async (body) => {
    expect((await client.post("/v1/consumers", body)).status).toBe(400);
    expect((await client.request("/v1/consumers")).body).toMatchObject({ consumers: [] });
  });

  test.each([
    {},
    { epoch: 0 },
    { epoch: 0, progress: { s: -1 } },
    { epoch: 0, progress: { s: 5 } },
    { epoch: 0, progress: {} },
    { epoch: 1, progress: { s: 1 } },
    { epoch: "0", progress: { s: 1 } },
  ])("progress of %j", async (body) => {
    await open();
    expect((await put("/v1/consumers/c", body)).status).toBe(400);
  });

  test("what is not there", async () => {
    expect((await open({ topics: ["nothing"] })).status).toBe(404);
    expect((await put("/v1/consumers/c", { epoch: 0, progress: { s: 1 } })).status).toBe(404);
    expect((await client.request("/v1/consumers/c", { method: "DELETE" })).status).toBe(404);
    expect((await client.request("/v1/topics/s/records?consumer=c")).status).toBe(404);
    await open();
    expect((await client.request("/v1/topics/made/records?consumer=c")).status).toBe(404);
    expect((await client.request("/v1/topics/s/records?consumer=c&from=1")).status).toBe(400);
  });
});
