/** Time, passed in. */
export interface Clock {
  /** Microseconds since 1970 by the wall clock, which people and NTP may set forwards or backwards at any moment. */
  wallUs(): number;
  /** Microseconds since some moment in the past; never set, never falls. */
  monotonicUs(): number;
}

export const systemClock: Clock = {
  wallUs: () => Date.now() * 1000,
  monotonicUs: () => Math.floor(performance.now() * 1000),
};
