/** Batches to an Arrow IPC stream; the format stands in arrow.ts. */
import { assert } from "../base/assert.ts";
import { bytesOf } from "../base/bytes.ts";
import {
  arrowType,
  CONTINUATION,
  dateUnit,
  EXTENSION_KEY,
  EXTENSION_METADATA_KEY,
  header,
  JSON_EXTENSION,
  METADATA_V5,
  precision,
  TYPE_KEY,
  unit,
} from "./arrow-format.ts";
import type { Batch, Column, FixedColumn, Utf8Column } from "./batch.ts";
import { bitmapBytes, getBit } from "./bitmap.ts";
import { isNull } from "./column.ts";
import { FlatBufferWriter, type FlatField } from "./flatbuffer.ts";
import type { Field, Schema } from "./schema.ts";
import { carrierOf, isSmallNumeric, type SqlType, typeToString } from "./types.ts";

/** The whole stream, one chunk per message. */
export function* writeArrow(schema: Schema, batches: Iterable<Batch>): Generator<Uint8Array> {
  yield arrowSchema(schema);
  for (const batch of batches) yield arrowRecordBatch(batch);
  yield arrowEnd();
}

/**
 * A stream of one batch, whose bytes are copied once, into `room`: memory for so many bytes, whatever is in it. REQUIRES as arrowRecordBatch.
 */
export function arrowStream(
  batch: Batch,
  room: (bytes: number) => Uint8Array<ArrayBuffer> = (bytes) => new Uint8Array(bytes),
): Uint8Array<ArrayBuffer> {
  const messages = [schemaMessage(batch.schema), batchMessage(batch), END];
  const out = room(messages.reduce((sum, message) => sum + bytesIn(message), 0));
  let at = 0;
  for (const message of messages) at = writeMessage(message, out, at);
  return out;
}

/** The stream's first message. */
export function arrowSchema(schema: Schema): Uint8Array {
  return inBytes(schemaMessage(schema));
}

/** One batch as a message. REQUIRES weights of 1: Arrow has no place for others. */
export function arrowRecordBatch(batch: Batch): Uint8Array {
  return inBytes(batchMessage(batch));
}

/** The stream's last eight bytes. */
export function arrowEnd(): Uint8Array {
  return inBytes(END);
}

interface Message {
  readonly metadata: Uint8Array;
  /** Each is padded to 8 bytes. */
  readonly body: readonly Uint8Array[];
}

const END: Message = { metadata: new Uint8Array(0), body: [] };

function schemaMessage(schema: Schema): Message {
  const flat = new FlatBufferWriter();
  const fields = flat.offsetVector(schema.fields.map((field) => writeField(flat, field)));
  const root = flat.table([i16(0), offset(fields)]);
  return { metadata: finishMessage(flat, header.schema, root, 0), body: [] };
}

function batchMessage(batch: Batch): Message {
  assert(batch.weights === null, "a batch in Arrow has no weights");
  const nodes: number[] = [];
  const buffers: number[] = [];
  const body: Uint8Array[] = [];
  let bodyLength = 0;
  for (const column of batch.columns) {
    nodes.push(batch.length, nullCount(column));
    for (const bytes of columnBuffers(column)) {
      buffers.push(bodyLength, bytes.length);
      body.push(bytes);
      bodyLength += padded(bytes.length);
    }
  }
  const flat = new FlatBufferWriter();
  const buffersAt = flat.i64StructVector(buffers, 2);
  const nodesAt = flat.i64StructVector(nodes, 2);
  const root = flat.table([i64(batch.length), offset(nodesAt), offset(buffersAt)]);
  return { metadata: finishMessage(flat, header.recordBatch, root, bodyLength), body };
}

function finishMessage(
  flat: FlatBufferWriter,
  headerType: number,
  root: number,
  bodyLength: number,
): Uint8Array {
  return flat.finish(flat.table([i16(METADATA_V5), u8(headerType), offset(root), i64(bodyLength)]));
}

function inBytes(message: Message): Uint8Array {
  const out = new Uint8Array(bytesIn(message));
  writeMessage(message, out, 0);
  return out;
}

function bytesIn({ metadata, body }: Message): number {
  return body.reduce((sum, bytes) => sum + padded(bytes.length), 8 + metadata.length);
}

/** Returns where it ends. */
function writeMessage({ metadata, body }: Message, out: Uint8Array<ArrayBuffer>, start: number): number {
  const view = new DataView(out.buffer, out.byteOffset);
  view.setUint32(start, CONTINUATION, true);
  view.setInt32(start + 4, metadata.length, true);
  out.set(metadata, start + 8);
  let at = start + 8 + metadata.length;
  for (const bytes of body) {
    out.set(bytes, at);
    const end = at + padded(bytes.length);
    out.fill(0, at + bytes.length, end);
    at = end;
  }
  return at;
}

function padded(bytes: number): number {
  return (bytes + 7) & ~7;
}

function writeField(flat: FlatBufferWriter, field: Field): number {
  const children = flat.offsetVector([]);
  const metadata = metadataOf(field.type);
  const metadataAt = metadata === null ? null : writeMetadata(flat, metadata);
  const [typeType, type] = writeType(flat, field.type);
  const name = flat.string(field.name);
  return flat.table([
    offset(name),
    u8(field.nullable ? 1 : 0),
    u8(typeType),
    offset(type),
    null,
    offset(children),
    metadataAt === null ? null : offset(metadataAt),
  ]);
}

function writeMetadata(flat: FlatBufferWriter, metadata: Readonly<Record<string, string>>): number {
  const pairs = Object.entries(metadata).map(([key, value]) => {
    const valueAt = flat.string(value);
    const keyAt = flat.string(key);
    return flat.table([offset(keyAt), offset(valueAt)]);
  });
  return flat.offsetVector(pairs);
}

function metadataOf(type: SqlType): Readonly<Record<string, string>> | null {
  switch (type.name) {
    case "json":
    case "jsonb":
      return { [EXTENSION_KEY]: JSON_EXTENSION, [EXTENSION_METADATA_KEY]: "" };
    case "text":
      return null;
    default:
      return carrierOf(type) === "string" || type.name === "enum" ? { [TYPE_KEY]: typeToString(type) } : null;
  }
}

function writeType(flat: FlatBufferWriter, type: SqlType): [typeType: number, place: number] {
  switch (type.name) {
    case "int2":
      return [arrowType.int, flat.table([i32(16), u8(1)])];
    case "int4":
      return [arrowType.int, flat.table([i32(32), u8(1)])];
    case "int8":
      return [arrowType.int, flat.table([i32(64), u8(1)])];
    case "float4":
      return [arrowType.floatingPoint, flat.table([i16(precision.single)])];
    case "float8":
      return [arrowType.floatingPoint, flat.table([i16(precision.double)])];
    case "bool":
      return [arrowType.bool, flat.table([])];
    case "numeric":
      return isSmallNumeric(type)
        ? [arrowType.decimal, flat.table([i32(type.precision as number), i32(type.scale ?? 0), i32(128)])]
        : [arrowType.utf8, flat.table([])];
    case "date":
      return [arrowType.date, flat.table([i16(dateUnit.day)])];
    case "time":
      return [arrowType.time, flat.table([i16(unit.micro), i32(64)])];
    case "timestamp":
      return [arrowType.timestamp, flat.table([i16(unit.micro)])];
    case "timestamptz": {
      const zone = flat.string("UTC");
      return [arrowType.timestamp, flat.table([i16(unit.micro), offset(zone)])];
    }
    default:
      return [arrowType.utf8, flat.table([])];
  }
}

function columnBuffers(column: Column): Uint8Array[] {
  const { length } = column;
  const validity =
    column.validity === null ? new Uint8Array(0) : column.validity.subarray(0, bitmapBytes(length));
  switch (column.kind) {
    case "fixed":
      return [validity, ...fixedBuffers(column)];
    case "bits":
      return [validity, column.values.subarray(0, bitmapBytes(length))];
    case "utf8":
      return [validity, ...textBuffers(column)];
  }
}

function fixedBuffers(column: FixedColumn): Uint8Array[] {
  const { length, type } = column;
  const values = column.values.subarray(0, length);
  if (isSmallNumeric(type)) return [decimals(column)];
  switch (type.name) {
    case "int2":
      return [bytesOf(Int16Array.from(values as Int32Array))];
    case "float4":
      return [bytesOf(Float32Array.from(values as Float64Array))];
    case "enum":
      return labelBuffers(column);
    default:
      return [bytesOf(values)];
  }
}

/** The labels themselves, as text: a reader elsewhere knows no numbers. */
function labelBuffers(column: FixedColumn): [offsets: Uint8Array, data: Uint8Array] {
  const labels = column.type.labels!.map((label) => new TextEncoder().encode(label));
  const offsets = new Int32Array(column.length + 1);
  for (let i = 0; i < column.length; i++) {
    const size = isNull(column, i) ? 0 : labels[column.values[i] as number]!.length;
    offsets[i + 1] = (offsets[i] as number) + size;
  }
  const data = new Uint8Array(offsets[column.length] as number);
  for (let i = 0; i < column.length; i++) {
    if (!isNull(column, i)) data.set(labels[column.values[i] as number]!, offsets[i]);
  }
  return [bytesOf(offsets), data];
}

/** Each int64 with its sign spread over another eight bytes. */
function decimals(column: FixedColumn): Uint8Array {
  const wide = new BigInt64Array(column.length * 2);
  for (let i = 0; i < column.length; i++) {
    const value = column.values[i] as bigint;
    wide[i * 2] = value;
    wide[i * 2 + 1] = value >> 63n;
  }
  return bytesOf(wide);
}

function textBuffers(column: Utf8Column): [offsets: Uint8Array, data: Uint8Array] {
  const { length } = column;
  const from = column.offsets[0] as number;
  const data = column.data.subarray(from, column.offsets[length] as number);
  const offsets = column.offsets.subarray(0, length + 1);
  return [bytesOf(from === 0 ? offsets : offsets.map((at) => at - from)), data];
}

function nullCount(column: Column): number {
  const bitmap = column.validity;
  if (bitmap === null) return 0;
  let nulls = 0;
  for (let i = 0; i < column.length; i++) if (!getBit(bitmap, i)) nulls++;
  return nulls;
}

function u8(value: number): FlatField {
  return { kind: "u8", value };
}

function i16(value: number): FlatField {
  return { kind: "i16", value };
}

function i32(value: number): FlatField {
  return { kind: "i32", value };
}

function i64(value: number): FlatField {
  return { kind: "i64", value };
}

function offset(value: number): FlatField {
  return { kind: "offset", value };
}
