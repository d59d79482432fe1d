/** Functions made for the types of a call. */
import type { SqlType } from "../../batch/types.ts";
import type { FunctionId } from "../../plan/functions.ts";
import type { ScalarFunction } from "./value.ts";

/** Finds other functions (library.ts), for what applies one to each item. */
export type Lookup = (fn: FunctionId, args: readonly SqlType[], result: SqlType) => ScalarFunction;

/** The function for these argument types and this result. */
export type Maker = (args: readonly SqlType[], result: SqlType, lookup: Lookup) => ScalarFunction;
