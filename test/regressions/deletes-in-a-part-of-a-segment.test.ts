/**
 * A replica that had a key's delete in a part of a segment was taken for one that lacks nothing while that key was erased. Then the leader's segment, out of which the delete had gone, took that part's place: the
 * replica's log had the row, in an earlier segment of its own, and nothing behind it; made anew of its log, it showed what had been erased. Found by the simulation of copies, seed 8600430.
 */
import { expect, it } from "vitest";
import { Copies } from "../../src/engine/replica/copies.ts";

/** Segments end at 20, 40 and 60. */
const copies = (): Copies =>
  new Copies(
    () => 0,
    (position) => Math.floor(position / 20) * 20,
  );

for (const [position, isWhole] of [
  [30, false],
  [36, false],
  [40, true],
  [55, true],
] as const)
  it(`a follower that has come to ${position} ${isWhole ? "lacks nothing" : "misses the delete"} when what was deleted at 31 is erased`, async () => {
    const all = copies();
    all.came("b", 0);
    all.sent("b", position, 0);
    all.told("b", position);
    await all.erasing(31, async () => {});
    expect(all.isWhole("b")).toBe(isWhole);
    expect(all.comesWhole("b", position)).toBe(isWhole);
  });
