/** Plain appends go past the framework, and nobody can tell: a query of nothing has the same request go through it. */
import { once } from "node:events";
import { Agent, type IncomingMessage, request } from "node:http";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Database } from "../../../src/engine/database.ts";
import { createHttpServer, type HttpServer } from "../../../src/servers/http/server.ts";
import { openInMemory, sql } from "../../engine/support/memory.ts";

/** A server with a database of its own. */
class Side {
  readonly agent = new Agent({ keepAlive: true, maxSockets: 1 });
  readonly engine: Database;
  readonly server: HttpServer;
  readonly query: string;

  private constructor(engine: Database, server: HttpServer, query: string) {
    this.engine = engine;
    this.server = server;
    this.query = query;
  }

  static async start(query: string): Promise<Side> {
    const engine = await openInMemory();
    await sql(engine, "CREATE TABLE s (a int4 NOT NULL, b text) WITH (append_only)");
    await sql(engine, "CREATE TABLE t (a int4 PRIMARY KEY)");
    const server = await createHttpServer(engine, { port: 0, bodyLimitBytes: 1000 });
    return new Side(engine, server, query);
  }

  async stop(): Promise<void> {
    this.agent.destroy();
    await this.server.close();
    await this.engine.close();
  }

  async send({ topic = "s", headers = {}, body = "", chunked = false }: Asked): Promise<Told> {
    const named = Array.isArray(headers) ? headers : Object.entries(headers).flat();
    const host = named.includes("Host") ? [] : ["Host", `127.0.0.1:${this.server.port}`];
    const length = chunked ? [] : ["Content-Length", String(Buffer.byteLength(body))];
    const sent = request({
      host: "127.0.0.1",
      port: this.server.port,
      agent: this.agent,
      method: "POST",
      path: `/v1/topics/${topic}/records${this.query}`,
      headers: [...host, ...named, ...length] as never,
    });
    sent.end(body);
    const [answer] = (await once(sent, "response")) as [IncomingMessage];
    let text = "";
    answer.setEncoding("utf8");
    for await (const piece of answer) text += piece;
    const { date: _, ...others } = answer.headers;
    return { status: answer.statusCode, headers: others, text };
  }

  /** How often the route was asked, by status. */
  async counted(): Promise<string[]> {
    const answer = await fetch(`${this.server.url}/metrics`);
    const lines = (await answer.text()).split("\n");
    return lines.filter((line) => line.startsWith('evert_http_request_seconds_count{method="POST"')).sort();
  }

  async rows(): Promise<string> {
    return (await fetch(`${this.server.url}/v1/topics/s/records`)).text().then(withoutTimes);
  }
}

interface Asked {
  readonly topic?: string;
  /** By name, or names and values by turns. */
  readonly headers?: Readonly<Record<string, string>> | readonly string[];
  readonly body?: string;
  readonly chunked?: boolean;
}

interface Told {
  readonly status: number | undefined;
  readonly headers: Record<string, unknown>;
  readonly text: string;
}

function withoutTimes(text: string): string {
  return text.replaceAll(/"timestamp":"[^"]*"/g, "");
}

const json = { "Content-Type": "application/json" };
const ndjson = { "Content-Type": "application/x-ndjson; charset=utf-8" };
const place = (seq: string) => ({ "Producer-Id": "p", "Producer-Epoch": "0", "Producer-Seq": seq });
const keyed = { ...json, "Idempotency-Key": "k" };

let direct: Side;
let framed: Side;

beforeEach(async () => {
  direct = await Side.start("");
  framed = await Side.start("?");
});

afterEach(async () => {
  await direct.stop();
  await framed.stop();
});

const one = '{"a":1}';

describe("what is answered, stored and counted is the same", () => {
  test.each<[string, number, Asked[]]>([
    ["a value", 200, [{ headers: json, body: one }]],
    ["an array of unknown length", 200, [{ headers: json, body: `[${one},{"a":2,"b":"x"}]`, chunked: true }]],
    ["lines", 200, [{ headers: ndjson, body: `${one}\n${one}\n` }]],
    [
      "a key that comes again",
      200,
      [
        { headers: keyed, body: one },
        { headers: keyed, body: one },
      ],
    ],
    [
      "a key with another body",
      422,
      [
        { headers: keyed, body: one },
        { headers: keyed, body: '{"a":2}' },
      ],
    ],
    ["an empty key", 400, [{ headers: { ...json, "Idempotency-Key": "" }, body: one }]],
    ["a producer", 200, [{ headers: { ...json, ...place("0") }, body: one }]],
    ["a producer that lacks a number", 400, [{ headers: { ...json, "Producer-Id": "p" }, body: one }]],
    ["a producer with a gap", 409, [{ headers: { ...json, ...place("5") }, body: one }]],
    [
      "a producer's number of long ago",
      204,
      [..."01234567", "0"].map((seq) => ({ headers: { ...json, ...place(seq) }, body: one })),
    ],
    ["nothing", 400, [{ headers: json }]],
    ["a value that does not fit", 400, [{ headers: ndjson, body: `${one}\n{"a":"x"}` }]],
    ["no JSON", 400, [{ headers: json, body: "[1" }]],
    ["no type", 400, [{ body: one }]],
    ["a type that is not taken", 400, [{ headers: { "Content-Type": "text/plain" }, body: one }]],
    [
      "another charset",
      400,
      [{ headers: { "Content-Type": "application/json; charset=latin1" }, body: one }],
    ],
    ["a compressed body", 400, [{ headers: { ...json, "Content-Encoding": "gzip" }, body: one }]],
    [
      "a body that says it is none",
      200,
      [{ headers: { ...json, "Content-Encoding": "identity" }, body: one }],
    ],
    ["a topic that is not there", 404, [{ topic: "nowhere", headers: json, body: one }]],
    ["a constraint", 200, [{ topic: "t", headers: json, body: one }]],
    ["too much", 413, [{ headers: json, body: `[${one.repeat(1000)}]` }]],
    ["too much of unknown length", 413, [{ headers: json, body: `[${one.repeat(1000)}]`, chunked: true }]],
    [
      "columns that are none",
      400,
      [{ headers: { "Content-Type": "application/vnd.apache.arrow.stream" }, body: one }],
    ],
    ["a page of another site", 403, [{ headers: { ...json, "Sec-Fetch-Site": "cross-site" }, body: one }]],
  ])("%s", async (_, status, asked) => {
    for (const [i, each] of asked.entries()) {
      const told = await direct.send(each);
      expect(told).toEqual(await framed.send(each));
      if (i === asked.length - 1) expect(told.status, told.text).toBe(status);
    }
    expect(await direct.counted()).toEqual(await framed.counted());
    expect(await direct.rows()).toBe(await framed.rows());
    // The connection goes on.
    expect((await direct.send({ headers: json, body: one })).status).toBe(200);
  });
});

test.each<[string, number, string[]]>([
  ["a type given twice", 400, ["Content-Type", "application/json", "Content-Type", "text/plain"]],
  ["a host of elsewhere", 403, ["Host", "elsewhere.example", "Content-Type", "application/json"]],
  ["a host that is none", 400, ["Host", "a b", "Content-Type", "application/json"]],
])("%s is refused", async (_, status, headers) => {
  const told = await direct.send({ headers, body: one });
  expect(told).toEqual(await framed.send({ headers, body: one }));
  expect(told.status).toBe(status);
});

test("a client that goes away in the middle of a body disturbs nobody", async () => {
  const cut = request({
    host: "127.0.0.1",
    port: direct.server.port,
    method: "POST",
    path: "/v1/topics/s/records",
    headers: { ...json, "Content-Length": "100" },
  });
  cut.on("error", () => {});
  cut.write('[{"a":1},');
  await new Promise((resolve) => setTimeout(resolve, 20));
  cut.destroy();
  expect((await direct.send({ headers: json, body: one })).text).toContain('"count":1');
  expect(await direct.rows()).not.toContain('"offset":1');
});
