/** Lists of a step keep the room that steps need, and give it back in the end. */
import { expect, test } from "vitest";
import { Int32List } from "../../src/state/memory.ts";

function fill(list: Int32List, count: number): void {
  for (let i = 0; i < count; i++) list.push(i);
}

test("room that is needed now and then is kept", () => {
  const list = new Int32List();
  fill(list, 100_000);
  const { array } = list;
  for (let round = 0; round < 5; round++) {
    for (let small = 0; small < 1_000; small++) {
      list.refill();
      fill(list, 3);
      expect(list.length).toBe(3);
    }
    list.refill();
    fill(list, 100_000);
    expect(list.array).toBe(array);
    expect(array[99_999]).toBe(99_999);
  }
});

test("room that is no longer needed goes", () => {
  const list = new Int32List();
  fill(list, 100_000);
  for (let small = 0; small < 2_000; small++) {
    list.refill();
    fill(list, 3);
  }
  expect(list.array.length).toBeLessThan(100);
  fill(list, 100_000);
  list.clear();
  expect(list.array.length).toBeLessThan(100);
});
