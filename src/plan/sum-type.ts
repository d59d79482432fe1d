/** What sums of a type are, and what lies between two of its values. */
import { float8, int8, interval, numeric, type SqlType } from "../batch/types.ts";

/** The number that sums of these numbers fit in, those of integers into integers; null: they are no numbers. */
export function sumType(type: SqlType): SqlType | null {
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
    default:
      return null;
  }
}

/** What a RANGE frame measures in, over a column of the type; null: there are no distances. */
export function distanceType(type: SqlType): SqlType | null {
  switch (type.name) {
    case "date":
    case "time":
    case "timestamp":
    case "timestamptz":
    case "interval":
      return interval;
    default:
      return sumType(type);
  }
}
