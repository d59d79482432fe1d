/** The functions that take a jsonpath. Their arguments behind the path: variables, an object; and whether errors of the data are passed over. */
import { parsePath } from "../../../batch/jsonpath/parse.ts";
import type { JsonPath } from "../../../batch/jsonpath/tree.ts";
import { fail, fault, type ScalarError, scalarError } from "../errors.ts";
import { arrayText, kindOf } from "../json-text.ts";
import { Evaluation } from "./evaluate.ts";
import { PathFault } from "./path-fault.ts";

const PATHS_KEPT = 500;
const paths = new Map<string, JsonPath>();

/** The text is a jsonpath: a value of the type was checked when it was made. */
function pathOf(text: string): JsonPath {
  let path = paths.get(text);
  if (path === undefined) {
    if (paths.size >= PATHS_KEPT) paths.clear();
    paths.set(text, (path = parsePath(text)));
  }
  return path;
}

const noVariables = scalarError("invalid_argument", '"vars" argument is not an object', {
  detail: 'Jsonpath parameters should be encoded as key-value pairs of "vars" object.',
});
const noSingleTruth = scalarError("invalid_value", "single boolean result is expected", {
  sqlstate: "22038",
});

/** What `take` makes of the items; `otherwise` after an error. */
function evaluated<T>(
  document: string,
  path: string,
  variables: string,
  silent: boolean,
  take: (evaluation: Evaluation) => T,
  otherwise: T,
): T {
  if (kindOf(variables) !== "object") return fail(noVariables, otherwise);
  try {
    return take(new Evaluation(pathOf(path), document, variables));
  } catch (error) {
    if (!(error instanceof PathFault)) throw error;
    return silent && !error.always ? otherwise : fail(error.error, otherwise);
  }
}

function exists(document: string, path: string, variables = "{}", silent = false): boolean | null {
  const { strict } = pathOf(path);
  // Strict asks whether all of it can be computed.
  const some = (of: Evaluation) => (strict ? [...of.items()].length > 0 : of.some());
  return evaluated<boolean | null>(document, path, variables, silent, some, null);
}

export function pathItems(document: string, path: string, variables = "{}", silent = false): string[] {
  const found: string[] = [];
  const take = (of: Evaluation) => {
    for (const item of of.items()) found.push(item);
  };
  evaluated(document, path, variables, silent, take, undefined);
  return found;
}

/** The items, or the error of the document that ended them; null where the path itself is wrong, and `fault` says how. */
export function itemsOf(document: string, path: string, variables: string): string[] | ScalarError | null {
  return asked(document, path, variables, (of) => [...of.items()]);
}

/** Whether there is one, or the same. */
export function hasItem(document: string, path: string, variables: string): boolean | ScalarError | null {
  const { strict } = pathOf(path);
  return asked(document, path, variables, (of) => (strict ? [...of.items()].length > 0 : of.some()));
}

function asked<T>(
  document: string,
  path: string,
  variables: string,
  take: (evaluation: Evaluation) => T,
): T | ScalarError | null {
  try {
    return take(new Evaluation(pathOf(path), document, variables));
  } catch (error) {
    if (!(error instanceof PathFault)) throw error;
    return error.always ? fail(error.error, null) : error.error;
  }
}

function match(document: string, path: string, variables = "{}", silent = false): boolean | null {
  const items = pathItems(document, path, variables, silent);
  if (fault.error !== null) return null;
  if (items.length === 1 && items[0] === "null") return null;
  if (items.length === 1 && kindOf(items[0]!) === "boolean") return items[0] === "true";
  return silent ? null : fail(noSingleTruth, null);
}

function first(document: string, path: string, variables = "{}", silent = false): string | null {
  return pathItems(document, path, variables, silent)[0] ?? null;
}

const all = (...args: Parameters<typeof pathItems>) => arrayText(pathItems(...args));

export const jsonPathLibrary = {
  jsonb_path_exists: exists,
  jsonb_path_exists_with: exists,
  jsonb_path_exists_silent: exists,
  jsonb_path_exists_opr: (document: string, path: string) => exists(document, path, "{}", true),
  jsonb_path_match: match,
  jsonb_path_match_with: match,
  jsonb_path_match_silent: match,
  jsonb_path_match_opr: (document: string, path: string) => match(document, path, "{}", true),
  jsonb_path_query_array: all,
  jsonb_path_query_array_with: all,
  jsonb_path_query_array_silent: all,
  jsonb_path_query_first: first,
  jsonb_path_query_first_with: first,
  jsonb_path_query_first_silent: first,
};
