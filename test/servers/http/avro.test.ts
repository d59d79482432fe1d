/** Records in Avro over HTTP, written and read by avsc as any other program would. */
import { deflateRawSync, zstdCompressSync } from "node:zlib";
import avsc from "avsc";
import { beforeEach, describe, expect, test } from "vitest";
import { AvroBytes } from "../../../src/wire/avro/bytes.ts";
import { readHead, writeBlock, writeHead } from "../../../src/wire/avro/container.ts";
import { readBlock } from "../../../src/wire/avro/decompress.ts";
import { beginMessage, endMessage, Messages } from "../../../src/wire/avro/framing.ts";
import { ownSchemaId } from "../../../src/wire/avro/schema-ids.ts";
import { rowsOf, sql } from "../../engine/support/memory.ts";
import { client, engine } from "./served.ts";

beforeEach(async () => {
  await sql(
    engine,
    `CREATE TABLE orders (id int8 PRIMARY KEY, note text, price numeric(10,2));
     CREATE TABLE events (n int4 NOT NULL, word text) WITH (append_only);
     CREATE TABLE odd (i interval) WITH (append_only)`,
  );
});

const path = (topic: string) => `/v1/topics/${topic}/records`;

const event = avsc.Type.forSchema({
  type: "record",
  name: "events",
  fields: [
    { name: "n", type: "int" },
    { name: "word", type: ["null", "string"], default: null },
  ],
});

function idOf(topic: string, isKey = false): number {
  const { id, schemaVersion } = engine.topic(topic);
  return ownSchemaId({ topicId: id, version: schemaVersion, isKey }) as number;
}

function framed(...messages: readonly (readonly [id: number, value: Uint8Array])[]): Uint8Array {
  const out = new AvroBytes();
  for (const [id, value] of messages) {
    const start = beginMessage(out, id);
    out.raw(value);
    endMessage(out, start);
  }
  return out.take();
}

function file(schema: object, codec: string, ...blocks: readonly (readonly Uint8Array[])[]): Uint8Array {
  const mark = new Uint8Array(16).fill(7);
  const out = new AvroBytes();
  const compress =
    { deflate: deflateRawSync, zstandard: zstdCompressSync }[codec] ?? ((bytes: Buffer) => bytes);
  writeHead(out, JSON.stringify(schema), mark);
  for (const values of blocks) writeBlock(out, values.length, compress(Buffer.concat(values)), mark);
  const bytes = Buffer.from(out.take());
  if (codec === "null") return bytes;
  const head = Buffer.concat([Buffer.from([codec.length * 2]), Buffer.from(codec)]);
  const at = bytes.indexOf(Buffer.from([8, ...Buffer.from("null")]), bytes.indexOf("avro.codec"));
  return Buffer.concat([bytes.subarray(0, at), head, bytes.subarray(at + 5)]);
}

function post(topic: string, body: Uint8Array, type = "avro/binary", headers: Record<string, string> = {}) {
  return client.request(path(topic), {
    method: "POST",
    headers: { "Content-Type": type, ...headers },
    body: body as RequestInit["body"] & Uint8Array,
  });
}

async function get(topic: string, accept: string, query = ""): Promise<Uint8Array> {
  const response = await client.fetch(path(topic) + query, { headers: { Accept: accept } });
  expect(response.headers.get("Content-Type")).toBe(accept);
  return new Uint8Array(await response.arrayBuffer());
}

function messagesIn(body: Uint8Array): { id: number | null; value: Buffer }[] {
  const messages = new Messages(body);
  const found: { id: number | null; value: Buffer }[] = [];
  for (let m = messages.next(); m !== undefined; m = messages.next())
    found.push({ id: m.schemaId, value: Buffer.from(m.bytes.subarray(m.from, m.to)) });
  return found;
}

describe("messages", () => {
  test("are appended, and read back in the same bytes", async () => {
    const id = idOf("events");
    const body = framed(
      [id, event.toBuffer({ n: 1, word: "a" })],
      [id, event.toBuffer({ n: 2, word: null })],
    );
    expect(await post("events", body)).toMatchObject({
      status: 200,
      body: { count: 2, firstOffset: 0, lastOffset: 1 },
    });
    expect(await rowsOf(engine, "SELECT n, word FROM events")).toEqual([
      ["1", "a"],
      ["2", null],
    ]);
    expect(await get("events", "avro/binary")).toEqual(body);
    expect(await get("events", "avro/binary", "?from=1&limit=1")).toEqual(
      framed([id, event.toBuffer({ n: 2, word: null })]),
    );
  });

  test("in several frames are one message", async () => {
    const message = framed([idOf("events"), event.toBuffer({ n: 1, word: "abc" })]);
    const [head, tail] = [message.subarray(4, 7), message.subarray(7, -4)];
    const pieces = [[0, 0, 0, head.length], head, [0, 0, 0, tail.length], tail, [0, 0, 0, 0]];
    expect((await post("events", Buffer.concat(pieces.map((p) => Buffer.from(p))))).status).toBe(200);
    expect(await rowsOf(engine, "SELECT n, word FROM events")).toEqual([["1", "abc"]]);
  });

  test("in the schema of the key delete", async () => {
    await sql(
      engine,
      "INSERT INTO orders VALUES (1, 'a', 2.50), (2, 'b', NULL); DELETE FROM orders WHERE id = 1",
    );
    const body = await get("orders", "avro/binary");
    const messages = messagesIn(body);
    expect(messages.map(({ id }) => id)).toEqual([idOf("orders"), idOf("orders"), idOf("orders", true)]);
    expect(messages[2]!.value).toEqual(Buffer.from([2]));
    await sql(engine, "DELETE FROM orders");
    expect((await post("orders", body)).status).toBe(200);
    expect(await rowsOf(engine, "SELECT * FROM orders")).toEqual([["2", "b", null]]);
  });

  test("go on under a new id when the columns change", async () => {
    await sql(engine, "INSERT INTO events VALUES (1, 'a')");
    const before = idOf("events");
    await sql(engine, "ALTER TABLE events ADD COLUMN more int8; INSERT INTO events VALUES (2, 'b', 3)");
    expect(idOf("events")).not.toBe(before);
    const read = messagesIn(await get("events", "avro/binary"));
    expect(read.map(({ id }) => id)).toEqual([idOf("events"), idOf("events")]);
    // Written in the columns of before, and read in those of now.
    expect((await post("events", framed([before, event.toBuffer({ n: 9, word: "z" })]))).status).toBe(200);
    expect(await rowsOf(engine, "SELECT * FROM events WHERE n = 9")).toEqual([["9", "z", null]]);
  });

  test("are stored once under an idempotency key, and by a producer's number", async () => {
    const body = framed([idOf("events"), event.toBuffer({ n: 1, word: null })]);
    const names: Record<string, string>[] = [
      { "Idempotency-Key": "k" },
      { "Producer-Id": "p", "Producer-Epoch": "0", "Producer-Seq": "0" },
    ];
    for (const headers of names) {
      const first = await post("events", body, "avro/binary", headers);
      expect(first.status).toBe(200);
      expect((await post("events", body, "avro/binary", headers)).body).toEqual(first.body);
    }
    expect(await rowsOf(engine, "SELECT count(*) FROM events")).toEqual([["2"]]);
  });

  test("are refused whole, with the record and the reason", async () => {
    const id = idOf("events");
    const good = [id, event.toBuffer({ n: 1, word: "a" })] as const;
    const refused = async (body: Uint8Array, error: object) =>
      expect(await post("events", body)).toMatchObject({ status: 400, body: { error } });
    await refused(framed(good, [id, Buffer.from([2, 2, 2, 0])]), {
      code: "untranslatable_character",
      message: "records[1].word: text cannot hold U+0000",
    });
    await refused(framed(good, [77, Buffer.from([2])]), {
      code: "undefined_object",
      message: "records[1]: there is no schema 77",
      hint: expect.stringContaining("/registry/subjects/events-value/versions"),
    });
    await refused(framed(good, [id, Buffer.from([2, 0, 9])]), {
      message: expect.stringMatching(/^records\[1\]: .*1 bytes are left behind it/),
    });
    await refused(framed(good).subarray(0, -5), { message: "the body ends inside a frame" });
    await refused(Uint8Array.of(0, 0, 0, 1, 1, 0, 0, 0, 0), {
      message: "records[0]: the message does not begin with 0 and the id of a schema",
    });
    await refused(new Uint8Array(), { message: "the body holds no record" });
    await refused(Uint8Array.of(255, 255, 255, 255, 0), { message: "the body ends inside a frame" });
    expect(await post("odd", framed(good))).toMatchObject({
      status: 400,
      body: { error: { code: "datatype_mismatch", detail: "it has none of the columns." } },
    });
    expect(await rowsOf(engine, "SELECT count(*) FROM events")).toEqual([["0"]]);
  });

  test("that break a constraint are refused with the record, also behind such as are put aside", async () => {
    await sql(
      engine,
      `CREATE TABLE priced (n int4 NOT NULL CHECK (n < 9), word text) WITH (append_only);
       CREATE TABLE once (n int4 PRIMARY KEY, word text UNIQUE);
       CREATE TABLE kept (n int4 NOT NULL CHECK (n < 9), word text) WITH (append_only, dead_letters = 'dead')`,
    );
    const body = (topic: string, values: readonly (readonly [n: number, word: string])[]) =>
      framed(...values.map(([n, word]) => [idOf(topic), event.toBuffer({ n, word })] as const));
    const refused = async (topic: string, sent: Uint8Array, code: string, record: number, query = "") => {
      const { status, body } = await client.request(path(topic) + query, {
        method: "POST",
        headers: { "Content-Type": "avro/binary" },
        body: sent as never,
      });
      expect([status, body]).toMatchObject([
        409,
        { error: { code, message: expect.stringContaining(`records[${record}]: `) } },
      ]);
    };
    const priced = body("priced", [
      [1, "a"],
      [2, "b"],
      [9, "c"],
    ]);
    await refused("priced", priced, "check_violation", 2);
    await refused("priced", priced, "check_violation", 12, "?firstLine=11");
    const once = body("once", [
      [1, "a"],
      [2, "b"],
      [3, "a"],
    ]);
    await refused("once", once, "unique_violation", 2);
    const id = idOf("kept");
    const unsound = [id, Buffer.from([2, 9])] as const;
    const [fine, wrong] = [event.toBuffer({ n: 1, word: null }), event.toBuffer({ n: 9, word: null })];
    await refused("kept", framed(unsound, [id, fine], unsound, [id, wrong], unsound), "check_violation", 3);
    expect(await rowsOf(engine, "SELECT count(*) FROM dead")).toEqual([["0"]]);
  });

  test("of a column that has no Avro form the way out goes: ALTER TABLE refused what the hint said", async () => {
    await sql(engine, "CREATE TABLE n (x numeric) WITH (append_only); INSERT INTO n VALUES (1.25)");
    const { body } = await client.request("/v1/topics/n/records", { headers: { Accept: "avro/binary" } });
    expect(body).toMatchObject({
      error: {
        hint: expect.stringMatching(/^Make a new table that declares it .*numeric\(18, 2\).* INSERT/),
      },
    });
    await sql(engine, "CREATE TABLE m (x numeric(18, 2)) WITH (append_only); INSERT INTO m SELECT x FROM n");
    const { status } = await client.request("/v1/topics/m/records", { headers: { Accept: "avro/binary" } });
    expect(status).toBe(200);
  });

  test("of a topic that has no Avro form are refused by its column", async () => {
    const { status, body } = await client.request(path("odd"), { headers: { Accept: "avro/binary" } });
    expect([status, body]).toMatchObject([
      400,
      { error: { code: "feature_not_supported", message: 'column "i" of "odd" has no Avro form' } },
    ]);
  });
});

describe("files", () => {
  const schema = {
    type: "record",
    name: "com.acme.Event",
    fields: [
      { name: "tags", type: { type: "map", values: "string" } },
      { name: "n", type: "int" },
      { name: "word", type: "string" },
    ],
  } as const;
  const written = avsc.Type.forSchema(schema as never);
  const value = (n: number) => written.toBuffer({ tags: { a: "b" }, n, word: `w${n}` });

  test.each(["null", "deflate", "zstandard"])(
    "of any schema that resolves are appended, codec %s",
    async (codec) => {
      const body = file(schema, codec, [value(1), value(2)], [value(3)]);
      expect(await post("events", body, "application/avro")).toMatchObject({
        status: 200,
        body: { count: 3 },
      });
      expect(await rowsOf(engine, "SELECT * FROM events ORDER BY n")).toEqual([
        ["1", "w1"],
        ["2", "w2"],
        ["3", "w3"],
      ]);
    },
  );

  test("are read by avsc, and appended again", async () => {
    await sql(engine, "INSERT INTO events SELECT n, 'w' || n FROM generate_series(1, 500) n");
    const body = await get("events", "application/avro");
    const decoder = new avsc.streams.BlockDecoder();
    const rows: unknown[] = [];
    decoder.on("data", (row: object) => rows.push({ ...row }));
    decoder.end(Buffer.from(body));
    await new Promise((resolve) => decoder.on("end", resolve));
    expect(rows).toHaveLength(500);
    expect(rows[6]).toEqual({ n: 7, word: "w7" });
    expect((await post("events", body, "application/avro")).status).toBe(200);
    expect(await rowsOf(engine, "SELECT count(*), count(DISTINCT n) FROM events")).toEqual([["1000", "500"]]);
  });

  test("are refused with the record and the reason", async () => {
    const good = file(schema, "null", [value(1)], [value(2), Buffer.from([0, 2, 4, 0xff, 0xff])]);
    const refused = async (body: Uint8Array, error: object, status = 400) =>
      expect(await post("events", body, "application/avro")).toMatchObject({ status, body: { error } });
    await refused(good, { message: "records[2].word: the text is not valid UTF-8" });
    await refused(good.subarray(0, 30), { code: "invalid_text_representation" });
    await refused(Buffer.from("Obj\x02"), { message: "this is no Avro object container file" });
    await refused(file(schema, "snappy", []), {
      code: "feature_not_supported",
      hint: "Write it with one of the codecs null, deflate, zstandard.",
    });
    await refused(file({ type: "record", name: "r", fields: [{ name: "word", type: "int" }] }, "null", []), {
      code: "datatype_mismatch",
    });
    await refused(file({ type: "int" }, "null", []), { code: "datatype_mismatch" });
    await refused(file({ type: "nothing" }, "null", []), { code: "invalid_value" });
    expect(await rowsOf(engine, "SELECT count(*) FROM events")).toEqual([["0"]]);
  });

  test("that claim more than they hold, or grow without end, are refused", async () => {
    const mark = new Uint8Array(16);
    const claims = new AvroBytes();
    writeHead(claims, JSON.stringify(schema), mark);
    const head = claims.take();
    expect(readHead(head).schema).toBe(JSON.stringify(schema));
    writeBlock(claims, 2 ** 50, new Uint8Array(3), mark);
    const many = Buffer.concat([head, claims.take()]);
    await expect(readBlock(readHead(many), many, head.length)).rejects.toThrow(
      /1125899906842624 values in 3 bytes/,
    );
    const bomb = file(schema, "deflate", [Buffer.alloc(80 * 1024 * 1024)]);
    expect(await post("events", bomb, "application/avro")).toMatchObject({
      status: 400,
      body: { error: { message: "a block of the Avro file cannot be decompressed" } },
    });
  });

  test("have no deletions, and so are not what a table is read in", async () => {
    const { status, body } = await client.request(path("orders"), {
      headers: { Accept: "application/avro" },
    });
    expect([status, body]).toMatchObject([400, { error: { hint: "Send Accept: avro/binary." } }]);
  });
});
