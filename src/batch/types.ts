/**
 * SQL types: what a column holds, how it lies in memory, and what it looks like outside.
 *
 * | SQL               | Arrow layout in a batch          | JSON (PostgreSQL's to_jsonb)   | TypeScript in a row            |
 * |-------------------|----------------------------------|--------------------------------|--------------------------------|
 * | int4              | Int32                            | number                         | number                         |
 * | int8              | Int64                            | number, all digits             | number if safe, else bigint    |
 * | float8            | Float64                          | number; "NaN", "Infinity"      | number                         |
 * | numeric(p<=18, s) | Int64, unscaled                  | number, all digits             | string, s digits after the dot |
 * | numeric           | Utf8: PostgreSQL's text          | number, all digits             | string                         |
 * | bool              | bit                              | true, false                    | boolean                        |
 * | text              | Utf8                             | string                         | string                         |
 * | timestamptz       | Int64: microseconds since 1970   | "2024-05-06T07:08:09.1+00:00"  | the same string                |
 * | jsonb             | Utf8: canonical JSON             | itself                         | itself                         |
 *
 * `jsonb` holds nested values of topics declared in TypeScript and results of functions whose type is not
 * declared; SQL refuses to declare it until the issue that brings all of PostgreSQL's types.
 * timestamptz: the extreme int64 values are infinity and -infinity, as in PostgreSQL.
 */
export type TypeName = "int4" | "int8" | "float8" | "numeric" | "bool" | "text" | "timestamptz" | "jsonb";

export interface SqlType {
  readonly name: TypeName;
  /** numeric only: total digits; absent for an unconstrained numeric. */
  readonly precision?: number;
  /** numeric only: digits after the point; 0 when only a precision was given. */
  readonly scale?: number;
}

/** How a column's values lie in an engine chunk and in a state row. */
export type Physical = "f64" | "i32" | "ref";

export const int4: SqlType = { name: "int4" };
export const int8: SqlType = { name: "int8" };
export const float8: SqlType = { name: "float8" };
export const numeric: SqlType = { name: "numeric" };
export const bool: SqlType = { name: "bool" };
export const text: SqlType = { name: "text" };
export const timestamptz: SqlType = { name: "timestamptz" };
export const jsonb: SqlType = { name: "jsonb" };

/** A numeric that travels as a scaled int64: declared with 18 digits or fewer. */
export function isSmallNumeric(type: SqlType): boolean {
  return type.name === "numeric" && type.precision !== undefined && type.precision <= 18;
}

/**
 * Where the engine keeps a type. f64: exact doubles (int8, timestamptz and small numerics hold integers; one
 * outside +-(2^53-1) is a reference to an interned bigint, see state/dictionary.ts). i32: int4, bool (0/1).
 * ref: an id of the dictionary (text, numeric, jsonb).
 */
export function physicalOf(type: SqlType): Physical {
  switch (type.name) {
    case "int4":
    case "bool":
      return "i32";
    case "int8":
    case "float8":
    case "timestamptz":
      return "f64";
    case "numeric":
      return isSmallNumeric(type) ? "f64" : "ref";
    case "text":
    case "jsonb":
      return "ref";
  }
}

export function sameType(a: SqlType, b: SqlType): boolean {
  return a.name === b.name && a.precision === b.precision && a.scale === b.scale;
}

/** As PostgreSQL prints it: `numeric(10,2)`. */
export function typeToString(type: SqlType): string {
  if (type.name === "numeric" && type.precision !== undefined)
    return `numeric(${type.precision},${type.scale ?? 0})`;
  return type.name;
}
