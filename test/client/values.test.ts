import { describe, expect, test } from "vitest";
import { parseJson } from "../../src/client/json.ts";
import { keyId, needsDigits, rowConverter, tupleConverter } from "../../src/client/values.ts";

const columns = ["int4", "int8", "float8", "numeric", "bool", "text", "timestamptz", "jsonb"].map((type) => ({
  name: type,
  type,
}));

describe("rows", () => {
  const convert = (json: string, exact = true) =>
    rowConverter(columns)(parseJson(json, exact) as Record<string, unknown>);

  test("int8 is a number when safe, a bigint when not", () => {
    expect(convert('{"int8":9007199254740991}')).toEqual({ int8: 9007199254740991 });
    expect(convert('{"int8":9007199254740992}', false)).toEqual({ int8: 9007199254740992n });
    expect(convert('{"int8":-9223372036854775808}', false)).toEqual({ int8: -(2n ** 63n) });
    expect(convert('{"int8":7}', false)).toEqual({ int8: 7 });
  });

  test("numeric is a string with its own digits", () => {
    expect(convert('{"numeric":1.50}')).toEqual({ numeric: "1.50" });
    expect(convert('{"numeric":100}')).toEqual({ numeric: "100" });
    expect(convert('{"numeric":0.0000001}')).toEqual({ numeric: "0.0000001" });
    expect(convert('{"numeric":"NaN"}')).toEqual({ numeric: "NaN" });
  });

  test("float8 is a number, also when JSON has none for it", () => {
    expect(convert('{"float8":"NaN"}', false)).toEqual({ float8: Number.NaN });
    expect(convert('{"float8":"-Infinity"}', false)).toEqual({ float8: Number.NEGATIVE_INFINITY });
    expect(convert('{"float8":1e+25}')).toEqual({ float8: 1e25 });
    expect(convert('{"float8":123456789012345678}', false)).toEqual({ float8: 123456789012345680 });
  });

  test("jsonb is itself", () => {
    expect(convert('{"jsonb":{"a":[1.0,12345678901234567890]}}')).toEqual({
      jsonb: { a: [1, 12345678901234567000] },
    });
  });

  test("nulls and the other types stay as they are", () => {
    const row = {
      int4: 1,
      int8: null,
      float8: null,
      numeric: null,
      bool: true,
      text: "1",
      timestamptz: "2001-01-01T00:00:00+00:00",
      jsonb: null,
    };
    expect(convert(JSON.stringify(row))).toEqual(row);
  });

  test("tuples alike", () => {
    expect(
      tupleConverter(columns.slice(0, 4))(parseJson("[1,9007199254740993,2,1.0]", true) as unknown[]),
    ).toEqual([1, 9007199254740993n, 2, "1.0"]);
  });

  test("only numeric asks for all digits", () => {
    expect(needsDigits(columns)).toBe(true);
    expect(needsDigits(columns.filter((c) => c.type !== "numeric"))).toBe(false);
  });
});

describe("keyId", () => {
  const parsed = (json: string) => parseJson(json, true);

  test("is the same for one key in all its forms", () => {
    expect(keyId(parsed("9007199254740993"), ["int8"])).toBe(keyId(9007199254740993n, ["int8"]));
    expect(keyId(parsed("1.50"), ["numeric"])).toBe(keyId("1.5", ["numeric"]));
    expect(keyId(parsed("100"), ["numeric"])).toBe(keyId("100.00", ["numeric"]));
    expect(keyId(-0, ["float8"])).toBe(keyId(0, ["float8"]));
    expect(keyId(["a"], ["text"])).toBe(keyId("a", ["text"]));
  });

  test("differs for different keys", () => {
    const ids = [
      keyId(1, ["int4"]),
      keyId("1", ["text"]),
      keyId(null, ["text"]),
      keyId("null", ["text"]),
      keyId(true, ["bool"]),
    ];
    expect(new Set(ids).size).toBe(ids.length);
    expect(keyId(["a,b", "c"], ["text", "text"])).not.toBe(keyId(["a", "b,c"], ["text", "text"]));
    expect(keyId(["1", 2], ["text", "int4"])).not.toBe(keyId([1, "2"], ["int4", "text"]));
  });
});
