/**
 * A column from an array of values: typed arrays that lie as the column does are taken as they are, others value by value, by the rules
 * of every append (convert.ts). Texts are encoded some at a time, since a call into the encoder costs more than most texts.
 */
import { EvertError } from "../base/errors.ts";
import type { Column, FixedColumn } from "./batch.ts";
import { type ColumnBuilder, columnBuilderFor } from "./column-builder.ts";
import { nullRefused } from "./convert.ts";
import type { Field } from "./schema.ts";
import { isSmallNumeric } from "./types.ts";
import { Utf8Builder } from "./utf8-builder.ts";
import { firstStep, prefixPath, propertyStep } from "./value-error.ts";

export type NumberArray =
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | Float32Array
  | Float64Array
  | BigInt64Array;

/** The values of a column, one for each row. */
export type ColumnValues = readonly unknown[] | NumberArray;

/** Texts of a block, and their UTF-16 units. */
const BLOCK_ROWS = 512;
const BLOCK_UNITS = 16_384;
/** Texts that are measured to know about how long all of them are. */
const MEASURED_TEXTS = 64;

/** Makes columns of a field, one after the other, in memory that is used again where it is not large. */
export class ColumnMaker {
  readonly #field: Field;
  #builder: ColumnBuilder | null = null;

  constructor(field: Field) {
    this.#field = field;
  }

  /**
   * `values` as a column of the field's type, good until the next one is made. Of times, a BigInt64Array holds microseconds since 1970 (of a `time`, since
   * midnight); of dates, an Int32Array holds days. The column may share the array's memory. @throws EvertError that names column and row.
   */
  columnOf(values: ColumnValues): Column {
    const field = this.#field;
    const taken = asItLies(field, values);
    if (taken !== null) return taken;
    this.#builder ??= columnBuilderFor(field);
    const builder = this.#builder;
    builder.truncate(0);
    convert(field, values, builder);
    const column = builder.look();
    if (builder.length > KEPT_ROWS_MAX || bytesOf(column) > KEPT_BYTES_MAX) this.#builder = null;
    return column;
  }
}

/** Of a builder that is kept. */
const KEPT_ROWS_MAX = 1 << 17;
const KEPT_BYTES_MAX = 1 << 21;

function bytesOf(column: Column): number {
  return column.kind === "utf8" ? column.data.length : 0;
}

function asItLies({ type }: Field, values: ColumnValues): FixedColumn | null {
  const column = (array: FixedColumn["values"]): FixedColumn => ({
    kind: "fixed",
    type,
    length: array.length,
    validity: null,
    values: array,
  });
  switch (type.name) {
    case "int2":
      return isNarrow(values) ? column(Int32Array.from(values)) : null;
    case "int4":
      if (values instanceof Int32Array) return column(values);
      return isNarrow(values) || values instanceof Uint16Array ? column(Int32Array.from(values)) : null;
    case "date":
      return values instanceof Int32Array ? column(values) : null;
    case "int8":
    case "time":
    case "timestamp":
    case "timestamptz":
      return values instanceof BigInt64Array ? column(values) : null;
    case "float8":
      if (values instanceof Float64Array) return column(values);
      return values instanceof Float32Array ? column(Float64Array.from(values)) : null;
    case "float4":
      return values instanceof Float32Array ? column(Float64Array.from(values)) : null;
  }
  return null;
}

/** Integers of up to 16 bits. */
function isNarrow(values: ColumnValues): values is Int8Array | Uint8Array | Int16Array {
  return values instanceof Int8Array || values instanceof Uint8Array || values instanceof Int16Array;
}

function convert(field: Field, values: ColumnValues, builder: ColumnBuilder): void {
  if (values instanceof BigInt64Array && !/^(int|float|numeric)/.test(field.type.name)) throw unfit(field);
  if (!Array.isArray(values) && !takesNumbers(field)) throw unfit(field);
  builder.reserve(values.length);
  if (builder instanceof Utf8Builder) builder.reserveTexts(unitsIn(values));
  for (let i = 0; i < values.length; ) {
    if (field.type.name === "text" && builder instanceof Utf8Builder) {
      const taken = appendTexts(builder, values as readonly unknown[], i);
      if (taken > 0) {
        i += taken;
        continue;
      }
    }
    const value = values[i];
    try {
      if (value !== null && value !== undefined) builder.append(value);
      else if (field.nullable) builder.appendNull();
      else throw nullRefused("", value === undefined);
    } catch (error) {
      throw prefixPath(error, `${firstStep(propertyStep(field.name))}[${i}]`);
    }
    i++;
  }
}

/** About how many UTF-16 units the texts have: of most, their bytes. */
function unitsIn(values: ColumnValues): number {
  const step = Math.max(1, Math.floor(values.length / MEASURED_TEXTS));
  let units = 0;
  for (let i = 0; i < values.length; i += step) {
    const value = values[i];
    if (typeof value === "string") units += value.length * step;
  }
  return units;
}

function takesNumbers({ type }: Field): boolean {
  return /^(int[248]|float[48])$/.test(type.name) || type.name === "numeric" || isSmallNumeric(type);
}

function unfit({ name, type }: Field): EvertError {
  return new EvertError(
    "datatype_mismatch",
    `${firstStep(propertyStep(name))}: a typed array of this kind is no column of type ${type.name}`,
    { hint: "Give an array of values." },
  );
}

/** Appends texts from the i-th on while they are such, and returns how many. */
function appendTexts(builder: Utf8Builder, values: readonly unknown[], i: number): number {
  const end = Math.min(values.length, i + BLOCK_ROWS);
  builder.openBlock(end - i);
  const { offsets, length } = builder;
  let joined = "";
  let rows = 0;
  for (; i + rows < end; rows++) {
    const value = values[i + rows];
    if (typeof value !== "string" || joined.length + value.length > BLOCK_UNITS) break;
    joined += value;
    offsets[length + rows + 1] = joined.length;
  }
  if (rows === 0 || !builder.encodeBlock(joined, rows)) return 0;
  builder.closeBlock(rows);
  return rows;
}
