/** Rows as bytes are what JSON.stringify and the printers of values give for the same values, whatever their types. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { decodeUtf8 } from "../../src/base/bytes.ts";
import { setProperty, valueToJson } from "../../src/batch/json.ts";
import type { Field } from "../../src/batch/schema.ts";
import {
  arrayOf,
  baseTypes,
  enumOf,
  float8,
  int4,
  int8,
  json,
  numeric,
  physicalOf,
  recordOf,
  type SqlType,
  text,
  varchar,
} from "../../src/batch/types.ts";
import { Dictionary } from "../../src/state/dictionary.ts";
import { Store } from "../../src/state/store.ts";
import { JsonBytes } from "../../src/views/json-bytes.ts";
import { rowBytes } from "../../src/views/row-bytes.ts";
import { RowEncoder } from "../../src/views/row-encoder.ts";
import { encodeDatum } from "../../src/views/view.ts";
import { anyValue } from "../batch/arbitraries.ts";

const small = { ...numeric, precision: 18, scale: 4 };
const whole = { ...numeric, precision: 9, scale: 0 };
const types: readonly SqlType[] = [
  ...baseTypes,
  small,
  whole,
  enumOf("mood", ["sad", 'so "so"', "hé\n"]),
  arrayOf(int4),
  arrayOf(text),
  arrayOf(numeric),
  recordOf([
    { name: "a", type: int4 },
    { name: 'b"', type: text },
  ]),
];

/** Every character that JSON has to do with, in texts of every length that is treated otherwise. */
const hardTexts = fc.oneof(
  fc.string({ unit: "binary", maxLength: 100 }).map((s) => s.replaceAll(/[\0\p{Surrogate}]/gu, "")),
  fc.constantFrom(
    "\u0001\b\t\n\f\r\u001f\u007f",
    "\\".repeat(50),
    '"',
    "\ufeffwith a mark of order before it",
    "\u2028\u2029",
  ),
  fc.nat({ max: 70_000 }).map((length) => "x".repeat(length)),
);

function arbitraryOf(type: SqlType): fc.Arbitrary<unknown> {
  if (type === small || type === whole) {
    const most = 10n ** BigInt(type.precision!) - 1n;
    return fc.oneof(fc.bigInt(-most, most), fc.bigInt(-200_000n, 200_000n), fc.constantFrom(0n, most, -most));
  }
  if (type === text || type === varchar) return fc.oneof(anyValue(type), hardTexts);
  if (type === json) return fc.oneof(anyValue(type), fc.constantFrom('{"a":\n [1.50,\r\n 2]}', " 1 "));
  if (type === float8)
    return fc.oneof(anyValue(type), fc.constantFrom(2 ** 31, -(2 ** 31), 2 ** 31 - 1, 2 ** 53));
  if (type === int8)
    return fc.oneof(anyValue(type), fc.constantFrom(999_999_999n, 10n ** 9n, 10n ** 15n, -(10n ** 9n)));
  return anyValue(type);
}

const column = fc.constantFrom(...types).chain((type) =>
  fc.record({
    type: fc.constant(type),
    name: fc.oneof(fc.string({ maxLength: 8 }), fc.constantFrom("id", "__proto__", 'a"b', "naïve")),
    nullable: fc.boolean(),
    values: fc.array(arbitraryOf(type), { minLength: 3, maxLength: 3 }),
    nulls: fc.array(fc.boolean(), { minLength: 3, maxLength: 3 }),
  }),
);

it("a row of any types is what valueToJson prints, and a key of any of its columns", () => {
  const out = new JsonBytes();
  fc.assert(
    fc.property(fc.array(column, { minLength: 1, maxLength: 8 }), fc.boolean(), (columns, isOneKey) => {
      const dictionary = new Dictionary();
      const store = new Store("t", columns, dictionary);
      const fields: Field[] = columns.map(({ name, type, nullable }) => ({ name, type, nullable }));
      const keyColumns = isOneKey ? [columns.length - 1] : columns.map((_, i) => i).reverse();
      const rows = rowBytes(new RowEncoder(store, fields, keyColumns));
      store.begin(1);
      for (let n = 0; n < 3; n++) {
        const datum = (i: number) => {
          const { values, nulls, nullable } = columns[i]!;
          return nullable && nulls[n] === true ? null : (values[n] as never);
        };
        store.reserve(1);
        const slot = store.alloc();
        store.write(
          slot,
          columns.map(({ type }, i) => {
            const code = encodeDatum(dictionary, type, datum(i));
            return physicalOf(type) === "f64" ? Float64Array.of(code) : Int32Array.of(code);
          }),
          columns.map(({ nullable }, i) => (nullable ? Uint8Array.of(datum(i) === null ? 1 : 0) : null)),
          0,
        );
        store.insert(slot);
        const printed = fields.map(({ type }, i) => valueToJson(type, datum(i)));
        out.clear();
        rows.row(slot, out);
        expect(decodeUtf8(out.U, 0, out.at)).toBe(
          `{${fields.map(({ name }, i) => `${JSON.stringify(name)}:${printed[i]}`).join(",")}}`,
        );
        out.clear();
        rows.key(slot, out);
        const key = keyColumns.map((c) => printed[c]);
        expect(decodeUtf8(out.U, 0, out.at)).toBe(key.length === 1 ? key[0] : `[${key.join(",")}]`);
        expect(rows.sameKey(slot, slot)).toBe(true);
      }
    }),
    { numRuns: 500 },
  );
});

it("texts and integers are what JSON.stringify prints", () => {
  const dictionary = new Dictionary();
  const out = new JsonBytes();
  fc.assert(
    fc.property(hardTexts, fc.maxSafeInteger(), fc.integer(), (string, large, integer) => {
      const fields = [
        { name: "s", type: text, nullable: false },
        { name: "large", type: int8, nullable: false },
        { name: "integer", type: int4, nullable: false },
      ];
      const store = new Store("t", fields, dictionary);
      store.begin(1);
      store.reserve(1);
      const slot = store.alloc();
      const columns = [
        Int32Array.of(dictionary.internString(string)),
        Float64Array.of(large),
        Int32Array.of(integer),
      ];
      store.write(slot, columns, [null, null, null], 0);
      const row: Record<string, unknown> = {};
      for (const [name, value] of [
        ["s", string],
        ["large", large],
        ["integer", integer],
      ] as const)
        setProperty(row, name, value);
      out.clear();
      rowBytes(new RowEncoder(store, fields, null)).row(slot, out);
      expect(decodeUtf8(out.U, 0, out.at)).toBe(JSON.stringify(row));
    }),
    { numRuns: 500 },
  );
});
