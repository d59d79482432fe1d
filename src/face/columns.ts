/**
 * Columns as TypeScript declares them: `{ id: int4, name: text, note: nullable(text) }`, or any Standard Schema that can
 * say itself in JSON Schema.
 */
import type { StandardJSONSchemaV1, StandardSchemaV1 } from "@standard-schema/spec";
import { EvertError } from "../base/errors.ts";
import { type Field, type Schema, schemaOf } from "../batch/schema.ts";
import { schemaFromStandard } from "../batch/standard-schema.ts";
import * as types from "../batch/types.ts";
import type { RowOf, Simplify } from "./rows.ts";

/** The type of a column, and what it is to TypeScript: `Value` when read, `Input` when written. */
export interface ColumnType<out Value = unknown, in Input = never> {
  readonly type: types.SqlType;
  readonly nullable: boolean;
  /** Never there: carries the type. */
  readonly $value?: Value;
  /** Never there: carries the type, as what may be put in. */
  readonly $input?: (value: Input) => void;
}

function column<Value, Input = Value>(type: types.SqlType, isNullable = false): ColumnType<Value, Input> {
  return Object.freeze({ type: Object.freeze(type), nullable: isNullable });
}

/** 16-bit integer. */
export const int2: ColumnType<number, number> = column(types.int2);
/** 32-bit integer. */
export const int4: ColumnType<number, number> = column(types.int4);
/** 64-bit integer. Read as a number while it is a safe integer, as a bigint otherwise. */
export const int8: ColumnType<number, number | bigint> = column(types.int8);
/** 32-bit floating point: what is written is rounded to it. */
export const float4: ColumnType<number, number> = column(types.float4);
/** 64-bit floating point. */
export const float8: ColumnType<number, number> = column(types.float8);
export const bool: ColumnType<boolean, boolean> = column(types.bool);
export const text: ColumnType<string, string> = column(types.text);
/** Bytes, read as their hex form: "\\x00ff". */
export const bytea: ColumnType<string, string | Uint8Array> = column(types.bytea);
/** Read in its canonical form: lower case, with hyphens. */
export const uuid: ColumnType<string, string> = column(types.uuid);
/** A day: "2024-05-06". */
export const date: ColumnType<string, string> = column(types.date);
/** A time of day, to the microsecond: "07:08:09.1". */
export const time: ColumnType<string, string> = column(types.time);
/** A day and a time of day, of no time zone: "2024-05-06T07:08:09.1". */
export const timestamp: ColumnType<string, string> = column(types.timestamp);
/** Months, days and microseconds, in PostgreSQL's form: "1 mon 2 days 03:00:00". */
export const interval: ColumnType<string, string> = column(types.interval);
/** A moment, to the microsecond: an ISO 8601 string. */
export const timestamptz: ColumnType<string, string> = column(types.timestamptz);

/** Exact decimal, a string in TypeScript: `numeric(10, 2)`, or any number of digits: `numeric()`. */
export function numeric(precision?: number, scale = 0): ColumnType<string, string | number | bigint> {
  if (precision === undefined) return column(types.numeric);
  if (!Number.isInteger(precision) || precision < 1 || precision > 1000) {
    throw new EvertError("invalid_argument", `numeric precision ${precision} must be between 1 and 1000`);
  }
  if (!Number.isInteger(scale) || scale < 0 || scale > precision) {
    throw new EvertError(
      "invalid_argument",
      `numeric scale ${scale} must be between 0 and the precision ${precision}`,
    );
  }
  return column({ name: "numeric", precision, scale });
}

/** Text of at most so many characters. */
export function varchar(length: number): ColumnType<string, string> {
  if (!Number.isInteger(length) || length < 1) {
    throw new EvertError("invalid_argument", `varchar length ${length} must be at least 1`);
  }
  return column({ name: "varchar", length });
}

/** One of these labels, which are ordered as they stand. */
export function enumeration<const L extends string>(
  name: string,
  labels: readonly [L, ...L[]],
): ColumnType<L, L> {
  checkName("type", name);
  if (new Set(labels).size < labels.length) {
    throw new EvertError("invalid_argument", `a label of the enum "${name}" stands twice`);
  }
  return column(types.enumOf(name, Object.freeze([...labels])));
}

/** A list of values of another type. A null may stand among them. */
export function array<V, I>(of: ColumnType<V, I>): ColumnType<(V | null)[], readonly (I | null)[]> {
  if (of.type.element !== undefined) {
    throw new EvertError("invalid_argument", "an array of arrays is an array of two dimensions", {
      hint: "Use jsonb for lists of different lengths.",
    });
  }
  return column(types.arrayOf(of.type));
}

/** Any JSON value. */
export function jsonb<T = unknown>(): ColumnType<T, T> {
  return column<T>(types.jsonb);
}

/** The same column, where null may stand too. */
export function nullable<V, I>(of: ColumnType<V, I>): ColumnType<V | null, I | null> {
  return column<V | null, I | null>(of.type, true);
}

export type Columns = Readonly<Record<string, ColumnType>>;

/** A Standard Schema that also answers with its JSON Schema: Zod 4, ArkType, Valibot with its converter. */
export interface JsonSchema<Input = unknown, Output = Input> {
  readonly "~standard": StandardSchemaV1.Props<Input, Output> & StandardJSONSchemaV1.Props<Input, Output>;
}

export type Declaration = Columns | JsonSchema;

/** Columns whose inputs may be null need not be given. */
type InputOf<C extends Columns> = Simplify<
  { readonly [K in keyof C as null extends Input<C[K]> ? never : K]: Input<C[K]> } & {
    readonly [K in keyof C as null extends Input<C[K]> ? K : never]?: Input<C[K]> | undefined;
  }
>;

type Input<C> = C extends ColumnType<unknown, infer I> ? I : never;

type Value<C> = C extends ColumnType<infer V, never> ? V : never;

/** The row a declaration describes. */
export type DeclaredRow<D> =
  D extends JsonSchema<unknown, infer Output>
    ? Simplify<RowOf<Output>>
    : D extends Columns
      ? { -readonly [K in keyof D]: Value<D[K]> }
      : never;

/** What may be appended to a topic so declared. */
export type DeclaredInput<D> =
  D extends JsonSchema<infer I, unknown> ? I : D extends Columns ? InputOf<D> : never;

export function isJsonSchema(declaration: object): declaration is JsonSchema {
  return "~standard" in declaration;
}

/** @throws EvertError naming the column that cannot be one. */
export function schemaOfDeclaration(declaration: Declaration): Schema {
  if (isJsonSchema(declaration)) return schemaFromStandard(declaration);
  const fields: Field[] = [];
  for (const [name, c] of Object.entries(declaration)) {
    if (typeof c !== "object" || c === null || typeof c.type?.name !== "string") {
      throw new EvertError(
        "invalid_table_definition",
        `column "${name}" is not declared with a column type`,
        {
          hint: "Write for example { id: int4, name: text, note: nullable(text) }, or pass a Standard Schema such as z.object({ ... }).",
        },
      );
    }
    checkName("column", name);
    fields.push({ name, type: c.type, nullable: c.nullable });
  }
  if (fields.length === 0)
    throw new EvertError("invalid_table_definition", "a row needs at least one column");
  return schemaOf(fields);
}

const nameBytesMax = 63;

/** As PostgreSQL: 1 to 63 bytes, no NUL. Longer names are refused, never cut short. */
export function checkName(what: string, name: string): void {
  const reason =
    name === ""
      ? "it is empty"
      : name.includes("\0")
        ? "it contains a NUL character"
        : new TextEncoder().encode(name).length > nameBytesMax
          ? `it is longer than ${nameBytesMax} bytes`
          : null;
  if (reason === null) return;
  throw new EvertError("invalid_name", `${JSON.stringify(name)} cannot be the name of a ${what}`, {
    detail: `As a PostgreSQL identifier ${reason}.`,
  });
}
