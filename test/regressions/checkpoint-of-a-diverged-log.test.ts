/**
 * A copy that begins again from its leader's removed its checkpoint, and left to chance whether a power cut brought it back: views then began with rows of the history that was put
 * aside. Found by the simulation of copies, whose seeds these are.
 */
import { expect, test } from "vitest";
import { simulateCopies } from "../sim/simulation/copies.ts";

test("what a copy began again without does not come back", async () => {
  for (const seed of [201_163, 201_581]) expect((await simulateCopies(seed)).violation).toBeNull();
});
