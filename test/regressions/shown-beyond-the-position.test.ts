/** What consumers and producers have said is known before readers are there: their lists showed positions beyond that of the answer. */
import { expect, test } from "vitest";
import { createHttpServer } from "../../src/servers/http/server.ts";
import { openInMemory, sql } from "../engine/support/memory.ts";
import { Client } from "../servers/http/harness.ts";

test("an answer's position is not before what it shows", async () => {
  const engine = await openInMemory();
  await sql(engine, "CREATE TABLE s (n int4) WITH (append_only)");
  // Readers who are behind.
  Object.defineProperty(engine, "position", { get: () => "1" });
  const server = await createHttpServer(engine, { port: 0 });
  const client = new Client(server.url);
  try {
    await client.post("/v1/consumers", { name: "a", topics: ["s"] });
    const place = { "Producer-Id": "p", "Producer-Epoch": "0", "Producer-Seq": "0" };
    await client.post("/v1/topics/s/records", { n: 1 }, place);
    await client.post("/v1/consumers", { name: "b", topics: ["s"] });
    const all = await client.request("/v1/consumers");
    expect([all.position, all.body]).toMatchObject(["4", { position: "4" }]);
    expect((await client.request("/v1/consumers/a")).position).toBe("2");
    expect((await client.request("/v1/producers/p")).position).toBe("3");
  } finally {
    await client.close();
    await server.close();
    await engine.close();
  }
});
