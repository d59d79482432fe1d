/**
 * JSON as a value of a type, as json_to_record does it: an array becomes an array, whatever its depth; of anything else the text is
 * read by the type's input function, a string's without its quotes. JSON's null is null.
 */
import { formatArray } from "../../batch/format/array.ts";
import { parseJsonb } from "../../batch/jsonb.ts";
import type { SqlType } from "../../batch/types.ts";
import { attempt, fail, fault, scalarError } from "./errors.ts";
import { elementsOf, kindOf, unquoted } from "./json-text.ts";
import { textOfValue, valueOfText } from "./typed-text.ts";
import type { Value } from "./value.ts";

const noArray = scalarError("invalid_text_representation", "expected JSON array");
const ragged = scalarError("invalid_text_representation", "malformed JSON array", {
  detail: "Multidimensional arrays must have sub-arrays with matching dimensions.",
});

/** The value, or null; what cannot be one leaves its error in `fault`. */
export function populate(type: SqlType, json: string): Value {
  const kind = kindOf(json);
  if (kind === "null") return null;
  if (type.name === "json") return json;
  if (type.name === "jsonb") return attempt(parseJsonb, json, null);
  if (type.element !== undefined && kind !== "string")
    return kind === "array" ? arrayOf(type.element, json) : fail(noArray, null);
  return read(type, kind === "string" ? unquoted(json) : json);
}

/** What the type's input function makes of the text. */
export function read(type: SqlType, text: string): Value {
  return attempt<string, Value>((given) => valueOfText(type, given), text, null);
}

function arrayOf(element: SqlType, json: string): Value {
  const dims: number[] = [];
  const items: (string | null)[] = [];
  /** Depth at which items stand; -1 before the first. */
  let leaves = -1;
  const take = (list: string, depth: number): boolean => {
    const elements = elementsOf(list);
    if ((dims[depth] ??= elements.length) !== elements.length) return false;
    for (const item of elements) {
      if (kindOf(item) === "array" && element.name !== "json" && element.name !== "jsonb") {
        if (leaves === depth || !take(item, depth + 1)) return false;
        continue;
      }
      if (leaves >= 0 && leaves !== depth) return false;
      leaves = depth;
      const value = populate(element, item);
      if (fault.error !== null) return false;
      items.push(value === null ? null : textOfValue(element, value));
    }
    return true;
  };
  if (!take(json, 0)) return fault.error === null ? fail(ragged, null) : null;
  return formatArray({ dims, lower: dims.map(() => 1), items });
}
