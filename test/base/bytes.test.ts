import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import {
  ByteWriter,
  compareBytes,
  decodeUtf8,
  decodeUtf8Strict,
  encodeUtf8,
  isAscii,
  isWellFormed,
  utf8Length,
  writeUtf8,
} from "../../src/base/bytes.ts";

function ownOnly(this: { utf8Write(text: string, at: number): number }, text: string, at: number): number {
  return this.utf8Write(text, at);
}

const anyText = fc.string({ unit: "binary", maxLength: 80 });

describe("UTF-8", () => {
  it("is ASCII where no byte is beyond it, at any alignment", () => {
    for (let length = 0; length < 20; length++) {
      for (let from = 0; from <= length; from++) {
        const bytes = new Uint8Array(new ArrayBuffer(40), from % 4, length).fill(0x7f);
        expect(isAscii(bytes, from, length)).toBe(true);
        for (let i = 0; i < length; i++) {
          bytes[i] = 0x80;
          expect(isAscii(bytes, from, length)).toBe(i < from);
          bytes[i] = 0x41;
        }
      }
    }
  });

  it("is written and read back, short or long, ASCII or not", () => {
    fc.assert(
      fc.property(anyText, fc.nat(5), (text, at) => {
        const target = new Uint8Array(at + text.length * 3);
        const end = writeUtf8(text, target, at);
        expect(target.subarray(at, end)).toEqual(encodeUtf8(text));
        expect(decodeUtf8(target, at, end)).toBe(text);
        expect(utf8Length(text)).toBe(end - at);
      }),
    );
  });

  it.each([
    ["Node's", globalThis.Buffer],
    ["none", undefined],
    ["one that works on its own arrays alone", { prototype: { write: ownOnly } }],
    ["one that writes something else", { prototype: { write: () => 3 } }],
  ])("is written the same with a Buffer that is %s", async (_, platform) => {
    vi.resetModules();
    vi.stubGlobal("Buffer", platform);
    const fresh = await import("../../src/base/bytes.ts").finally(() => vi.unstubAllGlobals());
    const texts = [
      "",
      "a",
      "\u00e9",
      "x".repeat(15),
      "\u00e9".repeat(16),
      "\ud800".repeat(17),
      "\u20ac".repeat(40),
    ];
    for (const text of [...texts, `${"x".repeat(90)}\ud83d\ude00`, "x".repeat(5000)]) {
      const target = new Uint8Array(text.length * 3 + 7);
      const end = fresh.writeUtf8(text, target.subarray(2), 5);
      expect(target.subarray(7, 2 + end)).toEqual(encodeUtf8(text));
      expect(target.subarray(2 + end).every((byte) => byte === 0)).toBe(true);
    }
  });

  it("counts a lone surrogate as the replacement character", () => {
    for (const text of ["\ud800", "a\udc00", "\ud800\ud800\udc00", "\udfff\ud800"]) {
      expect(utf8Length(text)).toBe(encodeUtf8(text).length);
      expect(isWellFormed(text)).toBe(false);
    }
    expect(isWellFormed("\ud83d\ude00")).toBe(true);
  });

  it("keeps a byte order mark", () => {
    expect(decodeUtf8(encodeUtf8("\ufeffa"))).toBe("\ufeffa");
    expect(decodeUtf8Strict(encodeUtf8("\ufeffa"))).toBe("\ufeffa");
  });

  it("tells bytes that are not UTF-8", () => {
    for (const bytes of [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0x61, 0xe2, 0x82]]) {
      expect(decodeUtf8Strict(Uint8Array.from(bytes))).toBeNull();
    }
    expect(decodeUtf8Strict(Uint8Array.of(0xff, 0x61), 1)).toBe("a");
  });
});

describe("compareBytes", () => {
  it("orders as the strings' code points do", () => {
    fc.assert(
      fc.property(anyText, anyText, (a, b) => {
        const x = [...a].map((c) => c.codePointAt(0) as number);
        const y = [...b].map((c) => c.codePointAt(0) as number);
        const at = x.findIndex((point, i) => point !== y[i]);
        const expected = at < 0 ? x.length - y.length : (x[at] as number) - (y[at] ?? -1);
        expect(Math.sign(compareBytes(encodeUtf8(a), encodeUtf8(b)))).toBe(Math.sign(expected));
      }),
    );
  });
});

describe("ByteWriter", () => {
  it("writes little-endian numbers where a DataView reads them", () => {
    const writer = new ByteWriter(1);
    writer.u8(0xfe);
    writer.u32(0xfedcba98);
    writer.f64(-1.5);
    const bytes = writer.finish();
    const view = new DataView(bytes.buffer);
    expect(view.getUint8(0)).toBe(0xfe);
    expect(view.getUint32(1, true)).toBe(0xfedcba98);
    expect(view.getFloat64(5, true)).toBe(-1.5);
    expect(bytes.length).toBe(13);
    expect(writer.length).toBe(0);
  });

  it("grows, and starts again without old bytes", () => {
    const writer = new ByteWriter(16);
    writer.utf8("grüße");
    writer.raw(new Uint8Array(100).fill(7));
    expect(writer.length).toBe(7 + 100);
    const bytes = writer.finish();
    expect(decodeUtf8(bytes, 0, 7)).toBe("grüße");
    expect(bytes.subarray(7).every((byte) => byte === 7)).toBe(true);
    const room = writer.reserve(300);
    room[0] = 5;
    writer.advance(1);
    expect([...writer.finish()]).toEqual([5]);
  });
});
