import fc from "fast-check";
import { expect, test } from "vitest";
import { ById } from "../../src/base/by-id.ts";

const id = fc.oneof(fc.nat(70), fc.integer({ min: 65_530, max: 65_545 }), fc.constant(2 ** 31 - 3));

test("what lies in a list, and what is far beyond, is found as in a map", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(id, fc.option(fc.nat()))),
      fc.array(fc.tuple(id, fc.option(fc.nat()))),
      (before, after) => {
        const byId = new ById<number>();
        const map = new Map<number, number>();
        const change = (key: number, value: number | null): void => {
          if (value === null) {
            byId.delete(key);
            map.delete(key);
          } else {
            byId.set(key, value);
            map.set(key, value);
          }
          for (const [known] of [...before, ...after]) expect(byId.get(known)).toBe(map.get(known));
        };
        for (const [key, value] of before) change(key, value);
        byId.clear();
        map.clear();
        for (const [key, value] of after) change(key, value);
      },
    ),
  );
});
