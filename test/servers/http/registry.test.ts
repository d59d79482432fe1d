/** The schema registry, asked as Confluent's clients ask theirs. */
import avsc from "avsc";
import { beforeEach, describe, expect, test } from "vitest";
import { AvroBytes } from "../../../src/wire/avro/bytes.ts";
import { beginMessage, endMessage } from "../../../src/wire/avro/framing.ts";
import { rowsOf, sql } from "../../engine/support/memory.ts";
import { client, close, disk, engine, open } from "./served.ts";

beforeEach(async () => {
  await sql(
    engine,
    `CREATE TABLE orders (id int8 PRIMARY KEY, note text, price numeric(10,2));
     CREATE TABLE odd (i interval) WITH (append_only)`,
  );
});

const vnd = { "Content-Type": "application/vnd.schemaregistry.v1+json" };
const record = (...fields: object[]) => JSON.stringify({ type: "record", name: "com.acme.Order", fields });
const idOnly = record({ name: "id", type: "long" });
const withNote = record({ name: "note", type: "string" }, { name: "id", type: "int" });

const get = (path: string) => client.request(`/registry/${path}`);
const post = (path: string, schema: string, more: object = {}) =>
  client.post(`/registry/${path}`, { schema, ...more }, vnd);
const register = (schema: string) => post("subjects/orders-value/versions", schema);

function own(): { id: number; schema: string } {
  return { id: expect.any(Number) as number, schema: expect.stringContaining('"name":"orders"') as string };
}

test("a topic's columns have a schema without anybody's doing", async () => {
  expect((await get("subjects")).body).toEqual(["orders-value", "orders-key", "odd-value"]);
  expect((await get("subjects/orders-value/versions")).body).toEqual([1]);
  const { body } = await get("subjects/orders-value/versions/latest");
  expect(body).toEqual({ subject: "orders-value", version: 1, ...own() });
  const { id, schema } = body as { id: number; schema: string };
  expect((await get(`schemas/ids/${id}`)).body).toEqual({ schema });
  expect((await get(`schemas/ids/${id}?subject=orders-value&fetchMaxId=false`)).body).toEqual({ schema });
  expect((await post("subjects/orders-value", schema)).body).toEqual(body);
  expect((await register(schema)).body).toEqual({ id });
  const key = (await get("subjects/orders-key/versions/1")).body as { schema: string };
  expect(JSON.parse(key.schema)).toEqual({
    type: "record",
    name: "orders_key",
    fields: [{ name: "id", type: "long" }],
  });
  expect(await rowsOf(engine, "SELECT count(*) FROM evert_schemas")).toEqual([["0"]]);
});

test("a writer registers its schema, sends by its id, and is read by the topic's", async () => {
  expect((await register(withNote)).body).toEqual({ id: 1 });
  expect((await register(` ${withNote}`)).body, "the same in other words").toEqual({ id: 1 });
  expect((await register(idOnly)).body).toEqual({ id: 2 });
  expect((await get("schemas/ids/1")).body).toEqual({ schema: withNote });
  expect((await get("subjects/orders-value/versions")).body).toEqual([1, 2, 3]);
  expect((await post("subjects/orders-value", idOnly)).body).toMatchObject({ version: 3, id: 2 });
  const out = new AvroBytes();
  const start = beginMessage(out, 1);
  out.raw(avsc.Type.forSchema(JSON.parse(withNote)).toBuffer({ note: "x", id: 7 }));
  endMessage(out, start);
  const { status } = await client.request("/v1/topics/orders/records", {
    method: "POST",
    headers: { "Content-Type": "avro/binary" },
    body: out.take(),
  });
  expect(status).toBe(200);
  expect(await rowsOf(engine, "SELECT * FROM orders")).toEqual([["7", "x", null]]);
});

test("many that register the same at once get one id", async () => {
  const answers = await Promise.all(Array.from({ length: 8 }, () => register(idOnly)));
  expect(new Set(answers.map(({ text }) => text))).toEqual(new Set(['{"id":1}']));
});

describe("what does not fit", () => {
  test("a request longer than any schema that is taken is refused before it is parsed", async () => {
    expect(await register(" ".repeat(3 * 2 ** 20))).toMatchObject({
      status: 413,
      body: { error_code: 41301 },
    });
    expect(await register(record({ name: "id", type: "long", doc: "\u0001".repeat(40_000) }))).toMatchObject({
      status: 200,
    });
  });

  test("is refused with 409, and the reasons", async () => {
    const { status, body } = await register(record({ name: "note", type: "int" }));
    expect([status, body]).toMatchObject([
      409,
      {
        error_code: 409,
        message: expect.stringMatching(/no field for column "id".*column "note": int cannot become text/),
      },
    ]);
    expect(
      (await register(record({ name: "id", type: ["null", "long"] }))).status,
      "a null that may come",
    ).toBe(409);
    expect((await post("subjects/orders-key/versions", idOnly)).status).toBe(409);
    expect((await get("subjects/orders-value/versions")).body).toEqual([1]);
  });

  test("is told beforehand", async () => {
    const check = (schema: string, version = "latest") =>
      post(`compatibility/subjects/orders-value/versions/${version}`, schema);
    expect((await check(idOnly)).body).toEqual({ is_compatible: true, messages: [] });
    expect((await check(record({ name: "id", type: "string" }))).body).toEqual({
      is_compatible: false,
      messages: ['column "id": string cannot become int8'],
    });
    expect((await check(idOnly, "9")).body).toMatchObject({ error_code: 40402 });
    expect((await get("config")).body).toEqual({ compatibilityLevel: "FORWARD" });
    expect((await get("config/orders-value")).body).toEqual({ compatibilityLevel: "FORWARD" });
  });

  test.each<[string, () => Promise<object>, number, number]>([
    ["an id that there is not", () => get("schemas/ids/9"), 404, 40403],
    ["an id that is none", () => get("schemas/ids/x"), 404, 40403],
    ["a subject without topic", () => get("subjects/none-value/versions"), 404, 40401],
    ["a key where there is none", () => get("subjects/odd-key/versions"), 404, 40401],
    ["a version that there is not", () => get("subjects/orders-value/versions/7"), 404, 40402],
    ["a version that is none", () => get("subjects/orders-value/versions/x"), 422, 42202],
    ["columns without an Avro form", () => get("subjects/odd-value/versions/latest"), 404, 40402],
    ["a schema that is not there", () => post("subjects/orders-value", idOnly), 404, 40403],
    ["no schema", () => register('{"type":"record"}'), 422, 42201],
    ["no JSON", () => register("{"), 422, 42201],
    [
      "another kind of schema",
      () => post("subjects/orders-value/versions", "x", { schemaType: "JSON" }),
      422,
      42201,
    ],
    ["references", () => post("subjects/orders-value/versions", idOnly, { references: [{}] }), 422, 42201],
    [
      "a body of another type",
      () => client.request("/registry/subjects/orders-value", { method: "POST", body: "{}" }),
      400,
      40001,
    ],
    [
      "a body that is no object",
      () => client.request("/registry/subjects/orders-value", { method: "POST", headers: vnd, body: "null" }),
      400,
      40001,
    ],
  ])("%s", async (_, ask, status, code) => {
    expect(await ask()).toMatchObject({ status, body: { error_code: code, message: expect.any(String) } });
  });

  test("what happened and what to do are sentences of one text", async () => {
    const headers = { "content-type": "text/plain" };
    const refused = await client.request("/registry/subjects/orders-value", {
      method: "POST",
      headers,
      body: "{}",
    });
    expect(refused.body).toMatchObject({
      message:
        'the body\'s format is not known: Content-Type is "text/plain". Send Content-Type: application/json.',
    });
  });
});

describe("ids", () => {
  async function all(): Promise<unknown> {
    const versions = await Promise.all(
      ["orders-value", "orders-key"].map(async (subject) => {
        const { body } = await get(`subjects/${subject}/versions`);
        return Promise.all(
          (body as number[]).map(
            async (version) => (await get(`subjects/${subject}/versions/${version}`)).body,
          ),
        );
      }),
    );
    return versions;
  }

  async function history(): Promise<void> {
    await register(withNote);
    await sql(engine, "ALTER TABLE orders ADD COLUMN at timestamptz");
    await register(idOnly);
    await sql(engine, "ALTER TABLE orders DROP COLUMN price");
  }

  test("are the same after a restart, from the checkpoint and from the log alone", async () => {
    await history();
    const before = await all();
    expect((before as { version: number }[][])[0]).toHaveLength(5);
    await close();
    await open();
    expect(await all()).toEqual(before);
    await close();
    await disk.unlink("/data/checkpoint/manifest");
    await open();
    expect(await all()).toEqual(before);
    expect((await register(record({ name: "id", type: "int" }))).body).toEqual({ id: 3 });
  });

  test("that were told survive the machine", async () => {
    await history();
    const before = await all();
    const left = disk.reboot("power cut");
    await close().catch(() => {});
    await open(left);
    expect(await all()).toEqual(before);
  });

  test("stay when the topic goes, and are not given to the next of its name", async () => {
    await register(withNote);
    await sql(engine, "DROP TABLE orders; CREATE TABLE orders (id int8 PRIMARY KEY)");
    expect((await get("schemas/ids/1")).body).toEqual({ schema: withNote });
    expect((await get("subjects/orders-value/versions")).body).toEqual([1]);
    expect((await register(idOnly)).body).toEqual({ id: 2 });
  });
});
