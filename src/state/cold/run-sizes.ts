/** Which runs become one: as many of one size as it takes, of which as many again are one size. */
import type { Run } from "./run.ts";

const FAN_IN = 4;
/** A run is small that has no more than this part of all rows. */
export const SMALL_PART = 32;
/** Runs of fewer rows are of one size. */
export const LEAST_ROWS = 1_024;

/** Runs of one size, as many as are to become one; null: there are not so many. */
export function alike(runs: readonly Run[]): Run[] | null {
  const sizes = new Map<number, Run[]>();
  for (const run of runs) {
    const size = Math.floor(Math.log(Math.max(run.live, LEAST_ROWS) / LEAST_ROWS) / Math.log(FAN_IN));
    const same = sizes.get(size) ?? [];
    sizes.set(size, same);
    if (same.push(run) === FAN_IN) return same;
  }
  return null;
}
