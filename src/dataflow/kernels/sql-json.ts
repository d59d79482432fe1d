/**
 * SQL/JSON: JSON_OBJECT, JSON_ARRAY, IS JSON, JSON_EXISTS, JSON_VALUE, JSON_QUERY. Their first argument has the words of their clauses.
 *
 * What a query finds wrong in its document (the path cannot be followed, there is more than one item, the item is no value of the type that is
 * returned) is what ON ERROR decides about, and that there is no item, ON EMPTY. An unknown variable of the path is an error whatever they say.
 */

import { parseArray } from "../../batch/format/array.ts";
import { bytesToHex } from "../../batch/format/bytes.ts";
import { checkJson, parseJsonb, quoteJson } from "../../batch/jsonb.ts";
import type { SqlType } from "../../batch/types.ts";
import type { TypedFunctionId } from "../../plan/functions.ts";
import { attempt, fail, fault, type ScalarError, scalarError } from "./errors.ts";
import { populate, read } from "./json-populate.ts";
import { arrayText, elementsOf, kindOf, membersOf, unquoted } from "./json-text.ts";
import { hasItem, itemsOf } from "./jsonpath/functions.ts";
import type { Maker } from "./maker.ts";
import { jsonOf, keyText } from "./typed-any.ts";
import { valueOfText } from "./typed-text.ts";
import type { ScalarFunction, Value } from "./value.ts";

const encoder = new TextEncoder();

function canonical(json: string): string {
  return attempt(parseJsonb, json, "null");
}

// ---- constructors -----------------------------------------------------------------------------------------------

/** PostgreSQL names the key only where it writes the object as it goes. */
function duplicateKey(key: string | null): ScalarError {
  const message = `duplicate JSON object key value${key === null ? "" : `: ${key}`}`;
  return scalarError("invalid_value", message, { sqlstate: "22030" });
}

function object(forJsonb: boolean): Maker {
  return ([, ...types]) =>
    (words: string, ...args: Value[]): string => {
      const [absent, unique] = [words.includes("absent"), words.includes("unique")];
      const members: string[] = [];
      const keys = new Set<string>();
      for (let i = 0; i < args.length; i += 2) {
        const value = args[i + 1]!;
        const skipped = value === null && absent;
        if (skipped && !unique) continue;
        const key = keyText(types[i]!, args[i]!, i + 1, forJsonb);
        if (fault.error !== null) return "{}";
        if (unique && keys.has(key)) return fail(duplicateKey(forJsonb ? null : key), "{}");
        keys.add(key);
        if (!skipped) members.push(`${key} : ${jsonOf(types[i + 1]!, value)}`);
      }
      const made = `{${members.join(", ")}}`;
      return forJsonb ? canonical(made) : made;
    };
}

function array(forJsonb: boolean): Maker {
  return ([, ...types]) =>
    (words: string, ...args: Value[]): string => {
      const absent = words.includes("absent");
      const items = args.flatMap((value, i) => (value === null && absent ? [] : [jsonOf(types[i]!, value)]));
      return forJsonb ? canonical(arrayText(items)) : arrayText(items);
    };
}

function arrayOfItems(forJsonb: boolean): Maker {
  return ([, type]) =>
    (_words: string, list: string): string | null => {
      const { items } = parseArray(list);
      if (items.length === 0) return null;
      const element = type!.element!;
      const made = arrayText(
        items.flatMap((item) => (item === null ? [] : [jsonOf(element, valueOfText(element, item))])),
      );
      return forJsonb ? canonical(made) : made;
    };
}

// ---- IS JSON ----------------------------------------------------------------------------------------------------

/** Whether no object in it has a key twice. */
function hasUniqueKeys(json: string): boolean {
  const kind = kindOf(json);
  if (kind === "array") return elementsOf(json).every(hasUniqueKeys);
  if (kind !== "object") return true;
  const members = membersOf(json);
  return (
    new Set(members.map(([key]) => key)).size === members.length &&
    members.every(([, value]) => hasUniqueKeys(value))
  );
}

function isValid(json: string): boolean {
  attempt(checkJson, json, "");
  const valid = fault.error === null;
  fault.error = null;
  return valid;
}

const isJson: Maker =
  ([type]) =>
  (json: string, words: string): boolean => {
    if (type!.name !== "json" && type!.name !== "jsonb" && !isValid(json)) return false;
    const kind = kindOf(json);
    const fits = words.includes("object")
      ? kind === "object"
      : words.includes("array")
        ? kind === "array"
        : !words.includes("scalar") || (kind !== "object" && kind !== "array");
    return fits && (type!.name === "jsonb" || !words.includes("unique") || hasUniqueKeys(json));
  };

function uniqueKeys(text: string): string {
  const json = attempt(checkJson, text, "null");
  return fault.error !== null || hasUniqueKeys(json) ? json : fail(duplicateKey(null), "null");
}

// ---- queries ----------------------------------------------------------------------------------------------------

const noItem = scalarError("invalid_value", "no SQL/JSON item found for specified path", {
  sqlstate: "22035",
});
const VALUE_MESSAGE = "JSON path expression in JSON_VALUE must return single scalar item";
const severalValues = scalarError("invalid_value", VALUE_MESSAGE, { sqlstate: "22034" });
const noScalar = scalarError("invalid_value", VALUE_MESSAGE, { sqlstate: "2203F" });
const severalItems = scalarError(
  "invalid_value",
  "JSON path expression in JSON_QUERY must return single item when no wrapper is requested",
  { sqlstate: "22034", hint: "Use the WITH WRAPPER clause to wrap SQL/JSON items into an array." },
);

/** The arguments behind the words. */
type QueryArguments = [
  document: string | null,
  path: string | null,
  onEmpty: Value,
  onError: Value,
  ...variables: Value[],
];

/** `types`: of names and values, in turn. */
function variablesOf(types: readonly SqlType[], given: readonly Value[]): string {
  const members: string[] = [];
  for (let i = 0; i < given.length; i += 2)
    members.push(`${quoteJson(given[i] as string, "")}: ${jsonOf(types[i + 1]!, given[i + 1]!)}`);
  return canonical(`{${members.join(", ")}}`);
}

const EMPTY = Symbol("empty");

/** What a query finds: a value, nothing, or what is wrong in the document. null beside an error in `fault`: of the path itself. */
type Found = Value | ScalarError | typeof EMPTY;
type Ask = (document: string, path: string, variables: string, words: readonly string[]) => Found;

function isError(found: Found | readonly string[]): found is ScalarError {
  return typeof found === "object" && found !== null && "sqlstate" in found;
}

/** The words begin with what is done on empty, and on error. */
function query(askOf: (to: SqlType) => Ask): Maker {
  return (types, to) => {
    const ask = askOf(to);
    return ((words: string, ...args: QueryArguments): Value => {
      const [document, path, emptyDefault, errorDefault, ...given] = args;
      if (document === null || path === null) return null;
      const clauses = words.split(" ");
      const variables = variablesOf(types.slice(5), given);
      if (fault.error !== null) return null;
      const found = ask(document, path, variables, clauses);
      if (found === EMPTY) return behaviour(clauses[0]!, noItem, emptyDefault, to);
      return isError(found) ? behaviour(clauses[1]!, found, errorDefault, to) : found;
    }) as ScalarFunction;
  };
}

function behaviour(word: string, error: ScalarError, otherwise: Value, to: SqlType): Value {
  switch (word) {
    case "error":
      return fail(error, null);
    case "default":
      return otherwise;
    case "true":
      return true;
    case "false":
      return false;
    case "array":
      return converted("[]", to, false);
    case "object":
      return converted("{}", to, false);
    default:
      return null;
  }
}

/** The value, or the error that reading it has left. */
function tried(work: () => Value): Value | ScalarError {
  const value = work();
  const { error } = fault;
  fault.error = null;
  return error ?? value;
}

/** Over the path's items, where it has some. */
function ofItems(answer: (items: readonly string[], words: readonly string[]) => Found): Ask {
  return (document, path, variables, words) => {
    const items = itemsOf(document, path, variables);
    if (items === null || isError(items)) return items;
    return items.length === 0 ? EMPTY : answer(items, words);
  };
}

function scalarIn(to: SqlType): Ask {
  return ofItems((items) => {
    if (items.length > 1) return severalValues;
    const item = items[0]!;
    switch (kindOf(item)) {
      case "object":
      case "array":
        return noScalar;
      case "null":
        return null;
      case "string":
        return tried(() => (isJsonType(to) ? populate(to, item) : read(to, unquoted(item))));
      case "boolean":
        return tried(() => read(to, isJsonType(to) ? item : item.charAt(0)));
      case "number":
        return tried(() => read(to, item));
    }
  });
}

function isJsonType({ name }: SqlType): boolean {
  return name === "json" || name === "jsonb";
}

function partOf(to: SqlType): Ask {
  return ofItems((items, words) => {
    const wraps = words[2] === "wrap" || (words[2] === "several" && items.length > 1);
    if (!wraps && items.length > 1) return severalItems;
    return tried(() => converted(wraps ? arrayText(items) : items[0]!, to, words[3] === "omit"));
  });
}

const characters: ReadonlySet<string> = new Set(["text", "varchar", "bpchar"]);

/** `omits`: of a string the characters alone count. */
function converted(json: string, to: SqlType, omits: boolean): Value {
  const text = omits && kindOf(json) === "string" ? unquoted(json) : json;
  if (text === json && (isJsonType(to) || to.element !== undefined)) return toJsonOrArray(json, to);
  if (to.name === "bytea") return bytesToHex(encoder.encode(text));
  if (kindOf(json) === "null" && !characters.has(to.name) && !isJsonType(to)) return null;
  return read(to, text);
}

function toJsonOrArray(json: string, to: SqlType): Value {
  return isJsonType(to) ? json : populate(to, json);
}

export const sqlJsonLibrary = {
  sql_json_object: object(false),
  sql_jsonb_object: object(true),
  sql_json_array: array(false),
  sql_jsonb_array: array(true),
  sql_json_array_of: arrayOfItems(false),
  sql_jsonb_array_of: arrayOfItems(true),
  json_unique_keys: () => uniqueKeys,
  is_json: isJson,
  sql_json_exists: query(() => hasItem),
  sql_json_value: query(scalarIn),
  sql_json_query: query(partOf),
} satisfies Partial<Record<TypedFunctionId, Maker>>;
