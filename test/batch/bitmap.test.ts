import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { allSet, bitmapBytes, clearTail, copyBits, getBit, setBit, setBits } from "../../src/batch/bitmap.ts";

const bools = fc.array(fc.boolean(), { maxLength: 70 });

function pack(bits: readonly boolean[]): Uint8Array {
  const bitmap = new Uint8Array(bitmapBytes(bits.length));
  bits.forEach((bit, i) => {
    if (bit) setBit(bitmap, i);
  });
  return bitmap;
}

function unpack(bitmap: Uint8Array, length: number): boolean[] {
  return Array.from({ length }, (_, i) => getBit(bitmap, i));
}

describe("bitmap", () => {
  it("copies any range to any place and touches nothing else", () => {
    fc.assert(
      fc.property(bools, bools, fc.nat(70), fc.nat(70), fc.nat(70), (a, b, from, at, wanted) => {
        const count = Math.max(0, Math.min(wanted, a.length - from, b.length - at));
        const target = pack(b);
        copyBits(pack(a), Math.min(from, a.length), target, Math.min(at, b.length), count);
        const expected = [...b];
        if (count > 0) expected.splice(at, count, ...a.slice(from, from + count));
        expect(unpack(target, b.length)).toEqual(expected);
      }),
    );
  });

  it("copies whole bytes and the rest of a byte", () => {
    const bits = Array.from({ length: 64 }, (_, i) => i % 3 === 0);
    const target = new Uint8Array(9).fill(0xff);
    copyBits(pack(bits), 8, target, 16, 50);
    expect(unpack(target, 72)).toEqual([
      ...new Array(16).fill(true),
      ...bits.slice(8, 58),
      ...new Array(6).fill(true),
    ]);
  });

  it("sets ranges", () => {
    fc.assert(
      fc.property(bools, fc.nat(70), fc.nat(70), (bits, x, y) => {
        const from = Math.min(x, y, bits.length);
        const to = Math.min(Math.max(x, y), bits.length);
        const bitmap = pack(bits);
        setBits(bitmap, from, to);
        expect(unpack(bitmap, bits.length)).toEqual(bits.map((bit, i) => bit || (i >= from && i < to)));
      }),
    );
  });

  it("knows when all are set, whatever stands behind", () => {
    fc.assert(
      fc.property(bools, fc.boolean(), (bits, dirty) => {
        const bitmap = pack(bits);
        if (dirty) for (let i = bits.length; i < bitmap.length * 8; i++) setBit(bitmap, i);
        expect(allSet(bitmap, bits.length)).toBe(bits.every(Boolean));
        clearTail(bitmap, bits.length);
        expect(bitmap).toEqual(pack(bits));
      }),
    );
  });
});
