/**
 * What can be known, from its text alone, of the value an expression of the user gives.
 */
import type { Field } from "../batch/schema.ts";
import { bool, float8, int4, int8, type SqlType, sameType, text } from "../batch/types.ts";
import { commonType } from "../plan/functions.ts";

/** A column of the plan's input, as the user's function sees it. */
export interface InputColumn extends Field {
  readonly column: number;
}

/** A type an expression certainly has; "null" for a bare null, "unknown" where the text does not tell. */
export type Guess = { readonly type: SqlType; readonly nullable: boolean } | "null" | "unknown";

export type Value =
  /** A column read and nothing else. */
  | { readonly kind: "column"; readonly column: InputColumn }
  | { readonly kind: "constant"; readonly value: string | number | boolean | null }
  /** An object with these properties, in this order. `maybeNull`: the missing side of a left join. */
  | { readonly kind: "object"; readonly properties: ReadonlyMap<string, Value>; readonly maybeNull: boolean }
  | { readonly kind: "array"; readonly elements: readonly Value[] }
  /** Anything that takes a call to find out. `origin`: the one column it is read from where it is not null. */
  | { readonly kind: "computed"; readonly guess: Guess; readonly origin?: string | undefined };

export const unknown: Value = { kind: "computed", guess: "unknown" };

export function computed(type: SqlType, nullable = false): Value {
  return { kind: "computed", guess: { type, nullable } };
}

/** The row a function is called with. */
export function rowValue(columns: readonly InputColumn[], maybeNull: boolean): Value {
  return {
    kind: "object",
    properties: new Map(columns.map((c) => [c.name, { kind: "column", column: c }])),
    maybeNull,
  };
}

export function guessOf(value: Value): Guess {
  switch (value.kind) {
    case "column":
      return { type: value.column.type, nullable: value.column.nullable };
    case "constant":
      return value.value === null ? "null" : { type: constantType(value.value), nullable: false };
    case "object":
    case "array":
      return "unknown";
    case "computed":
      return value.guess;
  }
}

export function constantType(value: string | number | boolean): SqlType {
  if (typeof value === "string") return text;
  if (typeof value === "boolean") return bool;
  if (Object.is(value, -0) || !Number.isSafeInteger(value)) return float8;
  return value === (value | 0) ? int4 : int8;
}

/** The type that holds both: `a ?? b`, `c ? a : b`, two returns. */
export function either(a: Guess, b: Guess): Guess {
  if (a === "unknown" || b === "unknown") return "unknown";
  if (a === "null") return b === "null" ? "null" : { ...b, nullable: true };
  if (b === "null") return { ...a, nullable: true };
  const type =
    isNumber(a.type) && isNumber(b.type)
      ? commonType([a.type, b.type])
      : sameType(a.type, b.type)
        ? a.type
        : null;
  return type ? { type, nullable: a.nullable || b.nullable } : "unknown";
}

/** As `either`, for whole results: objects with the same properties stay objects. */
export function eitherValue(a: Value, b: Value): Value {
  if (a.kind === "object" && b.kind === "object" && !a.maybeNull && !b.maybeNull) {
    if (a.properties.size !== b.properties.size) return unknown;
    const properties = new Map<string, Value>();
    for (const [name, value] of a.properties) {
      const other = b.properties.get(name);
      if (other === undefined) return unknown;
      properties.set(name, eitherValue(value, other));
    }
    return { kind: "object", properties, maybeNull: false };
  }
  return { kind: "computed", guess: either(guessOf(a), guessOf(b)), origin: commonOrigin(a, b) };
}

function commonOrigin(a: Value, b: Value): string | undefined {
  if (isNull(a)) return originOf(b);
  if (isNull(b) || originOf(a) === originOf(b)) return originOf(a);
  return undefined;
}

/** Name of the column a value is read from, unchanged. */
export function originOf(value: Value): string | undefined {
  return value.kind === "column" ? value.column.name : value.kind === "computed" ? value.origin : undefined;
}

function isNull(value: Value): boolean {
  return value.kind === "constant" && value.value === null;
}

/** A JavaScript number when it is not null. */
export function isNumber(type: SqlType): boolean {
  return type.name === "int4" || type.name === "int8" || type.name === "float8";
}

/** A JavaScript string when it is not null. */
export function isString(type: SqlType): boolean {
  return type.name === "text" || type.name === "numeric" || type.name === "timestamptz";
}

/** A value that can be computed without calling the function: one column or one constant. */
export function isPlainScalar(value: Value): boolean {
  return value.kind === "column" || value.kind === "constant";
}

/** An object that can be made without calling the function: each property one column or one constant. */
export function isPlainObject(value: Value): value is Value & { kind: "object" } {
  return value.kind === "object" && !value.maybeNull && [...value.properties.values()].every(isPlainScalar);
}
