/** A turn of the event loop after each few milliseconds: what a reader of the log does whose caller has nothing else in mind. */
import type { Slices } from "../base/slices.ts";
import type { Pause } from "./log.ts";

const SLICE_MS = 3;

export function turnsOfItsOwn(slices: Slices): Pause {
  let ends = slices.ends(SLICE_MS);
  return () => {
    if (performance.now() < ends) return null;
    return slices.turn().then(() => {
      ends = slices.ends(SLICE_MS);
    });
  };
}
