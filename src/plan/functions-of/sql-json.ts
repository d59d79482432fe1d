/**
 * SQL/JSON: what JSON_OBJECT, JSON_VALUE and their kin are bound to (sql/json-constructors.ts, sql/json-queries.ts). The first argument says, in
 * words, which of the standard's clauses are there.
 */
import { bool, json, jsonb, text } from "../../batch/types.ts";
import { anyArray, type Entry, entry, F } from "./entry.ts";

/** Found by no name: their arguments are of any types, or their result is of the type that RETURNING names. */
function clause(result: Entry["result"]): Entry {
  return entry(null, [], [], result, [F, "nonStrict", "nullable"]);
}

export const sqlJsonFunctions = {
  /** key, value, key, value … */
  sql_json_object: clause(json),
  sql_jsonb_object: clause(jsonb),
  sql_json_array: clause(json),
  sql_jsonb_array: clause(jsonb),
  /** Of an array's items; null of none. */
  sql_json_array_of: entry(null, [], [text, anyArray], json, ["nullable"]),
  sql_jsonb_array_of: entry(null, [], [text, anyArray], jsonb, [F, "nullable"]),
  /** JSON whose objects have no key twice. */
  json_unique_keys: entry(null, [], [text], json, [F]),
  is_json: entry(null, [], [text, text], bool, []),
  /** words, document, path, default on empty, default on error, then names and values of variables. */
  sql_json_exists: clause(bool),
  sql_json_value: clause(text),
  sql_json_query: clause(jsonb),
} as const satisfies Record<string, Entry>;
