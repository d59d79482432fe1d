/**
 * A composite key is a JSON array in a path and in every message; in a transaction's `delete` it was taken for a list of keys, one per value, and
 * refused. And a CHECK that a transaction breaks is a constraint as UNIQUE is: 409, which POST /v1/transactions says of constraints, not 400.
 */
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Engine } from "../../src/engine/api.ts";
import { openEngine } from "../../src/engine/open-engine.ts";
import { createHttpServer, type HttpServer } from "../../src/servers/http/server.ts";
import { Client } from "../servers/http/harness.ts";
import { removeChecked } from "../support/left-behind.ts";

let directory: string;
let engine: Engine;
let server: HttpServer;
let client: Client;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "evert-composite-"));
  engine = await openEngine({ directory });
  server = await createHttpServer(engine, { port: 0 });
  client = new Client(server.url);
  await client.post("/v1/sql", {
    sql: "CREATE TABLE pairs (a int8, b text, n int CONSTRAINT small CHECK (n < 100), PRIMARY KEY (a, b)); CREATE MATERIALIZED VIEW v AS SELECT * FROM pairs",
  });
});
afterAll(async () => {
  await client.close();
  await server.close();
  await engine.close();
  await removeChecked(directory);
});

const transact = (...operations: object[]) => client.post("/v1/transactions", { operations });
async function pairs(): Promise<string> {
  const { text } = await client.post("/v1/sql", { sql: "SELECT a || b FROM pairs ORDER BY a, b" });
  return (JSON.parse(text) as { results: { rows: string[][] }[] }).results[0]!.rows.join();
}

test("one composite key, a list of them, objects", async () => {
  const rows = ["x", "y", "z", "u"].map((b, a) => ({ a, b, n: 1 }));
  expect(await transact({ topic: "pairs", append: rows })).toMatchObject({ status: 200 });
  expect(await transact({ topic: "pairs", delete: [0, "x"] })).toMatchObject({ status: 200 });
  expect(await pairs()).toBe("1y,2z,3u");
  expect(await transact({ topic: "pairs", delete: [[1, "y"], { a: 2, b: "z" }] })).toMatchObject({
    status: 200,
  });
  expect(await pairs()).toBe("3u");
  expect(await transact({ topic: "pairs", delete: [3] })).toMatchObject({
    status: 400,
    body: { error: { hint: "Give a list of its 2 values, or an object of them." } },
  });
  expect(await pairs()).toBe("3u");
});

test("a CHECK that fails is a conflict that names it, and nothing is stored", async () => {
  const operations = [
    { topic: "pairs", upsert: { a: 8, b: "b", n: 1 } },
    { topic: "pairs", upsert: { a: 9, b: "b", n: 100 } },
  ];
  expect(await transact(...operations)).toMatchObject({
    status: 409,
    body: { error: { code: "check_violation", message: expect.stringContaining('"small"') } },
  });
  expect(await pairs()).toBe("3u");
});
