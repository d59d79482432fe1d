/** Functions of a jsonb and a jsonpath; behind them variables, and whether errors are passed over. */
import { bool, jsonb, jsonpath, type SqlType } from "../../batch/types.ts";
import { both, type Entry, F, fn } from "./entry.ts";

const target = [jsonb, jsonpath];
const of = (name: string, args: readonly SqlType[], result: SqlType) =>
  fn(name, [...target, ...args], result, F, "nullable");

export const jsonPathFunctions = {
  jsonb_path_exists: of("jsonb_path_exists", [], bool),
  jsonb_path_exists_with: of("jsonb_path_exists", [jsonb], bool),
  jsonb_path_exists_silent: of("jsonb_path_exists", [jsonb, bool], bool),
  jsonb_path_exists_opr: both("@?", "jsonb_path_exists_opr", target, bool, F, "nullable"),
  jsonb_path_match: of("jsonb_path_match", [], bool),
  jsonb_path_match_with: of("jsonb_path_match", [jsonb], bool),
  jsonb_path_match_silent: of("jsonb_path_match", [jsonb, bool], bool),
  jsonb_path_match_opr: both("@@", "jsonb_path_match_opr", target, bool, F, "nullable"),
  jsonb_path_query_array: of("jsonb_path_query_array", [], jsonb),
  jsonb_path_query_array_with: of("jsonb_path_query_array", [jsonb], jsonb),
  jsonb_path_query_array_silent: of("jsonb_path_query_array", [jsonb, bool], jsonb),
  jsonb_path_query_first: of("jsonb_path_query_first", [], jsonb),
  jsonb_path_query_first_with: of("jsonb_path_query_first", [jsonb], jsonb),
  jsonb_path_query_first_silent: of("jsonb_path_query_first", [jsonb, bool], jsonb),
} as const satisfies Record<string, Entry>;
