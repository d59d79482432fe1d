/** What cannot be decoded goes to the stream that the topic names, in the commit of the rest; or refuses the append. */
import { beforeEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { int4 } from "../../../src/face/columns.ts";
import { table, topic } from "../../../src/face/handles.ts";
import { SimulatedDisk } from "../../../src/testing/simulated-disk.ts";
import { AvroBytes } from "../../../src/wire/avro/bytes.ts";
import { writeBlock, writeHead } from "../../../src/wire/avro/container.ts";
import { beginMessage, endMessage } from "../../../src/wire/avro/framing.ts";
import { ownSchemaId } from "../../../src/wire/avro/schema-ids.ts";
import { rowsOf, sql } from "../../engine/support/memory.ts";
import { client, close, disk, engine, open } from "./served.ts";

beforeEach(async () => {
  await sql(engine, "CREATE TABLE t (n int2 NOT NULL, w text) WITH (append_only, dead_letters = 'dead')");
});

const path = "/v1/topics/t/records";
const dead = () => rowsOf(engine, "SELECT topic, reason, bytes, schema_id FROM dead");
const stored = () => rowsOf(engine, "SELECT n, w FROM t");

function messages(...all: readonly (readonly [id: number, value: readonly number[]])[]): Uint8Array {
  const out = new AvroBytes();
  for (const [id, value] of all) {
    const start = beginMessage(out, id);
    out.raw(Uint8Array.from(value));
    endMessage(out, start);
  }
  return out.take();
}

const own = () => ownSchemaId({ topicId: engine.topic("t").id, version: 1, isKey: false }) as number;

function avro(body: Uint8Array, headers: Record<string, string> = {}, type = "avro/binary") {
  return client.request(path, {
    method: "POST",
    headers: { "Content-Type": type, ...headers },
    body: body as never,
  });
}

describe("of Avro", () => {
  test("messages that cannot be read go there with their schema and the reason, the rest is stored", async () => {
    const id = own();
    const body = messages([id, [2, 0]], [id, [0x80, 0x80, 0x08, 0]], [99, [1]], [id, [4, 0]]);
    expect((await avro(body)).body).toMatchObject({
      count: 2,
      firstOffset: 0,
      lastOffset: 1,
      deadLetters: 2,
    });
    expect(await stored()).toEqual([
      ["1", null],
      ["2", null],
    ]);
    expect(await dead()).toEqual([
      ["t", "records[1].n: 65536 is out of range for type smallint", "\\x80800800", String(id)],
      ["t", expect.stringMatching(/^records\[2\]: there is no schema 99/), "\\x01", "99"],
    ]);
  });

  test("a request that comes again stores none of them twice", async () => {
    const body = messages([own(), [2, 0]], [own(), [9]]);
    const ways: Record<string, string>[] = [
      { "Idempotency-Key": "k" },
      { "Producer-Id": "p", "Producer-Epoch": "0", "Producer-Seq": "0" },
    ];
    for (const headers of ways) {
      const first = await avro(body, headers);
      const again = await avro(body, headers);
      expect([first.status, again.status]).toEqual([200, 200]);
      // The first answer, word for word.
      expect(first.body).toMatchObject({ count: 1, deadLetters: 1 });
      expect(again.body).toEqual(first.body);
    }
    expect([(await dead()).length, (await stored()).length]).toEqual([2, 2]);
    const only = { "Producer-Id": "p", "Producer-Epoch": "0", "Producer-Seq": "1" };
    const none = await avro(messages([own(), [9]]), only);
    expect(none.body).toMatchObject({ count: 0, deadLetters: 1 });
    expect((await avro(messages([own(), [9]]), only)).body).toEqual(none.body);
    const lines = (headers: Record<string, string>) =>
      client.request(path, {
        method: "POST",
        headers: {
          "Content-Type": "application/x-ndjson",
          "Producer-Id": "q",
          "Producer-Epoch": "0",
          ...headers,
        },
        body: '{"n":1}\n{"n":"x"}\n{"n":2}\n{"n":99999}\n',
      });
    const zero = { "Producer-Seq": "0" };
    const told = await lines(zero);
    expect(told.body).toMatchObject({ count: 2, deadLetters: 2 });
    expect((await lines(zero)).body).toEqual(told.body);
    // And from the log of a server that was started again.
    await close();
    await open();
    expect((await lines(zero)).body).toEqual(told.body);
    const last = { "Producer-Id": "p", "Producer-Epoch": "0", "Producer-Seq": "2" };
    expect((await avro(messages([own(), [2, 0]]), last)).body).toMatchObject({ count: 1 });
  });

  test("values of a file go there one by one; a block that is cut off refuses it", async () => {
    const schema = JSON.stringify({ type: "record", name: "t", fields: [{ name: "n", type: "int" }] });
    const mark = new Uint8Array(16);
    const file = (count: number, ...bytes: number[]) => {
      const out = new AvroBytes();
      writeHead(out, schema, mark);
      writeBlock(out, count, Uint8Array.from(bytes), mark);
      return out.take();
    };
    const sent = await avro(file(3, 2, 0x80, 0x80, 0x08, 4), {}, "application/avro");
    expect(sent.body).toMatchObject({ count: 2, deadLetters: 1 });
    expect(await dead()).toMatchObject([["t", expect.stringContaining("records[1].n"), "\\x808008", null]]);
    expect((await avro(file(2, 2, 0x80), {}, "application/avro")).status).toBe(400);
    expect((await stored()).length).toBe(2);
  });
});

describe("of JSON", () => {
  const lines = '{"n":1}\n{"n":"x"}\nnonsense\n{"n":2,"w":"a"}\n{"n":3,"z":1}\n';
  const reasons = [
    expect.stringMatching(/^line 2: n: expected/),
    expect.stringMatching(/^line 3: /),
    expect.stringMatching(/^line 5: z: there is no such column/),
  ];

  test("lines and elements that cannot be read go there", async () => {
    expect((await client.ndjson(path, lines)).body).toMatchObject({ count: 2, deadLetters: 3 });
    expect((await dead()).map(([, reason]) => reason)).toEqual(reasons);
    const [, second] = await dead();
    expect(Buffer.from(String(second?.[2]).slice(2), "hex").toString()).toBe("nonsense");
    expect((await client.post(path, [{ n: 5 }, { n: null }])).body).toMatchObject({
      count: 1,
      deadLetters: 1,
    });
    expect((await client.post(path, { n: "y" })).body).toMatchObject({ count: 0, deadLetters: 1 });
    const bad = Buffer.concat([Buffer.from('{"n":7}\n'), Buffer.from([0xff, 0x0a])]);
    expect((await client.ndjson(path, bad)).body).toMatchObject({ count: 1, deadLetters: 1 });
    expect((await stored()).map(([n]) => n)).toEqual(["1", "2", "5", "7"]);
  });

  test("so many are not taken of one request, and of one in chunks", async () => {
    const many = "x\n".repeat(10_001);
    expect((await client.ndjson(path, many)).body).toMatchObject({
      error: { code: "request_too_large", detail: expect.stringMatching(/^The first one: line 1: /) },
    });
    const headers = { "Content-Type": "avro/binary" };
    const empty = messages(...Array.from({ length: 10_001 }, () => [own(), []] as const));
    expect((await avro(empty, headers)).body).toMatchObject({ error: { code: "request_too_large" } });
    expect(await dead()).toEqual([]);
    expect((await client.ndjson(`${path}?atomic=false`, many)).body).toMatchObject({ deadLetters: 10_001 });
  });

  test("in chunks, and a body that is sent again goes on behind what it stored of both", async () => {
    const headers = { "Producer-Id": "p", "Producer-Epoch": "0", "Producer-Seq": "0" };
    const send = (body: string) => client.ndjson(`${path}?atomic=false`, body, headers);
    expect((await send(lines)).body).toMatchObject({ count: 2, deadLetters: 3 });
    expect((await send(`${lines}{"n":9}\n`)).body).toMatchObject({ count: 1 });
    expect((await dead()).map(([, reason]) => reason)).toEqual(reasons);
    expect((await stored()).map(([n]) => n)).toEqual(["1", "2", "9"]);
  });

  test("a body that is no JSON as a whole is refused, and so is what breaks a constraint", async () => {
    expect(
      (
        await client.request(path, {
          method: "POST",
          headers: { "Content-Type": "application/json" },
          body: '[{"n":1}',
        })
      ).status,
    ).toBe(400);
    await sql(engine, "CREATE TABLE c (n int4 CHECK (n > 0)) WITH (append_only, dead_letters = 'dead')");
    expect((await client.post("/v1/topics/c/records", { n: -1 })).body).toMatchObject({
      error: { code: "check_violation" },
    });
    expect(await dead()).toEqual([]);
  });
});

describe("of a topic with a schema of the program's own", () => {
  const even = z.object({ n: z.int().refine((n) => n % 2 === 0, "is odd"), w: z.string().default("none") });
  const odd = (place: string) => [place, "is odd"].join(": ");
  beforeEach(async () => {
    await close();
    const checked = topic("t", { schema: even, deadLetters: "dead" });
    await open(new SimulatedDisk(), { topics: [checked] });
  });

  test("JSON that it refuses goes there, and what it fills in is stored", async () => {
    const lines = '{"n":2}\n{"n":3}\nnonsense\n{"n":4,"w":"a"}\n{"n":"x"}\n';
    expect((await client.ndjson(path, lines)).body).toMatchObject({
      count: 2,
      firstOffset: 0,
      lastOffset: 1,
      deadLetters: 3,
    });
    expect(await stored()).toEqual([
      ["2", "none"],
      ["4", "a"],
    ]);
    const bytes = (text: string) => `\\x${Buffer.from(text).toString("hex")}`;
    expect(await dead()).toEqual([
      ["t", odd("line 2: n"), bytes('{"n":3}'), null],
      ["t", expect.stringMatching(/^line 3: /), bytes("nonsense"), null],
      ["t", expect.stringMatching(/^line 5: n: /), bytes('{"n":"x"}'), null],
    ]);
    expect((await client.post(path, [{ n: 6 }, { n: 7 }])).body).toMatchObject({ count: 1, deadLetters: 1 });
    expect((await client.ndjson(`${path}?atomic=false`, lines)).body).toMatchObject({
      count: 2,
      deadLetters: 3,
    });
  });

  test("Avro that it refuses goes there beside what cannot be read; that was left out without a word", async () => {
    const id = own();
    const word = [2, 2, 97];
    // The columns are int8 and text or null: 2, 3, what is cut off, and 4.
    const body = messages([id, [4, ...word]], [id, [6, ...word]], [id, [8]], [id, [8, ...word]]);
    expect((await avro(body)).body).toMatchObject({ count: 2, deadLetters: 2 });
    expect(await stored()).toEqual([
      ["2", "a"],
      ["4", "a"],
    ]);
    expect(await dead()).toEqual([
      ["t", expect.stringMatching(/^records\[2\]/), "\\x08", String(id)],
      ["t", odd("records[1].n"), "\\x06020261", String(id)],
    ]);
  });

  test("a schema that cannot be asked refuses the whole", async () => {
    await close();
    const asks = { ...even["~standard"], validate: () => Promise.resolve({ value: {} }) };
    const later = topic("t", {
      schema: { ...even, "~standard": asks } as unknown as typeof even,
      deadLetters: "dead",
    });
    await open(new SimulatedDisk(), { topics: [later] });
    expect((await client.ndjson(path, '{"n":2}\n')).body).toMatchObject({
      error: { code: "invalid_table_definition" },
    });
    expect(await dead()).toEqual([]);
  });
});

describe("which stream takes them", () => {
  test("is said and taken back, and outlives restarts and a new name", async () => {
    expect(engine.topic("t").deadLetters).toBe("dead");
    await sql(engine, "ALTER TABLE dead RENAME TO gone_wrong");
    await close();
    await open();
    await client.post(path, { n: "x" });
    expect(await rowsOf(engine, "SELECT topic FROM gone_wrong")).toEqual([["t"]]);
    await sql(engine, "ALTER TABLE t RESET (dead_letters)");
    expect((await client.post(path, { n: "x" })).status).toBe(400);
    await sql(engine, "ALTER TABLE t SET (dead_letters = 'other', retain_for = '7 days')");
    expect(engine.topic("t")).toMatchObject({
      deadLetters: "other",
      keeping: { retainForUs: 604_800_000_000 },
    });
  });

  test("is not dropped while a topic that stays sends there", async () => {
    await expect(sql(engine, "DROP TABLE dead")).rejects.toThrow("2BP01 cannot drop table dead");
    await sql(engine, "DROP TABLE dead, t");
    expect(engine.topics()).toEqual([]);
  });

  test.each([
    ["itself", "self"],
    ["a table", "keyed"],
    ["one of other columns", "narrow"],
  ])("is not %s", async (_, name) => {
    await sql(
      engine,
      "CREATE TABLE keyed (a int4 PRIMARY KEY); CREATE TABLE narrow (a int4) WITH (append_only)",
    );
    await expect(
      sql(engine, `CREATE TABLE self (a int4) WITH (append_only, dead_letters = '${name}')`),
    ).rejects.toThrow(/42P16.*cannot take dead letters/);
  });

  test("is said in the program", async () => {
    await close();
    const topics = [
      topic("a", { schema: { n: int4 }, deadLetters: "lost" }),
      table("b", { key: "n", schema: { n: int4 }, deadLetters: "lost" }),
    ];
    await open(new SimulatedDisk(), { topics });
    expect(engine.topics().map(({ name, deadLetters }) => [name, deadLetters])).toEqual([
      ["a", "lost"],
      ["b", "lost"],
      ["lost", null],
    ]);
    await close();
    await open(disk, { topics });
    expect((await client.post("/v1/topics/b/records", { n: "x" })).body).toMatchObject({ deadLetters: 1 });
  });
});
