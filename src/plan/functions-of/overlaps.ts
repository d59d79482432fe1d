/** (a, b) OVERLAPS (c, d): from a time until another, or as long as an interval. */
import { bool, interval, type SqlType, time, timestamp, timestamptz } from "../../batch/types.ts";
import { type Entry, F, fn } from "./entry.ts";

const of = (type: SqlType, second: SqlType, fourth: SqlType) =>
  fn("overlaps", [type, second, type, fourth], bool, F, "nonStrict", "nullable");

export const overlapFunctions = {
  timestamp_overlaps: of(timestamp, timestamp, timestamp),
  timestamp_overlaps_span: of(timestamp, timestamp, interval),
  timestamp_span_overlaps: of(timestamp, interval, timestamp),
  timestamp_span_overlaps_span: of(timestamp, interval, interval),
  timestamptz_overlaps: of(timestamptz, timestamptz, timestamptz),
  timestamptz_overlaps_span: of(timestamptz, timestamptz, interval),
  timestamptz_span_overlaps: of(timestamptz, interval, timestamptz),
  timestamptz_span_overlaps_span: of(timestamptz, interval, interval),
  time_overlaps: of(time, time, time),
  time_overlaps_span: of(time, time, interval),
  time_span_overlaps: of(time, interval, time),
  time_span_overlaps_span: of(time, interval, interval),
} as const satisfies Record<string, Entry>;
