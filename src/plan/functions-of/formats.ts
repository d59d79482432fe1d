/** Numbers and times by a pattern: to_char, to_number, to_date, to_timestamp. */
import {
  date,
  float4,
  float8,
  int4,
  int8,
  interval,
  numeric,
  text,
  timestamp,
  timestamptz,
} from "../../batch/types.ts";
import { type Entry, F, fn } from "./entry.ts";

export const formatFunctions = {
  timestamp_to_char: fn("to_char", [timestamp, text], text, "nullable"),
  timestamptz_to_char: fn("to_char", [timestamptz, text], text, "nullable"),
  interval_to_char: fn("to_char", [interval, text], text, F, "nullable"),
  int4_to_char: fn("to_char", [int4, text], text, F),
  int8_to_char: fn("to_char", [int8, text], text, F),
  numeric_to_char: fn("to_char", [numeric, text], text, F),
  float4_to_char: fn("to_char", [float4, text], text, F),
  float8_to_char: fn("to_char", [float8, text], text, F),
  text_to_number: fn("to_number", [text, text], numeric, F, "nullable"),
  text_to_date_by: fn("to_date", [text, text], date, F),
  text_to_timestamptz_by: fn("to_timestamp", [text, text], timestamptz, F),
} as const satisfies Record<string, Entry>;
