/** What a RANGE frame measures in. */
import { float8, int8, interval, numeric, type SqlType } from "../batch/types.ts";

/** The type of distances in a column of the type; null: there are none. */
export function distanceType(type: SqlType): SqlType | null {
  switch (type.name) {
    case "int2":
    case "int4":
    case "int8":
      return int8;
    case "float4":
    case "float8":
      return float8;
    case "numeric":
      return numeric;
    case "date":
    case "time":
    case "timestamp":
    case "timestamptz":
    case "interval":
      return interval;
    default:
      return null;
  }
}
