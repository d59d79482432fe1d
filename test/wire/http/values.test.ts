import { describe, expect, test } from "vitest";
import { schemaOf } from "../../../src/batch/schema.ts";
import {
  bool,
  float8,
  int4,
  int8,
  jsonb,
  numeric,
  type SqlType,
  text,
  timestamptz,
} from "../../../src/batch/types.ts";
import { columnMessages, keyFromText, valueFromText } from "../../../src/wire/http/values.ts";

describe("a value as text", () => {
  test.each<[SqlType, string, unknown]>([
    [int4, "-2147483648", -2147483648],
    [int4, "+5", 5],
    [int8, "9007199254740991", 9007199254740991],
    [int8, "9223372036854775807", 9223372036854775807n],
    [float8, "1e3", 1000],
    [float8, "-Infinity", Number.NEGATIVE_INFINITY],
    [float8, "NaN", Number.NaN],
    [numeric, "1.10", "1.10"],
    [bool, "t", true],
    [bool, "FALSE", false],
    [text, "", ""],
    [timestamptz, "2024-05-06T07:08:09Z", "2024-05-06T07:08:09Z"],
    [jsonb, '{"a":1}', { a: 1 }],
  ])("%o %s", (type, written, value) => {
    expect(valueFromText(written, type, "c")).toEqual(value);
  });

  test.each<[SqlType, string]>([
    [int4, "2147483648"],
    [int8, "9223372036854775808"],
    [float8, "1e999"],
  ])("%o %s is out of range", (type, written) => {
    expect(() => valueFromText(written, type, "c")).toThrow(
      expect.objectContaining({ code: "numeric_value_out_of_range", message: expect.stringMatching(/^c: /) }),
    );
  });

  test.each<[SqlType, string]>([
    [int4, "1.5"],
    [int4, ""],
    [int8, "0x10"],
    [float8, "one"],
    [numeric, "1,5"],
    [bool, "yes!"],
    [jsonb, "{"],
  ])("%o %s is refused", (type, written) => {
    expect(() => valueFromText(written, type, "c")).toThrow(
      expect.objectContaining({ code: "invalid_text_representation" }),
    );
  });
});

describe("a key as text", () => {
  const schema = schemaOf([
    { name: "a", type: int8, nullable: false },
    { name: "b", type: text, nullable: false },
  ]);

  test("one column: its value; several: a JSON array; none: a text", () => {
    expect(keyFromText("7", schema, ["a"])).toBe(7);
    expect(keyFromText("[7]", schema, ["b"])).toBe("[7]");
    expect(keyFromText('[9223372036854775807,"x"]', schema, ["a", "b"])).toEqual([9223372036854775807n, "x"]);
    expect(keyFromText("3f#1", schema, null)).toBe("3f#1");
    expect(keyFromText("[]", schema, [])).toEqual([]);
    expect(() => keyFromText("[1]", schema, [])).toThrow(
      expect.objectContaining({ hint: "It has one row, whose key is []." }),
    );
  });

  test.each(["7", "[7]", '[7,"x",1]', '{"a":7}', "[7,", ""])("%s is no key of two columns", (written) => {
    expect(() => keyFromText(written, schema, ["a", "b"])).toThrow(
      expect.objectContaining({ hint: "A JSON array of 2 values: a int8, b text." }),
    );
  });
});

test("columns say their type and how it was declared", () => {
  const price: SqlType = { ...numeric, precision: 10, scale: 2 };
  expect(columnMessages(schemaOf([{ name: "price", type: price, nullable: true }]))).toEqual([
    { name: "price", type: "numeric", declaredType: "numeric(10,2)", nullable: true },
  ]);
});
