/** Rows of functions that the program gave SQL: called with JavaScript values, what they give checked and converted before the first row goes out. */
import type { Field } from "../../batch/schema.ts";
import type { RowsRoutine } from "../../plan/routines.ts";
import { fail, fault, scalarError } from "./errors.ts";
import { fromDatum, toDatum } from "./evaluate.ts";
import type { Callee, Guard } from "./guard.ts";
import type { TableRow } from "./table-functions.ts";
import { calleeOf, callUser, datumFromJs, describeResult, drain, gaveNull, toJs } from "./user-function.ts";
import type { Value } from "./value.ts";

const NO_ROWS: readonly TableRow[] = [];

/** What it gives for these arguments. Where something is wrong with it, the fault says what. */
export function routineRows(
  routine: RowsRoutine,
  guard: Guard,
): (args: readonly Value[]) => readonly TableRow[] {
  const callee = calleeOf(routine);
  const run = (...given: readonly unknown[]): readonly TableRow[] => {
    const returned = routine.call(...given);
    if (returned === null || returned === undefined) return NO_ROWS;
    if (!isIterable(returned)) return notIterable(returned, callee);
    const rows: TableRow[] = [];
    for (const element of drain(returned)) {
      const row = rowOf(element, routine, callee);
      if (fault.error !== null) return NO_ROWS;
      rows.push(row);
    }
    return rows;
  };
  return (args) => {
    const given = args.map((value, i) => {
      const { type } = routine.args[i]!;
      return toJs(toDatum(value, type), type);
    });
    return (callUser(guard, callee, run, given) as readonly TableRow[] | undefined) ?? NO_ROWS;
  };
}

/** Whether a null argument means: no rows. */
export function hasRowsFor(routine: RowsRoutine, args: readonly Value[]): boolean {
  return args.every((arg, i) => arg !== null || routine.args[i]!.nullable);
}

function rowOf(element: unknown, { columns, isValue }: RowsRoutine, callee: Callee): TableRow {
  if (isValue) return [valueFor(element, columns[0]!, callee)];
  if (typeof element !== "object" || element === null) {
    const said = `${callee.said} gave ${describeResult(element)} where an object with a row's columns is due`;
    return fail(scalarError("function_failed", said), []);
  }
  return columns.map((column) => valueFor((element as Record<string, unknown>)[column.name], column, callee));
}

function valueFor(value: unknown, { type, nullable }: Field, callee: Callee): Value {
  const datum = datumFromJs(value, type, callee);
  if (datum === null && !nullable && fault.error === null) return fail(gaveNull(callee, type), null);
  return fromDatum(datum, type);
}

/** A text is iterable, but nobody means its characters. */
function isIterable(value: unknown): value is Iterable<unknown> {
  return typeof value === "object" && value !== null && Symbol.iterator in value;
}

function notIterable(value: unknown, { said }: Callee): readonly TableRow[] {
  const hint =
    value instanceof Promise
      ? "Such functions are synchronous: they cannot await."
      : "Return an array, or write a generator: function* () { yield ...; }.";
  const message = `${said} returned ${describeResult(value)} where a list of rows is due`;
  return fail(scalarError("function_failed", message, { hint }), NO_ROWS);
}
