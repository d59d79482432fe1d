/** Columns that have an Avro form, rows of them, and how they are read back. */
import avsc from "avsc";
import fc from "fast-check";
import type { Batch } from "../../../src/batch/batch.ts";
import { BatchBuilder } from "../../../src/batch/builder.ts";
import { datumAt } from "../../../src/batch/column.ts";
import { exactValue } from "../../../src/batch/convert.ts";
import type { Datum } from "../../../src/batch/datum.ts";
import { parseArray } from "../../../src/batch/format/array.ts";
import { constrainNumeric } from "../../../src/batch/format/numeric.ts";
import { type Field, type Schema, schemaOf } from "../../../src/batch/schema.ts";
import { arrayOf, baseTypes, enumOf, isSmallNumeric, type SqlType } from "../../../src/batch/types.ts";
import { AvroBytes } from "../../../src/wire/avro/bytes.ts";
import { Cursor } from "../../../src/wire/avro/cursor.ts";
import { RowEncoder } from "../../../src/wire/avro/encode.ts";
import { RecordBatch, readingOf } from "../../../src/wire/avro/record-batch.ts";
import { parseSchema } from "../../../src/wire/avro/writer-schema.ts";
import { anyValue } from "../../batch/arbitraries.ts";

export const mood = enumOf("mood", ["sad", "ok", "happy"]);

const plain = baseTypes.filter(
  ({ name }) => !["numeric", "interval", "jsonpath", "jsonb", "json"].includes(name),
);

const scalars: readonly SqlType[] = [
  ...plain,
  { name: "json" },
  { name: "jsonb" },
  { name: "numeric", precision: 10, scale: 2 },
  { name: "numeric", precision: 18, scale: 0 },
  { name: "numeric", precision: 30, scale: 12 },
  { name: "varchar", length: 100 },
  mood,
];

const types: readonly SqlType[] = [
  ...scalars,
  ...scalars.filter(({ name }) => name !== "json" && name !== "jsonb").map(arrayOf),
];

const fields: fc.Arbitrary<Field[]> = fc
  .array(fc.tuple(fc.constantFrom(...types), fc.boolean()), { minLength: 1, maxLength: 6 })
  .map((list) => list.map(([type, nullable], i) => ({ name: `c${i}`, type, nullable })));

function decimal(type: SqlType): fc.Arbitrary<Datum> {
  const { precision = 0, scale = 0 } = type;
  const limit = 10n ** BigInt(precision) - 1n;
  return fc.bigInt(-limit, limit).map((unscaled) => {
    if (isSmallNumeric(type)) return unscaled;
    const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, "0");
    const text = `${unscaled < 0n ? "-" : ""}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
    return constrainNumeric(text, precision, scale);
  });
}

function value({ type, nullable }: Field): fc.Arbitrary<Datum> {
  const some: fc.Arbitrary<Datum> =
    type.name === "numeric"
      ? decimal(type)
      : type.name === "array"
        ? type.element?.name === "numeric"
          ? fc.constant("{}")
          : anyValue(type).filter((text) => {
              const { dims, lower } = parseArray(text as string);
              return dims.length <= 1 && lower.every((l) => l === 1);
            })
        : anyValue(type);
  return nullable ? fc.option(some) : some;
}

export interface Rows {
  readonly schema: Schema;
  readonly batch: Batch;
}

export const anyRows: fc.Arbitrary<Rows> = fields.chain((list) => {
  const schema = schemaOf(list);
  return fc
    .array(fc.tuple(...list.map(value)), { maxLength: 5 })
    .map((rows) => ({ schema, batch: batchOf(schema, rows) }));
});

export function batchOf(schema: Schema, rows: readonly (readonly Datum[])[]): Batch {
  const builder = new BatchBuilder(schema);
  for (const row of rows)
    builder.appendValues(row.map((d, i) => (d === null ? null : exactValue(schema.fields[i]!.type, d))));
  return builder.finish();
}

export function datums(batch: Batch): Datum[][] {
  return Array.from({ length: batch.length }, (_, i) => batch.columns.map((column) => datumAt(column, i)));
}

export function encoded({ schema, batch }: Rows): Uint8Array[] {
  const encoder = new RowEncoder(schema);
  const out = new AvroBytes();
  return Array.from({ length: batch.length }, (_, i) => {
    encoder.write(out, batch, i);
    return out.take();
  });
}

/** By a writer's schema, into a topic's columns. */
export async function decoded(text: string, schema: Schema, messages: readonly Uint8Array[]): Promise<Batch> {
  const records = new RecordBatch(schema, []);
  const reading = readingOf(await parseSchema(text), schema, null);
  for (const bytes of messages) records.take(new Cursor().over(bytes, 0, bytes.length), reading, true);
  return records.finish().batch;
}

/** avsc with longs as bigints, and logical types as what they lie in. */
export function avscType(text: string): avsc.Type {
  const long = avsc.types.LongType.__with({
    fromBuffer: (bytes: Buffer) => bytes.readBigInt64LE(),
    toBuffer: (n: bigint) => {
      const bytes = Buffer.alloc(8);
      bytes.writeBigInt64LE(n);
      return bytes;
    },
    fromJSON: BigInt,
    toJSON: Number,
    isValid: (n: unknown) => typeof n === "bigint",
    compare: (a: bigint, b: bigint) => (a === b ? 0 : a < b ? -1 : 1),
  });
  const isLong = (schema: unknown) => schema === "long" || (schema as { type?: unknown }).type === "long";
  return avsc.Type.forSchema(JSON.parse(text), {
    typeHook: (schema) => (isLong(schema) ? long : undefined),
    wrapUnions: "always",
  });
}
