import fc from "fast-check";
import { expect, test } from "vitest";
import { unscaledToText } from "../../src/batch/format/numeric.ts";
import {
  decimal,
  decimalToText,
  divideDecimals,
  quickDivisionScale,
} from "../../src/dataflow/kernels/decimal.ts";
import {
  DIVISOR_MAX,
  digitsRoom,
  readDigits,
  scaleRead,
  writeDigits,
} from "../../src/state/decimal-digits.ts";
import { Dictionary } from "../../src/state/dictionary.ts";

const integer = fc.oneof(fc.maxSafeInteger(), fc.integer(), fc.integer({ min: -120, max: 120 }));
const scale = fc.integer({ min: 0, max: 25 });

test("writes what the text of the same decimal says", () => {
  fc.assert(
    fc.property(integer, scale, (unscaled, digits) => {
      const bytes = new Uint8Array(digitsRoom(digits) + 3);
      const end = bytes.length - 3;
      const start = writeDigits(bytes, end, unscaled, digits);
      const text = new TextDecoder().decode(bytes.subarray(start, end));
      expect(text).toBe(unscaledToText(BigInt(unscaled), digits));
      expect([...bytes.subarray(end)]).toEqual([0, 0, 0]);
    }),
    { numRuns: 2_000 },
  );
});

test("reads what it wrote, as long as it has 15 digits", () => {
  const dictionary = new Dictionary();
  fc.assert(
    fc.property(integer, scale, (unscaled, digits) => {
      const id = dictionary.internDigits(unscaled, digits);
      expect(dictionary.string(id)).toBe(unscaledToText(BigInt(unscaled), digits));
      const count = dictionary.string(id).replace(/[-.]/g, "").length;
      const read = dictionary.unscaled(id);
      if (count > 16) expect(read).toBeNaN();
      else if (!Number.isNaN(read)) expect([read, scaleRead()]).toEqual([unscaled + 0, digits]);
      else expect(count).toBe(16);
    }),
    { numRuns: 2_000 },
  );
});

/** Also those whose quotients are close to a whole number, or to one half of their last digit. */
const division = fc.oneof(
  fc.tuple(fc.integer({ min: -(2 ** 46), max: 2 ** 46 }), fc.integer({ min: 1, max: DIVISOR_MAX })),
  fc.tuple(fc.integer({ min: -5_000_000, max: 5_000_000 }), fc.integer({ min: 1, max: 1_200 })),
  fc
    .tuple(
      fc.integer({ min: -100_000, max: 100_000 }),
      fc.integer({ min: 1, max: DIVISOR_MAX }),
      fc.integer({ min: -2, max: 2 }),
    )
    .map(([whole, divisor, off]): [number, number] => [whole * divisor + off, divisor]),
  fc.tuple(
    fc.integer({ min: -99_999, max: 99_999 }),
    fc.constantFrom(2, 3, 4, 8, 16, 2 ** 20, 2 ** 29, 10_000, 9_999, 99_999_999),
  ),
);

test("writes a quotient as decimals are divided", () => {
  const dictionary = new Dictionary();
  fc.assert(
    fc.property(division, ([dividend, divisor]) => {
      const exact = divideDecimals(decimal(BigInt(dividend), 0), decimal(BigInt(divisor), 0));
      const digits = quickDivisionScale(Math.abs(dividend), divisor);
      expect(digits).toBe(exact.scale);
      const id = dictionary.internQuotient(dividend, divisor, digits);
      expect(dictionary.string(id)).toBe(decimalToText(exact));
    }),
    { numRuns: 5_000 },
  );
});

test.each([
  [2 ** 46 + 1, 1],
  [1, 2 ** 46 + 1],
  [Number.NaN, 3],
  [3, 0],
])("%d / %d is left to decimals", (dividend, divisor) => {
  expect(quickDivisionScale(dividend, divisor)).toBeNaN();
});

test.each(["NaN", "Infinity", "-Infinity", "1234567890123456789"])("%s is read as none", (text) => {
  const bytes = new TextEncoder().encode(text);
  expect(readDigits(bytes, 0, bytes.length)).toBeNaN();
});
