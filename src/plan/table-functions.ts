/**
 * The registry of table functions: what they take, and the columns of what they give. What they compute is in
 * dataflow/kernels/table-functions.ts; generate_series over integers is a plan of its own.
 */
import { EvertError } from "../base/errors.ts";
import type { Field } from "../batch/schema.ts";
import {
  arrayOf,
  bool,
  int4,
  int8,
  interval,
  json,
  jsonb,
  jsonpath,
  numeric,
  type SqlType,
  text,
  timestamp,
  timestamptz,
} from "../batch/types.ts";
import { canCast, castOf, sameKind } from "./function-casts.ts";
import type { FunctionId } from "./function-table.ts";
import { chooseSignature } from "./functions.ts";
import type { RowsRoutine } from "./routines.ts";

interface Signature {
  readonly fn: TableFunction;
  readonly args: readonly SqlType[];
  /** Names of its columns; without one the column is called like the table. */
  readonly names?: readonly string[];
  readonly columns: readonly SqlType[];
}

const texts = arrayOf(text);

function jsonFunctions(prefix: "json" | "jsonb", type: SqlType): Record<string, readonly Signature[]> {
  return {
    [`${prefix}_array_elements`]: [
      { fn: `${prefix}_array_elements`, args: [type], names: ["value"], columns: [type] },
    ],
    [`${prefix}_array_elements_text`]: [
      { fn: `${prefix}_array_elements_text`, args: [type], names: ["value"], columns: [text] },
    ],
    [`${prefix}_each`]: [
      { fn: `${prefix}_each`, args: [type], names: ["key", "value"], columns: [text, type] },
    ],
    [`${prefix}_each_text`]: [
      { fn: `${prefix}_each_text`, args: [type], names: ["key", "value"], columns: [text, text] },
    ],
    [`${prefix}_object_keys`]: [{ fn: `${prefix}_object_keys`, args: [type], columns: [text] }],
  };
}

const byName: Readonly<Record<string, readonly Signature[]>> = {
  ...jsonFunctions("json", json),
  ...jsonFunctions("jsonb", jsonb),
  jsonb_path_query: [
    { fn: "jsonb_path_query", args: [jsonb, jsonpath], columns: [jsonb] },
    { fn: "jsonb_path_query", args: [jsonb, jsonpath, jsonb], columns: [jsonb] },
    { fn: "jsonb_path_query", args: [jsonb, jsonpath, jsonb, bool], columns: [jsonb] },
  ],
  generate_series: [
    { fn: "series_integer", args: [int4, int4], columns: [int4] },
    { fn: "series_integer", args: [int4, int4, int4], columns: [int4] },
    { fn: "series_integer", args: [int8, int8], columns: [int8] },
    { fn: "series_integer", args: [int8, int8, int8], columns: [int8] },
    { fn: "series_numeric", args: [numeric, numeric], columns: [numeric] },
    { fn: "series_numeric", args: [numeric, numeric, numeric], columns: [numeric] },
    { fn: "series_timestamp", args: [timestamp, timestamp, interval], columns: [timestamp] },
    { fn: "series_timestamp", args: [timestamptz, timestamptz, interval], columns: [timestamptz] },
  ],
  regexp_matches: [
    { fn: "regexp_matches", args: [text, text], columns: [texts] },
    { fn: "regexp_matches", args: [text, text, text], columns: [texts] },
  ],
  regexp_split_to_table: [
    { fn: "regexp_split_to_table", args: [text, text], columns: [text] },
    { fn: "regexp_split_to_table", args: [text, text, text], columns: [text] },
  ],
  string_to_table: [
    { fn: "string_to_table", args: [text, text], columns: [text] },
    { fn: "string_to_table", args: [text, text, text], columns: [text] },
  ],
};

/** Of any array: resolved by itself. */
const ofArrays: ReadonlySet<string> = new Set(["unnest", "generate_subscripts"]);

const ids = [
  "rows_from",
  "regexp_matches",
  "regexp_split_to_table",
  "series_integer",
  "series_numeric",
  "series_timestamp",
  "unnest",
  "generate_subscripts",
  "string_to_table",
  "json_array_elements",
  "json_array_elements_text",
  "json_each",
  "json_each_text",
  "json_object_keys",
  "jsonb_array_elements",
  "jsonb_array_elements_text",
  "jsonb_each",
  "jsonb_each_text",
  "jsonb_object_keys",
  "jsonb_path_query",
  "json_to_record",
  "json_to_recordset",
  "jsonb_to_record",
  "jsonb_to_recordset",
] as const;

export type TableFunction = (typeof ids)[number];

/** One of several functions side by side: how many of the arguments and of the columns are its own. */
export interface TablePart {
  readonly fn: TableFunction;
  readonly args: number;
  readonly columns: number;
}

/** Called with nulls; the others have no rows for any null argument. */
const lax: ReadonlySet<TableFunction> = new Set([
  "rows_from",
  "unnest",
  "string_to_table",
  "json_to_record",
  "jsonb_to_record",
]);

export function isStrict(fn: TableFunction): boolean {
  return !lax.has(fn);
}

export interface TableResolution {
  readonly fn: TableFunction | RowsRoutine;
  readonly argTypes: readonly SqlType[];
  readonly argCasts: readonly (FunctionId | null)[];
  /** Its columns; a name of null is the table's. */
  readonly columns: readonly { readonly name: string | null; readonly type: SqlType }[];
}

export const tableFunctionNames: readonly string[] = Object.freeze([...Object.keys(byName), ...ofArrays]);

/** Of functions whose columns the query defines: what they take before the names of these. */
const defined: ReadonlyMap<string, SqlType> = new Map([
  ["json_to_record", json],
  ["json_to_recordset", json],
  ["jsonb_to_record", jsonb],
  ["jsonb_to_recordset", jsonb],
]);

export function isDefinedByQuery(name: string): boolean {
  return defined.has(name);
}

/** With the columns of a definition list; its second argument is their names, as a JSON array. undefined: it does not take that. */
export function resolveDefined(
  name: string,
  given: readonly (SqlType | null)[],
  columns: TableResolution["columns"],
): TableResolution | undefined {
  const document = defined.get(name)!;
  if (given.length !== 1 || !canCast(given[0]!, document)) return undefined;
  const { argTypes, argCasts } = casts(given, [document]);
  return { fn: name as TableFunction, argTypes: [...argTypes, text], argCasts: [...argCasts, null], columns };
}

export function isTableFunction(name: string): boolean {
  return Object.hasOwn(byName, name) || ofArrays.has(name) || defined.has(name);
}

/** "none": no such function takes these; "many": several do. */
export function resolveTableFunction(
  name: string,
  given: readonly (SqlType | null)[],
  position?: number,
): TableResolution | "none" | "many" {
  if (name === "unnest") return unnest(given, position);
  if (name === "generate_subscripts") return subscripts(given);
  const signatures = byName[name] ?? [];
  const chosen = chooseSignature(
    signatures.map((s) => s.args),
    given,
  );
  if (typeof chosen === "string") return chosen;
  const { fn, args, names, columns } = signatures[chosen]!;
  return {
    fn,
    ...casts(given, args),
    columns: columns.map((type, i) => ({ name: names?.[i] ?? null, type })),
  };
}

function casts(given: readonly (SqlType | null)[], argTypes: readonly SqlType[]) {
  const argCasts = given.map((t, i) =>
    t === null || sameKind(t, argTypes[i]!) ? null : castOf(t, argTypes[i]!, "explicit")!.fn,
  );
  return { argTypes, argCasts };
}

function unnest(given: readonly (SqlType | null)[], position: number | undefined): TableResolution | "none" {
  if (given.length === 0) return "none";
  if (given.includes(null)) {
    throw new EvertError("ambiguous_function", "function unnest(unknown) is not unique", {
      hint: "Could not choose a best candidate function. You might need to add explicit type casts.",
      position,
    });
  }
  if (given.some((t) => t!.element === undefined)) return "none";
  return {
    fn: "unnest",
    argTypes: given as readonly SqlType[],
    argCasts: given.map(() => null),
    columns: given.map((t) => ({ name: given.length === 1 ? null : "unnest", type: t!.element! })),
  };
}

function subscripts(given: readonly (SqlType | null)[]): TableResolution | "none" {
  const [array] = given;
  if (array?.element === undefined || given.length < 2 || given.length > 3) return "none";
  const args = [array, int4, bool].slice(0, given.length);
  if (!given.every((t, i) => canCast(t, args[i]!))) return "none";
  return { fn: "generate_subscripts", ...casts(given, args), columns: [{ name: null, type: int4 }] };
}

/** The fields of a plan that calls it, by the names the query gives them. */
export function fieldsOf(resolution: TableResolution, names: readonly string[]): Field[] {
  return resolution.columns.map(({ type }, i) => ({ name: names[i]!, type, nullable: true }));
}
