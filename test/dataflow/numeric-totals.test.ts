/** Totals that take safe numbers without bigints, beside totals that are given a Decimal for each row. */
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  addNear,
  addToTotals,
  decodeTotals,
  encodeTotals,
  finishTotals,
  noTotals,
} from "../../src/dataflow/aggregates/numeric-totals.ts";
import { decimal } from "../../src/dataflow/kernels/decimal.ts";

const row = fc.record({
  unscaled: fc.oneof(fc.maxSafeInteger(), fc.integer({ min: -1_000, max: 1_000 })),
  scale: fc.constantFrom(0, 2, 2, 2, 6),
  weight: fc.constantFrom(1, 1, -1, 3, 2 ** 30),
  stored: fc.boolean(),
});

test("the same sums, averages and scales", () => {
  fc.assert(
    fc.property(fc.array(row, { maxLength: 30 }), (rows) => {
      let near = noTotals();
      const exact = noTotals();
      let count = 0;
      for (const { unscaled, scale, weight, stored } of rows) {
        const value = decimal(BigInt(unscaled), scale);
        if (!addNear(near, unscaled, scale, weight)) addToTotals(near, value, weight, false);
        addToTotals(exact, value, weight, false);
        count += weight;
        if (count > 0)
          for (const fn of ["sum", "avg"] as const)
            expect(finishTotals(fn, near, count)).toEqual(finishTotals(fn, exact, count));
        if (stored) near = decodeTotals(encodeTotals(near));
      }
      expect(encodeTotals(near).split(" ").slice(0, 5)).toEqual(encodeTotals(exact).split(" ").slice(0, 5));
    }),
    { numRuns: 500 },
  );
});
