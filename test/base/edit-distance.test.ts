import fc from "fast-check";
import { expect, it } from "vitest";
import { editDistance } from "../../src/base/edit-distance.ts";

it.each([
  ["", "", 0],
  ["plays", "plays", 0],
  ["play", "plays", 1],
  ["palys", "plays", 2],
  ["kitten", "sitting", 3],
] as const)("%s and %s: %i", (a, b, distance) => {
  expect(editDistance(a, b, 9)).toBe(distance);
});

it("is more than asked for where names are too different, or too long", () => {
  expect(editDistance("a", "abcdef", 2)).toBe(3);
  expect(editDistance("x".repeat(65), "x".repeat(65), 2)).toBe(3);
});

it("is the same both ways, and nothing only for equal names", () => {
  const name = fc.string({ maxLength: 12 });
  fc.assert(
    fc.property(name, name, (a, b) => {
      expect(editDistance(a, b, 20)).toBe(editDistance(b, a, 20));
      expect(editDistance(a, b, 20) === 0).toBe(a === b);
    }),
  );
});
