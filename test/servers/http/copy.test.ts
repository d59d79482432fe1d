/** POST /v1/copy over a socket, with the engine itself behind it. */
import { once } from "node:events";
import { connect } from "node:net";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { CopyOut } from "../../../src/engine/api.ts";
import type { Database } from "../../../src/engine/database.ts";
import { createHttpServer, type HttpServer } from "../../../src/servers/http/server.ts";
import { openInMemory, rowsOf, sql } from "../../engine/support/memory.ts";
import { FakeEngine } from "../fake-engine.ts";
import { until } from "./harness.ts";

let engine: Database;
let server: HttpServer;

beforeAll(async () => {
  engine = await openInMemory();
  await sql(engine, "CREATE TABLE t (a int PRIMARY KEY, b text)");
  server = await createHttpServer(engine, { port: 0 });
});

afterAll(async () => {
  await server.close();
  await engine.close();
});

function copy(statement: string, body?: string, type = "text/csv"): Promise<Response> {
  return fetch(`${server.url}/v1/copy?statement=${encodeURIComponent(statement)}`, {
    method: "POST",
    headers: { "Content-Type": type },
    ...(body === undefined ? {} : { body }),
  });
}

test("rows in, and out again", async () => {
  const stored = await copy("COPY t FROM STDIN (FORMAT csv, HEADER)", 'a,b\n1,x\n2,"y, z"\n');
  expect(await stored.json()).toEqual({ command: "COPY 2", rowCount: 2, position: engine.position });
  expect(stored.headers.get("Evert-Position")).toBe(engine.position);
  const given = await copy("COPY t TO STDOUT CSV");
  expect(given.headers.get("Content-Type")).toBe("text/csv; charset=utf-8");
  expect(await given.text()).toBe('1,x\n2,"y, z"\n');
});

test("more than a commit may have stores nothing, and names what takes more", async () => {
  const small = await createHttpServer(engine, { port: 0, bodyLimitBytes: 10 });
  const told = await fetch(`${small.url}/v1/copy?statement=COPY%20t%20FROM%20STDIN%20CSV`, {
    method: "POST",
    headers: { "Content-Type": "text/csv" },
    body: "5,x\n6,y\n7,z\n",
  });
  expect(told.status).toBe(413);
  expect(await told.json()).toMatchObject({
    error: { detail: "COPY is one commit.", hint: expect.stringContaining("evert append") },
  });
  await small.close();
  expect(await rowsOf(engine, "SELECT count(*) FROM t WHERE a > 2")).toEqual([["0"]]);
});

test("rows of a pipe may come as late as they like", async () => {
  const serving = await createHttpServer(engine, { port: 0, stallMs: 20 });
  const socket = connect(serving.port, "127.0.0.1");
  socket.write(
    "POST /v1/copy?statement=COPY%20t%20FROM%20STDIN%20CSV HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/csv\r\nContent-Length: 5\r\nConnection: close\r\n\r\n9",
  );
  await new Promise((resolve) => setTimeout(resolve, 100));
  socket.write(",z\r\n");
  const [piece] = await once(socket.setEncoding("utf8"), "data");
  expect(piece).toMatch(/^HTTP\/1\.1 200 [\s\S]*COPY 1/);
  await once(socket, "close");
  await serving.close();
  await sql(engine, "DELETE FROM t WHERE a = 9");
});

test("what cannot be read stores nothing, and names its line and column", async () => {
  const answer = await copy("COPY t FROM STDIN CSV", "3,x\nfour,y\n");
  expect(answer.status).toBe(400);
  expect(await answer.json()).toMatchObject({
    error: { sqlstate: "22P02", detail: 'COPY t, line 2, column a: "four"' },
  });
  expect(await rowsOf(engine, "SELECT count(*) FROM t WHERE a > 2")).toEqual([["0"]]);
});

test("what a page of another origin may send without asking is refused", async () => {
  const answer = await copy("COPY t FROM STDIN", "9\tx\n", "text/plain");
  expect(answer.status).toBe(400);
  expect(await rowsOf(engine, "SELECT count(*) FROM t WHERE a = 9")).toEqual([["0"]]);
});

test("a statement is wanted, and it is a COPY", async () => {
  expect((await copy("SELECT 1")).status).toBe(400);
  const none = await fetch(`${server.url}/v1/copy`, {
    method: "POST",
    headers: { "Content-Type": "text/csv" },
  });
  expect(none.status).toBe(400);
});

/** Its COPY … TO STDOUT has no end, or ends with an error. */
class LongCopy extends FakeEngine {
  released = false;
  readonly #failsAt: number;

  constructor(failsAt: number) {
    super();
    this.#failsAt = failsAt;
  }

  override async copy(): Promise<CopyOut> {
    const pieces = async function* (this: LongCopy) {
      try {
        for (let made = 0; made < this.#failsAt; made++) yield `${"x".repeat(64 * 1024)}\n`;
        throw new Error("it cannot go on");
      } finally {
        this.released = true;
      }
    }.bind(this);
    return { direction: "out", position: "0", format: "text", pieces: pieces() };
  }
}

test("a client that takes no more of it is given up", async () => {
  const printed = vi.spyOn(console, "error");
  const long = new LongCopy(Number.POSITIVE_INFINITY);
  const serving = await createHttpServer(long, { port: 0, stallMs: 200 });
  const socket = connect(serving.port, "127.0.0.1");
  socket.on("error", () => undefined);
  socket.write(
    "POST /v1/copy?statement=COPY%20t%20TO%20STDOUT HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/csv\r\nContent-Length: 0\r\n\r\n",
  );
  await once(socket, "data");
  socket.pause();
  await until(() => long.released);
  socket.resume();
  await once(socket, "close");
  await serving.close();
  // It is the log's affair, not the terminal's.
  expect(printed).not.toHaveBeenCalled();
  printed.mockRestore();
});

test("what fails on its way is not taken for the whole", async () => {
  const printed = vi.spyOn(console, "error");
  const serving = await createHttpServer(new LongCopy(3), { port: 0 });
  const answer = await fetch(`${serving.url}/v1/copy?statement=COPY%20t%20TO%20STDOUT`, {
    method: "POST",
    headers: { "Content-Type": "text/csv" },
  });
  expect(answer.status).toBe(200);
  await expect(answer.text()).rejects.toThrow();
  await serving.close();
  expect(printed).not.toHaveBeenCalled();
  printed.mockRestore();
});
