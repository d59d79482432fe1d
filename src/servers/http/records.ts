/** /v1/topics/{topic}/records: append, delete by key, read. */
import { createHash } from "node:crypto";
import { EvertError, notSupported, toEvertError } from "../../base/errors.ts";
import type {
  AppendOptions,
  AppendResult,
  ProducerSequence,
  ReadTopicOptions,
  TopicInfo,
  TopicRecord,
} from "../../engine/api.ts";
import { changedColumns, recordsGone } from "../../engine/records.ts";
import { contentTypes, type ErasedAnswer, headers, type PositionAnswer } from "../../wire/http/messages.ts";
import { type BodyFormat, placeUnit, RecordDecoder } from "../../wire/http/record-decoder.ts";
import { keyFromText } from "../../wire/http/values.ts";
import { namedType } from "./accept.ts";
import { breakOff, jsonAnswer, type PlainAnswer, plainJson, responseOf } from "./answer.ts";
import { type AvroFormat, appendAvro, openAvro } from "./avro.ts";
import { BodyReader, bodyBytes, bodyFormat } from "./body.ts";
import { appendInChunks } from "./chunked-append.ts";
import { collectorFor } from "./collected.ts";
import type { App, Asked, RequestContext, ServerContext } from "./context.ts";
import { idempotencyKey } from "./idempotency.ts";
import { pacedBody } from "./paced-body.ts";
import {
  booleanParameter,
  integerParameter,
  pathSegment,
  queryMap,
  readOptions,
  startOf,
  withReadParameters,
} from "./params.ts";
import { inTurn, producerAnswer, producerOf } from "./producers.ts";
import { TimeSlice } from "./time-slice.ts";

export const recordsRoute = "/v1/topics/:topic/records";

export function recordRoutes(app: App, server: ServerContext): void {
  app.post(recordsRoute, async (c) => responseOf(await append(c, server)));
  app.get(recordsRoute, (c) => read(c, server));
  app.delete("/v1/topics/:topic/records/:key", (c) => remove(c, server));
}

const formats = ["json", "ndjson", "arrow", "avro", "avroFile"] as const;

async function append(c: RequestContext, server: ServerContext): Promise<PlainAnswer> {
  const query = queryMap(c, ["atomic", "firstLine"]);
  const topic = pathSegment(c, 2);
  if (booleanParameter(query, "atomic", true)) return appendCommit(c, server, topic, query);
  const format = bodyFormat(c, formats);
  const info = server.engine.topic(topic);
  if (format === "arrow") {
    throw notSupported(
      "An Arrow stream with atomic=false",
      undefined,
      `Send several bodies, each of at most ${server.bodyBytesMax} bytes.`,
    );
  }
  if (c.req.header(headers.idempotencyKey) !== undefined) {
    throw new EvertError(
      "invalid_request",
      `${headers.idempotencyKey} needs one commit, and atomic=false makes many`,
      {
        hint: "Send the records as one request without atomic=false, or without the key.",
      },
    );
  }
  const first = integerParameter(query, "firstLine", 1, Number.MAX_SAFE_INTEGER);
  if (format === "json" || format === "ndjson") return appendInChunks(c, server, info, format, first);
  return appendCounted(c, server, info, format, (first ?? 1) - 1);
}

/** A body of Avro, in one commit: of a producer's numbers each record has one of its own, as in chunks. */
async function appendCounted(
  c: RequestContext,
  server: ServerContext,
  topic: TopicInfo,
  format: AvroFormat,
  first: number,
): Promise<PlainAnswer> {
  const { body, ...named } = namedBody(c, server, topic.name);
  try {
    const bytes = await bodyBytes(body);
    await inTurn(server, topic.name, named.producer);
    const options = appendOptions(named, body);
    return appendAnswer(await appendAvro(server, topic, format, bytes, first, options, true), named);
  } finally {
    await body.done();
  }
}

/** The body's records, in one commit. */
export async function appendCommit(
  c: Asked,
  server: ServerContext,
  topic: string,
  query: ReadonlyMap<string, string>,
): Promise<PlainAnswer> {
  const format = bodyFormat(c, formats);
  const { engine } = server;
  const info = engine.topic(topic);
  if (format === "json" || format === "ndjson") return appendAtomically(c, server, info, format);
  const first = (integerParameter(query, "firstLine", 1, Number.MAX_SAFE_INTEGER) ?? 1) - 1;
  return appendWhole(c, server, topic, (body, options) =>
    format === "arrow"
      ? engine.appendArrow(topic, body, options)
      : appendAvro(server, info, format, body, first, options),
  );
}

/** A body that is taken as a whole, by `store`. */
async function appendWhole(
  c: Asked,
  server: ServerContext,
  topic: string,
  store: (body: Uint8Array, options: AppendOptions) => Promise<AppendResult>,
): Promise<PlainAnswer> {
  const { body, ...named } = namedBody(c, server, topic);
  try {
    const bytes = await bodyBytes(body);
    await inTurn(server, topic, named.producer);
    const options = appendOptions(named, body);
    const known = isNamed(named) ? await server.engine.appended(topic, options) : null;
    const result = known ?? (await store(bytes, options));
    return appendAnswer(result, named);
  } finally {
    await body.done();
  }
}

/** What a request is known by when it comes again. */
interface Named {
  readonly key: string | undefined;
  readonly producer: ProducerSequence | undefined;
}

/** The body of an append that is one commit, and what it is to be known by. */
function namedBody(c: Asked, server: ServerContext, topic: string): Named & { body: BodyReader } {
  const key = idempotencyKey(c);
  const producer = producerOf(c);
  const digestOf = key === undefined ? undefined : `append ${topic}`;
  return { key, producer, body: new BodyReader(c, server, server.bodyBytesMax, digestOf) };
}

function isNamed({ key, producer }: Named): boolean {
  return key !== undefined || producer !== undefined;
}

/** REQUIRES: the body has been read. */
function appendOptions({ key, producer }: Named, body: BodyReader): AppendOptions {
  const keyed = key === undefined ? {} : { idempotencyKey: key, requestDigest: body.digest() };
  return producer === undefined ? keyed : { ...keyed, producer };
}

function appendAnswer(result: AppendResult, { producer }: Named): PlainAnswer {
  return producer === undefined ? plainJson(result, result.position) : producerAnswer(result, producer);
}

async function appendAtomically(
  c: Asked,
  server: ServerContext,
  topic: TopicInfo,
  format: BodyFormat,
): Promise<PlainAnswer> {
  const collected = collectorFor(server.engine, topic, placeUnit(format));
  const decoder = new RecordDecoder(format, collected);
  const { body, ...named } = namedBody(c, server, topic.name);
  try {
    const refusal = await decodeAll(body, decoder).catch(toEvertError);
    await inTurn(server, topic.name, named.producer);
    if (refusal !== undefined) {
      const known = await answeredBefore(server, topic, named, body);
      if (known === null) throw refusal;
      return appendAnswer(known, named);
    }
    if (collected.length === 0) {
      throw new EvertError("invalid_request", "the body holds no record", {
        hint: "Send one JSON value, an array of them, or NDJSON.",
      });
    }
    const result = await collected.takeAll().append(appendOptions(named, body));
    return appendAnswer(result, named);
  } finally {
    decoder.close();
    collected.close();
    await body.done();
  }
}

async function decodeAll(body: BodyReader, decoder: RecordDecoder): Promise<void> {
  const slice = new TimeSlice();
  const pause = () => slice.over();
  for (let ended = false; !ended; ) {
    const chunk = await body.read();
    ended = chunk === undefined;
    if (chunk === undefined) decoder.end();
    else decoder.push(chunk);
    while (!decoder.advance(pause)) await slice.rest();
  }
}

/**
 * The answer to a request that was answered before, though its records would be refused now: the topic may have another schema since.
 * @throws EvertError what is wrong with the body as a whole; idempotency_conflict.
 */
async function answeredBefore(
  { engine }: ServerContext,
  topic: TopicInfo,
  named: Named,
  body: BodyReader,
): Promise<AppendResult | null> {
  if (!isNamed(named)) return null;
  while ((await body.read()) !== undefined);
  return engine.appended(topic.name, appendOptions(named, body));
}

async function remove(c: RequestContext, server: ServerContext): Promise<Response> {
  const query = queryMap(c, ["erase"]);
  const topic = pathSegment(c, 2);
  const info = server.engine.topic(topic);
  if (info.key === null) {
    throw new EvertError("wrong_object_type", `topic ${JSON.stringify(topic)} has no key to delete by`, {
      hint: "Append a record that takes the other one back.",
    });
  }
  const segment = pathSegment(c, 4);
  if (booleanParameter(query, "erase", false)) {
    const erased = await server.engine.erase(topic, keyIn(segment, info));
    return jsonAnswer(erased satisfies ErasedAnswer, erased.position);
  }
  const id = idempotencyKey(c);
  const options: AppendOptions =
    id === undefined
      ? {}
      : { idempotencyKey: id, requestDigest: sha256(`delete ${JSON.stringify([topic, segment])}`) };
  const { position } = await server.engine.deleteKey(topic, keyIn(segment, info), options);
  return jsonAnswer({ position } satisfies PositionAnswer, position);
}

/** The key that a path names. One that is an object itself (jsonb) stands under its column's name: an object alone would name columns. */
function keyIn(segment: string, { schema, key }: TopicInfo): unknown {
  const value = keyFromText(segment, schema, key);
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  return isObject && key?.length === 1 ? { [key[0] as string]: value } : value;
}

async function read(c: RequestContext, server: ServerContext): Promise<Response> {
  const query = queryMap(c, withReadParameters("from", "consumer", "limit", "follow", "schema"));
  const topic = pathSegment(c, 2);
  // A topic that is newer than what this server reflects is not there before.
  await server.engine.reached(readOptions(query));
  const from = await readFrom(server, topic, query.get("from"), query.get("consumer"));
  const limit = integerParameter(query, "limit", 0, Number.MAX_SAFE_INTEGER);
  const follow = booleanParameter(query, "follow", false);
  const { start, name, schemaVersion } = server.engine.topic(topic);
  const known = integerParameter(query, "schema", 1, Number.MAX_SAFE_INTEGER);
  if (known !== undefined && known !== schemaVersion) throw changedColumns(name);
  if (typeof from === "number" && from < start) throw recordsGone(topic, start);
  const stopped = new AbortController();
  const { type, pieces } = openTopic(c, server, topic, {
    from,
    limit,
    follow,
    schemaVersion: known,
    signal: stopped.signal,
  });
  const body = pacedBody(pieces, {
    // An empty line between two records: nobody takes the server for gone because no record comes. The other formats have nothing of the kind.
    ...(type === contentTypes.ndjson ? { heartbeat: { text: "\n", everyMs: server.heartbeatMs } } : {}),
    closing: server.closing,
    stallMs: server.stallMs,
    breakOff: breakOff(c, server),
    onEnd: () => stopped.abort(),
  });
  return new Response(body, {
    headers: {
      "Content-Type": type,
      "Cache-Control": "no-store",
      [headers.position]: server.engine.position,
    },
  });
}

/** Where to begin: where the request says, or where the consumer goes on. @throws EvertError invalid_request, not_found */
async function readFrom(
  { engine }: ServerContext,
  topic: string,
  from: string | undefined,
  name: string | undefined,
): Promise<ReadTopicOptions["from"]> {
  if (name === undefined) return startOf(from);
  if (from !== undefined) {
    throw new EvertError("invalid_request", "from and consumer both say where to begin");
  }
  engine.topic(topic);
  const { topics } = await engine.consumer(name);
  const progress = topics.find((known) => known.topic === topic);
  if (progress !== undefined) return progress.offset;
  throw new EvertError("not_found", `consumer ${JSON.stringify(name)} does not read "${topic}"`, {
    hint: "Open it with all topics that it reads.",
  });
}

/** The records in the format the request accepts. */
function openTopic(
  c: RequestContext,
  server: ServerContext,
  topic: string,
  options: ReadTopicOptions,
): { readonly type: string; readonly pieces: AsyncIterable<string | Uint8Array> } {
  const { engine } = server;
  const { arrow, avro, avroFile } = contentTypes;
  const type = namedType(c, contentTypes.ndjson, [arrow, avro, avroFile]);
  if (type === avro || type === avroFile) {
    const info = engine.topic(topic);
    return { type, pieces: openAvro(server, info, type === avro ? "avro" : "avroFile", options) };
  }
  if (type !== arrow) {
    return { type: contentTypes.ndjson, pieces: recordLines(engine.readTopic(topic, options)) };
  }
  if (engine.readTopicArrow === undefined) {
    const hint = `Send Accept: ${contentTypes.ndjson}.`;
    throw notSupported("Reading a topic as an Arrow stream", undefined, hint);
  }
  return { type: contentTypes.arrow, pieces: engine.readTopicArrow(topic, options) };
}

/** What a request says is not kept in the log beside its key: only whether another one says the same. */
function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

const pieceChars = 64 * 1024;
const idle = Symbol("idle");

/** Records as NDJSON, in pieces: as much as is there at once, up to a bound. */
async function* recordLines(records: AsyncIterable<TopicRecord>): AsyncGenerator<string, void, undefined> {
  const iterator = records[Symbol.asyncIterator]();
  let finished = false;
  try {
    let piece = "";
    let pending = iterator.next();
    let turn: Promise<typeof idle> | null = null;
    for (;;) {
      const item: IteratorResult<TopicRecord> | typeof idle =
        turn === null ? await pending : await Promise.race([pending, turn]);
      if (item === idle || piece.length >= pieceChars) {
        yield piece;
        piece = "";
        turn = null;
        if (item === idle) continue;
      }
      if (item.done) {
        finished = true;
        if (piece !== "") yield piece;
        return;
      }
      piece += recordLine(item.value);
      pending = iterator.next();
      turn ??= new Promise((resolve) => setImmediate(resolve, idle));
    }
  } finally {
    if (!finished) await iterator.return?.();
  }
}

function recordLine(record: TopicRecord): string {
  const key = record.keyJson === undefined ? "" : `,"key":${record.keyJson}`;
  return `{"offset":${record.offset},"position":"${record.position}","timestamp":"${record.timestamp}"${key},"value":${record.valueJson}}\n`;
}
