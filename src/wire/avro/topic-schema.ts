/**
 * A topic's columns as an Avro record.
 *
 * | column                    | Avro                                          |
 * |---------------------------|-----------------------------------------------|
 * | int2, int4                | int                                           |
 * | int8                      | long                                          |
 * | float4, float8            | float, double                                 |
 * | numeric(p,s)              | bytes, decimal(p, s)                          |
 * | bool                      | boolean                                       |
 * | text, varchar, char       | string                                        |
 * | json, jsonb               | string: the JSON text                         |
 * | bytea                     | bytes                                         |
 * | uuid                      | string, uuid                                  |
 * | date                      | int, date                                     |
 * | time                      | long, time-micros                             |
 * | timestamp                 | long, local-timestamp-micros                  |
 * | timestamptz               | long, timestamp-micros                        |
 * | an enum                   | enum, where its labels are names to Avro      |
 * | an array                  | array of null or its items, of one dimension  |
 * | a column that takes nulls | union of null and its type, null by default   |
 *
 * What has no such form is refused by name: a form of our own would be a string that only Evert can read. What this gives for a schema must stay what it
 * is: ids stand for it (schema-ids.ts), and who has one asks for the schema once and never again.
 */
import { EvertError } from "../../base/errors.ts";
import type { Field, Schema } from "../../batch/schema.ts";
import { type SqlType, typeToString } from "../../batch/types.ts";

export type AvroSchema = string | AvroObject | readonly AvroSchema[];

export interface AvroObject {
  readonly type: AvroSchema;
  readonly [property: string]: unknown;
}

const avroName = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** The schema as text: the same for the same columns, always. @throws EvertError feature_not_supported for a column that Avro has no form for. */
export function topicSchemaText(topic: string, schema: Schema): string {
  const record = nameOf(topic);
  const names = new Names(record);
  const fields = schema.fields.map((field) => fieldOf(topic, field, names));
  return JSON.stringify({ type: "record", name: record, fields });
}

/** The same of its key alone: what a deletion says. REQUIRES that it has one. */
export function keySchemaText(topic: string, schema: Schema, key: readonly string[]): string {
  return topicSchemaText(`${topic}_key`, keySchema(schema, key));
}

export function keySchema({ fields, aliases = [] }: Schema, key: readonly string[]): Schema {
  const own = key.map((name) => fields.find((field) => field.name === name) as Field);
  return { fields: own, aliases: aliases.filter(({ column }) => key.includes(column)) };
}

function fieldOf(topic: string, { name, type, nullable }: Field, names: Names): object {
  const refuse = (reason: string, hint: string): never => {
    throw new EvertError(
      "feature_not_supported",
      `column ${JSON.stringify(name)} of "${topic}" has no Avro form`,
      { detail: reason, hint },
    );
  };
  if (!avroName.test(name)) {
    refuse(
      "Names in Avro are made of A-Z, a-z, 0-9 and _, and do not begin with a digit.",
      "Rename the column: ALTER TABLE … RENAME COLUMN … TO ….",
    );
  }
  const avro = avroType(type, names, refuse);
  return nullable ? { name, type: ["null", avro], default: null } : { name, type: avro };
}

function avroType(type: SqlType, names: Names, refuse: (reason: string, hint: string) => never): AvroSchema {
  switch (type.name) {
    case "int2":
    case "int4":
      return "int";
    case "int8":
      return "long";
    case "float4":
      return "float";
    case "float8":
      return "double";
    case "bool":
      return "boolean";
    case "text":
    case "varchar":
    case "bpchar":
    case "json":
    case "jsonb":
      return "string";
    case "bytea":
      return "bytes";
    case "uuid":
      return { type: "string", logicalType: "uuid" };
    case "date":
      return { type: "int", logicalType: "date" };
    case "time":
      return { type: "long", logicalType: "time-micros" };
    case "timestamp":
      return { type: "long", logicalType: "local-timestamp-micros" };
    case "timestamptz":
      return { type: "long", logicalType: "timestamp-micros" };
    case "numeric": {
      const { precision, scale = 0 } = type;
      if (precision === undefined || scale < 0 || scale > precision) {
        refuse(
          `A decimal has a precision, and a scale from 0 up to it; the column is ${typeToString(type)}.`,
          "Make a new table that declares it with both, as in numeric(18, 2), and fill it with INSERT ... SELECT.",
        );
      }
      return { type: "bytes", logicalType: "decimal", precision, scale };
    }
    case "enum":
      return names.enumOf(type, refuse);
    case "array":
      return { type: "array", items: ["null", avroType(type.element as SqlType, names, refuse)] };
    case "interval":
    case "jsonpath":
    case "record":
      return refuse(
        `Avro has no type for ${typeToString(type)}.`,
        "Send and read the topic as JSON, or keep the value as text.",
      );
  }
}

/** A name is defined once in a schema, and meant by its name alone from then on. */
class Names {
  readonly #taken: Set<string>;
  readonly #enums = new Map<string, string>();

  constructor(record: string) {
    this.#taken = new Set([record]);
  }

  enumOf(type: SqlType, refuse: (reason: string, hint: string) => never): AvroSchema {
    const said = JSON.stringify([type.enumName, type.labels]);
    const known = this.#enums.get(said);
    if (known !== undefined) return known;
    const symbols = type.labels ?? [];
    const odd = symbols.find((label) => !avroName.test(label));
    if (odd !== undefined) {
      refuse(
        `The label ${JSON.stringify(odd)} is no name to Avro: those are made of A-Z, a-z, 0-9 and _.`,
        "Keep it as text.",
      );
    }
    let name = nameOf(type.enumName ?? "");
    while (this.#taken.has(name)) name += "_";
    this.#taken.add(name);
    this.#enums.set(said, name);
    return { type: "enum", name, symbols };
  }
}

function nameOf(said: string): string {
  const name = said.replace(/[^A-Za-z0-9_]/g, "_");
  return /^[A-Za-z_]/.test(name) ? name : `_${name}`;
}
