/**
 * A ranking needed nearly all of a table that was on disk. What came back for it was the table's, and the ranking kept nothing itself: nobody was stopped, and the state took 1.14 of the limit.
 */
import { expect, test } from "vitest";
import { MemoryLimit } from "../../src/dataflow/memory-limit.ts";
import type { Node } from "../../src/dataflow/node.ts";

const grown = { failed: null, isTopic: false, bytesElsewhere: 0, grewElsewhere: true, allStores: [] };
const larger = { ...grown, bytesElsewhere: 8 };
const idle = { ...grown, grewElsewhere: false };

function stopped(...nodes: object[]): Node | null {
  return new MemoryLimit(100, () => 200).stopped(nodes as Node[]);
}

test("who grows by what a topic keeps is stopped where nobody keeps more", () => {
  expect(stopped(idle, grown)).toBe(grown);
  expect(stopped(larger, grown)).toBe(larger);
  expect(stopped(idle)).toBeNull();
});
