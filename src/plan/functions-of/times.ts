/** Operators and functions of dates, times and intervals. */
import {
  bool,
  date,
  float8,
  int4,
  interval,
  numeric,
  text,
  time,
  timestamp,
  timestamptz,
} from "../../batch/types.ts";
import { type Entry, entry, F, fn, operator } from "./entry.ts";

export const timeFunctions = {
  // timestamptz (parts of an infinite time that go round and round, such as the hour, are null)
  timestamptz_extract: fn("extract", [text, timestamptz], numeric, F, "nullable"),
  timestamptz_date_part: fn("date_part", [text, timestamptz], float8, F, "nullable"),
  timestamptz_trunc: fn("date_trunc", [text, timestamptz], timestamptz, F),
  float8_to_timestamptz: fn("to_timestamp", [float8], timestamptz, F),
  timestamptz_now: fn(
    "now transaction_timestamp statement_timestamp clock_timestamp",
    [],
    timestamptz,
    "volatile",
  ),

  // parts of the others
  timestamp_extract: fn("extract", [text, timestamp], numeric, F, "nullable"),
  timestamp_date_part: fn("date_part", [text, timestamp], float8, F, "nullable"),
  date_extract: fn("extract", [text, date], numeric, F, "nullable"),
  date_date_part: fn("date_part", [text, date], float8, F, "nullable"),
  time_extract: fn("extract", [text, time], numeric, F),
  time_date_part: fn("date_part", [text, time], float8, F, "nullable"),
  interval_extract: fn("extract", [text, interval], numeric, F, "nullable"),
  interval_date_part: fn("date_part", [text, interval], float8, F, "nullable"),
  timestamp_trunc: fn("date_trunc", [text, timestamp], timestamp, F),
  interval_trunc: fn("date_trunc", [text, interval], interval, F),
  timestamptz_trunc_zone: fn("date_trunc", [text, timestamptz, text], timestamptz, F),
  timestamp_bin: fn("date_bin", [interval, timestamp, timestamp], timestamp, F),
  timestamptz_bin: fn("date_bin", [interval, timestamptz, timestamptz], timestamptz, F),
  timestamp_age: fn("age", [timestamp, timestamp], interval, F),
  timestamptz_age: fn("age", [timestamptz, timestamptz], interval, F),
  make_date: fn("make_date", [int4, int4, int4], date, F),
  make_time: fn("make_time", [int4, int4, float8], time, F),
  make_timestamp: fn("make_timestamp", [int4, int4, int4, int4, int4, float8], timestamp, F),
  make_timestamptz: fn("make_timestamptz", [int4, int4, int4, int4, int4, float8], timestamptz, F),
  make_timestamptz_zone: fn("make_timestamptz", [int4, int4, int4, int4, int4, float8, text], timestamptz, F),
  make_interval: fn("make_interval", [int4, int4, int4, int4, int4, int4, float8], interval, F),
  interval_justify_days: fn("justify_days", [interval], interval, F),
  interval_justify_hours: fn("justify_hours", [interval], interval, F),
  interval_justify: fn("justify_interval", [interval], interval, F),
  date_is_finite: fn("isfinite", [date], bool),
  timestamp_is_finite: fn("isfinite", [timestamp], bool),
  timestamptz_is_finite: fn("isfinite", [timestamptz], bool),
  interval_is_finite: fn("isfinite", [interval], bool),
  // x AT TIME ZONE zone
  timestamp_at_zone: fn("timezone", [text, timestamp], timestamptz, F),
  timestamptz_at_zone: fn("timezone", [text, timestamptz], timestamp, F),
  timestamp_at_offset: fn("timezone", [interval, timestamp], timestamptz, F),
  timestamptz_at_offset: fn("timezone", [interval, timestamptz], timestamp, F),

  // date
  date_add_days: operator("+", [date, int4], date, F),
  days_add_date: operator("+", [int4, date], date, F),
  date_sub_days: operator("-", [date, int4], date, F),
  date_sub: operator("-", [date, date], int4, F),
  date_add_time: operator("+", [date, time], timestamp, F),
  time_add_date: operator("+", [time, date], timestamp, F),
  date_add_interval: operator("+", [date, interval], timestamp, F),
  interval_add_date: operator("+", [interval, date], timestamp, F),
  date_sub_interval: operator("-", [date, interval], timestamp, F),
  // timestamp
  timestamp_add_interval: operator("+", [timestamp, interval], timestamp, F),
  interval_add_timestamp: operator("+", [interval, timestamp], timestamp, F),
  timestamp_sub_interval: operator("-", [timestamp, interval], timestamp, F),
  timestamp_sub: operator("-", [timestamp, timestamp], interval, F),
  // timestamptz
  timestamptz_add_interval: operator("+", [timestamptz, interval], timestamptz, F),
  interval_add_timestamptz: operator("+", [interval, timestamptz], timestamptz, F),
  timestamptz_sub_interval: operator("-", [timestamptz, interval], timestamptz, F),
  timestamptz_sub: operator("-", [timestamptz, timestamptz], interval, F),
  /** A bound in time: as +, and beyond the first and the last moment the infinities. Not to be called by name. */
  timestamptz_bound: entry(null, [], [timestamptz, interval], timestamptz, []),
  // time
  time_add_interval: operator("+", [time, interval], time, F),
  interval_add_time: operator("+", [interval, time], time, F),
  time_sub_interval: operator("-", [time, interval], time, F),
  time_sub: operator("-", [time, time], interval, F),
  // interval
  interval_add: operator("+", [interval, interval], interval, F),
  interval_sub: operator("-", [interval, interval], interval, F),
  interval_neg: operator("-", [interval], interval, F),
  interval_mul: operator("*", [interval, float8], interval, F),
  mul_interval: operator("*", [float8, interval], interval, F),
  interval_div: operator("/", [interval, float8], interval, F),
} as const satisfies Record<string, Entry>;
