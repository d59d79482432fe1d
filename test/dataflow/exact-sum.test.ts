import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  addExact,
  addToOverflow,
  decodeOverflow,
  drain,
  EXPANSION,
  encodeOverflow,
  isNothing,
  noOverflow,
  quotient,
  ratioToDouble,
  roundExpansion,
  specialSum,
} from "../../src/dataflow/aggregates/exact-sum.ts";
import { exactUnits } from "./oracle.ts";

const UNITS_PER_ONE = 1n << 1074n;

/** The sum as the aggregates keep it. */
class Sum {
  readonly F = new Float64Array(EXPANSION);
  overflow = noOverflow();

  add(x: number, weight: number): void {
    const once = weight === 1 ? x : weight === -1 ? -x : Number.NaN;
    if (Math.abs(weight) === 1 && addExact(this.F, 0, once)) return;
    addToOverflow(this.overflow, this.F, 0, x, weight);
    drain(this.overflow, this.F, 0);
    this.overflow = decodeOverflow(encodeOverflow(this.overflow));
  }

  get value(): number {
    const special = specialSum(this.overflow);
    if (special !== undefined) return special;
    return this.overflow.units === 0n
      ? roundExpansion(this.F, 0)
      : quotient(this.overflow.units, this.F, 0, 1n);
  }
}

const finite = fc.double({ noNaN: true, noDefaultInfinity: true });
const near = fc.oneof(
  finite,
  fc.double({ min: -1e6, max: 1e6, noNaN: true }),
  fc.constantFrom(
    0.1,
    0.2,
    0.3,
    1e16,
    1,
    -1,
    2 ** -1074,
    2 ** 1023,
    -(2 ** 1023),
    1 + 2 ** -52,
    2 ** 53 + 2,
    5e-324,
    1e308,
  ),
);

describe("sums of doubles", () => {
  test("are the exact sum rounded once, in any order, also when rows are taken away", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(near, fc.boolean(), fc.constantFrom(1, 1, 1, 3))), (rows) => {
        const sum = new Sum();
        let exact = 0n;
        for (const [x, , weight] of rows) sum.add(x, weight);
        for (const [x, removed, weight] of rows) {
          if (removed) sum.add(x, -weight);
          else exact += exactUnits(x) * BigInt(weight);
        }
        expect(sum.value).toBe(ratioToDouble(exact, UNITS_PER_ONE) + 0);
      }),
      { numRuns: 500 },
    );
  });

  test("of everything taken away again are nothing", () => {
    fc.assert(
      fc.property(fc.array(fc.double()), (values) => {
        const sum = new Sum();
        for (const x of values) sum.add(x, 1);
        for (const x of values.reverse()) sum.add(x, -1);
        expect(sum.value).toBe(0);
        expect(isNothing(sum.overflow)).toBe(true);
        expect([...sum.F]).toEqual([0, 0, 0, 0]);
      }),
    );
  });

  test("know NaN and the infinities, and forget them", () => {
    const sum = new Sum();
    sum.add(1.5, 1);
    sum.add(Number.POSITIVE_INFINITY, 1);
    expect(sum.value).toBe(Number.POSITIVE_INFINITY);
    sum.add(Number.NEGATIVE_INFINITY, 1);
    expect(sum.value).toBeNaN();
    sum.add(Number.POSITIVE_INFINITY, -1);
    expect(sum.value).toBe(Number.NEGATIVE_INFINITY);
    sum.add(Number.NEGATIVE_INFINITY, -1);
    expect(sum.value).toBe(1.5);
  });

  test("may pass through what no double holds", () => {
    const sum = new Sum();
    for (const x of [1e308, 1e308, 1e308, -1e308, -1e308]) sum.add(x, 1);
    expect(sum.value).toBe(1e308);
  });
});

describe("ratios", () => {
  test("of integers are rounded to nearest, ties to even", () => {
    expect(ratioToDouble(1n, 3n)).toBe(1 / 3);
    expect(ratioToDouble(-2n, 3n)).toBe(-2 / 3);
    expect(ratioToDouble(2n ** 53n + 1n, 1n)).toBe(2 ** 53);
    expect(ratioToDouble(2n ** 53n + 3n, 1n)).toBe(2 ** 53 + 4);
    expect(ratioToDouble(1n, 2n ** 1075n)).toBe(0);
    expect(ratioToDouble(3n, 2n ** 1075n)).toBe(2 ** -1073);
    expect(ratioToDouble(2n ** 1024n, 1n)).toBe(Number.POSITIVE_INFINITY);
    expect(ratioToDouble(2n ** 1024n - 2n ** 970n - 1n, 1n)).toBe(Number.MAX_VALUE);
    expect(ratioToDouble(2n ** 1024n - 2n ** 970n, 1n)).toBe(Number.POSITIVE_INFINITY);
  });

  test("agree with the machine's division where that is exact enough to be right", () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), fc.integer({ min: 1 }), (n, d) => {
        expect(ratioToDouble(BigInt(n), BigInt(d))).toBe(n / d + 0);
      }),
    );
  });

  test("of doubles are themselves, down to the last subnormal", () => {
    fc.assert(
      fc.property(finite, (x) => {
        expect(ratioToDouble(exactUnits(x), UNITS_PER_ONE)).toBe(x + 0);
      }),
    );
  });
});
