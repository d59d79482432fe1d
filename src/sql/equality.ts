/** What DISTINCT, GROUP BY, UNION and keys ask of a type: that its values are equal or not. */
import { EvertError } from "../base/errors.ts";
import type { SqlType } from "../batch/types.ts";
import { isComparable, sqlTypeName } from "../plan/functions.ts";

/** @throws undefined_function */
export function checkEquatable(type: SqlType, position: number | undefined): void {
  if (isComparable(type)) return;
  const message = `could not identify an equality operator for type ${sqlTypeName(type)}`;
  throw new EvertError("undefined_function", message, { position });
}
