/**
 * One column of an Arrow record batch to a column of a topic's type. Where both lie alike in memory, the column is a view of the stream's bytes, or a copy
 * of them where they stand unaligned or nulls' values must be made zero; elsewhere each value takes the rules of every append.
 */
import { bytesOf, decodeUtf8, decodeUtf8Strict, isAscii } from "../base/bytes.ts";
import { EvertError, notSupported } from "../base/errors.ts";
import { arrowType, dateUnit, precision, unit } from "./arrow-format.ts";
import type { Column, FixedColumn } from "./batch.ts";
import { bitmapBytes, copyBits, getBit } from "./bitmap.ts";
import { type FixedValues, isNull, nullColumn } from "./column.ts";
import { columnBuilderFor } from "./column-builder.ts";
import { ExactValue } from "./convert.ts";
import type { FlatTable } from "./flatbuffer.ts";
import { checkedDay, checkTime, formatDate, formatTime } from "./format/datetime.ts";
import { unscaledToText } from "./format/numeric.ts";
import { checkTimestamptz } from "./format/timestamptz.ts";
import { checkText } from "./jsonb.ts";
import { parseJson } from "./lossless-json.ts";
import type { Field } from "./schema.ts";
import { typeToString } from "./types.ts";
import { firstStep, prefixPath, propertyStep } from "./value-error.ts";

interface FixedKind {
  new (buffer: ArrayBufferLike, byteOffset?: number, length?: number): FixedValues;
  readonly BYTES_PER_ELEMENT: number;
}

export interface ArrowField {
  readonly name: string;
  readonly nullable: boolean;
  readonly typeType: number;
  readonly type: FlatTable;
  readonly metadata: ReadonlyMap<string, string>;
}

/** A column of a record batch as its buffers; those lie in the body, but may be too short for the rows. */
export interface ArrowColumn {
  readonly field: ArrowField;
  readonly length: number;
  readonly validity: Uint8Array | null;
  /** Of text: the offsets. */
  readonly values: Uint8Array;
  /** Text only. */
  readonly data: Uint8Array;
}

/**
 * Rows [from, to) as `target`. `firstRow` is the number of row `from` in the whole stream, for messages.
 * @throws EvertError; RangeError for a read behind a buffer's end.
 */
export function readArrowColumn(
  source: ArrowColumn,
  target: Field,
  firstRow: number,
  from: number,
  to: number,
): Column {
  return new ColumnReader(source, target, firstRow, from, to).read();
}

class ColumnReader {
  readonly #source: ArrowColumn;
  readonly #target: Field;
  readonly #firstRow: number;
  readonly #from: number;
  readonly #to: number;
  readonly #view: DataView;

  constructor(source: ArrowColumn, target: Field, firstRow: number, from: number, to: number) {
    this.#source = source;
    this.#target = target;
    this.#firstRow = firstRow;
    this.#from = from;
    this.#to = to;
    const { values } = source;
    this.#view = new DataView(values.buffer, values.byteOffset, values.byteLength);
  }

  read(): Column {
    const { typeType, type } = this.#source.field;
    const target = this.#target.type;
    switch (typeType) {
      case arrowType.null:
        return nullColumn(target, this.#to - this.#from);
      case arrowType.int: {
        const bits = type.i32(0);
        const signed = type.bool(1);
        if (signed && bits === 32 && target.name === "int4") return this.#take(Int32Array);
        if (signed && bits === 64 && target.name === "int8") return this.#take(BigInt64Array);
        if (!/^(int[248]|numeric)$/.test(target.name)) break;
        return this.#convert(integerReader(this.#view, bits, signed));
      }
      case arrowType.floatingPoint:
        if (target.name !== "float8" && target.name !== "float4") break;
        if (target.name === "float8" && type.i16(0) === precision.double) return this.#take(Float64Array);
        return this.#convert(floatReader(this.#view, type.i16(0)));
      case arrowType.bool:
        if (target.name !== "bool") break;
        return this.#bits();
      case arrowType.decimal:
        if (target.name !== "numeric") break;
        return this.#convert(decimalReader(this.#view, type));
      case arrowType.date:
        if (target.name !== "date") break;
        return this.#convert(dateReader(this.#view, type.i16(0, dateUnit.milli)));
      case arrowType.time:
        if (target.name !== "time") break;
        return this.#convert(timeReader(this.#view, type.i16(0, unit.milli)));
      case arrowType.timestamp:
        if (target.name !== "timestamptz" && target.name !== "timestamp") break;
        return this.#timestamps(type);
      case arrowType.utf8:
      case arrowType.largeUtf8:
        if (/^(int[248]|float[48]|bool)$/.test(target.name)) break;
        return this.#texts(typeType === arrowType.utf8 ? 4 : 8);
      default:
        throw unreadable(this.#source.field);
    }
    throw new EvertError(
      "datatype_mismatch",
      `${this.#name()}: expected ${typeToString(target)}, got an Arrow column of another type`,
    );
  }

  /** Value by value. */
  #convert(valueAt: (i: number) => unknown): Column {
    const { validity } = this.#source;
    const builder = columnBuilderFor(this.#target);
    let i = this.#from;
    try {
      for (; i < this.#to; i++) {
        if (validity !== null && !getBit(validity, i)) builder.appendNull();
        else builder.append(valueAt(i));
      }
    } catch (error) {
      throw this.#located(error, i);
    }
    return builder.take();
  }

  /** The same layout on both sides. */
  #take(kind: FixedKind): FixedColumn {
    const { values } = this.#source;
    const size = kind.BYTES_PER_ELEMENT;
    if (this.#source.validity !== null || (values.byteOffset + this.#from * size) % size !== 0)
      return this.#copy(kind);
    if (values.length < this.#to * size) throw this.#cutOff();
    const length = this.#to - this.#from;
    const view = new kind(values.buffer, values.byteOffset + this.#from * size, length);
    return { kind: "fixed", type: this.#target.type, length, validity: null, values: view };
  }

  #copy(kind: FixedKind): FixedColumn {
    const { values } = this.#source;
    const size = kind.BYTES_PER_ELEMENT;
    if (values.length < this.#to * size) throw this.#cutOff();
    const length = this.#to - this.#from;
    const bytes = new Uint8Array(length * size);
    bytes.set(values.subarray(this.#from * size, this.#to * size));
    const validity = this.#validity();
    if (validity !== null) {
      for (let i = 0; i < length; i++) if (!getBit(validity, i)) bytes.fill(0, i * size, (i + 1) * size);
    }
    return { kind: "fixed", type: this.#target.type, length, validity, values: new kind(bytes.buffer) };
  }

  #bits(): Column {
    const { values, length } = this.#source;
    if (values.length < bitmapBytes(length)) throw this.#cutOff();
    const copy = this.#copyBits(values);
    const validity = this.#validity();
    if (validity !== null) {
      for (let i = 0; i < copy.length; i++) copy[i] = (copy[i] as number) & (validity[i] as number);
    }
    return { kind: "bits", type: this.#target.type, length: this.#to - this.#from, validity, values: copy };
  }

  #timestamps(type: FlatTable): Column {
    const zoned = this.#target.type.name === "timestamptz";
    if (zoned !== (type.string(1) !== null)) {
      throw new EvertError(
        "datatype_mismatch",
        zoned
          ? `${this.#name()}: expected a timestamp with time zone, got one without`
          : `${this.#name()}: expected a timestamp without time zone, got one with`,
        { hint: zoned ? 'Give the Arrow field the time zone "UTC".' : undefined },
      );
    }
    const scale = type.i16(0);
    const taken = this.#take(BigInt64Array);
    if (scale === unit.micro && areCommonTimes(taken.values as BigInt64Array)) return taken;
    const column = this.#copy(BigInt64Array);
    const values = column.values as BigInt64Array;
    let i = 0;
    try {
      for (; i < values.length; i++) {
        if (!isNull(column, i)) values[i] = checkTimestamptz(toMicroseconds(values[i] as bigint, scale));
      }
    } catch (error) {
      throw this.#located(error, this.#from + i);
    }
    return column;
  }

  #texts(offsetBytes: 4 | 8): Column {
    const { data, validity } = this.#source;
    const offsets = this.#checkedOffsets(offsetBytes);
    const first = offsets[0] as number;
    const last = offsets[offsets.length - 1] as number;
    const name = this.#target.type.name;
    if (name === "text" && validity === null && !data.subarray(first, last).includes(0)) {
      const length = this.#to - this.#from;
      const rebased = first === 0 ? offsets : offsets.map((at) => at - first);
      return {
        kind: "utf8",
        type: this.#target.type,
        length,
        validity,
        offsets: rebased,
        data: data.subarray(first, last),
      };
    }
    const textAt = (i: number): string => {
      const k = i - this.#from;
      return decodeUtf8(data, offsets[k] as number, offsets[k + 1] as number);
    };
    if (name !== "jsonb" && name !== "json") return this.#convert(textAt);
    return this.#convert((i) => {
      const text = textAt(i);
      checkText(text, "");
      const value = parseJson(text);
      // A column of type json has the text itself; null is no value, as in a record.
      return name === "json" && value !== null ? new ExactValue(text) : value;
    });
  }

  /** The rows' offsets: ascending, within the data, between characters of valid UTF-8. */
  #checkedOffsets(offsetBytes: 4 | 8): Int32Array {
    const { data } = this.#source;
    const offsets = offsetBytes === 4 ? this.#offsets32() : this.#offsets64();
    const last = offsets.length - 1;
    let previous = 0;
    for (let k = 0; k <= last; k++) {
      const at = offsets[k] as number;
      if (at < previous) throw this.#cutOff();
      previous = at;
    }
    if (previous > data.length) throw this.#cutOff();
    if (isAscii(data, offsets[0] as number, previous)) return offsets;
    for (let k = 0; k < last; k++) {
      // no value may begin within a character: its first byte is no continuation byte
      const at = offsets[k] as number;
      if (at < (offsets[k + 1] as number) && ((data[at] as number) & 0xc0) === 0x80) throw this.#notUtf8();
    }
    if (decodeUtf8Strict(data, offsets[0], previous) === null) throw this.#notUtf8();
    return offsets;
  }

  /** A view; a copy where they stand unaligned. */
  #offsets32(): Int32Array {
    const { values } = this.#source;
    const length = this.#to + 1 - this.#from;
    if (values.length < (this.#to + 1) * 4) throw this.#cutOff();
    const at = values.byteOffset + this.#from * 4;
    if (at % 4 === 0) return new Int32Array(values.buffer, at, length);
    const offsets = new Int32Array(length);
    bytesOf(offsets).set(values.subarray(this.#from * 4, (this.#to + 1) * 4));
    return offsets;
  }

  #offsets64(): Int32Array {
    const offsets = new Int32Array(this.#to + 1 - this.#from);
    for (let k = 0; k < offsets.length; k++) {
      const at = Number(this.#view.getBigInt64((this.#from + k) * 8, true));
      if (at < 0 || at > 0x7fff_ffff) throw this.#cutOff();
      offsets[k] = at;
    }
    return offsets;
  }

  #validity(): Uint8Array | null {
    const { validity } = this.#source;
    return validity === null ? null : this.#copyBits(validity);
  }

  #copyBits(bitmap: Uint8Array): Uint8Array {
    const length = this.#to - this.#from;
    const copy = new Uint8Array(bitmapBytes(length));
    copyBits(bitmap, this.#from, copy, 0, length);
    return copy;
  }

  /** The error of row i of the batch, by its place in the stream. A read behind the end stays what it is. */
  #located(error: unknown, i: number): unknown {
    return prefixPath(error, `rows[${this.#firstRow + i - this.#from}]${propertyStep(this.#target.name)}`);
  }

  #name(): string {
    return firstStep(propertyStep(this.#target.name));
  }

  #cutOff(): EvertError {
    return damaged(`the values of "${this.#target.name}" are cut off`);
  }

  #notUtf8(): EvertError {
    return new EvertError("untranslatable_character", `${this.#name()}: the text is not valid UTF-8`);
  }
}

/** High words of microseconds, from 2597 BC on and short of infinity: all of them are times. */
const TIME_WORD_MIN = -0x0200_0000;
const TIME_WORD_MAX = 0x7fff_fffe;

/** Looks at the high halves only: most columns need no bigint. */
function areCommonTimes(values: BigInt64Array): boolean {
  const words = new Int32Array(values.buffer, values.byteOffset, values.length * 2);
  for (let i = 1; i < words.length; i += 2) {
    const high = words[i] as number;
    if (high < TIME_WORD_MIN || high > TIME_WORD_MAX) return false;
  }
  return true;
}

function integerReader(view: DataView, bits: number, signed: boolean): (i: number) => unknown {
  switch (bits) {
    case 8:
      return signed ? (i) => view.getInt8(i) : (i) => view.getUint8(i);
    case 16:
      return signed ? (i) => view.getInt16(i * 2, true) : (i) => view.getUint16(i * 2, true);
    case 32:
      return signed ? (i) => view.getInt32(i * 4, true) : (i) => view.getUint32(i * 4, true);
    case 64:
      return signed ? (i) => view.getBigInt64(i * 8, true) : (i) => view.getBigUint64(i * 8, true);
    default:
      throw damaged(`an integer of ${bits} bits`);
  }
}

function floatReader(view: DataView, width: number): (i: number) => unknown {
  if (width === precision.single) return (i) => view.getFloat32(i * 4, true);
  throw notSupported("Arrow's half-precision floating point");
}

/** Days, or milliseconds that are whole days; int32's extremes are the infinities. */
function dateReader(view: DataView, dayUnit: number): (i: number) => unknown {
  if (dayUnit === dateUnit.day) return (i) => formatDate(checkedDay(view.getInt32(i * 4, true)));
  return (i) => {
    const ms = view.getBigInt64(i * 8, true);
    if (ms % 86_400_000n === 0n) return formatDate(checkedDay(Number(ms / 86_400_000n)));
    throw new EvertError("datetime_overflow", "a date is no whole day");
  };
}

function timeReader(view: DataView, scale: number): (i: number) => unknown {
  if (scale === unit.second) return (i) => formatTime(checkTime(view.getInt32(i * 4, true) * 1e6));
  if (scale === unit.milli) return (i) => formatTime(checkTime(view.getInt32(i * 4, true) * 1000));
  return (i) => formatTime(checkTime(Number(toMicroseconds(view.getBigInt64(i * 8, true), scale))));
}

function decimalReader(view: DataView, type: FlatTable): (i: number) => unknown {
  const scale = type.i32(1);
  if (type.i32(2, 128) !== 128 || scale < 0 || scale > 38) {
    throw notSupported("an Arrow decimal other than Decimal128 with a scale of 0 to 38");
  }
  return (i) => {
    const high = view.getBigInt64(i * 16 + 8, true);
    return unscaledToText((high << 64n) | view.getBigUint64(i * 16, true), scale);
  };
}

function toMicroseconds(value: bigint, scale: number): bigint {
  switch (scale) {
    case unit.micro:
      return value;
    case unit.milli:
      return value * 1000n;
    case unit.second:
      return value * 1_000_000n;
    case unit.nano:
      if (value % 1000n === 0n) return value / 1000n;
      throw new EvertError("datetime_overflow", "a timestamp has fractions of a microsecond");
    default:
      throw damaged(`a timestamp in unit ${scale}`);
  }
}

export function unreadable(field: ArrowField): EvertError {
  return notSupported(
    `the Arrow type of "${field.name}"`,
    undefined,
    "Send numbers, booleans, text, dates, times and timestamps; nested values as JSON text.",
  );
}

export function damaged(what: string): EvertError {
  return new EvertError("invalid_request", `the Arrow stream is damaged: ${what}`);
}
