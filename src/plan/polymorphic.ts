/**
 * Functions and operators of any array, any element and any number of arguments: PostgreSQL's polymorphic types.
 *
 * In one call all arrays have one type of elements, and the elements that type. `compatible` functions settle on the common type of what is
 * given (an int4[] takes a numeric element and becomes a numeric[]); the others want one type. A bare literal takes the type that is settled.
 */
import { EvertError } from "../base/errors.ts";
import { arrayOf, bool, int4, json, jsonb, type SqlType, text, withoutModifiers } from "../batch/types.ts";
import { canCast, castOf, commonType, sameKind } from "./function-casts.ts";
import type { FunctionId } from "./function-table.ts";
import type { Resolution } from "./resolution.ts";

/** any: of its own type, a literal is text. record: of its own type, a row. */
type Slot = "array" | "element" | "record" | "any" | SqlType;

interface Signature {
  readonly fn: FunctionId;
  readonly args: readonly Slot[];
  /** More arguments, as many as there are. */
  readonly rest?: Slot;
  readonly result: "array" | "element" | SqlType;
  readonly compatible?: true;
}

const ints = arrayOf(int4);

const byName: Readonly<Record<string, readonly Signature[]>> = {
  array_append: [{ fn: "array_append", args: ["array", "element"], result: "array", compatible: true }],
  array_prepend: [{ fn: "array_prepend", args: ["element", "array"], result: "array", compatible: true }],
  array_cat: [{ fn: "array_cat", args: ["array", "array"], result: "array", compatible: true }],
  array_length: [{ fn: "array_length", args: ["array", int4], result: int4 }],
  array_upper: [{ fn: "array_upper", args: ["array", int4], result: int4 }],
  array_lower: [{ fn: "array_lower", args: ["array", int4], result: int4 }],
  array_ndims: [{ fn: "array_ndims", args: ["array"], result: int4 }],
  array_dims: [{ fn: "array_dims", args: ["array"], result: text }],
  cardinality: [{ fn: "array_cardinality", args: ["array"], result: int4 }],
  array_position: [
    { fn: "array_position", args: ["array", "element"], result: int4, compatible: true },
    { fn: "array_position", args: ["array", "element", int4], result: int4, compatible: true },
  ],
  array_positions: [{ fn: "array_positions", args: ["array", "element"], result: ints, compatible: true }],
  array_remove: [{ fn: "array_remove", args: ["array", "element"], result: "array", compatible: true }],
  array_replace: [
    { fn: "array_replace", args: ["array", "element", "element"], result: "array", compatible: true },
  ],
  array_to_string: [
    { fn: "array_to_string", args: ["array", text], result: text },
    { fn: "array_to_string", args: ["array", text, text], result: text },
  ],
  array_fill: [
    { fn: "array_fill", args: ["element", ints], result: "array" },
    { fn: "array_fill", args: ["element", ints, ints], result: "array" },
  ],
  trim_array: [{ fn: "array_trim", args: ["array", int4], result: "array" }],
  array_reverse: [{ fn: "array_reverse", args: ["array"], result: "array" }],
  array_sort: [
    { fn: "array_sort", args: ["array"], result: "array" },
    { fn: "array_sort", args: ["array", bool], result: "array" },
    { fn: "array_sort", args: ["array", bool, bool], result: "array" },
  ],
  array_to_json: [{ fn: "array_to_json", args: ["array"], result: json }],
  width_bucket: [{ fn: "array_bucket", args: ["element", "array"], result: int4, compatible: true }],
  num_nonnulls: [{ fn: "num_nonnulls", args: ["any"], rest: "any", result: int4 }],
  num_nulls: [{ fn: "num_nulls", args: ["any"], rest: "any", result: int4 }],
  quote_literal: [{ fn: "quote_any", args: ["element"], result: text }],
  quote_nullable: [{ fn: "quote_any_nullable", args: ["element"], result: text }],
  format: [{ fn: "format", args: [text], rest: "any", result: text }],
  to_json: [{ fn: "to_json", args: ["element"], result: json }],
  row_to_json: [
    { fn: "to_json", args: ["record"], result: json },
    { fn: "row_to_json", args: ["record", bool], result: json },
  ],
  to_jsonb: [{ fn: "to_jsonb", args: ["element"], result: jsonb }],
  json_build_array: [{ fn: "json_build_array", args: [], rest: "any", result: json }],
  json_build_object: [{ fn: "json_build_object", args: [], rest: "any", result: json }],
  jsonb_build_array: [{ fn: "jsonb_build_array", args: [], rest: "any", result: jsonb }],
  jsonb_build_object: [{ fn: "jsonb_build_object", args: [], rest: "any", result: jsonb }],
  json_extract_path: [{ fn: "json_path", args: [json], rest: text, result: json }],
  json_extract_path_text: [{ fn: "json_path_text", args: [json], rest: text, result: text }],
  jsonb_extract_path: [{ fn: "jsonb_path", args: [jsonb], rest: text, result: jsonb }],
  jsonb_extract_path_text: [{ fn: "jsonb_path_text", args: [jsonb], rest: text, result: text }],
};

const byOperator: Readonly<Record<string, readonly Signature[]>> = {
  "||": [
    { fn: "array_cat", args: ["array", "array"], result: "array", compatible: true },
    { fn: "array_append", args: ["array", "element"], result: "array", compatible: true },
    { fn: "array_prepend", args: ["element", "array"], result: "array", compatible: true },
  ],
  "@>": [{ fn: "array_contains", args: ["array", "array"], result: bool }],
  "<@": [{ fn: "array_contained", args: ["array", "array"], result: bool }],
  "&&": [{ fn: "array_overlaps", args: ["array", "array"], result: bool }],
};

/** Functions of texts and numbers that share a name with one here: those come first. */
const alsoPlain: ReadonlySet<string> = new Set(["quote_literal", "quote_nullable", "width_bucket"]);

export const polymorphicNames: readonly string[] = Object.freeze(Object.keys(byName));

export function isPolymorphicName(name: string): boolean {
  return Object.hasOwn(byName, name);
}

/** Undefined: no such function takes these. `position` for its errors. */
export function resolvePolymorphic(
  name: string,
  given: readonly (SqlType | null)[],
  position?: number,
): Resolution | undefined {
  if (!Object.hasOwn(byName, name)) return undefined;
  if (alsoPlain.has(name) && given.every((t) => t === null || t.name === "text")) return undefined;
  return first(byName[name]!, given, position);
}

/** An operator of which at least one side is an array. */
export function resolveArrayOperator(
  symbol: string,
  given: readonly (SqlType | null)[],
): Resolution | undefined {
  if (!Object.hasOwn(byOperator, symbol) || !given.some((t) => t?.name === "array")) return undefined;
  return first(byOperator[symbol]!, given, undefined);
}

function first(
  signatures: readonly Signature[],
  given: readonly (SqlType | null)[],
  position: number | undefined,
): Resolution | undefined {
  for (const signature of signatures) {
    const found = fitted(signature, given, position);
    if (found !== undefined) return found;
  }
  return undefined;
}

function fitted(
  { fn, args, rest, result, compatible }: Signature,
  given: readonly (SqlType | null)[],
  position: number | undefined,
): Resolution | undefined {
  if (given.length < args.length || (given.length > args.length && rest === undefined)) return undefined;
  const slots = given.map((_, i) => args[i] ?? rest!);
  const arrays = given.filter((_, i) => slots[i] === "array");
  if (arrays.some((t) => t !== null && t.element === undefined)) return undefined;
  const elements = given.flatMap((t, i) => {
    if (slots[i] === "array") return t === null ? [] : [t.element!];
    return slots[i] === "element" && t !== null ? [t] : [];
  });
  if (slots.some((s, i) => s === "record" && given[i]?.fields === undefined)) return undefined;
  const isPolymorphic = slots.some((s) => s === "array" || s === "element");
  let element: SqlType | undefined;
  if (isPolymorphic) {
    if (elements.length === 0) throw undetermined(position);
    const [one] = elements;
    element = compatible ? commonType(elements) : elements.every((t) => sameKind(t, one!)) ? one : undefined;
    if (element === undefined || (element.element !== undefined && arrays.length > 0)) return undefined;
    element = withoutModifiers(element);
  }
  const argTypes = slots.map((slot, i): SqlType => {
    if (slot === "array") return arrayOf(element!);
    if (slot === "element") return element!;
    return slot === "any" || slot === "record" ? (given[i] ?? text) : slot;
  });
  if (!given.every((t, i) => canCast(t, argTypes[i]!))) return undefined;
  return {
    fn,
    argTypes,
    argCasts: given.map((t, i) =>
      t === null || sameKind(t, argTypes[i]!) ? null : castOf(t, argTypes[i]!, "explicit")!.fn,
    ),
    resultType: result === "array" ? arrayOf(element!) : result === "element" ? element! : result,
  };
}

function undetermined(position: number | undefined): EvertError {
  return new EvertError(
    "datatype_mismatch",
    "could not determine polymorphic type because input has type unknown",
    { position },
  );
}
