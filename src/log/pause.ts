/** A turn of the event loop after each few milliseconds: what a reader of the log does whose caller has nothing else in mind. */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Slices } from "../base/slices.ts";
import type { Pause } from "./log.ts";

const SLICE_MS = 3;

export function turnsOfItsOwn(slices: Slices): Pause {
  let ends = slices(SLICE_MS);
  return () => {
    if (performance.now() < ends) return null;
    return nextTurn().then(() => {
      ends = slices(SLICE_MS);
    });
  };
}
