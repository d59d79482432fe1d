/** Rows of a batch in Avro's binary encoding, by the schema that the topic has as one (topic-schema.ts): from columns to bytes, no row is made an object. */
import { EvertError } from "../../base/errors.ts";
import type { Batch, BitColumn, Column, FixedColumn, Utf8Column } from "../../batch/batch.ts";
import { getBit } from "../../batch/bitmap.ts";
import { isNull, textAt } from "../../batch/column.ts";
import type { Datum } from "../../batch/datum.ts";
import { parseArray } from "../../batch/format/array.ts";
import { hexToBytes, numericToUnscaled } from "../../batch/format.ts";
import type { Field, Schema } from "../../batch/schema.ts";
import { datumFromText } from "../../batch/text-form.ts";
import { carrierOf, isSmallNumeric, type SqlType } from "../../batch/types.ts";
import { firstStep, prefixPath, propertyStep } from "../../batch/value-error.ts";
import type { AvroBytes } from "./bytes.ts";

/** Writes the value of row i, which is not null. */
type ColumnWriter = (out: AvroBytes, column: Column, i: number) => void;

export class RowEncoder {
  readonly #fields: readonly Field[];
  readonly #columns: readonly number[];
  readonly #writers: readonly ColumnWriter[];

  /** `only`: these columns, by their places in the batch. REQUIRES that topicSchemaText takes the schema. */
  constructor({ fields }: Schema, only: readonly number[] = fields.map((_, i) => i)) {
    this.#columns = only;
    this.#fields = only.map((c) => fields[c] as Field);
    this.#writers = this.#fields.map(({ type }) => columnWriter(type));
  }

  /** @throws EvertError for a value that has no Avro form. */
  write(out: AvroBytes, batch: Batch, row: number): void {
    for (let k = 0; k < this.#writers.length; k++) {
      const column = batch.columns[this.#columns[k] as number] as Column;
      const { name, nullable } = this.#fields[k] as Field;
      if (nullable) {
        if (isNull(column, row)) {
          out.byte(0);
          continue;
        }
        out.byte(2);
      }
      try {
        (this.#writers[k] as ColumnWriter)(out, column, row);
      } catch (error) {
        throw prefixPath(error, firstStep(propertyStep(name)));
      }
    }
  }
}

function columnWriter(type: SqlType): ColumnWriter {
  switch (type.name) {
    case "text":
    case "varchar":
    case "bpchar":
    case "json":
    case "jsonb":
    case "uuid":
      return (out, column, i) => {
        const { data, offsets } = column as Utf8Column;
        out.measured(data, offsets[i] as number, offsets[i + 1] as number);
      };
    case "bool":
      return (out, column, i) => out.byte(getBit((column as BitColumn).values, i) ? 1 : 0);
    case "float4":
      return (out, column, i) => out.float((column as FixedColumn).values[i] as number);
    case "float8":
      return (out, column, i) => out.double((column as FixedColumn).values[i] as number);
    case "int2":
    case "int4":
    case "date":
    case "enum":
    case "int8":
    case "time":
    case "timestamp":
    case "timestamptz":
      return (out, column, i) => out.long((column as FixedColumn).values[i] as number | bigint);
  }
  const write = datumWriter(type);
  if (isSmallNumeric(type))
    return (out, column, i) => write(out, (column as FixedColumn).values[i] as bigint);
  return (out, column, i) => write(out, textAt(column as Utf8Column, i));
}

type DatumWriter = (out: AvroBytes, datum: Exclude<Datum, null>) => void;

/** The types that columnWriter leaves, and items of arrays. */
function datumWriter(type: SqlType): DatumWriter {
  switch (type.name) {
    case "numeric": {
      const { precision = 0, scale = 0 } = type;
      if (isSmallNumeric(type)) return (out, datum) => out.decimal(BigInt(datum as number | bigint));
      return (out, datum) => {
        if (/[a-z]/.test(datum as string)) throw noForm(datum as string, "a decimal");
        out.decimal(numericToUnscaled(datum as string, scale, precision));
      };
    }
    case "bytea":
      return (out, datum) => {
        const bytes = hexToBytes(datum as string);
        out.measured(bytes, 0, bytes.length);
      };
    case "array": {
      const element = type.element as SqlType;
      const write = datumWriter(element);
      return (out, datum) => {
        const { dims, items } = parseArray(datum as string);
        if (dims.length > 1) throw noForm(`an array of ${dims.length} dimensions`, "an array");
        if (items.length > 0) out.long(items.length);
        for (const item of items) {
          out.byte(item === null ? 0 : 2);
          if (item !== null) write(out, datumFromText(element, item));
        }
        out.byte(0);
      };
    }
  }
  switch (carrierOf(type)) {
    case "string":
      return (out, datum) => out.text(datum as string);
    case "bool":
      return (out, datum) => out.byte(datum === true ? 1 : 0);
    case "double":
      return type.name === "float4"
        ? (out, datum) => out.float(datum as number)
        : (out, datum) => out.double(datum as number);
    case "int32":
    case "int64":
      return (out, datum) => out.long(datum as number | bigint);
  }
}

function noForm(what: string, as: string): EvertError {
  return new EvertError("feature_not_supported", `${what} cannot be ${as} of Avro`, {
    hint: "Read the topic as JSON or Arrow.",
  });
}
