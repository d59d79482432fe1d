/**
 * What stands in place of src/base/slices.ts with EVERT_SLICES=at-once (vitest.config.ts): every slice has ended before it begins, so that whoever works in slices makes one
 * piece in each turn of the event loop, as on a machine that is endlessly slow. It does not reach worker threads and other processes.
 */
import type { Slices } from "../../src/base/slices.ts";

export type { Slices };

export const systemSlices: Slices = () => Number.NEGATIVE_INFINITY;
