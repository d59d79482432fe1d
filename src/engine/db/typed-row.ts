import { datumFromJson, datumToValue } from "../../batch/convert.ts";
import { setProperty } from "../../batch/json.ts";
import type { Field } from "../../batch/schema.ts";

/** JSON values of a row in their TypeScript form: exact integers, numerics as strings. */
export function typedRow(
  fields: readonly Field[],
  row: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const typed: Record<string, unknown> = {};
  for (const { name, type } of fields)
    setProperty(typed, name, datumToValue(type, datumFromJson(type, row[name], name)));
  return typed;
}
