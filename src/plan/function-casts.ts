/** Which types become which, how freely, and which type several have in common: PostgreSQL's pg_cast and select_common_type. */
import { numeric, type SqlType, sameType, type TypeName, text } from "../batch/types.ts";
import type { FunctionId } from "./function-table.ts";

export type CastContext = "implicit" | "assignment" | "explicit";

export interface CastResolution {
  /** null: the value is already right. Else a CallExpr of `fn` whose `type` is the target type. */
  readonly fn: FunctionId | null;
}

const contextRank: Record<CastContext, number> = { implicit: 0, assignment: 1, explicit: 2 };

/** from -> to -> how freely it may be applied, as in pg_cast; text forms as PostgreSQL's I/O casts. */
export const casts: Record<TypeName, Partial<Record<TypeName, readonly [FunctionId | null, CastContext]>>> = {
  int4: {
    int8: ["int4_to_int8", "implicit"],
    float8: ["int4_to_float8", "implicit"],
    numeric: ["int4_to_numeric", "implicit"],
    bool: ["int4_to_bool", "explicit"],
    text: ["int4_to_text", "assignment"],
  },
  int8: {
    int4: ["int8_to_int4", "assignment"],
    float8: ["int8_to_float8", "implicit"],
    numeric: ["int8_to_numeric", "implicit"],
    text: ["int8_to_text", "assignment"],
  },
  float8: {
    int4: ["float8_to_int4", "assignment"],
    int8: ["float8_to_int8", "assignment"],
    numeric: ["float8_to_numeric", "assignment"],
    text: ["float8_to_text", "assignment"],
  },
  numeric: {
    int4: ["numeric_to_int4", "assignment"],
    int8: ["numeric_to_int8", "assignment"],
    float8: ["numeric_to_float8", "implicit"],
    numeric: ["numeric_to_numeric", "implicit"],
    text: ["numeric_to_text", "assignment"],
  },
  bool: {
    int4: ["bool_to_int4", "explicit"],
    text: ["bool_to_text", "assignment"],
  },
  text: {
    int4: ["text_to_int4", "explicit"],
    int8: ["text_to_int8", "explicit"],
    float8: ["text_to_float8", "explicit"],
    numeric: ["text_to_numeric", "explicit"],
    bool: ["text_to_bool", "explicit"],
    timestamptz: ["text_to_timestamptz", "explicit"],
  },
  timestamptz: { text: ["timestamptz_to_text", "assignment"] },
  jsonb: { text: ["jsonb_to_text", "assignment"] },
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
  if (from === null) return castOf("text", to, "explicit");
  if (sameType(from, to)) return { fn: null };
  return castOf(from.name, to, context);
}

export function castOf(from: TypeName, to: SqlType, context: CastContext): CastResolution | undefined {
  const found = casts[from][to.name];
  if (found !== undefined)
    return contextRank[found[1]] <= contextRank[context] ? { fn: found[0] } : undefined;
  return from === to.name ? { fn: null } : undefined;
}

export function canCast(from: SqlType | null, to: SqlType): boolean {
  return from === null || from.name === to.name || castOf(from.name, to, "implicit") !== undefined;
}

export type Category = "N" | "B" | "S" | "D" | "U";

export const categories: Record<TypeName, Category> = {
  int4: "N",
  int8: "N",
  float8: "N",
  numeric: "N",
  bool: "B",
  text: "S",
  timestamptz: "D",
  jsonb: "U",
};

export const preferred: Record<TypeName, boolean> = {
  int4: false,
  int8: false,
  float8: true,
  numeric: false,
  bool: true,
  text: true,
  timestamptz: true,
  jsonb: false,
};

const sqlNames: Record<TypeName, string> = {
  int4: "integer",
  int8: "bigint",
  float8: "double precision",
  numeric: "numeric",
  bool: "boolean",
  text: "text",
  timestamptz: "timestamp with time zone",
  jsonb: "jsonb",
};

/** A type as PostgreSQL's messages write it: `timestamp with time zone`, `unknown` for a bare literal. */
export function sqlTypeName(type: SqlType | null): string {
  return type === null ? "unknown" : sqlNames[type.name];
}

/**
 * The one type of CASE branches, COALESCE, GREATEST, VALUES and UNION columns (PostgreSQL's select_common_type), or undefined
 * when they have none. A numeric keeps its precision only when all agree on it. Only literals: text.
 */
export function commonType(types: readonly (SqlType | null)[]): SqlType | undefined {
  const known = types.filter((t) => t !== null);
  const first = known[0];
  if (first === undefined) return text;
  if (known.length === types.length && known.every((t) => sameType(t, first))) return first;
  let best = first;
  for (const t of known) {
    if (t.name === best.name) continue;
    if (categories[t.name] !== categories[best.name]) return undefined;
    if (!preferred[best.name] && canCast(best, t) && !canCast(t, best)) best = t;
  }
  if (!known.every((t) => canCast(t, best))) return undefined;
  if (best.name !== "numeric") return best;
  return known.every((t) => sameType(t, best)) ? best : numeric;
}
