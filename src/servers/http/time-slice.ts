import { systemSlices } from "../../base/slices.ts";

/** How long a loop may keep the event loop to itself. */
const sliceMs = 8;

/** Lets a long synchronous loop give way: `if (slice.over()) await slice.rest()`. */
export class TimeSlice {
  #ends = systemSlices.ends(sliceMs);

  over(): boolean {
    return performance.now() >= this.#ends;
  }

  async rest(): Promise<void> {
    await systemSlices.turn();
    this.#ends = systemSlices.ends(sliceMs);
  }
}
