/**
 * Values between the engine and plain functions of the user. The rules of conversion are those of batch/convert.ts; here what goes wrong
 * becomes a fault (function_failed) that says what the function threw or returned.
 */
import { EvertError } from "../../base/errors.ts";
import { datumToValue, fromValue } from "../../batch/convert.ts";
import { carrierOf, type SqlType, typeToString } from "../../batch/types.ts";
import { describe } from "../../batch/value-error.ts";
import type { Datum, RowShape } from "../../plan/expression.ts";
import { fail, type ScalarError, scalarError } from "./errors.ts";

/** The frozen row a function sees; null when it is the missing side of a left join. */
export function jsRow(shape: RowShape, row: readonly Datum[], types: readonly SqlType[]): object | null {
  if (shape.presentColumn !== null && row[shape.presentColumn] === null) return null;
  const entries = shape.fields.map((f): [string, unknown] => [
    f.name,
    toJs(row[f.column]!, types[f.column]!),
  ]);
  return Object.freeze(Object.fromEntries(entries));
}

/** A value as a function of the user sees it: what is an object is frozen. */
export function toJs(value: Datum, type: SqlType): unknown {
  if (value === null) return null;
  if (type.name === "jsonb" || type.name === "json") return parseFrozen(value as string);
  const made = datumToValue(type, value);
  return type.name === "array" ? freezeItems(made as readonly unknown[]) : made;
}

function freezeItems(items: readonly unknown[]): readonly unknown[] {
  for (const item of items) if (Array.isArray(item)) freezeItems(item);
  return Object.freeze(items);
}

export function parseFrozen(json: string): unknown {
  return JSON.parse(json, (_, value) =>
    typeof value === "object" && value !== null ? Object.freeze(value) : value,
  );
}

/** Calls it; what it throws becomes a fault. */
export function callUser(call: (...rows: readonly unknown[]) => unknown, rows: readonly unknown[]): unknown {
  try {
    return call(...rows);
  } catch (thrown) {
    return userFailed(thrown);
  }
}

/** Leaves what a function of the user threw as a fault. Its stack stays out: the error is data, the same on every replay. */
export function userFailed(thrown: unknown): undefined {
  const said = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : describe(thrown);
  const own = thrown instanceof EvertError ? thrown.hint : undefined;
  const hint =
    own ?? 'Correct the row, make the function accept it, or leave such rows out with onError: "skip".';
  return fail(scalarError("function_failed", `a function of the view failed: ${said}`, { hint }), undefined);
}

function unfit(value: unknown, type: SqlType, thrown: EvertError): ScalarError {
  const said = `a function of the view returned ${describe(value)} where ${typeToString(type)} is declared`;
  if (value instanceof Promise) {
    return scalarError("function_failed", said, {
      hint: "Functions of a view are synchronous: they cannot await.",
    });
  }
  const details = { detail: thrown.message };
  return scalarError(
    "function_failed",
    said,
    thrown.hint === undefined ? details : { ...details, hint: thrown.hint },
  );
}

/**
 * What a function returned (neither null nor undefined), as the engine takes it: integers, times and small numerics (unscaled) as a safe
 * number or a bigint, numeric and jsonb as canonical text.
 */
export function fromJs(value: unknown, type: SqlType): number | bigint | boolean | string {
  try {
    return fromValue(type, value);
  } catch (thrown) {
    if (!(thrown instanceof EvertError)) throw thrown;
    return fail(unfit(value, type, thrown), nothing[carrierOf(type)]);
  }
}

/** What a function that failed is said to have returned; nobody reads it. */
const nothing = { int32: 0, int64: 0, double: 0, bool: false, string: "" } as const;

/** The same as a Datum. */
export function datumFromJs(value: unknown, type: SqlType): Datum {
  if (value === null || value === undefined) return null;
  const made = fromJs(value, type);
  return carrierOf(type) === "int64" ? BigInt(made as number | bigint) : made;
}
