/** What a request says it would have, and methods that a path does not take. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Harness } from "./harness.ts";

let h: Harness;
beforeAll(async () => {
  h = await Harness.start();
  await h.song(1, "a");
});
afterAll(() => h.stop());

async function typeOf(path: string, accept: string, init: RequestInit = {}): Promise<string | null> {
  const left = new AbortController();
  const headers = { ...init.headers, Accept: accept };
  const response = await h.fetch(path, { ...init, headers, signal: left.signal });
  left.abort();
  return response.headers.get("Content-Type");
}

const ndjson = "application/x-ndjson";
const events = "text/event-stream";
const json = "application/json";

test.each([
  [events, events],
  ["Text/Event-Stream", events],
  [`${events};q=0.5, */*;q=0.1`, events],
  [`${events}, */*`, events],
  [`${json}, ${events}`, events],
  [`${events};q=0.5, ${json}`, json],
  [`${events};q=0, */*`, json],
  [`${events}; q=0.2, application/*;q=0.8`, json],
  ["*/*", json],
  ["", json],
])("rows with Accept: %s", async (accept, type) => {
  expect(await typeOf("/v1/views/songs_view/rows", accept)).toBe(type);
});

test.each([
  ["application/avro;q=0, */*", ndjson],
  ["application/vnd.apache.arrow.stream;q=0, */*", ndjson],
  ["application/vnd.apache.arrow.stream;q=0.1, application/x-ndjson", ndjson],
  [json, ndjson],
  ["*/*", ndjson],
])("records with Accept: %s", async (accept, type) => {
  expect(await typeOf("/v1/topics/songs/records", accept)).toBe(type);
});

test.each([
  [ndjson, ndjson],
  [`${json};q=0.5, ${ndjson}`, ndjson],
  [`${ndjson}, ${json}`, ndjson],
  [`${json}, ${ndjson}`, json],
  [`${ndjson};q=0`, json],
])("SQL with Accept: %s", async (accept, type) => {
  const init = {
    method: "POST",
    headers: { "Content-Type": json },
    body: JSON.stringify({ sql: "SELECT [1]" }),
  };
  expect(await typeOf("/v1/sql", accept, init)).toBe(type);
});

describe("methods", () => {
  test.each([
    ["GET", "/v1/sql", "OPTIONS, POST"],
    ["PUT", "/v1/topics/songs/records", "GET, HEAD, OPTIONS, POST"],
    ["GET", "/v1/topics/songs/records/1", "DELETE, OPTIONS"],
    ["DELETE", "/v1/views/songs_view/rows", "GET, HEAD, OPTIONS"],
    ["POST", "/health", "GET, HEAD, OPTIONS"],
  ])("%s %s: 404, and what the path takes", async (method, path, allow) => {
    const response = await h.fetch(path, { method });
    expect(response.status).toBe(404);
    expect(response.headers.get("Allow")).toBe(allow);
    expect(response.headers.get("Evert-Position")).toBe(h.engine.position);
    expect(await response.json()).toEqual({
      error: {
        code: "not_found",
        sqlstate: "02000",
        message: `there is no ${method} ${path}`,
        hint: `The path takes ${allow}.`,
      },
    });
  });

  test("OPTIONS says the same, and opens nothing to pages of other origins", async () => {
    const headers = { Origin: "http://elsewhere.example", "Access-Control-Request-Method": "POST" };
    const response = await h.fetch("/v1/sql", { method: "OPTIONS", headers });
    expect(response.status).toBe(204);
    expect(response.headers.get("Allow")).toBe("OPTIONS, POST");
    expect(response.headers.get("Access-Control-Allow-Origin")).toBeNull();
  });

  test.each(["/v1/nothing", "/v1/topics/", "/v1/views/songs_view/rows/"])(
    "%s is no path at all",
    async (path) => {
      const response = await h.fetch(path, { method: "PUT" });
      expect(response.status).toBe(404);
      expect(response.headers.get("Allow")).toBeNull();
    },
  );
});
