import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  compareNumeric,
  compareOf,
  compareText,
  compareTimestamps,
  rowCompare,
} from "../../src/client/order.ts";

const sign = (n: number) => Math.sign(n) + 0;

test("text compares by its UTF-8 bytes", () => {
  const unit = fc.constantFrom("a", "b", "é", "\ud7ff", "\ue000", "\uffff", "\u{10000}", "\u{10ffff}", "\0");
  fc.assert(
    fc.property(fc.string({ unit }), fc.string({ unit }), (a, b) => {
      expect(sign(compareText(a, b))).toBe(sign(Buffer.compare(Buffer.from(a), Buffer.from(b))));
    }),
  );
});

test("numeric compares by value, whatever its zeros", () => {
  const scale = 6;
  const decimal = fc.record({
    units: fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }),
    drop: fc.boolean(),
  });
  const textOf = ({ units, drop }: { units: bigint; drop: boolean }) => {
    const digits = (units < 0n ? -units : units).toString().padStart(scale + 1, "0");
    const text = `${units < 0n ? "-" : ""}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
    return drop ? text.replace(/\.?0+$/, "") : text;
  };
  fc.assert(
    fc.property(decimal, decimal, fc.nat(6), (a, b, near) => {
      const c = { units: a.units / 10n ** BigInt(near), drop: b.drop };
      for (const x of [b, c, { ...a, drop: !a.drop }]) {
        expect(sign(compareNumeric(textOf(a), textOf(x)))).toBe(
          a.units < x.units ? -1 : a.units > x.units ? 1 : 0,
        );
      }
    }),
  );
  const ascending = ["-Infinity", "-10", "-2.5", "-2.45", "0", "0.001", "2", "10", "Infinity", "NaN"];
  expect([...ascending].reverse().sort(compareNumeric)).toEqual(ascending);
  expect(compareNumeric("-0.0", "0")).toBe(0);
});

test("timestamps compare by time", () => {
  const ascending = [
    "-infinity",
    "0044-03-15T00:00:00+00:00 BC",
    "0044-03-16T00:00:00+00:00 BC",
    "0001-01-01T00:00:00+00:00",
    "2001-01-31T23:59:59+00:00",
    "2001-01-31T23:59:59.1+00:00",
    "2001-01-31T23:59:59.12+00:00",
    "2001-01-31T23:59:59.9+00:00",
    "2001-02-01T00:00:00+00:00",
    "9999-12-31T00:00:00+00:00",
    "10000-01-01T00:00:00+00:00",
    "10000-01-01T00:00:00.5+00:00",
    "294276-12-31T00:00:00+00:00",
    "infinity",
  ];
  for (const [i, a] of ascending.entries()) {
    for (const [j, b] of ascending.entries()) expect(sign(compareTimestamps(a, b))).toBe(sign(i - j));
  }
});

test("numbers and bigints mix; NaN is above all and equal to itself", () => {
  const ascending = [-(2n ** 60n), -1, 0, 1, 2 ** 53 - 1, 2n ** 53n, 2n ** 63n - 1n];
  expect([...ascending].reverse().sort(compareOf("int8"))).toEqual(ascending);
  expect([Number.NaN, 1, Number.POSITIVE_INFINITY].sort(compareOf("float8"))).toEqual([
    1,
    Number.POSITIVE_INFINITY,
    Number.NaN,
  ]);
  expect(compareOf("float8")(Number.NaN, Number.NaN)).toBe(0);
});

test("jsonb has a total order by kind, size and content", () => {
  const ascending = [
    null,
    "a",
    "b",
    -1,
    2,
    false,
    true,
    [],
    [9],
    [1, 1],
    [1, 2],
    {},
    { b: 1 },
    { b: 2 },
    { aa: 0 },
    { a: 1, b: 1 },
  ];
  expect([...ascending].reverse().sort(compareOf("jsonb"))).toEqual(ascending);
});

describe("rowCompare", () => {
  const columns = [
    { name: "a", type: "int4" },
    { name: "b", type: "text" },
  ];
  const rows = [
    { a: 1, b: "x" },
    { a: null, b: "y" },
    { a: 2, b: "x" },
    { a: 2, b: null },
  ];
  const sorted = (...order: Parameters<typeof rowCompare>[1]) =>
    [...rows].sort(rowCompare(columns, order)).map((r) => `${r.a}${r.b}`);

  test("without an order: columns from left to right, nulls last", () => {
    expect(sorted()).toEqual(["1x", "2x", "2null", "nully"]);
  });
  test("descending, nulls first; ties by the columns", () => {
    expect(sorted({ column: "a", descending: true, nullsFirst: true })).toEqual([
      "nully",
      "2x",
      "2null",
      "1x",
    ]);
  });
  test("descending, nulls last", () => {
    expect(sorted({ column: "a", descending: true, nullsFirst: false })).toEqual([
      "2x",
      "2null",
      "1x",
      "nully",
    ]);
  });
  test("two terms", () => {
    expect(
      sorted(
        { column: "b", descending: false, nullsFirst: true },
        { column: "a", descending: true, nullsFirst: false },
      ),
    ).toEqual(["2null", "2x", "1x", "nully"]);
  });
});

test("types that lie as text have their own order", () => {
  const sorted = (type: string, values: unknown[], labels?: string[]) => {
    expect([...values].reverse().sort(compareOf(type, labels))).toEqual(values);
  };
  sorted("mood", ["sad", "ok", "happy"], ["sad", "ok", "happy"]);
  sorted("_mood", [["sad"], ["sad", "sad"], ["ok"], [null]], ["sad", "ok"]);
  sorted("interval", [
    "-infinity",
    "-1 days",
    "00:00:00",
    "23:00:00",
    "1 day",
    "1 mon",
    "31 days",
    "infinity",
  ]);
  sorted("date", ["-infinity", "0044-03-15 BC", "0001-01-01", "2024-05-06", "10000-01-01", "infinity"]);
  sorted("_int4", [[], [1], [1, 2], [1, null], [2], [10], [null]]);
  sorted("_text", [["a"], ["a", "b"], ["b"]]);
  sorted("_int4", [[1, 2], [[1, 2]]]);
  expect(compareOf("bpchar")("a ", "a   ")).toBe(0);
  expect(compareOf("interval")("1 mon", "30 days")).toBe(0);
});
