/** Values written as plain text (in a path, a query string, a cell of CSV) in the form a row of their type has. */
import { EvertError } from "../../base/errors.ts";
import { JsonNumber, parseJson } from "../../batch/lossless-json.ts";
import type { Schema } from "../../batch/schema.ts";
import { type SqlType, typeToString, typname } from "../../batch/types.ts";
import type { TopicColumnMessage } from "./messages.ts";

const integer = /^[+-]?[0-9]+$/;
const decimal = /^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?$/;
const booleans = new Map([
  ["true", true],
  ["t", true],
  ["false", false],
  ["f", false],
]);

const bitsOf = { int2: 16, int4: 32, int8: 64 } as const;

/** @throws EvertError invalid_text_representation, numeric_value_out_of_range; the message names `what`. */
export function valueFromText(text: string, type: SqlType, what: string): unknown {
  switch (type.name) {
    case "int2":
    case "int4":
    case "int8": {
      if (!integer.test(text)) throw badValue(text, type, what);
      const value = BigInt(text.startsWith("+") ? text.slice(1) : text);
      if (BigInt.asIntN(bitsOf[type.name], value) !== value) {
        throw new EvertError(
          "numeric_value_out_of_range",
          `${what}: ${quoted(text)} is out of range for type ${type.name}`,
        );
      }
      const double = Number(value);
      return Number.isSafeInteger(double) ? double : value;
    }
    case "float4":
    case "float8": {
      const special = /^[+-]?(nan|inf|infinity)$/i.exec(text);
      if (special !== null) {
        if (special[1]!.toLowerCase() === "nan") return Number.NaN;
        return text.startsWith("-") ? -Infinity : Infinity;
      }
      if (!decimal.test(text)) throw badValue(text, type, what);
      const value = Number(text);
      if (!Number.isFinite(value)) {
        throw new EvertError(
          "numeric_value_out_of_range",
          `${what}: ${quoted(text)} is out of range for type ${type.name}`,
        );
      }
      return value;
    }
    case "numeric":
      if (!decimal.test(text)) throw badValue(text, type, what);
      return text;
    case "bool": {
      const value = booleans.get(text.toLowerCase());
      if (value === undefined) throw badValue(text, type, what);
      return value;
    }
    case "json":
    case "jsonb":
      return parseJson(text);
    default:
      return text;
  }
}

/**
 * A key as it stands in a path: the key column's value as text, or a JSON array for a composite key. A view without a
 * key has content hashes for keys: text.
 */
export function keyFromText(text: string, schema: Schema, key: readonly string[] | null): unknown {
  if (key === null) return text;
  const types = key.map((name) => schema.fields.find((field) => field.name === name)!.type);
  if (key.length === 1) return valueFromText(text, types[0]!, `key ${key[0]}`);
  const columns = key.map((name, i) => `${name} ${typeToString(types[i]!)}`).join(", ");
  // One row over everything has no key columns.
  const expected =
    key.length === 0
      ? "It has one row, whose key is []."
      : `A JSON array of ${key.length} values: ${columns}.`;
  const value = parseKeyArray(text, expected);
  if (!Array.isArray(value) || value.length !== key.length) {
    throw new EvertError("invalid_text_representation", "the key is not one of this relation", {
      hint: expected,
    });
  }
  return value;
}

function parseKeyArray(text: string, hint: string): unknown {
  try {
    return parseJson(text);
  } catch (error) {
    const detail = error instanceof EvertError ? error.detail : undefined;
    throw new EvertError("invalid_text_representation", "the key is not valid JSON", {
      detail,
      hint,
      cause: error,
    });
  }
}

export function columnMessages(schema: Schema): TopicColumnMessage[] {
  return schema.fields.map((field) => ({
    name: field.name,
    type: typname(field.type),
    declaredType: typeToString(field.type),
    nullable: field.nullable,
  }));
}

/** JSON of values that were read with all their digits. */
export function encodeExact(value: unknown): string {
  if (typeof value === "bigint" || value instanceof JsonNumber) return String(value);
  if (Array.isArray(value)) return `[${value.map(encodeExact).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.entries(value).map(([name, v]) => `${JSON.stringify(name)}:${encodeExact(v)}`);
  return `{${members.join(",")}}`;
}

function badValue(text: string, type: SqlType, what: string): EvertError {
  return new EvertError(
    "invalid_text_representation",
    `${what}: ${quoted(text)} is not of type ${type.name}`,
  );
}

function quoted(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 77)}...` : text);
}
