/**
 * Functions of any type: what they compute is made for the types of the call (dataflow/kernels/typed-library.ts). An argument `anyArray`,
 * `anyEnum` or `anyRecord` takes every array, enum or row; `text` in a cast stands for whatever is given.
 */
import { bpchar, bytea, int4, jsonb, numeric, text, varchar } from "../../batch/types.ts";
import {
  anyArray,
  anyEnum,
  anyRecord,
  cast,
  comparisons,
  type Entry,
  entry,
  extremes,
  F,
  type Named,
  named,
} from "./entry.ts";

export const genericFunctions = {
  ...comparisons(named("bpchar")),
  ...comparisons(named("interval")),
  ...comparisons(named("jsonb")),
  ...comparisons(anyArray as Named<"array">),
  ...comparisons(anyEnum as Named<"enum">),
  ...comparisons(anyRecord as Named<"record">),
  ...extremes(named("bpchar")),
  ...extremes(named("interval")),
  ...extremes(named("jsonb")),
  ...extremes(anyArray as Named<"array">),
  ...extremes(anyEnum as Named<"enum">),
  ...extremes(anyRecord as Named<"record">),
  /** ARRAY[...]: of items, or of arrays of one shape, which become a dimension more. */
  array_make: entry(null, [], [text], anyArray, [F, "nonStrict", "variadic"]),

  /** ROW(...): of its fields. */
  record_make: entry(null, [], [text], anyRecord, ["nonStrict", "variadic"]),
  /** A field of a row, by its number from 0. */
  record_field: entry(null, [], [anyRecord, int4], text, ["nullable"]),

  // Casts. Any type to text by its output function, text to any by its input function.
  io_out: cast(text, text),
  io_in: cast(text, text, F),
  /** To varchar(n) and char(n): cut off where a cast was written, refused where a value is stored. */
  to_varchar: cast(text, varchar),
  assign_varchar: cast(text, varchar, F),
  to_bpchar: cast(text, bpchar),
  assign_bpchar: cast(text, bpchar, F),
  array_cast: cast(anyArray, anyArray, F),
  /** A scalar of jsonb as a number or a bool; its null is null. */
  jsonb_to_scalar: cast(jsonb, numeric, F, "nullable"),
  integer_to_bytea: cast(numeric, bytea),
  bytea_to_integer: cast(bytea, numeric, F),
} as const satisfies Record<string, Entry>;
