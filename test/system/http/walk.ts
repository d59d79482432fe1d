/** What all parts of the walk share: the server, the topics and views on it, and requests whose answers are held against its own OpenAPI document. */
import { join } from "node:path";
import { afterAll, beforeAll, expect } from "vitest";
import { SseDecoder, type SseEvent } from "../../../src/wire/http/sse.ts";
import { Contract } from "../contract.ts";
import { TestServer } from "../server.ts";

export const json = "application/json";
export const ndjson = "application/x-ndjson";
export const arrow = "application/vnd.apache.arrow.stream";
export const events = "text/event-stream";

export let server: TestServer;
export let contract: Contract;

beforeAll(async () => {
  server = await TestServer.start(join(import.meta.dirname, "../app.ts"));
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

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly body: never;
}

export interface RequestOptions {
  readonly type?: string;
  readonly accept?: string;
  readonly headers?: Record<string, string>;
  /** Of another server; absent: the one that all tests share. */
  readonly url?: string;
}

/** `GET /v1/…`; a body that is no text or bytes goes as JSON. The answer is checked against the contract. */
export async function ask(request: string, content?: unknown, options: RequestOptions = {}): Promise<Answer> {
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

export async function ok(request: string, content?: unknown, options?: RequestOptions): Promise<Answer> {
  const answer = await ask(request, content, options);
  expect(answer.status, answer.text).toBe(200);
  return answer;
}

export async function bytesOf(path: string, accept: string): Promise<Uint8Array> {
  const response = await fetch(server.url + path, { headers: { Accept: accept } });
  expect(response.headers.get("Content-Type")).toBe(accept);
  return new Uint8Array(await response.arrayBuffer());
}

/** An open event stream. */
export async function listen(path: string, headers: Record<string, string> = {}) {
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

export const error = (code: string, sqlstate: string, more: object = {}) => ({
  error: { code, sqlstate, message: expect.any(String), ...more },
});
export const position = expect.stringMatching(/^\d+$/);
export const appended = (count: number) => ({
  position,
  count,
  firstOffset: expect.any(Number),
  lastOffset: expect.any(Number),
});

/** All of a topic, as lines. */
export const records = async (topic: string) => (await ok(`GET /v1/topics/${topic}/records`)).text;
