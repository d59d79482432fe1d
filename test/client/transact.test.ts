/** Transactions by the client, against the real server. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { connect } from "../../src/client/index.ts";
import type { Client } from "../../src/client/types.ts";
import type { Database } from "../../src/engine/database.ts";
import { createHttpServer } from "../../src/servers/http/server.ts";
import { openInMemory, rowsOf, sql } from "../engine/support/memory.ts";

let engine: Database;
let server: Awaited<ReturnType<typeof createHttpServer>>;
let client: Client;
/** Requests whose answers are lost. */
let lost = 0;

beforeEach(async () => {
  engine = await openInMemory();
  await sql(
    engine,
    "CREATE TABLE t (k int8 PRIMARY KEY, a int4); CREATE TABLE s (n int8) WITH (append_only)",
  );
  server = await createHttpServer(engine, { port: 0 });
  lost = 0;
  client = connect(server.url, {
    fetch: async (input, init) => {
      const answer = await fetch(input, init);
      if (lost-- > 0) throw new TypeError("the answer was lost");
      return answer;
    },
  });
});

afterEach(async () => {
  client.close();
  await server.close();
  await engine.close();
});

test("all of it is stored, once, though answers are lost", async () => {
  lost = 2;
  const { position } = await client.transact([
    { topic: "t", upsert: [{ k: 2n ** 60n + 1n, a: 1 }] },
    { topic: { name: "s" }, append: { n: 1 } },
    { topic: "t", delete: 7 },
  ]);
  expect(client.position).toBe(position);
  expect(await rowsOf(engine, "SELECT k, a FROM t")).toEqual([[String(2n ** 60n + 1n), "1"]]);
  expect(await rowsOf(engine, "SELECT n FROM s")).toEqual([["1"]]);
  await expect(
    client.transact([
      { topic: "s", append: { n: 2 } },
      { topic: "t", upsert: { k: "x" } },
    ]),
  ).rejects.toMatchObject({
    status: 400,
  });
  expect(await rowsOf(engine, "SELECT n FROM s")).toEqual([["1"]]);
});

test("what it expects holds, or it is refused once and for all", async () => {
  const key = { topic: { name: "t" }, key: 1 };
  const put = (a: number) => [{ topic: "t", upsert: { k: 1, a } }];
  const { position } = await client.transact(put(1), { expect: [{ ...key, version: null }] });
  lost = 1;
  await client.transact(put(2), { expect: [{ ...key, version: position }] });
  await expect(client.transact(put(3), { expect: [{ ...key, version: position }] })).rejects.toMatchObject({
    code: "conflict",
    retryable: false,
  });
  await expect(client.transact(put(3), { expect: [{ position }] })).rejects.toMatchObject({
    code: "conflict",
  });
  expect(await rowsOf(engine, "SELECT k, a FROM t")).toEqual([["1", "2"]]);
});
