import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  canPack,
  packIntegers,
  packWide,
  readPacked,
  unpack,
  unpackInt64,
} from "../../../src/log/sealed/integers.ts";

function roundTrip(values: readonly number[]): number[] {
  const bytes = packIntegers(Float64Array.from(values), values.length);
  const packed = readPacked(bytes, 0, values.length);
  expect(packed).not.toBeNull();
  expect(packed!.next).toBe(bytes.length);
  const read = new Float64Array(values.length);
  unpack(packed!, values.length, read);
  return Array.from(read);
}

const sizeOf = (values: readonly number[]): number =>
  packIntegers(Float64Array.from(values), values.length).length;
const inRange = fc.integer({ min: -(2 ** 51), max: 2 ** 51 });

describe("packed integers", () => {
  test("read back as they were", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.array(inRange),
          fc.array(fc.integer({ min: -200, max: 200 })),
          fc.array(fc.integer({ min: 1_700_000_000_000_000, max: 1_700_000_000_050_000 })),
          fc
            .tuple(inRange, fc.nat(300))
            .map(([from, count]) => Array.from({ length: count }, (_, i) => from - i * 7)),
        ),
        (values) => {
          expect(roundTrip(values)).toEqual(values.map((v) => (v === 0 ? 0 : v)));
        },
      ),
    );
  });

  test("int32 read back into int32", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })), (list) => {
        const values = Int32Array.from(list);
        const read = new Int32Array(values.length);
        unpack(readPacked(packIntegers(values, values.length), 0, values.length)!, values.length, read);
        expect(read).toEqual(values);
      }),
    );
  });

  test("int64 read back, packed where they fit and as they are elsewhere", () => {
    fc.assert(
      fc.property(fc.array(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })), (list) => {
        const values = BigInt64Array.from(list);
        const doubles = Float64Array.from(list, Number);
        const bytes = canPack(doubles, list.length)
          ? packIntegers(doubles, list.length)
          : packWide(values, list.length);
        const read = unpackInt64(
          readPacked(bytes, 0, list.length)!,
          list.length,
          new Float64Array(list.length),
        );
        expect(Array.from(read)).toEqual(list);
      }),
    );
  });

  test("take what they need: nothing for a constant or a sequence, a byte for a small range or small steps", () => {
    const count = 1000;
    const make = (f: (i: number) => number): number[] => Array.from({ length: count }, (_, i) => f(i));
    expect(sizeOf(make(() => 77))).toBe(8);
    expect(sizeOf(make((i) => 5_000_000 + 3 * i))).toBe(8);
    expect(sizeOf(make((i) => (i * 37) % 256))).toBe(8 + count);
    expect(sizeOf(make((i) => 10_000 * i + ((i * 37) % 200)))).toBeLessThan(16 + 2 * count);
    expect(sizeOf(make((i) => (i % 2 === 0 ? 2 ** 50 : -(2 ** 50))))).toBe(8 + 8 * count);
  });

  test("bytes that are none are refused", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), fc.nat(40), (bytes, count) => {
        const packed = readPacked(bytes, 0, count);
        if (packed === null) return;
        expect(packed.payload.length).toBeLessThanOrEqual(bytes.length);
        unpack(packed, count, new Float64Array(count));
      }),
    );
    expect(readPacked(new Uint8Array(8), 4, 0)).toBeNull();
    expect(readPacked(Uint8Array.of(3, 0, 0, 0, 0, 0, 0, 0), 0, 0)).toBeNull();
    expect(readPacked(Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0), 0, 1)).toBeNull();
  });
});
