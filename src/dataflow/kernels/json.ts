/** Operators and functions of json and jsonb, on their text (json-text.ts). */
import { parseArray } from "../../batch/format/array.ts";
import { quoteJson } from "../../batch/jsonb.ts";
import { compareDecimals, decimalFromText } from "./decimal.ts";
import { fail, scalarError } from "./errors.ts";
import {
  arrayText,
  elementAt,
  elementsOf,
  fieldOf,
  kindOf,
  membersOf,
  objectText,
  pathIndex,
  plainText,
  unquoted,
  valueAt,
} from "./json-text.ts";

function refused(message: string, hint?: string) {
  return scalarError("invalid_argument", message, hint === undefined ? {} : { hint });
}

function isScalar(json: string): boolean {
  const kind = kindOf(json);
  return kind !== "object" && kind !== "array";
}

function pathOf(written: string): readonly (string | null)[] {
  return parseArray(written).items;
}

const twoDimensions = badSubscript("wrong number of array subscripts");

/** What only a list may say; null, with the error told: it has more dimensions. */
function listed(written: string): readonly (string | null)[] | null {
  const { dims, items } = parseArray(written);
  return dims.length > 1 ? fail(twoDimensions, null) : items;
}

function badSubscript(message: string) {
  return scalarError("invalid_value", message, { sqlstate: "2202E" });
}

/** To jsonb a scalar is an array of one, but in a path. */
function elementOfJsonb(json: string, index: number): string | null {
  if (isScalar(json)) return index === 0 || index === -1 ? json : null;
  return elementAt(json, index);
}

// ---- containment ------------------------------------------------------------------------------------------------

function sameScalar(a: string, b: string): boolean {
  if (a === b) return true;
  if (kindOf(a) !== "number" || kindOf(b) !== "number") return false;
  return compareDecimals(decimalFromText(a), decimalFromText(b)) === 0;
}

/** Within a container: of the same kind, objects with at least these members, arrays with at least these elements. */
function holds(a: string, b: string): boolean {
  const kind = kindOf(a);
  if (kind !== kindOf(b)) return false;
  if (kind === "object") {
    const members = new Map(membersOf(a));
    return membersOf(b).every(([key, value]) => members.has(key) && holds(members.get(key)!, value));
  }
  if (kind === "array") {
    const elements = elementsOf(a);
    return elementsOf(b).every((wanted) => elements.some((element) => holds(element, wanted)));
  }
  return sameScalar(a, b);
}

/** An array may also hold a bare scalar, on the outside alone. */
export function jsonbContains(a: string, b: string): boolean {
  if (kindOf(a) === "array" && isScalar(b)) return elementsOf(a).some((element) => holds(element, b));
  return holds(a, b);
}

/** Whether the text is a key, an element that is a string, or the string itself. */
function exists(json: string, key: string): boolean {
  switch (kindOf(json)) {
    case "object":
      return fieldOf(json, key) !== null;
    case "array":
      return elementsOf(json).some((e) => kindOf(e) === "string" && unquoted(e) === key);
    case "string":
      return unquoted(json) === key;
    default:
      return false;
  }
}

function keysOf(written: string): string[] {
  return pathOf(written).filter((key) => key !== null);
}

// ---- changing ---------------------------------------------------------------------------------------------------

function concat(a: string, b: string): string {
  if (kindOf(a) === "object" && kindOf(b) === "object") return objectText([...membersOf(a), ...membersOf(b)]);
  const elements = (json: string) => (kindOf(json) === "array" ? elementsOf(json) : [json]);
  return arrayText([...elements(a), ...elements(b)]);
}

function remove(json: string, keys: readonly string[]): string {
  switch (kindOf(json)) {
    case "object":
      return objectText(membersOf(json).filter(([key]) => !keys.includes(key)));
    case "array":
      return arrayText(elementsOf(json).filter((e) => kindOf(e) !== "string" || !keys.includes(unquoted(e))));
    default:
      return fail(refused("cannot delete from scalar"), json);
  }
}

function removeAll(json: string, written: string): string {
  const keys = listed(written);
  return keys === null
    ? json
    : remove(
        json,
        keys.filter((key) => key !== null),
      );
}

function removeElement(json: string, index: number): string {
  const kind = kindOf(json);
  if (kind === "object") return fail(refused("cannot delete from object using integer index"), json);
  if (kind !== "array") return fail(refused("cannot delete from scalar"), json);
  const elements = elementsOf(json);
  const at = index < 0 ? elements.length + index : index;
  return at < 0 || at >= elements.length ? json : arrayText(elements.toSpliced(at, 1));
}

/** What is done at the end of a path. */
interface Edit {
  readonly verb: "delete" | "set";
  /** Also where nothing is yet. */
  readonly makes: boolean;
  atMember(members: Map<string, string>, key: string): void;
  /** `at` is within the elements, or undefined beyond them; `beforeAll` then tells which end. */
  atElement(elements: string[], at: number | undefined, beforeAll: boolean): void;
}

function edited(json: string, written: string, edit: Edit): string {
  const path = listed(written);
  if (path === null) return json;
  if (isScalar(json)) return fail(refused(`cannot ${edit.verb} path in scalar`), json);
  // Where nothing is and nothing is made, nobody asks what the path says.
  if (!edit.makes && (json === "[]" || json === "{}")) return json;
  return path.length === 0 ? json : editedFrom(json, path, 0, edit);
}

function editedFrom(json: string, path: readonly (string | null)[], depth: number, edit: Edit): string {
  if (isScalar(json)) return json;
  const step = path[depth]!;
  if (step === null) {
    return fail(
      scalarError("invalid_argument", `path element at position ${depth + 1} is null`, {
        sqlstate: "22004",
      }),
      json,
    );
  }
  const isLast = depth === path.length - 1;
  if (kindOf(json) === "object") {
    const members = new Map(membersOf(json));
    if (isLast) edit.atMember(members, step);
    else if (members.has(step)) members.set(step, editedFrom(members.get(step)!, path, depth + 1, edit));
    else return json;
    return objectText(members);
  }
  const index = pathIndex(step);
  if (index === null) {
    const message = `path element at position ${depth + 1} is not an integer: "${step}"`;
    return fail(scalarError("invalid_text_representation", message), json);
  }
  const elements = elementsOf(json);
  const at = index < 0 ? elements.length + index : index;
  const inside = at >= 0 && at < elements.length ? at : undefined;
  if (isLast) edit.atElement(elements, inside, at < 0);
  else if (inside === undefined) return json;
  else elements[inside] = editedFrom(elements[inside]!, path, depth + 1, edit);
  return arrayText(elements);
}

const nullTreatment = scalarError(
  "invalid_argument",
  'null_value_treatment must be "delete_key", "return_target", "use_json_null", or "raise_exception"',
);
const nullJson = scalarError("invalid_value", "JSON value must not be null", {
  sqlstate: "22004",
  detail: 'Exception was raised because null_value_treatment is "raise_exception".',
  hint: "To avoid, either change the null_value_treatment argument or ensure that an SQL NULL is not passed.",
});

/** jsonb_set() that says what a null for the value means. */
function setLax(
  json: string | null,
  path: string | null,
  value: string | null,
  create: boolean | null = true,
  treatment: string | null = "use_json_null",
): string | null {
  if (json === null || path === null || create === null) return null;
  if (treatment === null) return fail(nullTreatment, json);
  if (value !== null) return set(json, path, value, create);
  switch (treatment) {
    case "raise_exception":
      return fail(nullJson, json);
    case "use_json_null":
      return set(json, path, "null", create);
    case "delete_key":
      return edited(json, path, deletion);
    case "return_target":
      return json;
    default:
      return fail(nullTreatment, json);
  }
}

const deletion: Edit = {
  verb: "delete",
  makes: false,
  atMember: (members, key) => members.delete(key),
  atElement: (elements, at) => {
    if (at !== undefined) elements.splice(at, 1);
  },
};

function setting(value: string, create: boolean): Edit {
  return {
    verb: "set",
    makes: create,
    atMember: (members, key) => {
      if (create || members.has(key)) members.set(key, value);
    },
    atElement: (elements, at, beforeAll) => {
      if (at !== undefined) elements[at] = value;
      else if (create && beforeAll) elements.unshift(value);
      else if (create) elements.push(value);
    },
  };
}

const keyIsThere = refused(
  "cannot replace existing key",
  "Try using the function jsonb_set to replace key value.",
);

function insertion(value: string, after: boolean): Edit {
  return {
    verb: "set",
    makes: true,
    atMember: (members, key) => {
      if (members.has(key)) fail(keyIsThere, undefined);
      members.set(key, value);
    },
    atElement: (elements, at, beforeAll) => {
      if (at !== undefined) elements.splice(after ? at + 1 : at, 0, value);
      else if (beforeAll) elements.unshift(value);
      else elements.push(value);
    },
  };
}

const set = (json: string, path: string, value: string, create = true) =>
  edited(json, path, setting(value, create));
const insert = (json: string, path: string, value: string, after = false) =>
  edited(json, path, insertion(value, after));

/** Members that are null go, at any depth; elements that are null only where asked. */
function stripNulls(json: string, inArrays: boolean, write: Writer): string {
  const inside = (value: string) => stripNulls(value, inArrays, write);
  switch (kindOf(json)) {
    case "object":
      return write.object(
        membersOf(json)
          .filter(([, value]) => kindOf(value) !== "null")
          .map(([key, value]) => [key, inside(value)]),
      );
    case "array":
      return write.array(
        elementsOf(json)
          .filter((e) => !inArrays || kindOf(e) !== "null")
          .map(inside),
      );
    default:
      return json;
  }
}

interface Writer {
  object(members: readonly (readonly [string, string])[]): string;
  array(elements: readonly string[]): string;
}

const canonical: Writer = { object: objectText, array: arrayText };
const compact: Writer = {
  object: (members) => `{${members.map(([key, value]) => `${JSON.stringify(key)}:${value}`).join(",")}}`,
  array: (elements) => `[${elements.join(",")}]`,
};

// ---- showing and making -----------------------------------------------------------------------------------------

function pretty(json: string, indent: string): string {
  const inner = `${indent}    `;
  const kind = kindOf(json);
  if (kind !== "object" && kind !== "array") return json;
  const parts =
    kind === "object"
      ? membersOf(json).map(([key, value]) => `${JSON.stringify(key)}: ${pretty(value, inner)}`)
      : elementsOf(json).map((element) => pretty(element, inner));
  const lines = parts.map((part) => `${inner}${part}`).join(",\n");
  const [open, close] = kind === "object" ? "{}" : "[]";
  return lines === "" ? `${open}\n${indent}${close}` : `${open}\n${lines}\n${indent}${close}`;
}

function lengthOf(json: string): number {
  const kind = kindOf(json);
  if (kind === "array") return elementsOf(json).length;
  return fail(refused(`cannot get array length of ${kind === "object" ? "a non-array" : "a scalar"}`), 0);
}

const nullKey = scalarError("invalid_value", "null value not allowed for object key", { sqlstate: "22004" });

/** Keys and values of an array in turn, or of an array of pairs. */
function pairsOf(written: string): [string | null, string | null][] {
  const { dims, items } = parseArray(written);
  if (dims.length === 1 && dims[0]! % 2 === 1) {
    return fail(badSubscript("array must have even number of elements"), []);
  }
  if (dims.length === 2 && dims[1] !== 2) return fail(badSubscript("array must have two columns"), []);
  if (dims.length > 2) return fail(badSubscript("wrong number of array subscripts"), []);
  return items.flatMap((key, i) => (i % 2 === 0 ? [[key, items[i + 1]!]] : []));
}

function zipped(keys: string, values: string): [string | null, string | null][] {
  const [k, v] = [parseArray(keys), parseArray(values)];
  if (k.dims.length > 1 || v.dims.length > 1 || k.dims.length !== v.dims.length) {
    return fail(badSubscript("wrong number of array subscripts"), []);
  }
  if (k.items.length !== v.items.length) return fail(badSubscript("mismatched array dimensions"), []);
  return k.items.map((key, i) => [key, v.items[i]!]);
}

function objectOf(
  pairs: readonly (readonly [string | null, string | null])[],
  write: (members: readonly (readonly [string, string])[]) => string,
): string {
  const members: [string, string][] = [];
  for (const [key, value] of pairs) {
    if (key === null) return fail(nullKey, "{}");
    members.push([key, value === null ? "null" : quoteJson(value, "")]);
  }
  return write(members);
}

/** As json_object writes it. */
const spaced = (members: readonly (readonly [string, string])[]) =>
  `{${members.map(([key, value]) => `${JSON.stringify(key)} : ${value}`).join(", ")}}`;

function readers<P extends "json" | "jsonb">(prefix: P) {
  const made = {
    field: fieldOf,
    element: elementAt,
    field_text: (json: string, key: string) => plainText(fieldOf(json, key)),
    element_text: (json: string, index: number) => plainText(elementAt(json, index)),
    at: (json: string, path: string) => valueAt(json, pathOf(path)),
    at_text: (json: string, path: string) => plainText(valueAt(json, pathOf(path))),
    typeof: kindOf as (json: string) => string,
    array_length: lengthOf,
  };
  return Object.fromEntries(Object.entries(made).map(([k, f]) => [`${prefix}_${k}`, f])) as {
    [K in keyof typeof made as `${P}_${K}`]: (typeof made)[K];
  };
}

export const jsonLibrary = {
  ...readers("json"),
  ...readers("jsonb"),
  jsonb_element: elementOfJsonb,
  jsonb_element_text: (json: string, index: number) => plainText(elementOfJsonb(json, index)),
  json_strip_nulls: (json: string) => stripNulls(json, false, compact),
  json_strip_nulls_of: (json: string, inArrays: boolean) => stripNulls(json, inArrays, compact),
  jsonb_contains: jsonbContains,
  jsonb_contained: (a: string, b: string) => jsonbContains(b, a),
  jsonb_exists: exists,
  jsonb_exists_any: (json: string, keys: string) => keysOf(keys).some((key) => exists(json, key)),
  jsonb_exists_all: (json: string, keys: string) => keysOf(keys).every((key) => exists(json, key)),
  jsonb_concat: concat,
  jsonb_delete: (json: string, key: string) => remove(json, [key]),
  jsonb_delete_element: removeElement,
  jsonb_delete_all: removeAll,
  jsonb_delete_path: (json: string, path: string) => edited(json, path, deletion),
  jsonb_set: (json: string, path: string, value: string) => set(json, path, value),
  jsonb_set_or: set,
  jsonb_set_lax: setLax,
  jsonb_set_lax_or: setLax,
  jsonb_set_lax_by: setLax,
  jsonb_insert: (json: string, path: string, value: string) => insert(json, path, value),
  jsonb_insert_after: insert,
  jsonb_strip_nulls: (json: string) => stripNulls(json, false, canonical),
  jsonb_strip_nulls_of: (json: string, inArrays: boolean) => stripNulls(json, inArrays, canonical),
  jsonb_pretty: (json: string) => pretty(json, ""),
  jsonb_object: (pairs: string) => objectOf(pairsOf(pairs), objectText),
  jsonb_object_of: (keys: string, values: string) => objectOf(zipped(keys, values), objectText),
  json_object: (pairs: string) => objectOf(pairsOf(pairs), spaced),
  json_object_of: (keys: string, values: string) => objectOf(zipped(keys, values), spaced),
};
