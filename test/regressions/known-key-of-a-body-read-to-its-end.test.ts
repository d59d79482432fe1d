/**
 * A request with a known idempotency key is answered as it was, though its records would be refused now. That held for an array only: a single record, a last line
 * without its line feed and an Arrow stream are refused when the body has been read to its end, and then nobody asked for the key.
 */
import { afterEach, beforeEach, expect, it } from "vitest";
import { schemaOf } from "../../src/batch/schema.ts";
import { int4, text } from "../../src/batch/types.ts";
import { BodyMaker } from "../../src/client/columns.ts";
import type { Database } from "../../src/engine/database.ts";
import { createHttpServer, type HttpServer } from "../../src/servers/http/server.ts";
import { openInMemory, sql } from "../engine/support/memory.ts";

let engine: Database;
let server: HttpServer;

beforeEach(async () => {
  engine = await openInMemory();
  server = await createHttpServer(engine, { port: 0 });
});

afterEach(async () => {
  await server.close();
  await engine.close();
});

const records = "/v1/topics/notes/records";

async function append(
  type: string,
  body: BodyInit,
  key = "again",
): Promise<{ status: number; body: { position?: string; error?: { code: string } } }> {
  const headers = { "Content-Type": type, "Idempotency-Key": key };
  const answer = await fetch(server.url + records, { method: "POST", headers, body });
  return { status: answer.status, body: (await answer.json()) as { position?: string } };
}

const arrow = new BodyMaker(
  schemaOf([
    { name: "n", type: int4, nullable: true },
    { name: "t", type: text, nullable: true },
  ]),
).ofColumns({ n: [1], t: ["a"] });

it.each<[string, string, BodyInit]>([
  ["an array", "application/json", '[{"n":1,"t":"a"}]'],
  ["one record", "application/json", '{"n":1,"t":"a"}'],
  ["a line", "application/x-ndjson", '{"n":1,"t":"a"}\n'],
  ["a line without its line feed", "application/x-ndjson", '{"n":1,"t":"a"}'],
  ["Arrow", "application/vnd.apache.arrow.stream", arrow],
])("answers %s again", async (_, type, body) => {
  await sql(engine, "CREATE TABLE notes (n int, t text) WITH (append_only)");
  const first = await append(type, body);
  expect(first).toMatchObject({ status: 200, body: { count: 1 } });
  await sql(engine, "DROP TABLE notes");
  await sql(engine, "CREATE TABLE notes (n int)");
  expect(await append(type, body)).toMatchObject({ status: 200, body: { position: first.body.position } });
  expect(await append(type, body, "other")).toMatchObject({ status: 400 });
});
