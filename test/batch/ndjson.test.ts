import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodeUtf8 } from "../../src/base/bytes.ts";
import { type NdjsonLine, NdjsonReader, splitNdjson } from "../../src/batch/ndjson.ts";
import { refusal } from "../support/refusal.ts";
import { bigIntegers } from "./fixtures.ts";

function refused(work: () => unknown): string {
  const { code, message } = refusal(work);
  return `${code}: ${message}`;
}

describe("NDJSON", () => {
  it("gives lines with their numbers, and passes over empty ones", () => {
    expect([...splitNdjson('{"a":1}\n\n \t\r\n[2]\r\n"drei"')]).toEqual([
      { line: 1, value: { a: 1 } },
      { line: 4, value: [2] },
      { line: 5, value: "drei" },
    ]);
    expect([...splitNdjson("")]).toEqual([]);
    expect([...splitNdjson("\n\n")]).toEqual([]);
    expect([...splitNdjson("\ufeff1\n2")].map((line) => line.value)).toEqual([1, 2]);
  });

  it("is the same however the bytes are cut", () => {
    fc.assert(
      fc.property(
        fc.array(fc.jsonValue({ stringUnit: "grapheme" }), { maxLength: 8 }),
        fc.array(fc.nat(12)),
        (values, cuts) => {
          const bytes = encodeUtf8(values.map((value) => JSON.stringify(value)).join("\n"));
          const reader = new NdjsonReader();
          const lines: NdjsonLine[] = [];
          let at = 0;
          for (const cut of cuts) {
            // the caller reuses its buffer between two calls
            const chunk = bytes.slice(at, at + cut);
            lines.push(...reader.push(chunk));
            chunk.fill(0);
            at += cut;
          }
          lines.push(...reader.push(bytes.slice(at)), ...reader.end());
          expect(lines.map((line) => line.value)).toEqual(
            values.map((value) => JSON.parse(JSON.stringify(value), bigIntegers)),
          );
        },
      ),
    );
  });

  it("names the line that is wrong", () => {
    expect(refused(() => [...splitNdjson('1\n{"a":}\n')])).toBe(
      "invalid_text_representation: line 2: invalid input syntax for type json",
    );
    expect(refused(() => [...splitNdjson(Uint8Array.of(0x31, 0x0a, 0x0a, 0x22, 0xff, 0x22))])).toBe(
      "untranslatable_character: line 3: the text is not valid UTF-8",
    );
  });

  it("keeps no more than one bounded line", () => {
    expect(refused(() => [...splitNdjson(`1\n"${"x".repeat(50)}"`, 20)])).toBe(
      "record_too_large: line 2 is longer than 20 bytes",
    );
    const reader = new NdjsonReader(20);
    const push = () => [...reader.push(encodeUtf8("123456789"))];
    expect([push(), push()]).toEqual([[], []]);
    expect(refused(push)).toBe("record_too_large: line 1 is longer than 20 bytes");
  });
});
