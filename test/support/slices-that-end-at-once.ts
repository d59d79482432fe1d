/**
 * What stands in place of src/base/slices.ts with EVERT_SLICES=at-once (vitest.config.ts): every slice has ended before it begins, so that whoever works in slices makes one
 * piece, and others have several turns of the event loop before the next: as on a machine that is endlessly slow. What is durable on a simulated disk, which takes few turns, is so
 * long before it is stepped. It does not reach worker threads and other processes.
 */
import type { Slices } from "../../src/base/slices.ts";

export type { Slices };

const TURNS = 5;

export const systemSlices: Slices = {
  ends: () => Number.NEGATIVE_INFINITY,
  async turn() {
    for (let i = 0; i < TURNS; i++) await new Promise((resolve) => setImmediate(resolve));
  },
};
