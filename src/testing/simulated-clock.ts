import type { Clock } from "../base/clock.ts";

/** A clock that stands still until it is told to move. */
export class SimulatedClock implements Clock {
  #wallUs: number;
  #monotonicUs = 0;

  constructor(startUs = Date.UTC(2024, 0, 1) * 1000) {
    this.#wallUs = startUs;
  }

  wallUs(): number {
    return this.#wallUs;
  }

  monotonicUs(): number {
    return this.#monotonicUs;
  }

  /** Time passes. */
  advance(us: number): void {
    this.#wallUs += us;
    this.#monotonicUs += us;
  }

  /** Somebody sets the wall clock; no time passes. */
  setWall(us: number): void {
    this.#wallUs = us;
  }
}
