/**
 * What PostgreSQL has and we do not yet. It takes part in resolution, so that a call PostgreSQL would resolve to it is refused (0A000) and
 * never answered by something else.
 */
import {
  bytea,
  float4,
  float8,
  int4,
  int8,
  interval,
  numeric,
  type SqlType,
  text,
  timestamp,
  timestamptz,
} from "../batch/types.ts";

/** Overloads PostgreSQL has beside ours: "name" or "op" -> argument types. */
export const absentOverloads: Readonly<Record<string, readonly (readonly SqlType[])[]>> = {
  reverse: [[bytea]],
  age: [[timestamp], [timestamptz]],
  to_char: [
    [interval, text],
    [numeric, text],
    [int4, text],
    [int8, text],
    [float4, text],
    [float8, text],
  ],
  to_timestamp: [[text, text]],
};
