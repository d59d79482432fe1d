/** The times a topic can be read from. */
import { EvertError } from "../base/errors.ts";
import { parseTimestamptzLoose } from "../batch/format/timestamptz.ts";

/** A timestamp as SQL writes it, or ISO 8601. */
export type TimeText = `${number}-${string}`;

/** Whether the text is a timestamp: "2026-11-21T09:00:00Z", "2026-11-21". */
export function isTimeText(text: string): text is TimeText {
  if (!/^[0-9]{4,6}-[0-9:.TZ +-]{1,40}$/i.test(text)) return false;
  try {
    parseTimestamptzLoose(text);
    return true;
  } catch {
    return false;
  }
}

/** Microseconds since 1970. @throws EvertError invalid_request */
export function timeUsOf(time: Date | string): number {
  if (time instanceof Date && !Number.isNaN(time.getTime())) return time.getTime() * 1000;
  if (typeof time === "string" && isTimeText(time)) return Number(parseTimestamptzLoose(time));
  throw new EvertError("invalid_request", `"${String(time).slice(0, 80)}" is not a time to read from`, {
    hint: 'Times are written like "2026-11-21T09:00:00Z".',
  });
}
