import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ExactNumber, encodeJson, parseJson, plainJson } from "../../src/client/json.ts";

describe("parseJson", () => {
  test("the exact way reads what JSON.parse reads", () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 4 }), fc.constantFrom(undefined, 1, "\t"), (text, indent) => {
        const formatted = JSON.stringify(JSON.parse(text), null, indent);
        expect(plainJson(parseJson(formatted, true))).toEqual(JSON.parse(formatted));
      }),
    );
  });

  test("the exact way refuses what JSON.parse refuses", () => {
    fc.assert(
      fc.property(
        fc.json({ maxDepth: 2 }),
        fc.nat(),
        fc.constantFrom("", ",", "]", "}", '"', "-", "0", "\\", "e"),
        (text, at, put) => {
          const i = at % (text.length + 1);
          const broken = text.slice(0, i) + put + text.slice(i + 1);
          let expected: unknown;
          try {
            expected = JSON.parse(broken);
          } catch {
            expect(() => parseJson(broken, true)).toThrow(
              expect.objectContaining({ code: "protocol_violation" }),
            );
            return;
          }
          expect(plainJson(parseJson(broken, true))).toEqual(expected);
        },
      ),
      { numRuns: 500 },
    );
  });

  test.each([
    "9007199254740993",
    "-9223372036854775808",
    "123456789012345678901234567890",
    "1.10",
    "0.10000000000000000001",
    "1e5",
    "-0",
  ])("%s keeps its digits", (text) => {
    expect(parseJson(`[${text}]`, true)).toEqual([new ExactNumber(text)]);
  });

  test("a long integer is seen without being told", () => {
    expect(parseJson('{"a":9007199254740993}', false)).toEqual({ a: new ExactNumber("9007199254740993") });
    expect(parseJson("[1, -9007199254740993]", false)).toEqual([1, new ExactNumber("-9007199254740993")]);
    expect(parseJson('{"a": 9007199254740993}', false)).toEqual({ a: new ExactNumber("9007199254740993") });
  });

  test("digits after a point are no long integer", () => {
    expect(parseJson('{"a":0.30000000000000004}', false)).toEqual({ a: 0.1 + 0.2 });
  });

  test("digits in a text stay a text", () => {
    expect(parseJson('{"a":":9007199254740993"}', false)).toEqual({ a: ":9007199254740993" });
  });

  test("a property called __proto__ is a property", () => {
    const value = parseJson('{"__proto__":{"x":1}}', true) as object;
    expect(Object.keys(value)).toEqual(["__proto__"]);
    expect((value as { x?: number }).x).toBeUndefined();
  });

  test("nesting is bounded", () => {
    expect(() => parseJson("[".repeat(100_000), true)).toThrow(/cannot be read/);
  });
});

describe("encodeJson", () => {
  test("writes what JSON.stringify writes", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(encodeJson(value)).toBe(JSON.stringify(value));
      }),
    );
  });

  test("writes bigints with all digits, at any depth", () => {
    expect(encodeJson({ a: [2n ** 63n, { b: -1n }], c: undefined, d: [undefined] })).toBe(
      '{"a":[9223372036854775808,{"b":-1}],"d":[null]}',
    );
    expect(encodeJson([1n, new Date(0)])).toBe('[1,"1970-01-01T00:00:00.000Z"]');
  });

  test("refuses what is no JSON", () => {
    const cycle: unknown[] = [];
    cycle.push(cycle);
    for (const value of [undefined, () => 1, Symbol("x"), cycle, [1n, cycle]]) {
      expect(() => encodeJson(value)).toThrow(expect.objectContaining({ code: "invalid_argument" }));
    }
  });
});
