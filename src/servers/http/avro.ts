/** Records in Avro: messages as Confluent's serializers write them (avro/binary), and object container files (application/avro). */
import { createHash } from "node:crypto";
import { EvertError, toEvertError } from "../../base/errors.ts";
import type {
  AppendOptions,
  AppendResult,
  DeadLetter,
  Engine,
  ReadTopicOptions,
  TopicInfo,
} from "../../engine/api.ts";
import { AvroBytes } from "../../wire/avro/bytes.ts";
import { readHead, writeBlock, writeHead } from "../../wire/avro/container.ts";
import { Cursor, malformed } from "../../wire/avro/cursor.ts";
import { checkCodec, FILE_BYTES_MAX, readBlock } from "../../wire/avro/decompress.ts";
import { RowEncoder } from "../../wire/avro/encode.ts";
import { beginMessage, endMessage, type Message, Messages, noHead } from "../../wire/avro/framing.ts";
import { ofRecord, type Reading, RecordBatch, rowValues } from "../../wire/avro/record-batch.ts";
import { skipValue } from "../../wire/avro/skip.ts";
import { topicSchemaText } from "../../wire/avro/topic-schema.ts";
import type { AvroNode } from "../../wire/avro/writer-schema.ts";
import { contentTypes } from "../../wire/http/messages.ts";
import { RecordColumns } from "../../wire/http/record-columns.ts";
import { atPlaceOfRow } from "../../wire/http/record-decoder.ts";
import { idOf, parsedSchema, readingById, readingByText } from "./avro-schemas.ts";
import type { ServerContext } from "./context.ts";
import { addDeadLetter, isOfMore } from "./dead-letters.ts";
import { TimeSlice } from "./time-slice.ts";

export type AvroFormat = "avro" | "avroFile";

/** Work between two looks at the clock, about in bytes read; and what a record, a block and a value within a record are of it. */
const TURN_WORK = 64 * 1024;
const RECORD_WORK = 128;
const VALUE_WORK = 16;

/**
 * Appends a body, as one commit; `countsRecords`: a producer's number is that of its first record.
 * @throws EvertError that names the record, of which the body's first one is number `first`, and the reason.
 */
export async function appendAvro(
  server: ServerContext,
  topic: TopicInfo,
  format: AvroFormat,
  body: Uint8Array,
  first: number,
  options: AppendOptions,
  countsRecords = false,
): Promise<AppendResult> {
  const records = new RecordBatch(
    topic.schema,
    topic.key ?? [],
    topic.isChecked ? null : server.engine.fallbacks(topic),
  );
  const reader = new Reader(records, topic, first);
  if (format === "avro") await readMessages(server, topic, body, reader);
  else await readFile(topic, body, reader);
  const { deadLetters } = reader;
  if (records.length === 0 && deadLetters.length === 0)
    throw new EvertError("invalid_request", "the body holds no record");
  const { producer } = options;
  const count = records.length + deadLetters.length;
  const counted = countsRecords && producer !== undefined ? { producer: { ...producer, count } } : {};
  return store(server, topic, records, reader, { ...options, ...counted });
}

async function store(
  { engine }: ServerContext,
  topic: TopicInfo,
  records: RecordBatch,
  reader: Reader,
  options: AppendOptions,
): Promise<AppendResult> {
  const { deadLetters, sources } = reader;
  const { batch, deleted } = records.finish();
  if (!topic.isChecked)
    return ofItsRecord(engine.appendBatch(topic.name, batch, { ...options, deleted, deadLetters }), (row) =>
      reader.numberOf(row),
    );
  // The program's own schema looks at values.
  if (deleted.length > 0) {
    throw new EvertError(
      "feature_not_supported",
      "deletions in Avro of a topic with a schema of the program's",
      {
        hint: "DELETE /v1/topics/{topic}/records/{key}.",
      },
    );
  }
  const rows = rowValues(batch);
  if (sources !== null) {
    const { columns, numbers } = await checkedColumns(engine, topic, rows, sources, deadLetters);
    const appended = engine.appendBatch(topic.name, columns.finish().batch, { ...options, deadLetters });
    return ofItsRecord(appended, (row) => numbers[row]);
  }
  return ofItsRecord(engine.append(topic.name, rows, options), (row) => reader.numberOf(row));
}

/** What the commit is refused for is said of the record that its row was made of. */
async function ofItsRecord(
  appended: Promise<AppendResult>,
  numberOf: (row: number) => number | undefined,
): Promise<AppendResult> {
  try {
    return await appended;
  } catch (error) {
    throw atPlaceOfRow(toEvertError(error), "index", numberOf);
  }
}

/** The rows as the program's own schema leaves them, and the numbers of their records; what it refuses is put with the dead letters. */
async function checkedColumns(
  engine: Engine,
  topic: TopicInfo,
  rows: readonly unknown[],
  sources: readonly Source[],
  deadLetters: DeadLetter[],
): Promise<{ readonly columns: RecordColumns; readonly numbers: readonly number[] }> {
  const numbers: number[] = [];
  const slice = new TimeSlice();
  const columns = new RecordColumns(topic.schema, () => engine.fallbacks(topic), Number.POSITIVE_INFINITY);
  for (const [i, row] of rows.entries()) {
    const { bytes, from, to, schemaId, number } = sources[i]!;
    try {
      columns.take(engine.checkedRecord(topic.name, row), number);
      numbers.push(number);
    } catch (thrown) {
      const error = ofRecord(thrown, number);
      if (isOfMore(error)) throw error;
      addDeadLetter(deadLetters, { error, bytes: bytes.slice(from, to), schemaId });
    }
    if (slice.over()) await slice.rest();
  }
  return { columns, numbers };
}

/** Where a record that was read lies in the body, and which of its records it is. */
interface Source {
  readonly bytes: Uint8Array;
  readonly from: number;
  readonly to: number;
  readonly schemaId: number | null;
  readonly number: number;
}

/** Takes records one by one, and says of which it is what is wrong with one. */
class Reader {
  readonly #cursor = new Cursor();
  readonly #records: RecordBatch;
  readonly #slice = new TimeSlice();
  readonly #keepsDead: boolean;
  /** What could not be read, and did not have to be. */
  readonly deadLetters: DeadLetter[] = [];
  /** Of what was read, where a schema of the program's has yet to look at it, and what it refuses is put aside; else null. */
  readonly sources: Source[] | null;
  readonly #first: number;
  /** Of each record that was left out, how many rows there were before it. */
  readonly #leftAt: number[] = [];
  #count: number;
  #work = 0;

  constructor(records: RecordBatch, { deadLetters, isChecked }: TopicInfo, first: number) {
    this.#first = this.#count = first;
    this.#records = records;
    this.#keepsDead = deadLetters !== null;
    this.sources = this.#keepsDead && isChecked ? [] : null;
  }

  /** The value that is all that lies there. */
  take({ bytes, from, to, schemaId }: Message, reading: Reading): void {
    try {
      this.#records.take(this.#cursor.over(bytes, from, to), reading, true);
      this.sources?.push({ bytes, from, to, schemaId: idAsInt4(schemaId), number: this.#count });
      this.#count++;
    } catch (error) {
      this.leave(error, bytes.slice(from, to), schemaId);
    }
    this.#worked(to - from);
  }

  #worked(bytes: number): void {
    this.#work += RECORD_WORK + bytes + VALUE_WORK * this.#cursor.values;
  }

  /** The record that comes now cannot be read. @throws EvertError where it has to be. */
  leave(thrown: unknown, bytes: Uint8Array, schemaId: number | null): void {
    const error = this.placed(thrown);
    // What is wrong with the commit is not wrong with the record.
    if (!this.#keepsDead || isOfMore(error)) throw error;
    addDeadLetter(this.deadLetters, { error, bytes, schemaId: idAsInt4(schemaId) });
    this.#leftAt.push(this.#records.length);
    this.#count++;
    this.#work += RECORD_WORK;
  }

  /** Of the record that the row was made of. */
  numberOf(row: number): number {
    let number = this.#first + row;
    for (const at of this.#leftAt) if (at <= row) number++;
    return number;
  }

  /** So many values, one behind the other, with turns for others in between. */
  async takeMany(bytes: Uint8Array, count: number, reading: Reading, writer: AvroNode): Promise<void> {
    const cursor = this.#cursor.over(bytes, 0, bytes.length);
    // A block may hold nothing, and a file any number of such blocks.
    this.#work += RECORD_WORK;
    for (let i = 0; i < count; i++) {
      const from = cursor.at;
      try {
        this.#records.take(cursor, reading, false);
        this.sources?.push({ bytes, from, to: cursor.at, schemaId: null, number: this.#count });
        this.#count++;
      } catch (error) {
        // The next one begins where this one ends, if its bytes are sound and only its value is not.
        if (!endOf(cursor.over(bytes, from, bytes.length), writer)) throw this.placed(error);
        this.leave(error, bytes.slice(from, cursor.at), null);
      }
      this.#worked(cursor.at - from);
      const turn = this.turn();
      if (turn !== undefined) await turn;
    }
    await this.turn();
    if (cursor.left > 0) throw this.placed(malformed(`${cursor.left} bytes are left behind its block`));
  }

  /** The error, of the record that comes now. */
  placed(error: unknown): EvertError {
    return ofRecord(error, this.#count);
  }

  /** Others have their turn, if it is time. */
  turn(): Promise<void> | undefined {
    if (this.#work < TURN_WORK) return undefined;
    this.#work = 0;
    return this.#slice.over() ? this.#slice.rest() : undefined;
  }
}

async function readMessages(
  { engine }: ServerContext,
  topic: TopicInfo,
  body: Uint8Array,
  reader: Reader,
): Promise<void> {
  const messages = new Messages(body);
  const readings = new Map<number, Reading | EvertError>();
  for (let message = messages.next(); message !== undefined; message = messages.next()) {
    const { bytes, from, to, schemaId } = message;
    const reading =
      schemaId === null
        ? noHead()
        : (readings.get(schemaId) ?? (await readingById(engine, schemaId, topic).catch(toEvertError)));
    if (schemaId !== null) readings.set(schemaId, reading);
    if (reading instanceof EvertError) reader.leave(reading, bytes.slice(from, to), schemaId);
    else reader.take(message, reading);
    const turn = reader.turn();
    if (turn !== undefined) await turn;
  }
}

async function readFile(topic: TopicInfo, file: Uint8Array, reader: Reader): Promise<void> {
  const head = readHead(file);
  checkCodec(head.codec);
  const reading = await readingByText(head.schema, topic, null);
  const writer = await parsedSchema(head.schema);
  let bytes = 0;
  for (let at = head.end; at < file.length; ) {
    const block = await readBlock(head, file, at);
    bytes += block.bytes.length;
    if (bytes > FILE_BYTES_MAX) {
      throw new EvertError("record_too_large", `the file is more than ${FILE_BYTES_MAX} bytes uncompressed`, {
        hint: "Send several files.",
      });
    }
    await reader.takeMany(block.bytes, block.count, reading, writer);
    at = block.end;
  }
}

/** Goes to the value's end; false: it has none. */
function endOf(cursor: Cursor, writer: AvroNode): boolean {
  try {
    skipValue(cursor, writer);
    return true;
  } catch {
    return false; // its bytes are no value of the writer's
  }
}

/** Ids are unsigned on the wire, and those that are too large for an int4 are nobody's. */
function idAsInt4(id: number | null): number | null {
  return id === null ? null : id | 0;
}

// ---- reading ----------------------------------------------------------------------------------------------------

/** Bytes of messages or of a block, about. */
const PIECE_BYTES = 64 * 1024;
const MARK_BYTES = 16;

/** The records of a topic. @throws EvertError feature_not_supported where a column has no Avro form. */
export function openAvro(
  server: ServerContext,
  topic: TopicInfo,
  format: AvroFormat,
  options: ReadTopicOptions,
): AsyncIterable<Uint8Array> {
  // Refused before the answer begins.
  const text = topicSchemaText(topic.name, topic.schema);
  if (format === "avro") {
    idOf(topic, topic.schemaVersion, false);
    return messagesOf(server, topic, options);
  }
  if (topic.kind === "table") {
    throw new EvertError(
      "feature_not_supported",
      `"${topic.name}" is a table, and an Avro file has no deletions`,
      {
        hint: `Send Accept: ${contentTypes.avro}.`,
      },
    );
  }
  return fileOf(server, topic, text, options);
}

/** What rows of one version of the columns are written with. */
interface Version {
  readonly version: number;
  readonly records: RowEncoder;
  readonly recordId: number;
  readonly keys: RowEncoder | null;
  readonly keyId: number;
}

function versionOf({ engine }: ServerContext, topic: TopicInfo, version: number): Version {
  const { schema, key: names } =
    engine.schemas(topic.name).find((known) => known.version === version) ?? topic;
  topicSchemaText(topic.name, schema);
  const key = names?.map((name) => schema.fields.findIndex((field) => field.name === name));
  return {
    version,
    records: new RowEncoder(schema),
    recordId: idOf(topic, version, false),
    keys: key === undefined ? null : new RowEncoder(schema, key),
    keyId: key === undefined ? 0 : idOf(topic, version, true),
  };
}

async function* messagesOf(
  server: ServerContext,
  topic: TopicInfo,
  options: ReadTopicOptions,
): AsyncGenerator<Uint8Array> {
  let written = versionOf(server, topic, topic.schemaVersion);
  const out = new AvroBytes();
  for await (const rows of server.engine.readTopicBatches(topic.name, options)) {
    // The ids of messages say which columns they have, also when these change meanwhile.
    if (rows.schemaVersion !== written.version) written = versionOf(server, topic, rows.schemaVersion);
    const { records, recordId, keys, keyId } = written;
    for (let row = rows.from; row < rows.to; row++) {
      const deletes = rows.isDeleted(row);
      const start = beginMessage(out, deletes ? keyId : recordId);
      (deletes ? (keys ?? records) : records).write(out, rows.batch, row);
      endMessage(out, start);
      if (out.length >= PIECE_BYTES) yield out.take();
    }
    if (out.length > 0) yield out.take();
  }
}

async function* fileOf(
  { engine }: ServerContext,
  topic: TopicInfo,
  schema: string,
  options: ReadTopicOptions,
): AsyncGenerator<Uint8Array> {
  const encoder = new RowEncoder(topic.schema);
  // As unlikely to stand in a value as chance would make it.
  const mark = createHash("sha256").update(`${schema} ${engine.position}`).digest().subarray(0, MARK_BYTES);
  const out = new AvroBytes();
  writeHead(out, schema, mark);
  yield out.take();
  const values = new AvroBytes();
  let count = 0;
  const block = (): Uint8Array => {
    writeBlock(out, count, values.take(), mark);
    count = 0;
    return out.take();
  };
  for await (const rows of engine.readTopicBatches(topic.name, options)) {
    if (rows.schemaVersion !== topic.schemaVersion) throw changedColumns(topic);
    for (let row = rows.from; row < rows.to; row++) {
      encoder.write(values, rows.batch, row);
      count++;
      if (values.length >= PIECE_BYTES) yield block();
    }
    if (count > 0) yield block();
  }
}

/** A file has one schema. */
function changedColumns({ name }: TopicInfo): EvertError {
  return new EvertError("conflict", `the columns of "${name}" were changed meanwhile`, {
    hint: "Read it again.",
  });
}
