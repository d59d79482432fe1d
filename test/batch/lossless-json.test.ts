import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EvertError } from "../../src/base/errors.ts";
import { canonicalJson } from "../../src/batch/jsonb.ts";
import { JsonNumber, parseJson } from "../../src/batch/lossless-json.ts";
import { bigIntegers } from "./fixtures.ts";

describe("parseJson", () => {
  it("is JSON.parse for what a double keeps, with bigints beyond the safe integers", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const json = JSON.stringify(value);
        expect(parseJson(json)).toEqual(JSON.parse(json, bigIntegers));
      }),
    );
  });

  it("reads strings as JSON.parse does, whatever they hold, beside a number that needs its digits", () => {
    const tricky = fc.string({ unit: fc.constantFrom('"', "\\", "7", "é", " ", ","), maxLength: 60 });
    fc.assert(
      fc.property(tricky, tricky, (a, b) => {
        expect(parseJson(`[${JSON.stringify(a)}, 9007199254740993, ${JSON.stringify(b)}, 1.50]`)).toEqual([
          a,
          9007199254740993n,
          b,
          new JsonNumber("1.50"),
        ]);
        expect(parseJson(`[${JSON.stringify(a)}, 1]`)).toEqual([a, 1]);
      }),
    );
  });

  it("keeps every digit of any number", () => {
    fc.assert(
      fc.property(
        fc.stringMatching(/^-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,2})?$/),
        (number) => {
          for (const json of [number, `[${number}]`, `{"a":${number},"b":"x"}`, ` ${number} `]) {
            const parsed = parseJson(json);
            const value = Array.isArray(parsed)
              ? parsed[0]
              : typeof parsed === "object" && !(parsed instanceof JsonNumber)
                ? (parsed as { a: unknown }).a
                : parsed;
            expect(canonicalJson(value)).toBe(canonicalJson(new JsonNumber(number)));
          }
        },
      ),
    );
  });

  it.each([
    ["9007199254740993", 9007199254740993n],
    ["-9223372036854775808", -9223372036854775808n],
    ["9007199254740991", 9007199254740991],
    ["9007199254740992", 9007199254740992n],
    ["-9007199254740994", -9007199254740994n],
    ["1700000000000000", 1700000000000000],
    ["[1700000000000000,17000000000000000]", [1700000000000000, 17000000000000000n]],
    ["0.12345678901234568", 0.12345678901234568],
    ["1e+21", 1e21],
    ["-1.5e-7", -1.5e-7],
    ["1.50", new JsonNumber("1.50")],
    ["1e400", new JsonNumber("1e400")],
    ["1e2", 100],
    ["0.1", 0.1],
    ["1.0000000000000001", new JsonNumber("1.0000000000000001")],
    ["0.30000000000000004", 0.30000000000000004],
    ['"1.50 9007199254740993 1e5"', "1.50 9007199254740993 1e5"],
    ['["\\"1.50", 1.50]', ['"1.50', new JsonNumber("1.50")]],
    ['["\\\\", 9007199254740993]', ["\\", 9007199254740993n]],
  ])("%s", (json, value) => {
    expect(parseJson(json)).toEqual(value);
  });

  it("prints a kept number as it was written", () => {
    expect(String(new JsonNumber("1.50"))).toBe("1.50");
  });

  it("says why a text is not JSON", () => {
    for (const json of ["", "{", "[1,]", '{"a":1.50', "9007199254740993x", '"abc']) {
      try {
        parseJson(json);
        expect.unreachable(json);
      } catch (error) {
        expect(error).toBeInstanceOf(EvertError);
        expect(error).toMatchObject({
          code: "invalid_text_representation",
          message: "invalid input syntax for type json",
          detail: expect.stringMatching(/./),
        });
      }
    }
  });

  it("refuses absurd nesting instead of overflowing the stack", () => {
    const deep = "[".repeat(1_000_000) + "1.50" + "]".repeat(1_000_000);
    expect(() => canonicalJson(parseJson(deep))).toThrow(/nested/);
  });
});

it("where a text ends too early is said by its place, and by a line only where there are several", () => {
  const detail = (text: string) => {
    try {
      parseJson(text);
    } catch (error) {
      return (error as EvertError).detail;
    }
    throw new Error("it is JSON");
  };
  expect(detail('{"id":2,')).toMatch(/at position 8$/);
  expect(detail('{"id":2,\n')).toMatch(/\(line 2 column 1\)$/);
});
