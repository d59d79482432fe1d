import { expect, test } from "vitest";
import { Arena } from "../../src/base/arena.ts";

test("arrays keep what was put into them, whatever comes behind and however their source changes", () => {
  const arena = new Arena();
  const made: {
    readonly array: ArrayLike<number | bigint>;
    readonly expected: readonly (number | bigint)[];
  }[] = [];
  for (let i = 0; i < 3000; i++) {
    const length = (i * 37) % 1200;
    const numbers = Array.from({ length }, (_, k) => (i * 7 + k) % 128);
    const wide = numbers.map(BigInt);
    const sources = {
      bytes: Uint8Array.from(numbers),
      int32: Int32Array.from(numbers),
      float64: Float64Array.from(numbers),
      int64: BigInt64Array.from(wide),
    };
    const half = length >> 1;
    made.push({ array: arena.bytes(sources.bytes, length), expected: numbers });
    made.push({ array: arena.int32(sources.int32, half), expected: numbers.slice(0, half) });
    made.push({ array: arena.float64(sources.float64, length), expected: numbers });
    made.push({ array: arena.int64(sources.int64, half), expected: wide.slice(0, half) });
    for (const source of [sources.bytes, sources.int32, sources.float64]) source.fill(0);
    sources.int64.fill(0n);
  }
  for (const { array, expected } of made) expect(Array.from(array)).toEqual(expected);
});

test("small arrays share memory, large ones have their own", () => {
  const arena = new Arena();
  const [a, b] = [arena.bytes(new Uint8Array(100), 100), arena.bytes(new Uint8Array(100), 100)];
  expect(b.buffer).toBe(a.buffer);
  const large = arena.bytes(new Uint8Array(100_000), 100_000);
  expect(large.buffer).not.toBe(a.buffer);
  expect(large.buffer.byteLength).toBe(100_000);
});
