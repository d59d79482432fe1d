import { setImmediate } from "node:timers/promises";
import { systemSlices } from "../../base/slices.ts";

/** How long a loop may keep the event loop to itself. */
const sliceMs = 8;

/** Lets a long synchronous loop give way: `if (slice.over()) await slice.rest()`. */
export class TimeSlice {
  #ends = systemSlices(sliceMs);

  over(): boolean {
    return performance.now() >= this.#ends;
  }

  async rest(): Promise<void> {
    await setImmediate();
    this.#ends = systemSlices(sliceMs);
  }
}
