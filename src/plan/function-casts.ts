/** Which types become which, how freely, and which type several have in common: PostgreSQL's pg_cast and select_common_type. */
import {
  type RecordField,
  type SqlType,
  sameType,
  type TypeName,
  text,
  withoutModifiers,
} from "../batch/types.ts";
import type { FunctionId } from "./function-table.ts";
import { isAnyType } from "./functions-of/entry.ts";

export type CastContext = "implicit" | "assignment" | "explicit";

export interface CastResolution {
  /** null: the value is already right. Else a CallExpr of `fn` whose `type` is the target type. */
  readonly fn: FunctionId | null;
}

const contextRank: Record<CastContext, number> = { implicit: 0, assignment: 1, explicit: 2 };

type Cast = readonly [fn: FunctionId | null, context: CastContext];

/** from -> to -> how freely it may be applied, as in pg_cast. Casts by text forms, to texts and between arrays are rules, see `castOf`. */
export const casts: Partial<Record<TypeName, Partial<Record<TypeName, Cast>>>> = {
  int2: {
    int4: ["int2_to_int4", "implicit"],
    int8: ["int2_to_int8", "implicit"],
    float4: ["int2_to_float4", "implicit"],
    float8: ["int2_to_float8", "implicit"],
    numeric: ["int2_to_numeric", "implicit"],
    bytea: ["integer_to_bytea", "explicit"],
  },
  int4: {
    int2: ["int4_to_int2", "assignment"],
    int8: ["int4_to_int8", "implicit"],
    float4: ["int4_to_float4", "implicit"],
    float8: ["int4_to_float8", "implicit"],
    numeric: ["int4_to_numeric", "implicit"],
    bool: ["int4_to_bool", "explicit"],
    bytea: ["integer_to_bytea", "explicit"],
  },
  int8: {
    int2: ["int8_to_int2", "assignment"],
    int4: ["int8_to_int4", "assignment"],
    float4: ["int8_to_float4", "implicit"],
    float8: ["int8_to_float8", "implicit"],
    numeric: ["int8_to_numeric", "implicit"],
    bytea: ["integer_to_bytea", "explicit"],
  },
  float4: {
    int2: ["float4_to_int2", "assignment"],
    int4: ["float4_to_int4", "assignment"],
    int8: ["float4_to_int8", "assignment"],
    float8: ["float4_to_float8", "implicit"],
    numeric: ["float4_to_numeric", "assignment"],
  },
  float8: {
    int2: ["float8_to_int2", "assignment"],
    int4: ["float8_to_int4", "assignment"],
    int8: ["float8_to_int8", "assignment"],
    float4: ["float8_to_float4", "assignment"],
    numeric: ["float8_to_numeric", "assignment"],
  },
  numeric: {
    int2: ["numeric_to_int2", "assignment"],
    int4: ["numeric_to_int4", "assignment"],
    int8: ["numeric_to_int8", "assignment"],
    float4: ["numeric_to_float4", "implicit"],
    float8: ["numeric_to_float8", "implicit"],
    numeric: ["numeric_to_numeric", "implicit"],
  },
  bool: { int4: ["bool_to_int4", "explicit"] },
  varchar: { text: ["varchar_to_text", "implicit"] },
  bpchar: { text: ["bpchar_to_text", "implicit"] },
  bytea: {
    int2: ["bytea_to_integer", "explicit"],
    int4: ["bytea_to_integer", "explicit"],
    int8: ["bytea_to_integer", "explicit"],
  },
  date: {
    timestamp: ["date_to_timestamp", "implicit"],
    timestamptz: ["date_to_timestamptz", "implicit"],
  },
  time: { interval: ["time_to_interval", "implicit"] },
  timestamp: {
    date: ["timestamp_to_date", "assignment"],
    time: ["timestamp_to_time", "assignment"],
    timestamptz: ["timestamp_to_timestamptz", "implicit"],
  },
  timestamptz: {
    date: ["timestamptz_to_date", "assignment"],
    time: ["timestamptz_to_time", "assignment"],
    timestamp: ["timestamptz_to_timestamp", "assignment"],
  },
  interval: { time: ["interval_to_time", "assignment"] },
  json: { jsonb: ["io_in", "assignment"] },
  jsonb: {
    json: ["io_in", "assignment"],
    bool: ["jsonb_to_scalar", "explicit"],
    int2: ["jsonb_to_scalar", "explicit"],
    int4: ["jsonb_to_scalar", "explicit"],
    int8: ["jsonb_to_scalar", "explicit"],
    float4: ["jsonb_to_scalar", "explicit"],
    float8: ["jsonb_to_scalar", "explicit"],
    numeric: ["jsonb_to_scalar", "explicit"],
  },
};

/** By name, the text forms that have functions of their own. */
const fromText: Partial<Record<TypeName, FunctionId>> = {
  int4: "text_to_int4",
  int8: "text_to_int8",
  float8: "text_to_float8",
  numeric: "text_to_numeric",
  bool: "text_to_bool",
  timestamptz: "text_to_timestamptz",
};

const toText: Partial<Record<TypeName, FunctionId>> = {
  int4: "int4_to_text",
  int8: "int8_to_text",
  float8: "float8_to_text",
  numeric: "numeric_to_text",
  bool: "bool_to_text",
  timestamptz: "timestamptz_to_text",
  jsonb: "jsonb_to_text",
};

/**
 * How a value of type `from` becomes one of type `to`, or undefined when PostgreSQL does not allow it in this context.
 * `from` null is a bare literal: the function that reads it from text, in every context.
 */
export function resolveCast(
  from: SqlType | null,
  to: SqlType,
  context: CastContext,
): CastResolution | undefined {
  if (from === null) return castOf(text, to, "explicit");
  if (sameType(from, to)) return { fn: null };
  return castOf(from, to, context);
}

export function castOf(from: SqlType, to: SqlType, context: CastContext): CastResolution | undefined {
  const found = castRule(from, to, context);
  if (found === undefined) return sameKind(from, to) ? { fn: null } : undefined;
  return contextRank[found[1]] <= contextRank[context] ? { fn: found[0] } : undefined;
}

function castRule(from: SqlType, to: SqlType, context: CastContext): Cast | undefined {
  if (to.name === "varchar" || to.name === "bpchar") return toCharacters(from, to, context);
  const listed = casts[from.name]?.[to.name];
  if (listed !== undefined) return listed;
  if (from.element !== undefined && to.element !== undefined) {
    if (sameType(from.element, to.element)) return undefined;
    const item = castOf(from.element, to.element, context);
    return item === undefined ? undefined : ["array_cast", context];
  }
  if (to.name === "text") {
    return from.name === "text" ? undefined : [toText[from.name] ?? "io_out", "assignment"];
  }
  // A cast by the text forms must be written.
  if (categories[from.name] === "S") return [fromText[to.name] ?? "io_in", "explicit"];
  return undefined;
}

/** Texts go over freely; what is no text has to be assigned or cast. */
function toCharacters(from: SqlType, to: SqlType, context: CastContext): Cast | undefined {
  if (from.name === to.name && from.length === to.length) return undefined;
  const rule: CastContext = categories[from.name] === "S" ? "implicit" : "assignment";
  const explicit = context === "explicit" || to.length === undefined;
  if (to.name === "varchar") return [explicit ? "to_varchar" : "assign_varchar", rule];
  return [explicit ? "to_bpchar" : "assign_bpchar", rule];
}

/** One type, whatever a declaration adds to it: numeric(10,2) and numeric. */
export function sameKind(a: SqlType, b: SqlType): boolean {
  if (a.name !== b.name) return false;
  if (isAnyType(a) || isAnyType(b)) return true;
  if (a.fields !== undefined && b.fields !== undefined) return sameFieldTypes(a.fields, b.fields);
  return sameType(withoutModifiers(a), withoutModifiers(b));
}

/** Rows are alike whatever their fields are called. */
function sameFieldTypes(a: readonly RecordField[], b: readonly RecordField[]): boolean {
  return a.length === b.length && a.every(({ type }, i) => sameKind(type, b[i]!.type));
}

export function canCast(from: SqlType | null, to: SqlType): boolean {
  return from === null || sameKind(from, to) || castOf(from, to, "implicit") !== undefined;
}

export type Category = "N" | "B" | "S" | "D" | "T" | "E" | "A" | "U" | "P";

export const categories: Record<TypeName, Category> = {
  int2: "N",
  int4: "N",
  int8: "N",
  float4: "N",
  float8: "N",
  numeric: "N",
  bool: "B",
  text: "S",
  varchar: "S",
  bpchar: "S",
  bytea: "U",
  uuid: "U",
  date: "D",
  time: "D",
  timestamp: "D",
  timestamptz: "D",
  interval: "T",
  json: "U",
  jsonb: "U",
  jsonpath: "U",
  enum: "E",
  array: "A",
  record: "P",
};

/** Preferred within its category. */
export const preferred: Partial<Record<TypeName, true>> = {
  float8: true,
  bool: true,
  text: true,
  timestamptz: true,
  interval: true,
};

const sqlNames: Partial<Record<TypeName, string>> = {
  int2: "smallint",
  int4: "integer",
  int8: "bigint",
  float4: "real",
  float8: "double precision",
  bool: "boolean",
  varchar: "character varying",
  bpchar: "character",
  time: "time without time zone",
  timestamp: "timestamp without time zone",
  timestamptz: "timestamp with time zone",
};

/** A type as PostgreSQL's messages write it: `timestamp with time zone`, `unknown` for a bare literal. */
export function sqlTypeName(type: SqlType | null): string {
  if (type === null) return "unknown";
  if (type.element !== undefined) return `${sqlTypeName(type.element)}[]`;
  return type.enumName ?? sqlNames[type.name] ?? type.name;
}

/**
 * The one type of CASE branches, COALESCE, GREATEST, VALUES and UNION columns (PostgreSQL's select_common_type), or undefined
 * when they have none. A numeric keeps its precision, and a text its length, only when all agree on it; a literal has none. Only literals: text.
 */
export function commonType(types: readonly (SqlType | null)[]): SqlType | undefined {
  const common = wantedType(types);
  return common !== undefined && types.every((t) => canCast(t, common)) ? common : undefined;
}

/** The same, though some may turn out not to become it: undefined only where their categories differ. */
export function wantedType(types: readonly (SqlType | null)[]): SqlType | undefined {
  const known = types.filter((t) => t !== null);
  const first = known[0];
  if (first === undefined) return text;
  if (known.length === types.length && known.every((t) => sameType(t, first))) return first;
  let best = first;
  for (const t of known) {
    if (sameKind(t, best)) continue;
    if (categories[t.name] !== categories[best.name]) return undefined;
    if (preferred[best.name] !== true && canCast(best, t) && !canCast(t, best)) best = t;
  }
  const agreed = known.length === types.length && known.every((t) => sameType(t, best));
  return agreed ? best : withoutModifiers(best);
}
