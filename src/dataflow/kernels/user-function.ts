/**
 * Values between the engine and plain functions of the user. The rules of conversion are those of batch/convert.ts; here what goes wrong
 * becomes a fault (function_failed) that says what the function threw or returned.
 */
import { EvertError } from "../../base/errors.ts";
import { datumToValue, fromValue } from "../../batch/convert.ts";
import { carrierOf, type SqlType, typeToString } from "../../batch/types.ts";
import { describe } from "../../batch/value-error.ts";
import type { Datum, RowShape } from "../../plan/expression.ts";
import { sqlTypeName } from "../../plan/functions.ts";
import type { Routine } from "../../plan/routines.ts";
import { fail, type ScalarError, scalarError } from "./errors.ts";
import type { Callee, Guard } from "./guard.ts";

/** A function in a chain: it has no name of its own. */
export const ofView: Callee = Object.freeze({ said: "a function of the view" });

const callees = new WeakMap<Routine, Callee>();

/** A function that SQL calls by name; one of a chain has none. */
export function calleeOf(routine: Routine): Callee {
  if (routine.name === "") return ofView;
  let callee = callees.get(routine);
  if (callee === undefined) {
    const args = routine.args.map((arg) => sqlTypeName(arg.type)).join(", ");
    callees.set(routine, (callee = Object.freeze({ said: `function ${routine.name}(${args})` })));
  }
  return callee;
}

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

/** Calls it, in a region of the guard; what it throws becomes a fault. */
export function callUser(
  guard: Guard,
  callee: Callee,
  call: (...given: readonly unknown[]) => unknown,
  given: readonly unknown[],
): unknown {
  guard.running = callee;
  try {
    return call(...given);
  } catch (thrown) {
    return userFailed(thrown, callee);
  } finally {
    guard.running = null;
  }
}

/** Leaves what a function of the user threw as a fault. Its stack stays out: the error is data, the same on every replay. */
export function userFailed(thrown: unknown, { said: what }: Callee): undefined {
  const said = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : describe(thrown);
  const own = thrown instanceof EvertError ? thrown.hint : undefined;
  const hint =
    own ?? 'Correct the row, make the function accept it, or leave such rows out with onError: "skip".';
  return fail(scalarError("function_failed", `${what} failed: ${said}`, { hint }), undefined);
}

/** What a function returned, for messages. */
export function describeResult(value: unknown): string {
  return isPromise(value) ? "a promise" : describe(value);
}

/** A promise is refused, and nobody waits for it: how it ends must not end the process. */
export function isPromise(value: unknown): boolean {
  if (!(value instanceof Promise)) return false;
  value.catch(() => {});
  return true;
}

/** Why a function that is said never to give null gave it. */
export function gaveNull(callee: Callee, type: SqlType): ScalarError {
  const said = `${callee.said} returned null where ${typeToString(type)} is declared`;
  return scalarError("function_failed", said, { hint: "Declare that it may: nullable(...)." });
}

function unfit(value: unknown, type: SqlType, thrown: EvertError, callee: Callee): ScalarError {
  const said = `${callee.said} returned ${describeResult(value)} where ${typeToString(type)} is declared`;
  if (value instanceof Promise) {
    return scalarError("function_failed", said, {
      hint: "Such functions are synchronous: they cannot await.",
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
export function fromJs(
  value: unknown,
  type: SqlType,
  callee: Callee = ofView,
): number | bigint | boolean | string {
  try {
    return fromValue(type, value);
  } catch (thrown) {
    if (!(thrown instanceof EvertError)) throw thrown;
    return fail(unfit(value, type, thrown, callee), nothing[carrierOf(type)]);
  }
}

/** What a function that failed is said to have returned; nobody reads it. */
const nothing = { int32: 0, int64: 0, double: 0, bool: false, string: "" } as const;

/** The same as a Datum. */
export function datumFromJs(value: unknown, type: SqlType, callee: Callee = ofView): Datum {
  if (value === null || value === undefined) return null;
  const made = fromJs(value, type, callee);
  return carrierOf(type) === "int64" ? BigInt(made as number | bigint) : made;
}

/** Elements one call may give: they are held at once. */
const ELEMENTS_MAX = 1_000_000;

/** The elements of what a function gave, at most a million. */
export function drain(elements: Iterable<unknown>): unknown[] {
  const drained: unknown[] = [];
  for (const element of elements) {
    if (drained.length === ELEMENTS_MAX)
      throw new RangeError(`more than ${ELEMENTS_MAX.toLocaleString("en")} rows were given for one row`);
    drained.push(element);
  }
  return drained;
}
