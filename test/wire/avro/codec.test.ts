/** Rows in Avro: what Evert writes avsc reads, what avsc writes Evert reads, and both say the same of what resolves. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import type { EvertError } from "../../../src/base/errors.ts";
import { schemaOf } from "../../../src/batch/schema.ts";
import {
  arrayOf,
  bool,
  bytea,
  date,
  enumOf,
  float4,
  float8,
  int4,
  int8,
  interval,
  jsonb,
  numeric,
  type SqlType,
  text,
  time,
  timestamp,
  timestamptz,
  uuid,
} from "../../../src/batch/types.ts";
import { resolveWriter } from "../../../src/wire/avro/resolve.ts";
import { topicSchemaText } from "../../../src/wire/avro/topic-schema.ts";
import { canonicalSchema, parseSchema } from "../../../src/wire/avro/writer-schema.ts";
import { seed } from "../../support/seed.ts";
import { anyRows, avscType, batchOf, datums, decoded, encoded, mood } from "./support.ts";

const runs = { numRuns: 300, seed };

describe("a topic's columns", () => {
  it("as an Avro record", () => {
    const decimal: SqlType = { name: "numeric", precision: 10, scale: 2 };
    const types: [string, SqlType][] = [
      ["a", int4],
      ["b", int8],
      ["c", float4],
      ["d", decimal],
      ["e", bool],
      ["f", jsonb],
      ["g", bytea],
      ["h", uuid],
      ["i", date],
      ["j", time],
      ["k", timestamp],
      ["l", timestamptz],
      ["m", mood],
      ["n", arrayOf(mood)],
    ];
    const schema = schemaOf(types.map(([name, type], i) => ({ name, type, nullable: i === 0 })));
    expect(JSON.parse(topicSchemaText("my-orders", schema))).toMatchInlineSnapshot(`
      {
        "fields": [
          {
            "default": null,
            "name": "a",
            "type": [
              "null",
              "int",
            ],
          },
          {
            "name": "b",
            "type": "long",
          },
          {
            "name": "c",
            "type": "float",
          },
          {
            "name": "d",
            "type": {
              "logicalType": "decimal",
              "precision": 10,
              "scale": 2,
              "type": "bytes",
            },
          },
          {
            "name": "e",
            "type": "boolean",
          },
          {
            "name": "f",
            "type": "string",
          },
          {
            "name": "g",
            "type": "bytes",
          },
          {
            "name": "h",
            "type": {
              "logicalType": "uuid",
              "type": "string",
            },
          },
          {
            "name": "i",
            "type": {
              "logicalType": "date",
              "type": "int",
            },
          },
          {
            "name": "j",
            "type": {
              "logicalType": "time-micros",
              "type": "long",
            },
          },
          {
            "name": "k",
            "type": {
              "logicalType": "local-timestamp-micros",
              "type": "long",
            },
          },
          {
            "name": "l",
            "type": {
              "logicalType": "timestamp-micros",
              "type": "long",
            },
          },
          {
            "name": "m",
            "type": {
              "name": "mood",
              "symbols": [
                "sad",
                "ok",
                "happy",
              ],
              "type": "enum",
            },
          },
          {
            "name": "n",
            "type": {
              "items": [
                "null",
                "mood",
              ],
              "type": "array",
            },
          },
        ],
        "name": "my_orders",
        "type": "record",
      }
    `);
  });

  test.each([
    ["interval", interval, /Avro has no type for interval/],
    ["numeric", numeric, /precision/],
    ["an enum", enumOf("odd", ["a b"]), /label "a b"/],
  ])("of type %s are refused by name", (_, type, reason) => {
    const schema = schemaOf([{ name: "x", type, nullable: false }]);
    expect(() => topicSchemaText("t", schema)).toThrow(
      expect.objectContaining({
        code: "feature_not_supported",
        message: 'column "x" of "t" has no Avro form',
        detail: expect.stringMatching(reason),
      }),
    );
  });

  it("whose names Avro does not take are refused", () => {
    const schema = schemaOf([{ name: "first name", type: text, nullable: true }]);
    expect(() => topicSchemaText("t", schema)).toThrow(/"first name" of "t" has no Avro form/);
  });
});

describe("rows", () => {
  it("come back as they were", async () => {
    await fc.assert(
      fc.asyncProperty(anyRows, async (rows) => {
        const text = topicSchemaText("t", rows.schema);
        expect(datums(await decoded(text, rows.schema, encoded(rows)))).toEqual(datums(rows.batch));
      }),
      runs,
    );
  });

  it("are read by avsc, and what it writes is the same", async () => {
    await fc.assert(
      fc.asyncProperty(anyRows, async (rows) => {
        const text = topicSchemaText("t", rows.schema);
        const type = avscType(text);
        const messages = encoded(rows);
        const written = messages.map((bytes) => type.toBuffer(type.fromBuffer(Buffer.from(bytes))));
        expect(written.map((bytes) => new Uint8Array(bytes))).toEqual(messages);
        expect(datums(await decoded(text, rows.schema, written))).toEqual(datums(rows.batch));
      }),
      runs,
    );
  });
});

describe("resolution", () => {
  const writerTypes = fc.oneof(
    fc.constantFrom<unknown>("null", "boolean", "int", "long", "float", "double", "bytes", "string"),
    fc.constantFrom<unknown>(
      { type: "array", items: "int" },
      { type: "array", items: ["null", "string"] },
      { type: "map", values: "int" },
      { type: "enum", name: "mood", symbols: ["ok", "sad"] },
      { type: "enum", name: "mood", symbols: ["ok", "furious"] },
      { type: "fixed", name: "f", size: 16 },
      { type: "record", name: "r", fields: [{ name: "x", type: "int" }] },
      ["null", "int"],
      ["null", "string"],
      ["int", "string"],
      ["null", "long", "double"],
      ["string", "bytes"],
    ),
  );
  const columns = fc.constantFrom(
    int4,
    int8,
    float4,
    float8,
    bool,
    text,
    bytea,
    mood,
    arrayOf(int8),
    arrayOf(text),
  );

  it("is what avsc says of each writer's type and each column's", async () => {
    await fc.assert(
      fc.asyncProperty(writerTypes, columns, fc.boolean(), async (type, column, nullable) => {
        const schema = schemaOf([{ name: "x", type: column, nullable }]);
        const writer = JSON.stringify({
          type: "record",
          name: "t",
          fields: [
            { name: "n", type: "int" },
            { name: "x", type },
          ],
        });
        let judged = true;
        try {
          avscType(topicSchemaText("t", schema)).createResolver(avscType(writer));
        } catch {
          judged = false;
        }
        const parsed = await parseSchema(writer);
        let ours: boolean;
        try {
          ours = resolveWriter(parsed, schema).doubts.length === 0;
        } catch (error) {
          expect(error).toMatchObject({ code: expect.stringMatching(/datatype_mismatch/) });
          ours = false;
        }
        expect(ours, `${writer} -> ${column.name}`).toBe(judged);
      }),
      { numRuns: 600, seed },
    );
  });

  const orders = schemaOf(
    [
      { name: "id", type: int8, nullable: false },
      { name: "note", type: text, nullable: true },
      { name: "at", type: timestamptz, nullable: true },
    ],
    [{ name: "order_id", column: "id" }],
  );
  const record = (...fields: object[]) => JSON.stringify({ type: "record", name: "com.acme.Order", fields });

  it("knows a column by what it was called, passes over fields, and fills with null", async () => {
    const writer = record(
      { name: "extra", type: { type: "map", values: ["null", { type: "array", items: "string" }] } },
      { name: "order_id", type: "int" },
    );
    const bytes = avscType(writer).toBuffer({ extra: { a: { array: ["x", "y"] }, b: null }, order_id: 7 });
    expect(datums(await decoded(writer, orders, [bytes]))).toEqual([[7n, null, null]]);
  });

  it("makes microseconds of milliseconds, and decimals of fewer digits", async () => {
    const schema = schemaOf([
      { name: "at", type: timestamptz, nullable: false },
      { name: "price", type: { name: "numeric", precision: 12, scale: 4 }, nullable: false },
      { name: "id", type: uuid, nullable: false },
    ]);
    const writer = record(
      { name: "at", type: { type: "long", logicalType: "timestamp-millis" } },
      {
        name: "price",
        type: { type: "fixed", name: "p", size: 4, logicalType: "decimal", precision: 6, scale: 2 },
      },
      { name: "id", type: { type: "fixed", name: "u", size: 16, logicalType: "uuid" } },
    );
    const bytes = avscType(writer).toBuffer({
      at: 1_700_000_000_123n,
      price: Buffer.from([0xff, 0xff, 0xff, 0x85]),
      id: Buffer.from("00112233445566778899aabbccddeeff", "hex"),
    });
    expect(datums(await decoded(writer, schema, [bytes]))).toEqual([
      [1_700_000_000_123_000n, -12_300n, "00112233-4455-6677-8899-aabbccddeeff"],
    ]);
  });

  it("refuses what no record could be stored by, and says all of why", async () => {
    const writer = await parseSchema(record({ name: "note", type: "int" }));
    expect(() => resolveWriter(writer, orders)).toThrow(
      expect.objectContaining({
        code: "datatype_mismatch",
        detail:
          'it has no field for column "id", which takes no nulls; column "note": int cannot become text.',
        hint: expect.stringMatching(/ALTER TABLE/),
      }),
    );
  });

  it("doubts a branch that does not fit, and refuses the value that is of it", async () => {
    const writer = record({ name: "id", type: ["null", "int", "string"] });
    expect(resolveWriter(await parseSchema(writer), orders).doubts).toHaveLength(2);
    const type = avscType(writer);
    expect(datums(await decoded(writer, orders, [type.toBuffer({ id: { int: 3 } })]))).toEqual([
      [3n, null, null],
    ]);
    await expect(decoded(writer, orders, [type.toBuffer({ id: { string: "3" } })])).rejects.toThrow(
      "id: string cannot become int8",
    );
    await expect(decoded(writer, orders, [type.toBuffer({ id: null })])).rejects.toMatchObject({
      code: "not_null_violation",
    });
  });
});

describe("hostile bytes", () => {
  const writer = JSON.stringify({
    type: "record",
    name: "t",
    fields: [
      { name: "skipped", type: { type: "array", items: "null" } },
      {
        name: "list",
        type: ["null", { type: "record", name: "l", fields: [{ name: "next", type: ["null", "l"] }] }],
      },
      { name: "a", type: { type: "array", items: ["null", "string"] } },
      { name: "b", type: ["null", "string"] },
    ],
  });
  const schema = schemaOf([
    { name: "a", type: arrayOf(text), nullable: true },
    { name: "b", type: text, nullable: true },
  ]);
  const hex = (said: string) => Uint8Array.from(Buffer.from(said.replace(/ /g, ""), "hex"));
  const refused = (bytes: Uint8Array) => expect(decoded(writer, schema, [bytes])).rejects;

  test.each([
    ["nothing", ""],
    ["a text of 2 GB", "00 00 00 02 ffffffff0f"],
    ["an array of 2^62 items", "00 00 feffffffffffffffff01 00"],
    ["a block of a negative length", "00 00 01 01 00"],
    ["a long of eleven bytes", "00 00 ffffffffffffffffffff01"],
    ["a branch that there is not", "00 04"],
    ["a negative branch", "00 01"],
    ["bytes behind its end", "00 00 00 00 00"],
  ])("%s is refused", async (_, said) => {
    await refused(hex(said)).toMatchObject({ code: "invalid_text_representation" });
  });

  it("of nulls without number take no time", async () => {
    const bytes = hex("feffffffffffff1f 00 00 00 00");
    expect(datums(await decoded(writer, schema, [bytes]))).toEqual([["{}", null]]);
  });

  it("that go down without end are refused", async () => {
    const deep = new Uint8Array(1_000_000).fill(2);
    deep[0] = 0;
    await refused(deep).toMatchObject({ message: expect.stringMatching(/nested too deeply/) });
  });

  it("of any kind are a value or an error of Evert's", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 60 }), async (bytes) => {
        try {
          expect((await decoded(writer, schema, [bytes])).length).toBe(1);
        } catch (error) {
          expect((error as EvertError).name).toBe("EvertError");
        }
      }),
      { numRuns: 2000, seed },
    );
  });

  it("that were a row's lose no row but theirs", async () => {
    const rows = batchOf(schema, [["{a,b}", "c"]]);
    const [good = new Uint8Array()] = encoded({ schema, batch: rows });
    const own = topicSchemaText("t", schema);
    for (let cut = 0; cut < good.length; cut++)
      await expect(decoded(own, schema, [good, good.subarray(0, cut)])).rejects.toBeDefined();
  });
});

it("avsc is loaded by the first schema, not by a start", () => {
  const root = join(import.meta.dirname, "../../../src");
  const files = readdirSync(root, { recursive: true, encoding: "utf8" }).filter((name) =>
    name.endsWith(".ts"),
  );
  const loading = files.filter((name) =>
    /^(import|export)\b[^;]*\bfrom "avsc"|^import "avsc"/m.test(readFileSync(join(root, name), "utf8")),
  );
  expect(files.length).toBeGreaterThan(100);
  expect(loading).toEqual([]);
});

describe("a writer's schema", () => {
  test.each([
    ["no JSON", "{"],
    ["no type", '{"type":"constructor"}'],
    [
      "a name that every object has",
      '{"type":"record","name":"r","fields":[{"name":"a","type":"toString"}]}',
    ],
    [
      "a name with code in it",
      '{"type":"record","name":"r","fields":[{"name":"a;process.exit()","type":"int"}]}',
    ],
    ["brackets without end", "[".repeat(100_000)],
    ["too long a text", JSON.stringify("x".repeat(300_000))],
  ])("that is %s is refused", async (_, said) => {
    await expect(parseSchema(said)).rejects.toMatchObject({ name: "EvertError", code: "invalid_value" });
  });

  it("means the same however it is written", async () => {
    const one =
      '{"type":"record","name":"r","fields":[{"name":"a","type":{"type":"long","logicalType":"timestamp-micros"}}]}';
    const other =
      '{ "fields": [{"type":{"logicalType":"timestamp-micros","type":"long"},"name":"a"}], "name":"r", "type":"record" }';
    expect(await canonicalSchema(one)).toBe(await canonicalSchema(other));
    expect(await canonicalSchema(one)).toContain("timestamp-micros");
  });
});
