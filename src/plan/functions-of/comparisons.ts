/** = <> < <= > >=, and GREATEST and LEAST, of every type that has them. */
import type { SqlType, TypeName } from "../../batch/types.ts";
import { comparisons, type Entry, extremes, named } from "./entry.ts";

/** All but varchar, which is compared as text, and json and jsonpath, which are not compared at all. */
function orderOf<N extends TypeName>(name: N) {
  const type = named(name);
  return { ...comparisons(type), ...extremes(type) };
}

export const comparisonFunctions = {
  ...orderOf("int2"),
  ...orderOf("int4"),
  ...orderOf("int8"),
  ...orderOf("float4"),
  ...orderOf("float8"),
  ...orderOf("numeric"),
  ...orderOf("bool"),
  ...orderOf("text"),
  ...orderOf("bytea"),
  ...orderOf("uuid"),
  ...orderOf("date"),
  ...orderOf("time"),
  ...orderOf("timestamp"),
  ...orderOf("timestamptz"),
} as const satisfies Record<string, Entry>;

/** The types a comparison must know more of than its name. */
export type OrderedByKey = "bpchar" | "interval" | "jsonb" | "array" | "enum" | "record";

export type Comparable = Exclude<TypeName, "varchar" | "json" | "jsonpath">;

export function isComparable(type: SqlType): boolean {
  return (
    type.name !== "json" &&
    type.name !== "jsonpath" &&
    (type.element === undefined || isComparable(type.element)) &&
    (type.fields === undefined || type.fields.every((f) => isComparable(f.type)))
  );
}
