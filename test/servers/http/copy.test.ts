/** POST /v1/copy over a socket, with the engine itself behind it. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Database } from "../../../src/engine/database.ts";
import { createHttpServer, type HttpServer } from "../../../src/servers/http/server.ts";
import { openInMemory, rowsOf, sql } from "../../engine/support/memory.ts";

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
