/**
 * OVERLAPS. Each side is a time and another, or a time and how long it lasts; the earlier one begins. Of a side with one time only that
 * time is known, and the answer is null where it depends on the other.
 */
import { fault } from "./errors.ts";
import { addInterval, addToTime } from "./time-arithmetic.ts";

type Moment = bigint | null;
type End = bigint | string | null;
type Add = (us: bigint, span: string) => bigint;

function endOf(start: Moment, end: End, add: Add): Moment {
  if (typeof end !== "string") return end;
  return start === null ? null : add(start, end);
}

/** The earlier time first; a lone one first too. Null: none is known. */
function sorted(a: Moment, b: Moment): [bigint, Moment] | null {
  if (a === null) return b === null ? null : [b, null];
  return b !== null && b < a ? [b, a] : [a, b];
}

function meet(one: [bigint, Moment] | null, other: [bigint, Moment] | null): boolean | null {
  if (one === null || other === null) return null;
  const [first, second] = one[0] <= other[0] ? [one, other] : [other, one];
  if (first[0] === second[0]) return first[1] === null || second[1] === null ? null : true;
  if (first[1] === null) return null;
  if (second[0] < first[1]) return true;
  return second[1] === null ? null : false;
}

function overlaps(add: Add) {
  return (a: Moment, b: End, c: Moment, d: End): boolean | null => {
    const [until, end] = [endOf(a, b, add), endOf(c, d, add)];
    return fault.error === null ? meet(sorted(a, until), sorted(c, end)) : null;
  };
}

const ofTimestamps = overlaps(addInterval);
const ofTimes = overlaps(addToTime);

export const overlapLibrary = {
  timestamp_overlaps: ofTimestamps,
  timestamp_overlaps_span: ofTimestamps,
  timestamp_span_overlaps: ofTimestamps,
  timestamp_span_overlaps_span: ofTimestamps,
  timestamptz_overlaps: ofTimestamps,
  timestamptz_overlaps_span: ofTimestamps,
  timestamptz_span_overlaps: ofTimestamps,
  timestamptz_span_overlaps_span: ofTimestamps,
  time_overlaps: ofTimes,
  time_overlaps_span: ofTimes,
  time_span_overlaps: ofTimes,
  time_span_overlaps_span: ofTimes,
};
