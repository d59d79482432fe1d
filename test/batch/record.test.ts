/** The text form of rows, as PostgreSQL's record_out and record_in have it. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { datumFromJson, datumToValue } from "../../src/batch/convert.ts";
import { formatRecord, parseRecord } from "../../src/batch/format/record.ts";
import { valueToJson } from "../../src/batch/json.ts";
import { compareKeys, orderKeyOf } from "../../src/batch/order-key.ts";
import { int4, numeric, recordOf, text, typeToString } from "../../src/batch/types.ts";

const pair = recordOf([
  { name: "n", type: numeric },
  { name: "t", type: text },
]);

describe("text", () => {
  it.each([
    [["1", "a b", null], '(1,"a b",)'],
    [[""], '("")'],
    [[null], "()"],
    [[], "()"],
    [['a"b\\c', "x,y", "(", "\n"], '("a""b\\\\c","x,y","(","\n")'],
  ] as const)("%j", (items, written) => {
    expect(formatRecord(items)).toBe(written);
    expect(parseRecord(written, items.length)).toEqual(items);
  });

  it("reads what it wrote", () => {
    const items = fc.array(
      fc.option(fc.string({ unit: fc.constantFrom("a", '"', "\\", ",", "(", ")", " ", "\t") })),
      {
        minLength: 1,
      },
    );
    fc.assert(
      fc.property(items, (list) => {
        expect(parseRecord(formatRecord(list), list.length)).toEqual(list);
      }),
    );
  });

  it.each(["1,2", "(1", "(1)", "(1,2,3)", "(1,2) x", '(1,"2'])("refuses %s", (written) => {
    expect(() => parseRecord(written, 2)).toThrow(/malformed record literal/);
  });
});

it("is an object in JSON and in TypeScript", () => {
  expect(valueToJson(pair, '(1.50,"a ""b""")')).toBe('{"n":1.50,"t":"a \\"b\\""}');
  expect(datumToValue(pair, "(1.50,)")).toEqual({ n: "1.50", t: null });
  expect(datumFromJson(pair, { t: "x y", n: 2 })).toBe('(2,"x y")');
});

it("is ordered field by field, nulls last, and equal where its fields are", () => {
  const key = orderKeyOf(pair)!;
  const inOrder = ["(-1,b)", "(1,)", "(2,a)", "(10,)", "(,a)"].map((row) => key.of(row));
  inOrder.slice(1).forEach((k, i) => {
    expect(compareKeys(inOrder[i]!, k)).toBeLessThan(0);
  });
  expect(compareKeys(key.of("(1.0,x)"), key.of("(1.00,x)"))).toBe(0);
  const renamed = recordOf(pair.fields!.map((f) => ({ ...f, name: `${f.name}2` })));
  expect(orderKeyOf(renamed)).toBe(key);
  expect(orderKeyOf(recordOf([{ name: "n", type: int4 }]))).not.toBe(key);
  expect(typeToString(pair)).toBe('record("n" numeric, "t" text)');
});
