/**
 * How long somebody works before the event loop has a turn, passed in as the clock is.
 *
 * Who works in slices asks when the one that begins ends, and compares performance.now() with that between two pieces of work. So the policy is asked
 * once for each slice, and where pieces end costs what it did. Each makes a piece at least, however early its slice ends.
 *
 * What slices may change is when something is done, and never what. Slices that have ended before they begin, or never end, are the same on every
 * machine: with the former, and many turns between two of them, all others are as far ahead as on a machine that is endlessly slow (CONTRIBUTING.md).
 */
export interface Slices {
  /** When one of so many milliseconds ends that begins now, in the milliseconds of performance.now(). */
  ends(ms: number): number;
  /** Between two of them: the event loop has a turn, at least. */
  turn(): Promise<void>;
}

export const systemSlices: Slices = {
  ends: (ms) => performance.now() + ms,
  turn: () => new Promise((resolve) => setImmediate(resolve)),
};
