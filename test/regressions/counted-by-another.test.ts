/**
 * State was counted after so many rows, and whoever asked first had counted: where that was not who stops operators (it was who makes room on disk), none was looked at before sixteen
 * pieces of work, and a view whose groups came back from disk had taken the state to 1.3 of the limit by then. A chunk that had waited for its rows made no node be looked at either.
 */
import { expect, it } from "vitest";
import { MemoryLimit } from "../../src/dataflow/memory-limit.ts";

it("it is time to look who has to stop, also where somebody else has counted meanwhile", () => {
  const memory = new MemoryLimit(4 << 20, () => 1);
  const looked = memory.rows;
  memory.came(1_000);
  expect(memory.isDue(looked)).toBe(false);
  memory.came(1_000);
  expect(memory.used).toBe(1);
  expect(memory.isDue(looked)).toBe(true);
  expect(memory.isDue(memory.rows)).toBe(false);
});
