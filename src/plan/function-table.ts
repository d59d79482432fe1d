/**
 * The registry of scalar functions, operators and casts: pure data, one file per family in functions-of/. What a function computes is in
 * dataflow/kernels. To add one: a line in its family's table, then the compiler of TypeScript names every place that must learn it.
 *
 * A numeric argument or result here is unconstrained. A call whose CallExpr.type is numeric(p,s) rounds its result to s
 * digits and checks p; that is how every cast to numeric(p,s) is said. Nobody converts numeric(p,s) arguments by hand:
 * kernels read both forms.
 */
import type { SqlType } from "../batch/types.ts";
import { arrayFunctions } from "./functions-of/arrays.ts";
import { byteFunctions } from "./functions-of/bytes.ts";
import { castFunctions } from "./functions-of/casts.ts";
import { comparisonFunctions } from "./functions-of/comparisons.ts";
import type { Entry } from "./functions-of/entry.ts";
import { formatFunctions } from "./functions-of/formats.ts";
import { genericFunctions } from "./functions-of/generic.ts";
import { jsonPathFunctions } from "./functions-of/json-paths.ts";
import { jsonFunctions } from "./functions-of/jsons.ts";
import { mathFunctions } from "./functions-of/math.ts";
import { numberFunctions } from "./functions-of/numbers.ts";
import { overlapFunctions } from "./functions-of/overlaps.ts";
import { patternFunctions } from "./functions-of/patterns.ts";
import { sqlJsonFunctions } from "./functions-of/sql-json.ts";
import { textFunctions } from "./functions-of/texts.ts";
import { timeFunctions } from "./functions-of/times.ts";

export type { Entry } from "./functions-of/entry.ts";

/** Made for the types of each call. */
const typedTable = {
  ...genericFunctions,
  ...arrayFunctions,
  ...sqlJsonFunctions,
};

const table = {
  ...comparisonFunctions,
  ...numberFunctions,
  ...textFunctions,
  ...timeFunctions,
  ...formatFunctions,
  ...overlapFunctions,
  ...jsonPathFunctions,
  ...castFunctions,
  ...mathFunctions,
  ...byteFunctions,
  ...jsonFunctions,
  ...patternFunctions,
  ...typedTable,
};

export type TypedFunctionId = keyof typeof typedTable;

export function isTyped(id: FunctionId): id is TypedFunctionId {
  return Object.hasOwn(typedTable, id);
}

export type FunctionId = keyof typeof table;

export interface FunctionInfo extends Entry {
  readonly id: FunctionId;
  /** How PostgreSQL's messages and EXPLAIN call it: operator symbol, first name, or id of a cast. */
  readonly name: string;
}

function buildInfos(): ReadonlyMap<FunctionId, FunctionInfo> {
  const out = new Map<FunctionId, FunctionInfo>();
  for (const id of Object.keys(table) as FunctionId[]) {
    const e: Entry = table[id];
    out.set(id, Object.freeze({ ...e, id, name: e.op ?? e.names[0] ?? id }));
  }
  return out;
}

const infos = buildInfos();

export const functionIds: readonly FunctionId[] = Object.freeze([...infos.keys()]);

export function functionInfo(id: FunctionId): FunctionInfo {
  return infos.get(id)!;
}

/** Whether a call of `fn` with this CallExpr.type can end in an error: a numeric(p,s) result may always overflow. */
export function callIsFallible(fn: FunctionId, type: SqlType): boolean {
  const info = functionInfo(fn);
  return info.fallible || (info.result.name === "numeric" && type.precision !== undefined);
}
