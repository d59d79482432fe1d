/** What a call in SQL turned out to mean. */
import type { SqlType } from "../batch/types.ts";
import type { FunctionId } from "./function-table.ts";

export interface Resolution {
  readonly fn: FunctionId;
  /** One per argument given, also for a variadic function. */
  readonly argTypes: readonly SqlType[];
  /** Per argument the cast it needs (CallExpr of that function with argTypes[i]); null: none, or a bare literal, to be read as argTypes[i]. */
  readonly argCasts: readonly (FunctionId | null)[];
  readonly resultType: SqlType;
}
