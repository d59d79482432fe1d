/** Strings of ids are kept in a cache that grows with them: each id gives its own text, before and after, and so do ids that were given again. */
import { expect, test } from "vitest";
import { Dictionary } from "../../src/state/dictionary.ts";

const COUNT = 40_000;

test("each id gives its own text, whichever are asked for first", () => {
  const dictionary = new Dictionary();
  const ids = Array.from({ length: COUNT }, (_, i) => {
    const id = dictionary.internString(`text ${i}`);
    dictionary.retain(id);
    return id;
  });
  const all = (): number[] => ids.map((_, i) => i);
  const few = all().filter((i) => i % 97 === 0);
  for (const order of [
    all().slice(0, 100),
    all().slice(0, 300),
    few,
    few.toReversed(),
    all(),
    all().toReversed(),
  ])
    for (const i of order) expect(dictionary.string(ids[i] as number)).toBe(`text ${i}`);
});

test("an id that is given again gives its new text", () => {
  const dictionary = new Dictionary();
  for (let round = 0; round < 3; round++) {
    const ids = Array.from({ length: 1000 }, (_, i) => dictionary.internString(`round ${round} text ${i}`));
    ids.forEach((id, i) => {
      expect(dictionary.string(id)).toBe(`round ${round} text ${i}`);
    });
    dictionary.collect();
  }
  expect(dictionary.highWater).toBeLessThan(2000);
});
