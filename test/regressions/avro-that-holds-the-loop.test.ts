/**
 * Few bytes of Avro held the event loop for seconds: a decimal whose scale is minus millions, records of thousands of nulls for a byte each, records within records for each byte,
 * frames of one byte, blocks of nothing.
 */
import { describe, expect, it, test } from "vitest";
import { schemaOf } from "../../src/batch/schema.ts";
import { arrayOf, bytea, type SqlType, text } from "../../src/batch/types.ts";
import { AvroBytes } from "../../src/wire/avro/bytes.ts";
import { Messages } from "../../src/wire/avro/framing.ts";
import { resolveWriter } from "../../src/wire/avro/resolve.ts";
import { parseSchema } from "../../src/wire/avro/writer-schema.ts";
import { datums, decoded } from "../wire/avro/support.ts";

const record = (name: string, ...fields: object[]) => ({ type: "record", name, fields });
const price: SqlType = { name: "numeric", precision: 10, scale: 2 };

function resolved(writerType: object, type: SqlType) {
  const schema = schemaOf([{ name: "x", type, nullable: true }]);
  const writer = JSON.stringify(record("r", { name: "x", type: writerType }));
  return parseSchema(writer).then((node) => resolveWriter(node, schema));
}

describe("a decimal", () => {
  const decimal = (more: object) => ({ type: "bytes", logicalType: "decimal", ...more });

  test.each([
    ["a negative scale", { precision: 4, scale: -100_000_000 }],
    ["a scale that is no whole number", { precision: 4, scale: 1.5 }],
    ["a scale larger than its precision", { precision: 1, scale: 2 }],
    ["no precision", { scale: 1 }],
    ["digits without end", { precision: 1e9, scale: 1 }],
  ])("of %s is the bytes that it lies in, as Avro has it", async (_, said) => {
    await expect(resolved(decimal(said), price)).rejects.toMatchObject({
      code: "datatype_mismatch",
      detail: expect.stringContaining("bytes cannot become numeric(10,2)"),
    });
    expect((await resolved(decimal(said), bytea)).doubts).toEqual([]);
  });

  it("of more digits than the column has is doubted", async () => {
    expect((await resolved(decimal({ precision: 10, scale: 2 }), price)).doubts).toEqual([]);
    expect((await resolved(decimal({ precision: 9, scale: 1 }), price)).doubts).toEqual([]);
    expect((await resolved(decimal({ precision: 10, scale: 1 }), price)).doubts).toEqual([
      'column "x": bytes of decimal(10, 1) has more digits before the point than numeric(10,2)',
    ]);
  });

  test.each([text, bytea])("does not become $name", async (type) => {
    await expect(resolved(decimal({ precision: 4, scale: 1 }), type)).rejects.toMatchObject({
      detail: expect.stringContaining("bytes of decimal(4, 1) cannot become"),
    });
  });
});

describe("one record", () => {
  const schema = schemaOf([
    { name: "x", type: text, nullable: true },
    { name: "a", type: arrayOf(text), nullable: true },
  ]);
  const written = (items: number, fill: number): Uint8Array => {
    const out = new AvroBytes();
    out.text("x");
    out.long(items);
    out.raw(new Uint8Array(items).fill(fill));
    out.byte(0);
    return out.take();
  };
  const writerOf = (name: string, items: unknown) =>
    JSON.stringify(record("r", { name: "x", type: "string" }, { name, type: { type: "array", items } }));

  it("of thousands of nulls for each byte is as long as its bytes", async () => {
    const nulls = Array.from({ length: 6000 }, (_, i) => ({ name: `f${i}`, type: "null" }));
    const items = record("q", ...nulls, { name: "b", type: "boolean" });
    const batch = await decoded(writerOf("skipped", items), schema, [written(100_000, 1)]);
    expect(datums(batch)).toEqual([["x", null]]);
  });

  it("of more values than are read in one go is refused", async () => {
    let items: object = record("q0", { name: "b", type: "boolean" });
    for (let i = 1; i < 30; i++) items = record(`q${i}`, { name: "q", type: items });
    const refusal = { message: expect.stringContaining("more than 1048576 values within it") };
    await expect(decoded(writerOf("skipped", items), schema, [written(100_000, 1)])).rejects.toMatchObject(
      refusal,
    );
    const many = written(1_100_000, 0);
    await expect(decoded(writerOf("a", ["null", "string"]), schema, [many])).rejects.toMatchObject(refusal);
    const few = await decoded(writerOf("skipped", items), schema, [written(30_000, 1), written(30_000, 0)]);
    expect(few.length).toBe(2);
  });

  it("of frames without number is refused", () => {
    const body = new Uint8Array(5 * 70_000 + 4);
    for (let i = 0; i < 70_000; i++) body[5 * i + 3] = 1;
    expect(() => new Messages(body).next()).toThrow(/more than 65536 frames/);
  });
});
