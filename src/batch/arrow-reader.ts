/**
 * An Arrow IPC stream to batches; the format and what is read from what stand in arrow.ts.
 *
 * Nothing of the stream is trusted: metadata is read through bounds-checked tables, each buffer must lie in its body and be as long as
 * its rows need, text must be UTF-8 without U+0000 and cut between characters, values must fit their type. Batches come in slices
 * of at most SLICE_ROWS, so that a short message claiming many rows cannot make much memory.
 */
import { EvertError, notSupported } from "../base/errors.ts";
import { type ArrowColumn, type ArrowField, damaged, readArrowColumn, unreadable } from "./arrow-column.ts";
import {
  arrowType,
  CONTINUATION,
  EXTENSION_KEY,
  fieldFields,
  header,
  JSON_EXTENSION,
  messageFields,
  precision,
  recordBatchFields,
  schemaFields,
  TYPE_KEY,
} from "./arrow-format.ts";
import type { Batch } from "./batch.ts";
import { bitmapBytes } from "./bitmap.ts";
import { BATCH_ROWS_MAX } from "./codec.ts";
import { nullColumn } from "./column.ts";
import { FlatTable } from "./flatbuffer.ts";
import { type Schema, schemaOf } from "./schema.ts";
import {
  bool,
  date,
  float4,
  float8,
  int2,
  int4,
  int8,
  jsonb,
  type SqlType,
  text,
  time,
  timestamp,
  timestamptz,
  typeFromString,
} from "./types.ts";
import { firstStep, propertyStep } from "./value-error.ts";

/** Rows of a delivered batch. */
export const SLICE_ROWS = 65_536;
/** Fewer rows where they are wide: columns that the stream does not have take room too. */
const SLICE_VALUES = 4 << 20;

/** The schema of a stream, as the types of SQL. @throws EvertError for damage, and for types that have no column here. */
export function readArrowSchema(stream: Uint8Array): Schema {
  return guarded(() => {
    const fields = readFields(firstMessage(new Messages(stream)));
    return schemaOf(
      fields.map((field) => ({ name: field.name, type: sqlTypeOf(field), nullable: field.nullable })),
    );
  });
}

/**
 * The stream's rows as batches of `schema`. Columns are found by name, in any order; one that the stream does not have is null throughout
 * (whether it may be is for BatchBuilder.appendBatch to say). Others are passed over where `isIgnored` says so. Columns may be views of the stream: REQUIRES that nobody writes to it while a batch lives.
 * @throws EvertError for damage, unknown columns, values that do not fit.
 */
export function* readArrow(
  stream: Uint8Array,
  schema: Schema,
  isIgnored: (name: string) => boolean = () => false,
): Generator<Batch> {
  const messages = new Messages(stream);
  const fields = guarded(() => readFields(firstMessage(messages)));
  const sources = matchColumns(fields, schema, isIgnored);
  const sliceRows = Math.min(SLICE_ROWS, Math.ceil(SLICE_VALUES / schema.fields.length));
  for (let row = 0; ; ) {
    const parts = guarded(() => {
      const message = messages.next();
      return message === null ? null : readParts(message, fields);
    });
    if (parts === null) return;
    for (let from = 0; from < parts.length; from += sliceRows) {
      const length = Math.min(sliceRows, parts.length - from);
      const columns = schema.fields.map((field, k) => {
        const part = sources[k] === undefined ? undefined : parts.columns[sources[k]];
        if (part === undefined) return nullColumn(field.type, length);
        return guarded(() => readArrowColumn(part, field, row + from, from, from + length));
      });
      yield { schema, length, columns, weights: null };
    }
    row += parts.length;
  }
}

interface Message {
  readonly headerType: number;
  readonly header: FlatTable;
  readonly body: Uint8Array;
}

/** The messages of a stream one after the other; null after the last. */
class Messages {
  readonly #stream: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(stream: Uint8Array) {
    // Columns may be views of it; of Node's own kind of array they would be another to every loop over bytes.
    this.#stream = new Uint8Array(stream.buffer, stream.byteOffset, stream.byteLength);
    this.#view = new DataView(stream.buffer, stream.byteOffset, stream.byteLength);
  }

  next(): Message | null {
    if (this.#at === this.#stream.length) return null; // the end marker is optional
    if (this.#view.getUint32(this.#at, true) !== CONTINUATION)
      throw damaged("a message does not begin with its mark");
    const metadataBytes = this.#view.getInt32(this.#at + 4, true);
    this.#at += 8;
    if (metadataBytes === 0) {
      this.#at = this.#stream.length;
      return null;
    }
    const root = FlatTable.root(this.#take(metadataBytes, "metadata"));
    const headerType = root.u8(messageFields.headerType);
    const table = root.table(messageFields.header);
    if (table === null) throw damaged("a message has no header");
    return { headerType, header: table, body: this.#take(root.i64(messageFields.bodyLength), "body") };
  }

  #take(bytes: number, what: string): Uint8Array {
    if (bytes < 0 || bytes > this.#stream.length - this.#at)
      throw damaged(`the ${what} of a message is cut off`);
    const from = this.#at;
    this.#at += bytes;
    return this.#stream.subarray(from, this.#at);
  }
}

function firstMessage(messages: Messages): FlatTable {
  const first = messages.next();
  if (first === null || first.headerType !== header.schema)
    throw damaged("the stream does not begin with its schema");
  if (first.header.i16(schemaFields.endianness) !== 0) throw notSupported("big-endian Arrow data");
  return first.header;
}

const readableTypes: ReadonlySet<number> = new Set(Object.values(arrowType));

function readFields(schema: FlatTable): ArrowField[] {
  return schema.tables(schemaFields.fields).map((field) => {
    const name = field.string(fieldFields.name) ?? "";
    const type = field.table(fieldFields.type);
    if (type === null) throw damaged(`the field "${name}" has no type`);
    if (field.table(fieldFields.dictionary) !== null) {
      throw notSupported(
        `dictionary encoding of "${name}" in Arrow`,
        undefined,
        "Send the values themselves.",
      );
    }
    const metadata = new Map<string, string>();
    for (const pair of field.tables(fieldFields.metadata))
      metadata.set(pair.string(0) ?? "", pair.string(1) ?? "");
    const typeType = field.u8(fieldFields.typeType);
    const result = { name, nullable: field.bool(fieldFields.nullable), typeType, type, metadata };
    if (!readableTypes.has(typeType)) throw unreadable(result);
    return result;
  });
}

/** What a column of this type would be called here. */
function sqlTypeOf(field: ArrowField): SqlType {
  const { type, typeType } = field;
  switch (typeType) {
    case arrowType.int: {
      const signed = type.bool(1);
      const bits = type.i32(0);
      if (bits < 16 || (bits === 16 && signed)) return int2;
      return bits < 32 || (bits === 32 && signed) ? int4 : int8;
    }
    case arrowType.floatingPoint:
      return type.i16(0) === precision.single ? float4 : float8;
    case arrowType.bool:
      return bool;
    case arrowType.utf8:
    case arrowType.largeUtf8:
      if (field.metadata.get(EXTENSION_KEY) === JSON_EXTENSION) return jsonb;
      return typeFromString(field.metadata.get(TYPE_KEY) ?? "text") ?? text;
    case arrowType.decimal:
      return { name: "numeric", precision: type.i32(0), scale: type.i32(1) };
    case arrowType.date:
      return date;
    case arrowType.time:
      return time;
    case arrowType.timestamp:
      return type.string(1) === null ? timestamp : timestamptz;
    default:
      throw unreadable(field);
  }
}

/** For each column of the schema, the stream's field of that name. */
function matchColumns(
  fields: readonly ArrowField[],
  schema: Schema,
  isIgnored: (name: string) => boolean,
): (number | undefined)[] {
  const byName = new Map<string, number>();
  fields.forEach((field, k) => {
    if (byName.has(field.name))
      throw new EvertError("duplicate_column", `the column "${field.name}" comes twice`);
    if (!schema.fields.some((column) => column.name === field.name)) {
      if (isIgnored(field.name)) return;
      throw new EvertError(
        "undefined_column",
        `${firstStep(propertyStep(field.name))}: there is no such column`,
        {
          hint: `The columns are ${schema.fields.map((column) => column.name).join(", ")}.`,
        },
      );
    }
    byName.set(field.name, k);
  });
  return schema.fields.map((column) => byName.get(column.name));
}

interface Parts {
  readonly length: number;
  readonly columns: readonly ArrowColumn[];
}

const NO_BYTES = new Uint8Array(0);

function readParts(message: Message, fields: readonly ArrowField[]): Parts {
  if (message.headerType !== header.recordBatch)
    throw notSupported("an Arrow message that is no record batch");
  const batch = message.header;
  if (batch.table(recordBatchFields.compression) !== null) {
    throw notSupported(
      "compression of Arrow buffers",
      undefined,
      "Compress the request instead, or send them plain.",
    );
  }
  const length = batch.i64(recordBatchFields.length);
  const nodes = batch.i64Structs(recordBatchFields.nodes, 2);
  const buffers = batch.i64Structs(recordBatchFields.buffers, 2);
  if (length < 0 || length > BATCH_ROWS_MAX || length > message.body.length * 8) {
    throw damaged(`a batch of ${length} rows in ${message.body.length} bytes`);
  }
  if (nodes.length !== fields.length * 2)
    throw damaged("a batch has another number of columns than its schema");
  let next = 0;
  const takeBuffer = (): Uint8Array => {
    const at = buffers[next * 2];
    const bytes = buffers[next * 2 + 1];
    next++;
    if (at === undefined || bytes === undefined) throw damaged("a batch lacks buffers");
    if (at < 0 || bytes < 0 || at + bytes > message.body.length)
      throw damaged("a buffer lies outside its body");
    return message.body.subarray(at, at + bytes);
  };
  const columns = fields.map((field, k): ArrowColumn => {
    if (nodes[k * 2] !== length) throw damaged(`the column "${field.name}" has another number of rows`);
    if (field.typeType === arrowType.null)
      return { field, length, validity: null, values: NO_BYTES, data: NO_BYTES };
    const bits = takeBuffer();
    const nulls = nodes[k * 2 + 1] as number;
    if (nulls !== 0 && bits.length < bitmapBytes(length))
      throw damaged(`the nulls of "${field.name}" are cut off`);
    const isText = field.typeType === arrowType.utf8 || field.typeType === arrowType.largeUtf8;
    const values = takeBuffer();
    const data = isText ? takeBuffer() : NO_BYTES;
    return { field, length, validity: nulls === 0 ? null : bits, values, data };
  });
  return { length, columns };
}

/** Reads outside a buffer end in a RangeError; for the caller that is damage like any other. */
function guarded<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof RangeError) throw damaged(error.message);
    throw error;
  }
}
