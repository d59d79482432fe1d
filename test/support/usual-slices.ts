/**
 * Slices as they are by default, also with EVERT_SLICES=at-once: for tests that are about what only a database that keeps up comes to. They pass them in, and say why.
 */
import type { Slices } from "../../src/base/slices.ts";

export const usualSlices: Slices = {
  ends: (ms) => performance.now() + ms,
  turn: () => new Promise((resolve) => setImmediate(resolve)),
};
