import { setImmediate } from "node:timers/promises";

/** How long a loop may keep the event loop to itself. */
const sliceMs = 8;

/** Lets a long synchronous loop give way: `if (slice.over()) await slice.rest()`. */
export class TimeSlice {
  #started = performance.now();

  over(): boolean {
    return performance.now() - this.#started >= sliceMs;
  }

  async rest(): Promise<void> {
    await setImmediate();
    this.#started = performance.now();
  }
}
