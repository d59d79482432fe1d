import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { EvertError } from "../../../src/base/errors.ts";
import { parseJson } from "../../../src/batch/lossless-json.ts";
import { ValueError } from "../../../src/batch/value-error.ts";
import {
  atPlaceOfRow,
  type BodyFormat,
  RecordDecoder,
  refusedRow,
} from "../../../src/wire/http/record-decoder.ts";

interface Taken {
  readonly number: number;
  readonly value: unknown;
}

/** The records of a body that comes in pieces, each a value, and the error it ends with. It pauses at every step. */
function records(
  format: BodyFormat,
  ...pieces: (string | Uint8Array)[]
): { out: Taken[]; error?: EvertError } {
  const out: Taken[] = [];
  const take = (value: unknown, number: number) => void out.push({ number, value });
  const decoder = new RecordDecoder(format, { take, takeText: () => 0 });
  try {
    for (const piece of pieces) {
      decoder.push(typeof piece === "string" ? new TextEncoder().encode(piece) : piece);
      while (!decoder.advance(() => true));
    }
    decoder.end();
    while (!decoder.advance(() => true));
    return { out };
  } catch (error) {
    if (error instanceof EvertError) return { out, error };
    throw error;
  }
}

/** Cuts bytes at the given places. */
function cut(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const at = [...new Set(cuts.map((c) => c % (bytes.length + 1)))].sort((a, b) => a - b);
  return [...at, bytes.length].map((end, i) => bytes.slice(at[i - 1] ?? 0, end));
}

const json = fc.json();

describe("an array", () => {
  test("of anything, however it is cut and spaced, gives its elements", () => {
    const space = fc.constantFrom("", " ", "\n", "\t \r\n");
    fc.assert(
      fc.property(fc.array(json), space, fc.array(fc.nat()), (values, gap, cuts) => {
        const text = `${gap}[${gap}${values.join(`${gap},${gap}`)}${gap}]${gap}`;
        const { out, error } = records("json", ...cut(new TextEncoder().encode(text), cuts));
        expect(error).toBeUndefined();
        expect(out.map((record) => record.value)).toEqual(values.map((value) => parseJson(value)));
        expect(out.map((element) => element.number)).toEqual(values.map((_, i) => i));
      }),
    );
  });

  test.each(["[1", "[1,", "[1,]", "[,1]", "[1] 2", "[1]]", '["a]', "[{]", '[{"a":1}'])(
    "%s is refused",
    (text) => {
      const { error } = records("json", text);
      expect(error?.code).toBe("invalid_text_representation");
    },
  );

  test("an element that is no JSON is named, those before it stand", () => {
    const { out, error } = records("json", '[{"a":1}, {a:1}]');
    expect(out).toEqual([{ number: 0, value: { a: 1 } }]);
    expect(error?.message).toMatch(/^records\[1\]: /);
  });
});

test("a single value", () => {
  fc.assert(
    fc.property(
      json.filter((text) => !text.startsWith("[")),
      fc.array(fc.nat()),
      (value, cuts) => {
        const { out } = records("json", ...cut(new TextEncoder().encode(`  ${value}\n`), cuts));
        expect(out).toEqual([{ number: 0, value: parseJson(value) }]);
      },
    ),
  );
});

test("an empty document has no records", () => {
  expect(records("json", "  ").out).toEqual([]);
  expect(records("json", "[ ]").out).toEqual([]);
  expect(records("ndjson", "\n \r\n").out).toEqual([]);
});

describe("lines", () => {
  test("however they are cut and ended, keep their numbers", () => {
    const lines = fc.array(fc.oneof(json, fc.constant(""), fc.constant("  ")));
    fc.assert(
      fc.property(
        lines,
        fc.constantFrom("\n", "\r\n"),
        fc.boolean(),
        fc.array(fc.nat()),
        (texts, eol, ended, cuts) => {
          const body = texts.join(eol) + (ended ? eol : "");
          const { out } = records("ndjson", ...cut(new TextEncoder().encode(body), cuts));
          const expected = texts.flatMap((text, i) =>
            text.trim() === "" ? [] : [{ number: i + 1, value: parseJson(text) }],
          );
          expect(out).toEqual(expected);
        },
      ),
    );
  });

  test("invalid UTF-8 is refused by line, the lines before it stand", () => {
    const bytes = new Uint8Array([0x31, 0x0a, 0x32, 0x0a, 0x22, 0xc3, 0x28, 0x22, 0x0a, 0x33, 0x0a]);
    for (let at = 0; at <= bytes.length; at++) {
      const { out, error } = records("ndjson", bytes.slice(0, at), bytes.slice(at));
      expect(out.map((line) => line.value)).toEqual([1, 2]);
      expect(error?.code).toBe("untranslatable_character");
      expect(error?.message).toMatch(/^line 3: /);
    }
  });

  test("a character cut short at the end is refused", () => {
    expect(records("ndjson", new Uint8Array([0x22, 0xc3])).error?.code).toBe("untranslatable_character");
    expect(records("json", new Uint8Array([0x22, 0xc3])).error?.code).toBe("untranslatable_character");
  });

  test("a byte order mark is no part of the first line", () => {
    for (let at = 0; at < 4; at++) {
      const bytes = new TextEncoder().encode("\ufeff1\n2\n\ufeff3\n");
      const { out, error } = records("ndjson", bytes.slice(0, at), bytes.slice(at));
      expect(out.map((line) => line.value)).toEqual([1, 2]);
      expect(error?.message).toMatch(/^line 3: /);
      const array = records("json", bytes.slice(0, at), bytes.slice(at, 3), "[1]");
      expect(array.out.map((record) => record.value)).toEqual([1]);
    }
  });

  test.each([[["12345\n"]], [["123", "45"]], [["1\n", "123", "45\n"]]])(
    "a line over the bound is refused: %j",
    (pieces) => {
      const decoder = new RecordDecoder("ndjson", { take() {}, takeText: () => 0 }, 4);
      expect(() => {
        for (const piece of pieces) {
          decoder.push(new TextEncoder().encode(piece));
          decoder.advance(() => false);
        }
      }).toThrow(expect.objectContaining({ code: "record_too_large" }));
    },
  );
});

test("an element over the bound is refused before it is all there", () => {
  const decoder = new RecordDecoder("json", { take() {}, takeText: () => 0 });
  const piece = new Uint8Array(1024 * 1024).fill(0x20);
  const push = (bytes: Uint8Array) => {
    decoder.push(bytes);
    decoder.advance(() => false);
  };
  push(new TextEncoder().encode('["'));
  expect(() => {
    for (let i = 0; i < 17; i++) push(piece);
  }).toThrow(expect.objectContaining({ code: "record_too_large" }));
});

describe("the place of a refused row", () => {
  const error = new ValueError("datatype_mismatch", "records[1].price", "expected a number", { hint: "h" });

  test("is its line or its index in the body", () => {
    expect(refusedRow(error)).toBe(1);
    expect(atPlaceOfRow(error, "line", (row) => [4, 9][row])).toMatchObject({
      message: "line 9: price: expected a number",
      code: "datatype_mismatch",
      hint: "h",
    });
    expect(atPlaceOfRow(error, "index", (row) => [4, 9][row]).message).toBe(
      "records[9].price: expected a number",
    );
  });

  test("is unknown for an error about no row", () => {
    const other = new EvertError("disk_full", "records[1] do not fit");
    expect(refusedRow(other)).toBeUndefined();
    expect(atPlaceOfRow(other, "line", (row) => [4, 9][row])).toBe(other);
  });

  test("a row that is wrong as a whole", () => {
    const whole = new ValueError("datatype_mismatch", "records[0]", "expected an object");
    expect(atPlaceOfRow(whole, "line", (row) => [4][row]).message).toBe("line 4: expected an object");
    expect(atPlaceOfRow(whole, "index", (row) => [4][row]).message).toBe("records[4]: expected an object");
  });
});
