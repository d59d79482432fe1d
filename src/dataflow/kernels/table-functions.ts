/**
 * What table functions give: rows, one after the other, so that a long series is never held at once. What can fail fails before the first row;
 * the error stands in `fault` then.
 */
import { parseArray } from "../../batch/format/array.ts";
import { intervalInfinity, intervalSpan, parseInterval } from "../../batch/format/interval.ts";
import type { SqlType } from "../../batch/types.ts";
import { isStrict, type TableFunction, type TablePart } from "../../plan/table-functions.ts";
import { addDecimals, compareDecimals, type Decimal, decimal, FINITE, NAN, signOf } from "./decimal.ts";
import { fail, fault, type ScalarError, scalarError } from "./errors.ts";
import { populate } from "./json-populate.ts";
import { elementsOf, fieldOf, kindOf, membersOf, plainText } from "./json-text.ts";
import { pathItems } from "./jsonpath/functions.ts";
import { matchRows, splitParts } from "./regex/functions.ts";
import { splitToItems } from "./text-forms.ts";
import { addInterval } from "./time-arithmetic.ts";
import { valueOfText } from "./typed-text.ts";
import type { Value } from "./value.ts";

export type TableRow = readonly Value[];
export type TableRows = Iterable<TableRow>;
type RowsOf = (...args: never[]) => TableRows;
/** For arguments and columns of these types. */
type Maker = (args: readonly SqlType[], columns: readonly SqlType[]) => RowsOf;

const NO_ROWS: readonly TableRow[] = [];

function refuse(message: string): TableRows {
  return fail(scalarError("invalid_argument", message), NO_ROWS);
}

// ---- series -----------------------------------------------------------------------------------------------------

type Integer = number | bigint;

function integerSeries(start: Integer, stop: Integer, step: Integer = 1): TableRows {
  if (BigInt(step) === 0n) return refuse("step size cannot equal zero");
  return countedIntegers(start, BigInt(stop), BigInt(step));
}

function* countedIntegers(start: Integer, stop: bigint, step: bigint): Generator<TableRow> {
  const small = typeof start === "number";
  for (let x = BigInt(start); step > 0n ? x <= stop : x >= stop; x += step) yield [small ? Number(x) : x];
}

/** Why a bound cannot be counted with. */
function numericFault(x: Decimal, name: string): ScalarError | null {
  if (x.kind === FINITE) return null;
  const said = x.kind === NAN ? "NaN" : "infinity";
  return scalarError("invalid_argument", `${name} cannot be ${said}`);
}

function numericSeries(start: Decimal, stop: Decimal, step: Decimal = decimal(1n, 0)): TableRows {
  const error =
    numericFault(start, "start value") ?? numericFault(stop, "stop value") ?? numericFault(step, "step size");
  if (error !== null) return fail(error, NO_ROWS);
  const sign = signOf(step);
  if (sign === 0) return refuse("step size cannot equal zero");
  return countedNumerics(start, stop, step, sign);
}

function* countedNumerics(start: Decimal, stop: Decimal, step: Decimal, sign: number): Generator<TableRow> {
  for (let x = start; compareDecimals(x, stop) * sign <= 0; x = addDecimals(x, step)) yield [x];
}

function timestampSeries(start: bigint, stop: bigint, step: string): TableRows {
  const span = parseInterval(step);
  if (intervalInfinity(span) !== 0) return refuse("step size cannot be infinite");
  const length = intervalSpan(span);
  if (length === 0n) return refuse("step size cannot equal zero");
  return countedTimes(start, stop, step, length > 0n);
}

function* countedTimes(start: bigint, stop: bigint, step: string, forward: boolean): Generator<TableRow> {
  for (let us = start; forward ? us <= stop : us >= stop; ) {
    yield [us];
    const next = addInterval(us, step);
    // An infinite start stays where it is; PostgreSQL would go on for ever.
    if (fault.error !== null || next === us) return;
    us = next;
  }
}

// ---- arrays -----------------------------------------------------------------------------------------------------

const unnest: Maker = (args) => {
  const elements = args.map((type) => type.element!);
  return (...arrays: (string | null)[]): TableRows => {
    const items = arrays.map((array) => (array === null ? [] : parseArray(array).items));
    const length = Math.max(0, ...items.map((list) => list.length));
    return Array.from({ length }, (_, i) =>
      items.map((list, a) => {
        const item = list[i] ?? null;
        return item === null ? null : valueOfText(elements[a]!, item);
      }),
    );
  };
};

function subscripts(array: string, dimension: number, reverse = false): TableRows {
  const { dims, lower } = parseArray(array);
  if (dimension < 1 || dimension > dims.length) return NO_ROWS;
  const first = lower[dimension - 1]!;
  const rows = Array.from({ length: dims[dimension - 1]! }, (_, i) => [first + i]);
  return reverse ? rows.reverse() : rows;
}

// ---- JSON -------------------------------------------------------------------------------------------------------

function elements(name: string, forJsonb: boolean, of: (element: string) => Value): RowsOf {
  return (json: string): TableRows => {
    const kind = kindOf(json);
    if (kind === "array") return elementsOf(json).map((element) => [of(element)]);
    const what = kind === "object" ? (forJsonb ? "an object" : "a non-array") : "a scalar";
    return refuse(forJsonb ? `cannot extract elements from ${what}` : `cannot call ${name} on ${what}`);
  };
}

function members(name: string, forJsonb: boolean, of: (value: string) => Value): RowsOf {
  return (json: string): TableRows => {
    const kind = kindOf(json);
    if (kind === "object") return membersOf(json).map(([key, value]) => [key, of(value)]);
    if (forJsonb) return refuse(`cannot call ${name} on a non-object`);
    return refuse(
      kind === "array" ? "cannot deconstruct an array as an object" : "cannot deconstruct a scalar",
    );
  };
}

function keys(name: string): RowsOf {
  return (json: string): TableRows => {
    const kind = kindOf(json);
    if (kind === "object") return membersOf(json).map(([key]) => [key]);
    return refuse(`cannot call ${name} on ${kind === "array" ? "an array" : "a scalar"}`);
  };
}

const same = (json: string) => json;

function stringToTable(
  s: string | null,
  delimiter: string | null,
  nullText: string | null = null,
): TableRows {
  return s === null ? NO_ROWS : splitToItems(s, delimiter, nullText).map((item) => [item]);
}

// ---- several side by side ----------------------------------------------------------------------------------------

/** All of them at once, a row of each beside the others', until the longest ends. */
const rowsFrom = (
  args: readonly SqlType[],
  parts: readonly TablePart[],
  types: readonly SqlType[],
): RowsOf => {
  let at = 0;
  let column = 0;
  const made = parts.map(({ fn, args: count, columns }) => {
    const from = at;
    at += count;
    const nothing: TableRow = Array.from({ length: columns }, () => null);
    const first = column;
    column += columns;
    const of = rowsOf(fn, args.slice(from, at), [], types.slice(first, column));
    return { from, to: at, of, nothing };
  });
  return (...values: Value[]): TableRows => {
    const all: { rows: Iterator<TableRow>; nothing: TableRow }[] = [];
    for (const { from, to, of, nothing } of made) {
      const rows = of(values.slice(from, to));
      if (fault.error !== null) return NO_ROWS;
      all.push({ rows: rows[Symbol.iterator](), nothing });
    }
    return sideBySide(all);
  };
};

function* sideBySide(
  all: readonly { readonly rows: Iterator<TableRow>; readonly nothing: TableRow }[],
): Generator<TableRow> {
  for (;;) {
    const drawn = all.map(({ rows }) => rows.next());
    if (drawn.every((d) => d.done)) return;
    yield drawn.flatMap((d, i) => (d.done ? all[i]!.nothing : d.value));
  }
}

/** Members of an object by the names of columns, each as its column's type. */
function recordOf(object: string, names: readonly string[], columns: readonly SqlType[]): TableRow {
  return names.map((name, i) => {
    const value = fieldOf(object, name);
    // The first error counts.
    return value === null || fault.error !== null ? null : populate(columns[i]!, value);
  });
}

function toRecord(_args: readonly SqlType[], columns: readonly SqlType[]): RowsOf {
  return (json: string | null, names: string): TableRows => {
    if (json === null) return [columns.map(() => null)];
    const kind = kindOf(json);
    if (kind === "object") return [recordOf(json, JSON.parse(names) as string[], columns)];
    return refuse(`cannot call populate_composite on ${kind === "array" ? "an array" : "a scalar"}`);
  };
}

function toRecords(name: string): Maker {
  return (_args, columns) =>
    (json: string, written: string): TableRows => {
      const kind = kindOf(json);
      if (kind !== "array") return refuse(`cannot call ${name} on ${notAnArray(name, kind)}`);
      const objects = elementsOf(json);
      if (objects.some((element) => kindOf(element) !== "object"))
        return refuse(`argument of ${name} must be an array of objects`);
      const names = JSON.parse(written) as string[];
      return objects.map((object) => recordOf(object, names, columns));
    };
}

function notAnArray(name: string, kind: string): string {
  if (name.startsWith("jsonb")) return "a non-array";
  return kind === "object" ? "an object" : "a scalar";
}

const makers: Record<Exclude<TableFunction, "rows_from">, Maker> = {
  series_integer: () => integerSeries,
  series_numeric: () => numericSeries,
  series_timestamp: () => timestampSeries,
  unnest,
  generate_subscripts: () => subscripts,
  regexp_matches: () => (text: string, pattern: string, flags?: string) =>
    matchRows(text, pattern, flags).map((groups) => [groups]),
  regexp_split_to_table: () => (text: string, pattern: string, flags?: string) =>
    splitParts("regexp_split_to_table", text, pattern, flags).map((part) => [part]),
  string_to_table: () => stringToTable,
  json_array_elements: () => elements("json_array_elements", false, same),
  json_array_elements_text: () => elements("json_array_elements_text", false, plainText),
  json_each: () => members("json_each", false, same),
  json_each_text: () => members("json_each_text", false, plainText),
  json_object_keys: () => keys("json_object_keys"),
  jsonb_array_elements: () => elements("jsonb_array_elements", true, same),
  jsonb_array_elements_text: () => elements("jsonb_array_elements_text", true, plainText),
  jsonb_each: () => members("jsonb_each", true, same),
  jsonb_each_text: () => members("jsonb_each_text", true, plainText),
  jsonb_object_keys: () => keys("jsonb_object_keys"),
  jsonb_path_query: () => (document: string, path: string, variables?: string, silent?: boolean) =>
    pathItems(document, path, variables, silent).map((item) => [item]),
  json_to_record: toRecord,
  json_to_recordset: toRecords("json_to_recordset"),
  jsonb_to_record: toRecord,
  jsonb_to_recordset: toRecords("jsonb_to_recordset"),
};

/** Its rows for values of these types; a strict one gives none for a null. */
export function rowsOf(
  fn: TableFunction,
  args: readonly SqlType[],
  parts: readonly TablePart[],
  columns: readonly SqlType[],
): (args: readonly Value[]) => TableRows {
  const maker = fn === "rows_from" ? rowsFrom(args, parts, columns) : makers[fn](args, columns);
  const made = maker as (...args: Value[]) => TableRows;
  const strict = isStrict(fn);
  return (values) => (strict && values.includes(null) ? NO_ROWS : made(...values));
}
