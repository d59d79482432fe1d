/**
 * Topic schemas from schemas of TypeScript: any Standard Schema (Zod, Valibot, ArkType ...) that can say itself as JSON Schema.
 *
 * | JSON Schema of a property                          | column                |
 * |----------------------------------------------------|-----------------------|
 * | integer with a bound of int32 (z.int32())          | int4                  |
 * | integer (z.int())                                  | int8                  |
 * | number                                             | float8                |
 * | boolean                                            | bool                  |
 * | string of format uuid                              | uuid                  |
 * | string of format date                              | date                  |
 * | string of format date-time                         | timestamptz           |
 * | every other string; string enums, consts           | text                  |
 * | everything else: objects, arrays, unions, any      | jsonb                 |
 *
 * Not required, or null among its types: nullable. The *input* side of the schema counts, since appended values are what it
 * describes. An int4 shows by an int32 bound alone: tightening another bound later must not change a column's type.
 */
import type { StandardJSONSchemaV1, StandardSchemaV1 } from "@standard-schema/spec";
import { EvertError, toEvertError } from "../base/errors.ts";
import { type Field, type Schema, schemaOf } from "./schema.ts";
import {
  bool,
  date,
  float8,
  int4,
  int8,
  jsonb,
  type SqlType,
  sameType,
  text,
  timestamptz,
  uuid,
} from "./types.ts";

export type JsonSchema = Readonly<Record<string, unknown>>;

const INT4_MIN = -(2 ** 31);
const INT4_MAX = 2 ** 31 - 1;
/** References within references: deeper is a circle. */
const REFERENCE_DEPTH_MAX = 32;

const topHint = "Describe one record, such as z.object({ id: z.int(), name: z.string() }).";

/** @throws invalid_table_definition when the schema does not describe an object, or cannot be had as JSON Schema. */
export function schemaFromStandard(schema: StandardSchemaV1): Schema {
  const standard = (schema as Partial<StandardSchemaV1> | null | undefined)?.["~standard"];
  if (standard === undefined) {
    throw new EvertError("invalid_table_definition", "the schema is not a Standard Schema", {
      hint: topHint,
    });
  }
  const { jsonSchema } = standard as Partial<StandardJSONSchemaV1.Props>;
  if (jsonSchema === undefined) {
    throw new EvertError(
      "invalid_table_definition",
      `the ${standard.vendor} schema cannot be read: it offers no JSON Schema`,
      {
        detail: 'Evert asks for the "~standard".jsonSchema part of Standard Schema.',
        hint: "Use Zod 4.2 or later, ArkType 2.1.28 or later, or toStandardJsonSchema of @valibot/to-json-schema.",
      },
    );
  }
  return schemaFromJsonSchema(jsonSchemaOf(jsonSchema, standard.vendor));
}

function jsonSchemaOf(converter: StandardJSONSchemaV1.Converter, vendor: string): JsonSchema {
  try {
    return converter.input({ target: "draft-2020-12" });
  } catch (error) {
    throw new EvertError(
      "invalid_table_definition",
      `the ${vendor} schema has no JSON form: ${toEvertError(error).message}`,
      {
        hint: "Use types that JSON has: z.iso.datetime() for a Date, z.int() or z.string() for a bigint.",
        cause: error,
      },
    );
  }
}

/** One value as a column. */
export function columnFromStandard(schema: { readonly "~standard": StandardJSONSchemaV1.Props }): ColumnType {
  const { jsonSchema, vendor } = schema["~standard"];
  const json = jsonSchemaOf(jsonSchema, vendor);
  return columnOf(json, json, 0);
}

/** Columns in the order of the properties. @throws invalid_table_definition when the top is not an object with properties. */
export function schemaFromJsonSchema(jsonSchema: JsonSchema): Schema {
  const properties = new Map<string, Field>();
  collect(jsonSchema, jsonSchema, properties, 0);
  if (properties.size === 0) {
    throw new EvertError("invalid_table_definition", "the schema names no properties", { hint: topHint });
  }
  return schemaOf([...properties.values()]);
}

/** Adds the properties of an object; those of all parts of an allOf. */
function collect(node: JsonSchema, root: JsonSchema, into: Map<string, Field>, depth: number): void {
  const resolved = resolve(node, root, depth);
  const parts = Array.isArray(resolved["allOf"]) ? (resolved["allOf"] as unknown[]) : [];
  const { type, properties } = resolved;
  if (type !== "object" && (type !== undefined || parts.length === 0)) {
    throw new EvertError(
      "invalid_table_definition",
      `the schema describes ${shapeOf(resolved)}, not an object`,
      {
        hint: topHint,
      },
    );
  }
  const required = new Set(Array.isArray(resolved["required"]) ? (resolved["required"] as unknown[]) : []);
  for (const [name, property] of Object.entries(isNode(properties) ? properties : {})) {
    if (name === "") throw new EvertError("invalid_table_definition", "a property has the empty name");
    const column = columnOf(property, root, depth + 1);
    const nullable = column.nullable || !required.has(name);
    const earlier = into.get(name);
    // both parts of an allOf hold, so a value is null only when both let it be
    const joint = earlier === undefined ? nullable : nullable && earlier.nullable;
    const joined = earlier === undefined || sameType(earlier.type, column.type) ? column.type : jsonb;
    into.set(name, { name, type: joined, nullable: joint });
  }
  for (const part of parts) if (isNode(part)) collect(part, root, into, depth + 1);
}

function shapeOf(node: JsonSchema): string {
  if (typeof node["type"] === "string")
    return /^[aeio]/.test(node["type"]) ? `an ${node["type"]}` : `a ${node["type"]}`;
  return Array.isArray(node["anyOf"]) || Array.isArray(node["oneOf"])
    ? "a choice between shapes"
    : "any value";
}

interface ColumnType {
  readonly type: SqlType;
  readonly nullable: boolean;
}

/** `true` and an empty schema allow everything, also null. */
const anything: ColumnType = { type: jsonb, nullable: true };
/** The type whose one value is null: it says nothing about the column's type. */
const nullOnly: ColumnType = { type: jsonb, nullable: true };

function columnOf(node: unknown, root: JsonSchema, depth: number): ColumnType {
  if (!isNode(node)) return anything;
  const resolved = resolve(node, root, depth);
  const choices = choicesOf(resolved);
  if (choices !== null) return common(choices.map((choice) => columnOf(choice, root, depth + 1)));
  if (Array.isArray(resolved["enum"])) return common(resolved["enum"].map(columnOfValue));
  if ("const" in resolved)
    return resolved["type"] === "number" ? scalar("number", resolved) : columnOfValue(resolved["const"]);
  if (Array.isArray(resolved["type"])) return common(resolved["type"].map((name) => scalar(name, resolved)));
  if (resolved["type"] !== undefined) return scalar(resolved["type"], resolved);
  if (Array.isArray(resolved["allOf"])) {
    const parts = resolved["allOf"].map((part) => columnOf(part, root, depth + 1));
    return { type: common(parts).type, nullable: parts.every((part) => part.nullable) };
  }
  return anything;
}

function choicesOf(node: JsonSchema): readonly unknown[] | null {
  if (Array.isArray(node["anyOf"])) return node["anyOf"];
  return Array.isArray(node["oneOf"]) ? node["oneOf"] : null;
}

function scalar(name: unknown, node: JsonSchema): ColumnType {
  switch (name) {
    case "null":
      return nullOnly;
    case "integer":
      return { type: isInt32(node) ? int4 : int8, nullable: false };
    case "number":
      return { type: float8, nullable: false };
    case "boolean":
      return { type: bool, nullable: false };
    case "string":
      return { type: formats.get(node["format"]) ?? text, nullable: false };
    default:
      return { type: jsonb, nullable: false };
  }
}

/** What a format of JSON Schema says of a string that a type of PostgreSQL says too. */
const formats: ReadonlyMap<unknown, SqlType> = new Map([
  ["uuid", uuid],
  ["date", date],
  ["date-time", timestamptz],
]);

function isInt32(node: JsonSchema): boolean {
  const { minimum, maximum } = node;
  if (typeof minimum !== "number" || typeof maximum !== "number") return false;
  if (minimum < INT4_MIN || maximum > INT4_MAX) return false;
  return minimum === INT4_MIN || maximum === INT4_MAX;
}

function columnOfValue(value: unknown): ColumnType {
  if (value === null) return nullOnly;
  switch (typeof value) {
    case "string":
      return { type: text, nullable: false };
    case "boolean":
      return { type: bool, nullable: false };
    case "number":
      return { type: Number.isSafeInteger(value) ? int8 : float8, nullable: false };
    default:
      return { type: jsonb, nullable: false };
  }
}

/** One type for all choices, null aside; jsonb where they differ (but integers widen to int8, numbers to float8, and strings to text). */
function common(choices: readonly ColumnType[]): ColumnType {
  const nullable = choices.some((choice) => choice.nullable);
  const told = choices.filter((choice) => choice !== nullOnly);
  const first = told[0];
  if (first === undefined) return choices.length === 0 ? anything : nullOnly;
  return { type: told.map((choice) => choice.type).reduce(widen), nullable };
}

/** What is a string to TypeScript. */
const strings: readonly SqlType[] = [text, uuid, date, timestamptz];

function widen(a: SqlType, b: SqlType): SqlType {
  if (sameType(a, b)) return a;
  if (strings.includes(a) && strings.includes(b)) return text;
  const rank = [int4, int8, float8];
  const wider = Math.max(rank.indexOf(a), rank.indexOf(b));
  return rank.includes(a) && rank.includes(b) ? rank[wider]! : jsonb;
}

/** Follows `$ref` within the document. */
function resolve(node: JsonSchema, root: JsonSchema, depth: number): JsonSchema {
  let current = node;
  for (let hops = depth; ; hops++) {
    const reference = current["$ref"];
    if (reference === undefined) return current;
    if (hops > REFERENCE_DEPTH_MAX) throw unresolved(reference, "It leads back to itself.");
    if (typeof reference !== "string" || !reference.startsWith("#")) {
      throw unresolved(reference, "Only references within the document are followed.");
    }
    let target: unknown = root;
    for (const step of reference.slice(1).split("/").slice(1)) {
      const key = decodeURIComponent(step).replaceAll("~1", "/").replaceAll("~0", "~");
      target = isNode(target) && Object.hasOwn(target, key) ? target[key] : undefined;
    }
    if (!isNode(target)) throw unresolved(reference, "Nothing is there.");
    current = target;
  }
}

function unresolved(reference: unknown, detail: string): EvertError {
  return new EvertError(
    "invalid_table_definition",
    `the reference ${JSON.stringify(reference)} cannot be followed`,
    {
      detail,
    },
  );
}

function isNode(value: unknown): value is JsonSchema {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
