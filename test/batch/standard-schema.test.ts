import type { StandardSchemaV1 } from "@standard-schema/spec";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { schemaFromJsonSchema, schemaFromStandard } from "../../src/batch/standard-schema.ts";
import { typeToString } from "../../src/batch/types.ts";
import { refusal } from "../support/refusal.ts";

/** `name type` per column, with "?" behind a nullable type. */
function columns(schema: StandardSchemaV1): Record<string, string> {
  return Object.fromEntries(
    schemaFromStandard(schema).fields.map((f) => [f.name, typeToString(f.type) + (f.nullable ? "?" : "")]),
  );
}

function fromJson(
  properties: Record<string, unknown>,
  more: Record<string, unknown> = {},
): Record<string, string> {
  const schema = schemaFromJsonSchema({
    type: "object",
    properties,
    required: Object.keys(properties),
    ...more,
  });
  return Object.fromEntries(schema.fields.map((f) => [f.name, f.type.name + (f.nullable ? "?" : "")]));
}

describe("Zod", () => {
  it("maps every type", () => {
    expect(
      columns(
        z.object({
          int32: z.int32(),
          int32Positive: z.int32().min(0),
          int: z.int(),
          bounded: z.int().min(0).max(100),
          uint32: z.uint32(),
          number: z.number(),
          float32: z.float32(),
          boolean: z.boolean(),
          string: z.string(),
          datetime: z.iso.datetime(),
          date: z.iso.date(),
          time: z.iso.time(),
          uuid: z.uuid(),
          named: z.union([z.uuid(), z.string()]),
          email: z.email(),
          kind: z.enum(["a", "b"]),
          one: z.literal("a"),
          flag: z.literal(true),
          five: z.literal(5),
          object: z.object({ x: z.int() }),
          array: z.array(z.int()),
          record: z.record(z.string(), z.int()),
          either: z.union([z.string(), z.int()]),
          same: z.union([z.literal("a"), z.literal("b")]),
          anything: z.any(),
          nothing: z.null(),
          json: z.json(),
        }),
      ),
    ).toEqual({
      int32: "int4",
      int32Positive: "int4",
      int: "int8",
      bounded: "int8",
      uint32: "int8",
      number: "float8",
      float32: "float8",
      boolean: "bool",
      string: "text",
      datetime: "timestamptz",
      date: "date",
      time: "text",
      uuid: "uuid",
      named: "text",
      email: "text",
      kind: "text",
      one: "text",
      flag: "bool",
      five: "float8",
      object: "jsonb",
      array: "jsonb",
      record: "jsonb",
      either: "jsonb",
      same: "text",
      anything: "jsonb?",
      nothing: "jsonb?",
      json: "jsonb?",
    });
  });

  it("maps nullable and optional", () => {
    expect(
      columns(
        z.object({
          a: z.int().nullable(),
          b: z.string().optional(),
          c: z.boolean().nullish(),
          d: z.enum(["x"]).nullable(),
          e: z.object({}).nullable(),
          f: z.number().default(1),
          g: z.union([z.object({}).nullable(), z.string()]),
          h: z.union([z.int32().nullable(), z.int()]),
        }),
      ),
    ).toEqual({
      a: "int8?",
      b: "text?",
      c: "bool?",
      d: "text?",
      e: "jsonb?",
      f: "float8?",
      g: "jsonb?",
      h: "int8?",
    });
  });

  it("keeps the order of the properties and joins intersections", () => {
    const schema = z
      .object({ z: z.int(), a: z.string() })
      .and(z.object({ m: z.boolean(), a: z.string().optional() }));
    expect(Object.entries(columns(schema))).toEqual([
      ["z", "int8"],
      ["a", "text"],
      ["m", "bool"],
    ]);
  });

  it("reads the input side of a transformation", () => {
    expect(columns(z.object({ n: z.string().transform((s) => s.length) }))).toEqual({ n: "text" });
  });

  it("refuses what is no object", () => {
    const message = (schema: StandardSchemaV1) => refusal(() => schemaFromStandard(schema)).message;
    expect(message(z.string())).toBe("the schema describes a string, not an object");
    expect(message(z.array(z.object({ a: z.int() })))).toBe("the schema describes an array, not an object");
    expect(message(z.union([z.object({ a: z.int() }), z.object({ b: z.int() })]))).toBe(
      "the schema describes a choice between shapes, not an object",
    );
    expect(message(z.any())).toBe("the schema describes any value, not an object");
    expect(message(z.object({}))).toBe("the schema names no properties");
    expect(message(z.record(z.string(), z.int()))).toBe("the schema names no properties");
  });

  it("refuses what JSON cannot say", () => {
    const error = refusal(() => schemaFromStandard(z.object({ at: z.date() })));
    expect(error.code).toBe("invalid_table_definition");
    expect(error.message).toContain("the zod schema has no JSON form: Date cannot be represented");
    expect(error.hint).toContain("z.iso.datetime()");
  });
});

describe("other libraries", () => {
  const validate = (value: unknown) => ({ value });

  it("are asked for the input as draft 2020-12", () => {
    const asked: unknown[] = [];
    const input = (options: unknown) => {
      asked.push(options);
      return { type: "object", properties: { a: { type: "string" } }, required: ["a"] };
    };
    const schema = {
      "~standard": { version: 1 as const, vendor: "other", validate, jsonSchema: { input, output: input } },
    };
    expect(columns(schema)).toEqual({ a: "text" });
    expect(asked).toEqual([{ target: "draft-2020-12" }]);
  });

  it("are refused with a hint when they have no JSON Schema", () => {
    const error = refusal(() =>
      schemaFromStandard({ "~standard": { version: 1, vendor: "other", validate } }),
    );
    expect(error.message).toBe("the other schema cannot be read: it offers no JSON Schema");
    expect(error.hint).toContain("@valibot/to-json-schema");
  });

  it("are refused when they are no schema at all", () => {
    for (const thing of [{}, null, undefined, 5]) {
      expect(refusal(() => schemaFromStandard(thing as unknown as StandardSchemaV1)).message).toBe(
        "the schema is not a Standard Schema",
      );
    }
  });
});

describe("JSON Schema", () => {
  it("follows references", () => {
    expect(
      fromJson(
        {
          a: { $ref: "#/$defs/id" },
          b: { anyOf: [{ $ref: "#/$defs/id" }, { type: "null" }] },
          c: { $ref: "#/$defs/a~1b" },
        },
        { $defs: { id: { type: "integer" }, "a/b": { type: "string" } } },
      ),
    ).toEqual({ a: "int8", b: "int8?", c: "text" });
    expect(
      schemaFromJsonSchema({
        $ref: "#/$defs/top",
        $defs: { top: { type: "object", properties: { a: { type: "null" } } } },
      }).fields,
    ).toEqual([{ name: "a", type: { name: "jsonb" }, nullable: true }]);
  });

  it("takes a type that holds itself, and refuses one that is only itself", () => {
    const node = { type: "object", properties: { next: { $ref: "#/$defs/node" } } };
    expect(fromJson({ list: { $ref: "#/$defs/node" } }, { $defs: { node } })).toEqual({ list: "jsonb" });
    const circle = { $ref: "#/$defs/circle" };
    expect(refusal(() => fromJson({ a: circle }, { $defs: { circle } })).detail).toBe(
      "It leads back to itself.",
    );
    const loop = { anyOf: [{ $ref: "#/$defs/loop" }, { type: "string" }] };
    expect(refusal(() => fromJson({ a: loop }, { $defs: { loop } })).detail).toBe("It leads back to itself.");
    expect(refusal(() => fromJson({ a: { $ref: "#/$defs/none" } })).detail).toBe("Nothing is there.");
    expect(refusal(() => fromJson({ a: { $ref: "other.json#/x" } })).detail).toContain("within the document");
  });

  it("reads types by list, by value and by parts", () => {
    expect(
      fromJson({
        list: { type: ["integer", "null"] },
        mixed: { type: ["string", "number"] },
        numbers: { type: ["integer", "number"] },
        values: { enum: ["a", null] },
        ints: { enum: [1, 2] },
        floats: { enum: [1, 2.5] },
        both: { enum: [1, "a"] },
        parts: { allOf: [{ type: "string" }, { type: "string", minLength: 1 }] },
        not: { not: { type: "string" } },
        yes: true,
        none: { enum: [] },
        object: { const: { a: 1 } },
      }),
    ).toEqual({
      list: "int8?",
      mixed: "jsonb",
      numbers: "float8",
      values: "text?",
      ints: "int8",
      floats: "float8",
      both: "jsonb",
      parts: "text",
      not: "jsonb?",
      yes: "jsonb?",
      none: "jsonb?",
      object: "jsonb",
    });
  });

  it("refuses an empty name", () => {
    expect(refusal(() => fromJson({ "": { type: "string" } })).message).toBe("a property has the empty name");
  });
});
