/** Operators and functions of dates, times and intervals. */
import {
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
import { type Entry, F, fn, operator } from "./entry.ts";

export const timeFunctions = {
  // timestamptz (parts of an infinite time that go round and round, such as the hour, are null)
  timestamptz_extract: fn("extract", [text, timestamptz], numeric, F, "nullable"),
  timestamptz_date_part: fn("date_part", [text, timestamptz], float8, F, "nullable"),
  timestamptz_trunc: fn("date_trunc", [text, timestamptz], timestamptz, F),
  float8_to_timestamptz: fn("to_timestamp", [float8], timestamptz, F),
  timestamptz_now: fn("now transaction_timestamp statement_timestamp", [], timestamptz, "volatile"),

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
