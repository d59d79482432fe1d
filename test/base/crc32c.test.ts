import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { crc32c, crc32cPlain } from "../../src/base/crc32c.ts";

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);

/** The definition, bit by bit. */
function bitwise(bytes: Uint8Array): number {
  let remainder = 0xffffffff;
  for (const byte of bytes) {
    remainder ^= byte;
    for (let bit = 0; bit < 8; bit++)
      remainder = remainder & 1 ? (remainder >>> 1) ^ 0x82f63b78 : remainder >>> 1;
  }
  return ~remainder >>> 0;
}

describe.each([
  ["crc32c", crc32c],
  ["crc32cPlain", crc32cPlain],
])("%s", (_, crc) => {
  test.each([
    ["nothing", new Uint8Array(0), 0],
    ["the check value", ascii("123456789"), 0xe3069283],
    ["32 zeros (RFC 3720)", new Uint8Array(32), 0x8a9136aa],
    ["32 ones (RFC 3720)", new Uint8Array(32).fill(0xff), 0x62a8ab43],
    ["0 … 31 (RFC 3720)", Uint8Array.from({ length: 32 }, (_, i) => i), 0x46dd794e],
    ["31 … 0 (RFC 3720)", Uint8Array.from({ length: 32 }, (_, i) => 31 - i), 0x113fdb5c],
  ])("of %s", (_, bytes, expected) => {
    expect(crc(bytes)).toBe(expected);
  });

  test("of any bytes, whole, in part and continued", () => {
    const sizes = fc.oneof(
      fc.nat(40),
      fc.nat(600),
      fc.integer({ min: 2000, max: 9000 }),
      fc.constantFrom(65_535, 65_536, 65_537, 200_001),
    );
    fc.assert(
      fc.property(
        sizes,
        fc.integer(),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.nat(7),
        (size, seed, share, shift) => {
          const bytes = new Uint8Array(size + shift).subarray(shift);
          let state = seed;
          for (let i = 0; i < size; i++) bytes[i] = (state = Math.imul(state, 1664525) + 1013904223) >>> 24;
          const expected = bitwise(bytes);
          const middle = Math.floor(size * share);
          expect(crc(bytes)).toBe(expected);
          expect(crc(bytes, middle, size, crc(bytes, 0, middle))).toBe(expected);
          expect(crc(bytes, middle)).toBe(bitwise(bytes.subarray(middle)));
        },
      ),
      { numRuns: 60 },
    );
  });
});
