/**
 * Operands: how a value travels between the expressions of a generated loop, before it is stored in a column.
 *
 * `code` and `isNull` are JavaScript without effects: a name, a literal or something as cheap, so they may be written down
 * several times. Where `isNull` holds, `code` is the zero of its form (and false for a bool), as in a chunk.
 *
 * What a function returns as a text gets an id only where one is needed: where it is stored, or compared. Between two functions it is a string
 * that nobody has to free (`length(repeat('c', n))` over many rows fills no dictionary).
 *
 * A numeric has four forms, so that a chain of operators neither prints nor parses text in between:
 * - numeric: the dictionary's id of its text, as in a column of unconstrained numeric;
 * - scaled: an integer, the value times 10^scale, with at most `digits` digits. Up to 15 digits it is a safe double, and sums and products that
 *   stay within 15 digits are plain arithmetic; beyond, the code may be a wide reference, as in a column of small numeric;
 * - loose: the same integer as JavaScript likes it, a number as long as that is safe and a bigint beyond: what sums and products are whose digits
 *   might be more than 15, but seldom are;
 * - decimal: a Decimal object, what the exact functions work on.
 */
import { type Carrier, carrierOf, isSmallNumeric, type SqlType } from "../../batch/types.ts";
import type { Value } from "./value.ts";

export type Form =
  /** A 32-bit integer: int2, int4, date, the number of a label. */
  | { readonly kind: "int4" }
  /** A 64-bit one: int8, time, timestamp, timestamptz. safe: never a wide reference. */
  | { readonly kind: "int8"; readonly safe: boolean }
  /** float4 and float8. */
  | { readonly kind: "float8"; readonly notNaN: boolean }
  /** A JavaScript boolean. */
  | { readonly kind: "bool" }
  /** An id of the dictionary: every type that is carried as a string, but numeric. */
  | { readonly kind: "text" }
  /** The same types, as a JavaScript string that a function has just returned and that has no id yet. */
  | { readonly kind: "string" }
  | { readonly kind: "numeric" }
  | { readonly kind: "scaled"; readonly scale: number; readonly digits: number }
  | { readonly kind: "loose"; readonly scale: number }
  | { readonly kind: "decimal" };

export interface Operand {
  readonly code: string;
  /** "false": never null; "true": always. */
  readonly isNull: string;
  readonly form: Form;
  /** The value, where it is a constant that is not null. */
  readonly constant?: Exclude<Value, null>;
}

/** Digits every double holds exactly, whatever they are. */
export const SAFE_DIGITS = 15;

export const INT4: Form = { kind: "int4" };
export const INT8: Form = { kind: "int8", safe: false };
export const SAFE_INT8: Form = { kind: "int8", safe: true };
export const FLOAT8: Form = { kind: "float8", notNaN: false };
export const PLAIN_FLOAT8: Form = { kind: "float8", notNaN: true };
export const BOOL: Form = { kind: "bool" };
export const TEXT: Form = { kind: "text" };
export const STRING: Form = { kind: "string" };
export const NUMERIC: Form = { kind: "numeric" };
export const DECIMAL: Form = { kind: "decimal" };

export function scaledForm(scale: number, digits: number): Form {
  return { kind: "scaled", scale, digits };
}

export function looseForm(scale: number): Form {
  return { kind: "loose", scale };
}

/** How a column of this type is read and written. */
export function columnForm(type: SqlType): Form {
  if (type.name === "numeric") {
    return isSmallNumeric(type) ? scaledForm(type.scale ?? 0, type.precision!) : NUMERIC;
  }
  return forms[carrierOf(type)];
}

const forms: Readonly<Record<Carrier, Form>> = {
  int32: INT4,
  int64: INT8,
  double: FLOAT8,
  bool: BOOL,
  string: TEXT,
};

/** The code of a null in this form. `zero`: name of the Decimal 0. */
export function zeroOf(form: Form, zero: () => string): string {
  if (form.kind === "bool") return "false";
  if (form.kind === "string") return '""';
  return form.kind === "decimal" ? zero() : "0";
}

/** The same operand where its null has been dealt with. */
export function notNull(arg: Operand): Operand {
  return arg.isNull === "false" ? arg : { ...arg, isNull: "false" };
}
