/**
 * A key column's present name was looked for in the columns that the topic had before it was renamed: the subject of the key, its earlier ids and deletions by
 * them were answered with 500.
 */
import { expect, it } from "vitest";
import { createHttpServer } from "../../src/servers/http/server.ts";
import { AvroBytes } from "../../src/wire/avro/bytes.ts";
import { beginMessage, endMessage } from "../../src/wire/avro/framing.ts";
import { ownSchemaId } from "../../src/wire/avro/schema-ids.ts";
import { openInMemory, rowsOf, sql } from "../engine/support/memory.ts";
import { Client } from "../servers/http/harness.ts";

it("a key's schemas have the names that its columns had, and each of them deletes", async () => {
  const engine = await openInMemory();
  const server = await createHttpServer(engine, { port: 0 });
  const client = new Client(server.url);
  await sql(engine, "CREATE TABLE t (a text, id int PRIMARY KEY); INSERT INTO t VALUES ('x', 1), ('y', 2)");
  await sql(engine, "ALTER TABLE t RENAME COLUMN id TO nr; ALTER TABLE t DROP COLUMN a");
  const { id: topicId } = engine.topic("t");
  const ids = [1, 2, 3].map((version) => ownSchemaId({ topicId, version, isKey: true }) as number);
  expect((await client.request("/registry/subjects/t-key/versions")).body).toEqual([1, 2, 3]);
  const names: string[] = [];
  for (const id of ids) {
    const { body } = await client.request(`/registry/schemas/ids/${id}`);
    names.push(JSON.parse((body as { schema: string }).schema).fields[0].name);
  }
  expect(names).toEqual(["id", "nr", "nr"]);
  const out = new AvroBytes();
  for (const [i, id] of [ids[0], ids[2]].entries()) {
    const start = beginMessage(out, id as number);
    out.long(i + 1);
    endMessage(out, start);
  }
  const deletions = await client.request("/v1/topics/t/records", {
    method: "POST",
    headers: { "Content-Type": "avro/binary" },
    body: out.take(),
  });
  expect(deletions.status).toBe(200);
  expect(await rowsOf(engine, "SELECT nr FROM t")).toEqual([]);
  await client.close();
  await server.close();
  await engine.close();
});
