/** What is true of the server as a whole. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createHttpServer } from "../../../src/servers/http/server.ts";
import { FakeEngine } from "../fake-engine.ts";
import { Harness, until } from "./harness.ts";

let h: Harness;
beforeEach(async () => {
  h = await Harness.start();
});
afterEach(() => h.stop());

/** A request with any headers one likes, which fetch does not allow. */
function rawRequest(
  path: string,
  method: string,
  headers: Record<string, string>,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const r = request(h.server.url + path, { method, headers }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (piece) => (text += piece));
      response.on("end", () => resolve({ status: response.statusCode!, text }));
    });
    r.on("error", reject);
    r.end();
  });
}

test("an unknown path is 404 in JSON, with a position", async () => {
  expect(await h.request("/v1/nothing")).toMatchObject({
    status: 404,
    position: "0",
    body: { error: { code: "not_found" } },
  });
});

test("health, ready and metrics, also under /v1", async () => {
  for (const prefix of ["", "/v1"]) {
    expect(await h.request(`${prefix}/health`)).toMatchObject({
      status: 200,
      position: "0",
      body: { status: "ok" },
    });
    expect(await h.request(`${prefix}/ready`)).toMatchObject({
      status: 200,
      body: { ready: true, progress: 1 },
    });
    expect(await h.request(`${prefix}/metrics`)).toMatchObject({ status: 200, position: "0" });
  }
  h.engine.ready = false;
  expect(await h.request("/ready")).toMatchObject({ status: 503, body: { ready: false, progress: 0.25 } });
});

test("metrics tell the engine's figures and the requests by route, not by path", async () => {
  await h.song(1, "a");
  await h.request("/v1/views/songs_view/rows/1");
  await h.request("/v1/views/songs_view/rows/2");
  await h.request("/somewhere/else");
  const events = await h.events("/v1/views/songs_view/rows");
  await events.next();
  const { text } = await h.request("/metrics");
  expect(text).toMatch(/^evert_commits_total 1$/m);
  expect(text).toMatch(/^evert_step_seconds_total 0\.5$/m);
  expect(text).toMatch(/^evert_view_rows\{view="songs_view"\} 1$/m);
  expect(text).toMatch(/^evert_view_rows_in_total\{view="songs_view"\} 30$/m);
  expect(text).toMatch(/^evert_view_rows_out_total\{view="songs_view"\} 20$/m);
  expect(text).toMatch(/^evert_view_step_seconds_total\{view="songs_view"\} 0\.25$/m);
  expect(text).toMatch(/^evert_http_event_streams 1$/m);
  expect(text).toMatch(
    /^evert_http_request_seconds_count\{method="GET",route="\/v1\/views\/:view\/rows\/:key",status="200"\} 1$/m,
  );
  expect(text).toMatch(
    /^evert_http_request_seconds_count\{method="GET",route="\/v1\/views\/:view\/rows\/:key",status="404"\} 1$/m,
  );
  expect(text).toMatch(/^evert_http_request_seconds_count\{method="GET",route="none",status="404"\} 1$/m);
  expect(text).not.toContain("somewhere");
  expect(text).toMatch(/^nodejs_eventloop_lag_p99_seconds /m);
  // Counters do not add up over scrapes.
  expect((await h.request("/metrics")).text).toMatch(/^evert_commits_total 1$/m);
});

describe("other people's pages", () => {
  test("cannot reach a loopback server under a name of theirs", async () => {
    expect(await rawRequest("/v1/topics", "GET", { Host: "evil.example" })).toMatchObject({ status: 403 });
    for (const host of ["localhost", "localhost:7400", "127.0.0.1:1", "[::1]:1", "app.localhost"]) {
      expect(await rawRequest("/v1/topics", "GET", { Host: host })).toMatchObject({ status: 200 });
    }
  });

  test("cannot change anything from another site", async () => {
    const path = "/v1/topics/songs/records/1";
    expect(await rawRequest(path, "DELETE", { "Sec-Fetch-Site": "cross-site" })).toMatchObject({
      status: 403,
    });
    expect(await rawRequest(path, "DELETE", { "Sec-Fetch-Site": "same-origin" })).toMatchObject({
      status: 200,
    });
  });

  test("are granted nothing by CORS", async () => {
    const response = await h.fetch("/v1/topics", { headers: { Origin: "https://evil.example" } });
    expect(response.headers.get("Access-Control-Allow-Origin")).toBeNull();
    const preflight = await rawRequest("/v1/sql", "OPTIONS", { Origin: "https://evil.example" });
    expect(preflight.status).toBe(204);
  });
});

describe("the page", () => {
  test("a small one of our own", async () => {
    expect(await h.request("/")).toMatchObject({
      status: 200,
      text: expect.stringContaining("<title>Evert</title>"),
    });
  });

  test("a built directory, with its index for every path that is no file", async () => {
    const directory = await mkdtemp(join(tmpdir(), "evert-page-"));
    await mkdir(join(directory, "page/assets"), { recursive: true });
    await writeFile(join(directory, "page/index.html"), "<h1>app</h1>");
    await writeFile(join(directory, "page/assets/app-1a2b.js"), "app()");
    await writeFile(join(directory, "secret.txt"), "secret");
    const server = await createHttpServer(new FakeEngine(), { port: 0, staticDir: join(directory, "page") });
    try {
      const get = async (path: string, accept = "*/*") => {
        const response = await fetch(server.url + path, { headers: { Accept: accept } });
        return {
          status: response.status,
          text: await response.text(),
          cache: response.headers.get("Cache-Control"),
        };
      };
      expect(await get("/", "text/html")).toMatchObject({
        status: 200,
        text: "<h1>app</h1>",
        cache: "no-cache",
      });
      expect(await get("/some/route", "text/html,*/*")).toMatchObject({ status: 200, text: "<h1>app</h1>" });
      expect(await get("/assets/app-1a2b.js")).toMatchObject({
        status: 200,
        text: "app()",
        cache: expect.stringContaining("immutable"),
      });
      expect(await get("/assets/gone.js")).toMatchObject({ status: 404 });
      expect(await get("/v1/nothing", "text/html")).toMatchObject({ status: 404 });
      for (const path of ["/..%2fsecret.txt", "/%2e%2e/secret.txt", "/assets/..%5c..%5csecret.txt"]) {
        expect((await get(path)).text).not.toBe("secret");
      }
    } finally {
      await server.close();
      await rm(directory, { recursive: true });
    }
  });
});

describe("closing", () => {
  test("requests under way are answered, new ones refused", async () => {
    let open = () => {};
    h.engine.gate = new Promise((resolve) => {
      open = resolve;
    });
    const slow = h.song(1, "a");
    await until(() => h.engine.appends.length === 1);
    const closed = h.server.close();
    await expect(h.request("/health")).rejects.toThrow();
    open();
    expect(await slow).toMatchObject({ status: 200 });
    await closed;
  });

  test("a chunked append says how far it came", async () => {
    let controller: ReadableStreamDefaultController<Uint8Array>;
    const body = new ReadableStream<Uint8Array>({
      start(c) {
        controller = c;
      },
    });
    const answer = h.ndjson("/v1/topics/songs/records?atomic=false", body);
    controller!.enqueue(new TextEncoder().encode('{"id":1,"name":"a"}\n'));
    await until(() => h.engine.position === "1");
    const closed = h.server.close();
    expect(await answer).toMatchObject({
      status: 503,
      body: { error: { code: "shutting_down" }, committed: { count: 1 } },
    });
    await closed;
  });

  test("what does not end is cut off after a while", async () => {
    const engine = new FakeEngine();
    const server = await createHttpServer(engine, { port: 0, drainMs: 20 });
    engine.gate = new Promise(() => {});
    const stuck = fetch(`${server.url}/v1/topics/songs/records`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: '{"id":1,"name":"a"}',
    });
    const failed = expect(stuck).rejects.toThrow();
    await until(() => engine.appends.length === 1);
    await server.close();
    await failed;
  });

  test("twice is once", async () => {
    await Promise.all([h.server.close(), h.server.close()]);
    await h.server.close();
  });
});

test("a port that is taken is said so", async () => {
  await expect(createHttpServer(new FakeEngine(), { port: h.server.port })).rejects.toMatchObject({
    code: "connection_failed",
    hint: expect.stringContaining("port"),
  });
});

test("requests are logged at debug", async () => {
  const lines: string[] = [];
  const logger = pino({ level: "debug" }, { write: (line: string) => void lines.push(line) });
  const server = await createHttpServer(new FakeEngine(), { port: 0, logger });
  await fetch(`${server.url}/v1/topics?x=1`);
  await server.close();
  expect(JSON.parse(lines[0]!)).toMatchObject({
    msg: "request",
    method: "GET",
    path: "/v1/topics",
    status: 400,
  });
});
