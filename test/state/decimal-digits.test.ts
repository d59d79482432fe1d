import fc from "fast-check";
import { expect, test } from "vitest";
import { unscaledToText } from "../../src/batch/format/numeric.ts";
import { digitsRoom, readDigits, scaleRead, writeDigits } from "../../src/state/decimal-digits.ts";
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

test.each(["NaN", "Infinity", "-Infinity", "1234567890123456789"])("%s is read as none", (text) => {
  const bytes = new TextEncoder().encode(text);
  expect(readDigits(bytes, 0, bytes.length)).toBeNaN();
});
