/**
 * Memory was over its limit, one view stopped and its rows were freed; and a query that came within the half second for which the count before that was good enough was
 * stopped too, with one row.
 */
import { expect, test } from "vitest";
import { MemoryLimit } from "../../src/dataflow/memory-limit.ts";
import type { Node } from "../../src/dataflow/node.ts";

const growing = { failed: null, isTopic: false, bytesElsewhere: 8, grewElsewhere: true, allStores: [] };
const nodes = [growing as unknown as Node];

test("nobody is stopped for what has been freed since it was counted", () => {
  let taken = 200;
  const memory = new MemoryLimit(100, () => taken);
  expect(memory.used).toBe(200);
  taken = 50;
  expect(memory.stopped(nodes)).toBeNull();
  taken = 200;
  memory.countAgain(nodes);
  expect(memory.stopped(nodes)).toBe(growing);
});
