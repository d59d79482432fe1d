/**
 * SQL types: what a column holds, how it lies in memory, and what it looks like outside.
 *
 * | SQL               | Arrow layout in a batch            | JSON (PostgreSQL's to_jsonb)   | TypeScript in a row            |
 * |-------------------|------------------------------------|--------------------------------|--------------------------------|
 * | int2, int4        | Int32                              | number                         | number                         |
 * | int8              | Int64                              | number, all digits             | number if safe, else bigint    |
 * | float4, float8    | Float64                            | number; "NaN", "Infinity"      | number                         |
 * | numeric(p<=18, s) | Int64, unscaled                    | number, all digits             | string, s digits after the dot |
 * | numeric           | Utf8: PostgreSQL's text            | number, all digits             | string                         |
 * | bool              | bit                                | true, false                    | boolean                        |
 * | text, varchar, bpchar | Utf8                           | string                         | string                         |
 * | bytea             | Utf8: its hex form                 | "\\x00ff"                      | the same string                |
 * | uuid              | Utf8: its canonical form           | string                         | string                         |
 * | date              | Int32: days since 1970             | "2024-05-06"                   | the same string                |
 * | time              | Int64: microseconds since midnight | "07:08:09.1"                   | the same string                |
 * | timestamp         | Int64: microseconds since 1970     | "2024-05-06T07:08:09.1"        | the same string                |
 * | timestamptz       | Int64: microseconds since 1970     | "2024-05-06T07:08:09.1+00:00"  | the same string                |
 * | interval          | Utf8: PostgreSQL's text            | "1 mon 2 days 03:00:00"        | the same string                |
 * | json              | Utf8: as it was written            | itself                         | itself                         |
 * | jsonb             | Utf8: canonical JSON               | itself                         | itself                         |
 * | jsonpath          | Utf8: PostgreSQL's text            | string                         | string                         |
 * | enum              | Int32: number of the label         | the label                      | the label                      |
 * | array             | Utf8: PostgreSQL's text            | array of the elements' forms   | array                          |
 * | record            | Utf8: PostgreSQL's text            | object of the fields' forms    | object                         |
 *
 * date, timestamp and timestamptz: the extreme integers are infinity and -infinity, as in PostgreSQL. What lies as text but is ordered or
 * equal otherwise than its bytes (interval, jsonb, arrays, records, bpchar) has order keys, see order-key.ts.
 */
export type TypeName =
  | "int2"
  | "int4"
  | "int8"
  | "float4"
  | "float8"
  | "numeric"
  | "bool"
  | "text"
  | "varchar"
  | "bpchar"
  | "bytea"
  | "uuid"
  | "date"
  | "time"
  | "timestamp"
  | "timestamptz"
  | "interval"
  | "json"
  | "jsonb"
  | "jsonpath"
  | "enum"
  | "array"
  | "record";

/** One of a row's values. */
export interface RecordField {
  readonly name: string;
  readonly type: SqlType;
}

export interface SqlType {
  readonly name: TypeName;
  /** numeric only: total digits; absent for an unconstrained numeric. */
  readonly precision?: number;
  /** numeric only: digits after the point; 0 when only a precision was given. */
  readonly scale?: number;
  /** varchar and bpchar only: how many characters; absent: any number. */
  readonly length?: number;
  /** array only: its elements' type, which is no array. */
  readonly element?: SqlType;
  /** record only: its fields in their order; two may have one name. */
  readonly fields?: readonly RecordField[];
  /** enum only: its name. */
  readonly enumName?: string;
  /** enum only: its labels in their order. */
  readonly labels?: readonly string[];
  /** What else holds of its values, where it was named by a domain. It is the same type all the same. */
  readonly domain?: Domain;
}

/** A type with constraints: CHECKs as they were written, over `value`. */
export interface Domain {
  readonly name: string;
  /** The domain it was made from. */
  readonly over: string | null;
  readonly notNull: boolean;
  readonly checks: readonly { readonly name: string; readonly text: string }[];
  /** DEFAULT, as it was written; absent: none. */
  readonly fallback?: string;
}

/** How a column's values lie in an engine chunk and in a state row. */
export type Physical = "f64" | "i32" | "ref";

/**
 * What a value is inside (a Datum): int32 and double are numbers, int64 a bigint (or a safe number), bool a boolean, string text.
 * Everything that moves values without looking into them asks for this and not for the type's name.
 */
export type Carrier = "int32" | "int64" | "double" | "bool" | "string";

export const int2: SqlType = { name: "int2" };
export const int4: SqlType = { name: "int4" };
export const int8: SqlType = { name: "int8" };
export const float4: SqlType = { name: "float4" };
export const float8: SqlType = { name: "float8" };
export const numeric: SqlType = { name: "numeric" };
export const bool: SqlType = { name: "bool" };
export const text: SqlType = { name: "text" };
export const varchar: SqlType = { name: "varchar" };
export const bpchar: SqlType = { name: "bpchar" };
export const bytea: SqlType = { name: "bytea" };
export const uuid: SqlType = { name: "uuid" };
export const date: SqlType = { name: "date" };
export const time: SqlType = { name: "time" };
export const timestamp: SqlType = { name: "timestamp" };
export const timestamptz: SqlType = { name: "timestamptz" };
export const interval: SqlType = { name: "interval" };
export const json: SqlType = { name: "json" };
export const jsonb: SqlType = { name: "jsonb" };
/** Its canonical text; neither equality nor order. */
export const jsonpath: SqlType = { name: "jsonpath" };

export function arrayOf(element: SqlType): SqlType {
  return { name: "array", element };
}

export function recordOf(fields: readonly RecordField[]): SqlType {
  return { name: "record", fields };
}

export function enumOf(enumName: string, labels: readonly string[]): SqlType {
  return { name: "enum", enumName, labels };
}

/** A numeric that travels as a scaled int64: declared with 18 digits or fewer. */
export function isSmallNumeric(type: SqlType): boolean {
  return type.name === "numeric" && type.precision !== undefined && type.precision <= 18;
}

export function carrierOf(type: SqlType): Carrier {
  switch (type.name) {
    case "int2":
    case "int4":
    case "date":
    case "enum":
      return "int32";
    case "int8":
    case "time":
    case "timestamp":
    case "timestamptz":
      return "int64";
    case "float4":
    case "float8":
      return "double";
    case "bool":
      return "bool";
    case "numeric":
      return isSmallNumeric(type) ? "int64" : "string";
    case "text":
    case "varchar":
    case "bpchar":
    case "bytea":
    case "uuid":
    case "interval":
    case "json":
    case "jsonb":
    case "jsonpath":
    case "array":
    case "record":
      return "string";
  }
}

const physicals: Readonly<Record<Carrier, Physical>> = {
  int32: "i32",
  bool: "i32",
  int64: "f64",
  double: "f64",
  string: "ref",
};

/**
 * Where the engine keeps a type. f64: doubles, and int64 as exact doubles (one outside +-(2^53-1) is a reference to an interned
 * bigint, see state/dictionary.ts). i32: int32 and bool (0/1). ref: an id of the dictionary.
 */
export function physicalOf(type: SqlType): Physical {
  return physicals[carrierOf(type)];
}

/** An unconstrained numeric, or one of more than 18 digits: text with an equality of its own. */
export function isNumericText(type: SqlType): boolean {
  return type.name === "numeric" && !isSmallNumeric(type);
}

export function sameType(a: SqlType, b: SqlType): boolean {
  if (a === b) return true;
  return (
    a.name === b.name &&
    a.precision === b.precision &&
    a.scale === b.scale &&
    a.length === b.length &&
    a.enumName === b.enumName &&
    sameLabels(a.labels, b.labels) &&
    sameFields(a.fields, b.fields) &&
    (a.element === undefined
      ? b.element === undefined
      : b.element !== undefined && sameType(a.element, b.element))
  );
}

function sameLabels(a: readonly string[] | undefined, b: readonly string[] | undefined): boolean {
  return a === b || (a?.length === b?.length && a!.every((label, i) => label === b![i]));
}

function sameFields(a: SqlType["fields"], b: SqlType["fields"]): boolean {
  if (a === undefined || b === undefined || a === b) return a === b;
  return (
    a.length === b.length && a.every(({ name, type }, i) => name === b[i]!.name && sameType(type, b[i]!.type))
  );
}

/** The type without what a declaration adds to it: numeric(10,2) is numeric, varchar(5)[] is varchar[]. */
export function withoutModifiers(type: SqlType): SqlType {
  if (type.element !== undefined) return { ...type, element: withoutModifiers(type.element) };
  if (type.fields !== undefined)
    return recordOf(type.fields.map((f) => ({ ...f, type: withoutModifiers(f.type) })));
  if (type.precision === undefined && type.length === undefined) return type;
  return { name: type.name };
}

/** As PostgreSQL prints it: `numeric(10,2)`, `varchar(5)`, `int4[]`. */
export function typeToString(type: SqlType): string {
  if (type.element !== undefined) return `${typeToString(type.element)}[]`;
  if (type.fields !== undefined)
    return `record(${type.fields.map((f) => `${JSON.stringify(f.name)} ${typeToString(f.type)}`).join(", ")})`;
  if (type.enumName !== undefined) return type.enumName;
  if (type.length !== undefined) return `${type.name}(${type.length})`;
  if (type.precision !== undefined) return `${type.name}(${type.precision},${type.scale ?? 0})`;
  return type.name;
}

const byName: Readonly<Record<Exclude<TypeName, "enum" | "array" | "record">, SqlType>> = {
  int2,
  int4,
  int8,
  float4,
  float8,
  numeric,
  bool,
  text,
  varchar,
  bpchar,
  bytea,
  uuid,
  date,
  time,
  timestamp,
  timestamptz,
  interval,
  json,
  jsonb,
  jsonpath,
};

/** All types but those made of others. */
export const baseTypes: readonly SqlType[] = Object.values(byName);

/** What typeToString printed, for all types but enums and records; undefined for anything else. */
export function typeFromString(said: string): SqlType | undefined {
  if (said.endsWith("[]")) {
    const element = typeFromString(said.slice(0, -2));
    return element === undefined || element.element !== undefined ? undefined : arrayOf(element);
  }
  const match = /^([a-z0-9]+)(?:\((\d+)(?:,(\d+))?\))?$/.exec(said);
  const name = match?.[1] ?? "";
  if (!Object.hasOwn(byName, name)) return undefined;
  const type = byName[name as keyof typeof byName];
  if (match![2] === undefined) return type;
  const first = Number(match![2]);
  if (name === "numeric") return { name, precision: first, scale: Number(match![3] ?? 0) };
  return name === "varchar" || name === "bpchar" ? { name, length: first } : undefined;
}

/** PostgreSQL's typname, as messages to clients carry it: `_int4` for `int4[]`, an enum's own name; without modifiers. */
export function typname(type: SqlType): string {
  if (type.element !== undefined) return `_${typname(type.element)}`;
  return type.enumName ?? type.name;
}
