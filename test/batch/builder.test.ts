import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EvertError } from "../../src/base/errors.ts";
import type { Batch } from "../../src/batch/batch.ts";
import { BatchBuilder } from "../../src/batch/builder.ts";
import { encodeBatch, encodedSize } from "../../src/batch/codec.ts";
import { rowToObject } from "../../src/batch/json.ts";
import { JsonNumber } from "../../src/batch/lossless-json.ts";
import { type Schema, schemaOf } from "../../src/batch/schema.ts";
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
} from "../../src/batch/types.ts";
import { refusal } from "../support/refusal.ts";
import { anyRow, batchOf, everyType, price } from "./fixtures.ts";

function rowsOf(batch: Batch): Record<string, unknown>[] {
  return Array.from({ length: batch.length }, (_, i) => rowToObject(batch.schema, batch, i));
}

function one(type: SqlType): Schema {
  return schemaOf([{ name: "v", type, nullable: false }]);
}

/** What a value becomes in a column of the type. */
function through(type: SqlType, value: unknown): unknown {
  return rowsOf(batchOf(one(type), [{ v: value }]))[0]?.["v"];
}

function refused(type: SqlType, value: unknown): string {
  const error = refusal(() => batchOf(one(type), [{ v: value }]));
  return `${error.code}: ${error.message}`;
}

describe("values", () => {
  it("come back as they went in", () => {
    fc.assert(
      fc.property(fc.array(anyRow, { maxLength: 40 }), (rows) => {
        expect(rowsOf(batchOf(everyType, rows))).toEqual(rows);
      }),
    );
  });

  it("int4", () => {
    expect(through(int4, 7)).toBe(7);
    expect(through(int4, -0)).toBe(0);
    expect(through(int4, 7n)).toBe(7);
    expect(through(int4, new JsonNumber("7.00"))).toBe(7);
    expect(refused(int4, 1.5)).toBe("datatype_mismatch: rows[0].v: expected an integer, got 1.5");
    expect(refused(int4, "7")).toBe('datatype_mismatch: rows[0].v: expected an integer, got the string "7"');
    expect(refused(int4, 2 ** 31)).toBe(
      'numeric_value_out_of_range: rows[0].v: value "2147483648" is out of range for type integer',
    );
    expect(refused(int4, Number.NaN)).toContain("expected an integer, got NaN");
    expect(refused(int4, true)).toContain("expected an integer, got true");
  });

  it("int8 over its whole range, and nothing rounded", () => {
    expect(through(int8, Number.MAX_SAFE_INTEGER)).toBe(Number.MAX_SAFE_INTEGER);
    expect(through(int8, Number.MIN_SAFE_INTEGER)).toBe(Number.MIN_SAFE_INTEGER);
    expect(through(int8, -(2n ** 63n))).toBe(-(2n ** 63n));
    expect(through(int8, "9223372036854775807")).toBe(2n ** 63n - 1n);
    expect(through(int8, "-1")).toBe(-1);
    expect(through(int8, -4294967296)).toBe(-4294967296);
    expect(refused(int8, 2 ** 53)).toBe(
      "numeric_value_out_of_range: rows[0].v: 9007199254740992 is beyond the integers a number keeps exactly",
    );
    expect(refused(int8, 2n ** 63n)).toContain("out of range for type bigint");
    expect(refused(int8, "9223372036854775808")).toContain("out of range for type bigint");
    expect(refused(int8, "0x10")).toContain("expected an integer");
    expect(refused(int8, " 1")).toContain("expected an integer");
    expect(refused(int8, 0.5)).toContain("expected an integer");
  });

  it("float8", () => {
    expect(through(float8, -0)).toBe(-0);
    expect(through(float8, "NaN")).toBeNaN();
    expect(through(float8, Number.POSITIVE_INFINITY)).toBe(Number.POSITIVE_INFINITY);
    expect(through(float8, "-Infinity")).toBe(Number.NEGATIVE_INFINITY);
    expect(through(float8, 2n ** 60n)).toBe(2 ** 60);
    expect(refused(float8, "1.5")).toContain('expected a number, got the string "1.5"');
    expect(refused(float8, new JsonNumber("1e400"))).toContain(
      '"1e400" is out of range for type double precision',
    );
  });

  it("numeric", () => {
    expect(through(numeric, "1.50")).toBe("1.50");
    expect(through(numeric, 0.1)).toBe("0.1");
    expect(through(numeric, 1e21)).toBe("1000000000000000000000");
    expect(through(numeric, 10n ** 30n)).toBe(String(10n ** 30n));
    expect(through(numeric, new JsonNumber("0.10"))).toBe("0.10");
    expect(through(numeric, "NaN")).toBe("NaN");
    expect(through(price, 12.345)).toBe("12.35");
    expect(through(price, 1.005)).toBe("1.01");
    expect(through(price, -1.005)).toBe("-1.01");
    expect(through(price, 3)).toBe("3.00");
    expect(through(price, "99999999.99")).toBe("99999999.99");
    expect(through(price, -0)).toBe("0.00");
    expect(through({ name: "numeric", precision: 30, scale: 3 }, 1.5)).toBe("1.500");
    expect(through({ name: "numeric", precision: 18 }, "999999999999999999")).toBe("999999999999999999");
    const overflow = refusal(() => batchOf(one(price), [{ v: 1e8 }]));
    expect(overflow.message).toBe("rows[0].v: numeric field overflow");
    expect(overflow.detail).toBe(
      "A field with precision 10, scale 2 must round to an absolute value less than 10^8.",
    );
    expect(refused(price, "NaN")).toContain("feature_not_supported");
    expect(refused(price, "abc")).toContain('invalid input syntax for type numeric: "abc"');
    expect(refused(numeric, {})).toContain("expected a number or a decimal string, got an object");
  });

  it("a number for numeric rounds as its shortest decimal does", () => {
    fc.assert(
      fc.property(fc.double({ min: -9e7, max: 9e7, noNaN: true }), (x) => {
        expect(through(price, x)).toBe(through(price, String(through(numeric, x))));
      }),
    );
  });

  it("bool and text", () => {
    expect(through(bool, true)).toBe(true);
    expect(refused(bool, 1)).toContain("expected true or false, got 1");
    expect(through(text, "")).toBe("");
    expect(through(text, "x".repeat(20_000))).toBe("x".repeat(20_000));
    expect(through(text, "é".repeat(9000))).toBe("é".repeat(9000));
    expect(refused(text, 1)).toContain("expected a string, got 1");
    expect(refused(text, "a\0b")).toContain(
      "untranslatable_character: rows[0].v: text cannot hold the character U+0000",
    );
    expect(refused(text, "\ud800")).toContain(
      "untranslatable_character: rows[0].v: the text is not valid Unicode",
    );
  });

  it("timestamptz", () => {
    expect(through(timestamptz, "2024-05-06T07:08:09.1Z")).toBe("2024-05-06T07:08:09.1+00:00");
    expect(through(timestamptz, new Date(1))).toBe("1970-01-01T00:00:00.001+00:00");
    expect(through(timestamptz, new Date(-1))).toBe("1969-12-31T23:59:59.999+00:00");
    expect(through(timestamptz, "infinity")).toBe("infinity");
    expect(through(timestamptz, "12345-06-07T00:00:00+00:00")).toBe("12345-06-07T00:00:00+00:00");
    expect(refused(timestamptz, new Date(Number.NaN))).toContain(
      "invalid_datetime: rows[0].v: the Date is invalid",
    );
    expect(refused(timestamptz, new Date(-8.64e15))).toContain("datetime_overflow");
    expect(refused(timestamptz, 0)).toContain("expected a timestamp as an ISO 8601 string, got 0");
    expect(refused(timestamptz, "yesterday")).toContain("feature_not_supported");
  });

  it("jsonb", () => {
    expect(through(jsonb, { b: 1, a: [true, null, undefined] })).toEqual({ a: [true, null, null], b: 1 });
    expect(through(jsonb, { a: undefined })).toEqual({});
    expect(through(jsonb, new Date(0))).toBe("1970-01-01T00:00:00.000Z");
    expect(through(jsonb, "text")).toBe("text");
    expect(refused(jsonb, { a: { b: [1, Number.NaN] } })).toBe(
      "invalid_value: rows[0].v.a.b[1]: NaN has no place in jsonb",
    );
    expect(refused(jsonb, { a: () => 1 })).toContain("rows[0].v.a: expected a JSON value, got a function");
    expect(refused(jsonb, new Map())).toContain("datatype_mismatch");
    const circle: Record<string, unknown> = {};
    circle["self"] = circle;
    expect(refused(jsonb, circle)).toContain("statement_too_complex");
  });
});

describe("rows", () => {
  const schema = schemaOf([
    { name: "id", type: int4, nullable: false },
    { name: "full_name", type: text, nullable: true },
    { name: "price", type: price, nullable: true },
  ]);

  function message(row: unknown): string {
    return refusal(() => new BatchBuilder(schema).appendRow(row, "records", 3)).message;
  }

  it("name the place of what is refused", () => {
    expect(message({ id: 1, price: "x" })).toBe(
      'records[3].price: invalid input syntax for type numeric: "x"',
    );
    expect(message({})).toBe("records[3].id: a value is required, but the property is missing");
    expect(message({ id: null })).toBe("records[3].id: a value is required, but it is null");
    expect(message([1])).toBe("records[3]: expected an object, got an array");
    expect(message(null)).toBe("records[3]: expected an object, got null");
    expect(message("a")).toBe('records[3]: expected an object, got the string "a"');
    expect(message(new Date())).toBe("records[3]: expected an object, got a Date");
    expect(refusal(() => new BatchBuilder(schema).appendRow({ id: "x" })).message).toBe(
      'id: expected an integer, got the string "x"',
    );
  });

  it("refuse unknown properties and say which was meant", () => {
    const meant = refusal(() => new BatchBuilder(schema).appendRow({ id: 1, fullName: "x" }));
    expect(meant).toMatchObject({
      code: "undefined_column",
      message: "fullName: there is no such column",
      hint: 'Did you mean "full_name"?',
    });
    expect(refusal(() => new BatchBuilder(schema).appendRow({ id: 1, prise: 1 })).hint).toBe(
      'Did you mean "price"?',
    );
    const unlike = refusal(() => new BatchBuilder(schema).appendRow({ id: 1, "odd name": 1 }, "records", 0));
    expect(unlike.message).toBe('records[0]["odd name"]: there is no such column');
    expect(unlike.hint).toBe("The columns are id, full_name, price.");
  });

  it("take a missing property as null, and an undefined one as missing", () => {
    expect(rowsOf(batchOf(schema, [{ id: 1 }, { id: 2, full_name: undefined, other: undefined }]))).toEqual([
      { id: 1, full_name: null, price: null },
      { id: 2, full_name: null, price: null },
    ]);
  });

  it("do not take what every object inherits for a value", () => {
    const odd = schemaOf([
      { name: "constructor", type: text, nullable: true },
      { name: "__proto__", type: int4, nullable: true },
    ]);
    expect(rowsOf(batchOf(odd, [{}]))).toEqual([
      Object.fromEntries([
        ["constructor", null],
        ["__proto__", null],
      ]),
    ]);
    const row = JSON.parse('{"constructor":"c","__proto__":5}');
    const [back] = rowsOf(batchOf(odd, [row]));
    expect(Object.entries(back ?? {})).toEqual([
      ["constructor", "c"],
      ["__proto__", 5],
    ]);
  });

  it("come by position too", () => {
    const builder = new BatchBuilder(schema);
    builder.appendValues([1, "a", null]);
    expect(refusal(() => builder.appendValues([1, 2, null], "rows", 1)).message).toBe(
      "rows[1].full_name: expected a string, got 2",
    );
    expect(refusal(() => builder.appendValues([null, "a", 1])).message).toBe(
      "id: a value is required, but it is null",
    );
    expect(refusal(() => builder.appendValues([1])).message).toBe("expected 3 values, got 1");
    expect(rowsOf(builder.finish())).toEqual([{ id: 1, full_name: "a", price: null }]);
  });

  it("keep only the key for a deletion", () => {
    const builder = new BatchBuilder(
      schemaOf([
        { name: "id", type: int4, nullable: false },
        { name: "name", type: text, nullable: false },
      ]),
    );
    builder.appendKeyOnly({ id: 5, name: "ignored" }, [0]);
    builder.appendKeyOnly({ id: 6 }, [0]);
    expect(refusal(() => builder.appendKeyOnly({ name: "x" }, [0])).message).toBe(
      "id: a value is required, but the property is missing",
    );
    expect(refusal(() => builder.appendKeyOnly({ id: 1, nam: 1 }, [0])).code).toBe("undefined_column");
    expect(rowsOf(builder.finish())).toEqual([
      { id: 5, name: null },
      { id: 6, name: null },
    ]);
  });
});

describe("the builder", () => {
  it("is as it was after a refused row, at whichever column it fails", () => {
    fc.assert(
      fc.property(fc.array(anyRow, { maxLength: 20 }), fc.nat(8), (rows, bad) => {
        const builder = new BatchBuilder(everyType);
        const wrong = { ...rows[0], [everyType.fields[bad]!.name]: Symbol("bad") };
        for (const row of rows) {
          expect(() => builder.appendRow(wrong)).toThrow(EvertError);
          const before = builder.byteLength;
          expect(() => builder.appendRow(wrong)).toThrow(EvertError);
          expect(builder.byteLength).toBe(before);
          builder.appendRow(row);
        }
        expect(bytesOf(builder.finish())).toEqual(bytesOf(batchOf(everyType, rows)));
      }),
      { numRuns: 50 },
    );
  });

  it("forgets rows by truncate, and is empty after finish", () => {
    fc.assert(
      fc.property(
        fc.array(anyRow, { maxLength: 30 }),
        fc.array(anyRow, { maxLength: 30 }),
        fc.nat(30),
        (a, b, keep) => {
          const builder = new BatchBuilder(everyType);
          for (const row of a) builder.appendRow(row);
          const kept = Math.min(keep, a.length);
          builder.truncate(kept);
          for (const row of b) builder.appendRow(row);
          expect(builder.length).toBe(kept + b.length);
          const first = builder.finish();
          expect(bytesOf(first)).toEqual(bytesOf(batchOf(everyType, [...a.slice(0, kept), ...b])));
          expect(builder.length).toBe(0);
          expect(builder.byteLength).toBe(0);
          // the batch handed out stays what it is while the builder goes on
          const copy = bytesOf(first);
          for (const row of b) builder.appendRow(row);
          expect(bytesOf(builder.finish())).toEqual(bytesOf(batchOf(everyType, b)));
          expect(bytesOf(first)).toEqual(copy);
        },
      ),
      { numRuns: 50 },
    );
  });

  it("appends any range of a batch as if row by row", () => {
    fc.assert(
      fc.property(
        fc.array(anyRow, { maxLength: 20 }),
        fc.array(anyRow, { maxLength: 40 }),
        fc.nat(40),
        fc.nat(40),
        (before, rows, x, y) => {
          const from = Math.min(x, y, rows.length);
          const to = Math.min(Math.max(x, y), rows.length);
          const builder = new BatchBuilder(everyType);
          for (const row of before) builder.appendRow(row);
          builder.appendBatch(batchOf(everyType, rows), from, to);
          for (const row of before) builder.appendRow(row);
          const expected = [...before, ...rows.slice(from, to), ...before];
          expect(bytesOf(builder.finish())).toEqual(bytesOf(batchOf(everyType, expected)));
        },
      ),
      { numRuns: 50 },
    );
  });

  it("refuses a batch of other columns, and nulls where none may be", () => {
    const strict = schemaOf([{ name: "a", type: int4, nullable: false }]);
    const loose = schemaOf([{ name: "a", type: int4, nullable: true }]);
    const builder = new BatchBuilder(strict);
    const withNull = batchOf(loose, [{ a: 1 }, { a: null }]);
    expect(refusal(() => builder.appendBatch(withNull)).message).toBe(
      "rows[1].a: a value is required, but it is null",
    );
    builder.appendBatch(withNull, 0, 1);
    builder.appendBatch(withNull, 0, 2, true);
    expect(rowsOf(builder.finish())).toEqual([{ a: 1 }, { a: 1 }, { a: null }]);
    const other = (name: string, type: SqlType) => batchOf(schemaOf([{ name, type, nullable: false }]), []);
    expect(refusal(() => builder.appendBatch(other("b", int4))).message).toBe('column 1 is "a", got "b"');
    expect(refusal(() => builder.appendBatch(other("a", int8))).message).toBe("a: expected int4, got int8");
    expect(refusal(() => builder.appendBatch(batchOf(everyType, []))).message).toBe(
      "expected 1 columns, got 9",
    );
  });

  it("appends nulls", () => {
    const builder = new BatchBuilder(everyType);
    builder.appendNulls(20);
    const rows = rowsOf(builder.finish());
    expect(rows).toHaveLength(20);
    expect(Object.values(rows[19] ?? {})).toEqual(new Array(9).fill(null));
  });

  it("estimates the encoded size", () => {
    fc.assert(
      fc.property(fc.array(anyRow, { maxLength: 30 }), (rows) => {
        const builder = new BatchBuilder(everyType);
        for (const row of rows) builder.appendRow(row);
        const estimate = builder.byteLength;
        expect(Math.abs(encodedSize(builder.finish()) - estimate)).toBeLessThan(9 * 10);
      }),
    );
  });

  it("keeps no large buffers after a large batch", () => {
    const builder = new BatchBuilder(schemaOf([{ name: "t", type: text, nullable: false }]));
    for (let i = 0; i < 5000; i++) builder.appendRow({ t: "x".repeat(100) });
    const large = builder.finish();
    builder.appendRow({ t: "y" });
    const small = builder.finish();
    expect(rowsOf(large)[4999]).toEqual({ t: "x".repeat(100) });
    const column = small.columns[0];
    expect(column?.kind === "utf8" && column.data.buffer.byteLength).toBeLessThan(1000);
  });
});

function bytesOf(batch: Batch): Uint8Array {
  const bytes = new Uint8Array(encodedSize(batch));
  expect(encodeBatch(batch, bytes, 0)).toBe(bytes.length);
  return bytes;
}
