/** What computes one column of a window, and how far the change of a row reaches through it. */
import type { Pace } from "./pace.ts";
import type { Results } from "./results.ts";
import type { Segment } from "./segment.ts";

export interface Evaluator {
  /** Gives the results of the segment's wanted rows. Pauses by yielding. */
  run(segment: Segment, results: Results, pace: Pace): Generator<void>;
  /**
   * States over all rows before row `rows[j]` of the segment, each a first of peers, into its place of `into[j]`. Absent: the function has none.
   */
  collect?(segment: Segment, rows: readonly number[], into: unknown[][], pace: Pace): Generator<void>;
  /** Gives back what its state holds. */
  drop?(state: unknown): void;
}

/** x within the frame of `row`, so far as RANGE distances go. */
export type Reaches = (row: number, x: number) => boolean;

/**
 * Which rows' results a changed row can change, and which rows those results depend on: so many rows, or whole groups of peers, or what a distance
 * says, before and behind it.
 */
export interface Reach {
  /** Results behind the change depend on all rows before them, through a state. */
  readonly prefix: boolean;
  /** Every result depends on every row. */
  readonly whole: boolean;
  /** Groups of peers count. */
  readonly peers: boolean;
  readonly back: Distance;
  readonly forward: Distance;
}

export interface Distance {
  readonly rows: number;
  readonly groups: number;
  readonly ranges: readonly Reaches[];
}

export const nowhere: Distance = { rows: 0, groups: 0, ranges: [] };

export function united(reaches: readonly Reach[]): Reach {
  const distance = (side: "back" | "forward"): Distance => ({
    rows: Math.max(0, ...reaches.map((r) => r[side].rows)),
    groups: Math.max(0, ...reaches.map((r) => r[side].groups)),
    ranges: reaches.flatMap((r) => r[side].ranges),
  });
  return {
    prefix: reaches.some((r) => r.prefix),
    whole: reaches.some((r) => r.whole),
    peers: reaches.some((r) => r.peers),
    back: distance("back"),
    forward: distance("forward"),
  };
}
