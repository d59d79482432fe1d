/** Values and batches that several tests of this folder share. */
import fc from "fast-check";
import { isWellFormed } from "../../src/base/bytes.ts";
import type { Batch } from "../../src/batch/batch.ts";
import { BatchBuilder } from "../../src/batch/builder.ts";
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

export const price: SqlType = { name: "numeric", precision: 10, scale: 2 };

/** One nullable column of every type. */
export const everyType: Schema = schemaOf(
  (
    [
      ["a_int4", int4],
      ["b_int8", int8],
      ["c_float8", float8],
      ["d_price", price],
      ["e_numeric", numeric],
      ["f_bool", bool],
      ["g_text", text],
      ["h_time", timestamptz],
      ["i_json", jsonb],
    ] as const
  ).map(([name, type]) => ({ name, type, nullable: true })),
);

/** TypeScript values of `everyType`, in the form in which they come back. */
export const anyRow: fc.Arbitrary<Record<string, unknown>> = fc.record({
  a_int4: fc.option(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })),
  b_int8: fc.option(
    fc
      .bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
      .map((n) => (Number.isSafeInteger(Number(n)) ? Number(n) : n)),
  ),
  c_float8: fc.option(fc.double()),
  d_price: fc.option(
    fc.bigInt({ min: -(10n ** 10n) + 1n, max: 10n ** 10n - 1n }).map((n) => {
      const digits = String(n < 0n ? -n : n).padStart(3, "0");
      return `${n < 0n ? "-" : ""}${digits.slice(0, -2)}.${digits.slice(-2)}`;
    }),
  ),
  e_numeric: fc.option(
    fc
      .tuple(fc.bigInt({ min: -(10n ** 40n), max: 10n ** 40n }), fc.stringMatching(/^[0-9]{0,12}$/))
      .map(([whole, fraction]) => (fraction === "" ? String(whole) : `${whole}.${fraction}`)),
  ),
  f_bool: fc.option(fc.boolean()),
  g_text: fc.option(fc.string({ unit: "grapheme" }).filter((s) => !s.includes("\0") && isWellFormed(s))),
  h_time: fc.option(
    fc
      .date({
        min: new Date("0001-01-01T00:00:00Z"),
        max: new Date("9999-12-31T23:59:59Z"),
        noInvalidDate: true,
      })
      .map((d) => d.toISOString().replace(/\.?0*Z$/, "+00:00")),
  ),
  i_json: fc.option(
    fc.oneof(
      fc.integer(),
      fc.boolean(),
      fc.string().filter((s) => !s.includes("\0") && isWellFormed(s)),
      fc.array(fc.integer(), { maxLength: 3 }),
      fc.dictionary(fc.stringMatching(/^[a-z]{1,3}$/), fc.integer(), { maxKeys: 3, noNullPrototype: true }),
    ),
  ),
});

export function batchOf(schema: Schema, rows: readonly unknown[]): Batch {
  const builder = new BatchBuilder(schema);
  rows.forEach((row, i) => {
    builder.appendRow(row, "rows", i);
  });
  return builder.finish();
}

/** A reviver: integers printed without exponent come as bigints where a number would not be safe. */
export function bigIntegers(_name: string, value: unknown): unknown {
  const isLarge = typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value);
  return isLarge && Math.abs(value) < 1e21 ? BigInt(String(value)) : value;
}
