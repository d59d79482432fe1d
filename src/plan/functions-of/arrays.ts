/** Functions of any array, and of any number of arguments of any type. Which types they take together is in polymorphic.ts. */
import { bool, int4, json, jsonb, text } from "../../batch/types.ts";
import { anyArray, type Entry, entry, F, type Flag } from "./entry.ts";

/** Found by polymorphic.ts, not by name: the argument types say nothing here. */
function poly(result: Entry["result"], ...flags: Flag[]): Entry {
  return entry(null, [], [], result, flags);
}

/** The operators that may stand before ANY and ALL. */
export const quantified = {
  eq: "=",
  ne: "<>",
  lt: "<",
  le: "<=",
  gt: ">",
  ge: ">=",
  like: "~~",
  not_like: "!~~",
  ilike: "~~*",
  not_ilike: "!~~*",
  matches: "~",
  matches_not: "!~",
  imatches: "~*",
  imatches_not: "!~*",
} as const;

export type Quantified = keyof typeof quantified;

/** Of the functions that compare a value with the items of an array: with which of them, and how. */
export function quantifierOf(
  fn: string,
): { readonly quantifier: "any" | "all"; readonly op: string } | undefined {
  const quantifier = fn.slice(0, 3);
  const op = quantified[fn.slice(4) as Quantified];
  return (quantifier === "any" || quantifier === "all") && op !== undefined ? { quantifier, op } : undefined;
}

function quantifiers<P extends "any" | "all">(prefix: P) {
  // A pattern may be none; comparisons cannot fail.
  const made = Object.entries(quantified).map(([k, symbol]) => [
    `${prefix}_${k}`,
    symbol.includes("~") ? poly(bool, F, "nullable") : poly(bool, "nullable"),
  ]);
  return Object.fromEntries(made) as { [K in Quantified as `${P}_${K}`]: Entry };
}

export const arrayFunctions = {
  ...quantifiers("any"),
  ...quantifiers("all"),
  /** a[1], a[1][2]: null outside. */
  array_subscript: poly(text, "nullable"),
  /** a[1:2], a[:2][3:]: the first argument after the array says which bounds are written, as in "xx,-x". */
  array_slice: poly(anyArray),
  array_append: poly(anyArray, F, "nonStrict"),
  array_prepend: poly(anyArray, F, "nonStrict"),
  array_cat: poly(anyArray, F, "nonStrict"),
  array_contains: poly(bool),
  array_contained: poly(bool),
  array_overlaps: poly(bool),
  array_length: poly(int4, "nullable"),
  array_upper: poly(int4, "nullable"),
  array_lower: poly(int4, "nullable"),
  array_ndims: poly(int4, "nullable"),
  array_dims: poly(text, "nullable"),
  array_cardinality: poly(int4),
  array_position: poly(int4, F, "nonStrict"),
  array_positions: poly(anyArray, F, "nonStrict"),
  array_remove: poly(anyArray, F, "nonStrict"),
  array_replace: poly(anyArray, "nonStrict"),
  array_to_string: poly(text, "nonStrict"),
  array_fill: poly(anyArray, F, "nonStrict"),
  array_trim: poly(anyArray, F),
  array_reverse: poly(anyArray),
  array_sort: poly(anyArray),
  array_to_json: poly(json),
  array_bucket: poly(int4, F),
  num_nonnulls: poly(int4, "nonStrict"),
  num_nulls: poly(int4, "nonStrict"),
  pg_typeof: poly(text, "nonStrict"),
  quote_any: poly(text),
  quote_any_nullable: poly(text, "nonStrict"),
  format: poly(text, F, "nonStrict"),
  to_json: poly(json),
  row_to_json: poly(json),
  to_jsonb: poly(jsonb, F),
  json_build_array: poly(json, "nonStrict"),
  json_build_object: poly(json, F, "nonStrict"),
  jsonb_build_array: poly(jsonb, F, "nonStrict"),
  jsonb_build_object: poly(jsonb, F, "nonStrict"),
  json_path: poly(json, "nullable"),
  json_path_text: poly(text, "nullable"),
  jsonb_path: poly(jsonb, "nullable"),
  jsonb_path_text: poly(text, "nullable"),
} as const satisfies Record<string, Entry>;
