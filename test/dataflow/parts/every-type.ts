/** Rows of a column of every kind, every other of them nullable. */
import fc from "fast-check";
import type { Batch } from "../../../src/batch/batch.ts";
import { BatchBuilder } from "../../../src/batch/builder.ts";
import { datumAt } from "../../../src/batch/column.ts";
import { datumToValue } from "../../../src/batch/convert.ts";
import { schemaOf } from "../../../src/batch/schema.ts";
import {
  bool,
  date,
  float8,
  int4,
  int8,
  numeric,
  text,
  timestamptz,
  uuid,
} from "../../../src/batch/types.ts";
import { anyValue } from "../../batch/arbitraries.ts";

export const types = [bool, int4, int8, date, float8, numeric, text, timestamptz, uuid];
export const schema = schemaOf(types.map((type, i) => ({ name: `c${i}`, type, nullable: i % 2 === 0 })));

export function rowsOfEveryType(maxLength: number): fc.Arbitrary<unknown[][]> {
  return fc.array(
    fc.tuple(
      ...types.map((type, i) => (i % 2 === 0 ? fc.option(anyValue(type), { nil: null }) : anyValue(type))),
    ),
    { maxLength },
  );
}

export function batchFrom(all: readonly (readonly unknown[])[]): Batch {
  const builder = new BatchBuilder(schema);
  for (const row of all)
    builder.appendValues(
      row.map((datum, c) => (datum === null ? null : datumToValue(types[c]!, datum as never))),
    );
  return builder.finish();
}

export function dataOf(batch: Batch): unknown[][] {
  return Array.from({ length: batch.length }, (_, row) =>
    batch.columns.map((column) => datumAt(column, row)),
  );
}
