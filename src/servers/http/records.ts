/** /v1/topics/{topic}/records: append, delete by key, read. */
import { EvertError, notSupported, toEvertError } from "../../base/errors.ts";
import type {
  AppendOptions,
  AppendResult,
  ReadTopicOptions,
  TopicInfo,
  TopicRecord,
} from "../../engine/api.ts";
import { isTimeText } from "../../engine/read-time.ts";
import { contentTypes, headers, type PositionAnswer } from "../../wire/http/messages.ts";
import { type BodyFormat, placeUnit, RecordDecoder } from "../../wire/http/record-decoder.ts";
import { keyFromText } from "../../wire/http/values.ts";
import { breakOff, jsonAnswer } from "./answer.ts";
import { BodyReader, bodyBytes, bodyFormat } from "./body.ts";
import { appendInChunks } from "./chunked-append.ts";
import { collectorFor } from "./collected.ts";
import type { App, RequestContext, ServerContext } from "./context.ts";
import { idempotencyKey } from "./idempotency.ts";
import { pacedBody } from "./paced-body.ts";
import {
  booleanParameter,
  integerParameter,
  pathSegment,
  queryMap,
  readOptions,
  withReadParameters,
} from "./params.ts";
import { TimeSlice } from "./time-slice.ts";

export function recordRoutes(app: App, server: ServerContext): void {
  app.post("/v1/topics/:topic/records", (c) => append(c, server));
  app.get("/v1/topics/:topic/records", (c) => read(c, server));
  app.delete("/v1/topics/:topic/records/:key", (c) => remove(c, server));
}

async function append(c: RequestContext, server: ServerContext): Promise<Response> {
  const query = queryMap(c, ["atomic"]);
  const topic = pathSegment(c, 2);
  const format = bodyFormat(c, ["json", "ndjson", "arrow"]);
  const info = server.engine.topic(topic);
  if (booleanParameter(query, "atomic", true)) {
    return format === "arrow" ? appendArrow(c, server, topic) : appendAtomically(c, server, info, format);
  }
  if (format === "arrow") {
    throw notSupported(
      "An Arrow stream with atomic=false",
      undefined,
      `Send several streams, each of at most ${server.bodyBytesMax} bytes.`,
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
  return appendInChunks(c, server, info, format);
}

async function appendArrow(c: RequestContext, server: ServerContext, topic: string): Promise<Response> {
  const { body, key } = keyedBody(c, server, topic);
  try {
    const stream = await bodyBytes(body);
    const options = appendOptions(key, body);
    const known = key === undefined ? null : await server.engine.appended(topic, options);
    const result = known ?? (await server.engine.appendArrow(topic, stream, options));
    return jsonAnswer(result, result.position);
  } finally {
    await body.done();
  }
}

/** The body of an append that is one commit, and the key it is to be known by. */
function keyedBody(c: RequestContext, server: ServerContext, topic: string) {
  const key = idempotencyKey(c);
  const digestOf = key === undefined ? undefined : `append ${topic}`;
  return { key, body: new BodyReader(c, server, server.bodyBytesMax, digestOf) };
}

/** REQUIRES: the body has been read. */
function appendOptions(key: string | undefined, body: BodyReader): AppendOptions {
  return key === undefined ? {} : { idempotencyKey: key, requestDigest: body.digest() };
}

async function appendAtomically(
  c: RequestContext,
  server: ServerContext,
  topic: TopicInfo,
  format: BodyFormat,
): Promise<Response> {
  const collected = collectorFor(server.engine, topic, placeUnit(format));
  const decoder = new RecordDecoder(format, collected);
  const { body, key } = keyedBody(c, server, topic.name);
  try {
    const refusal = await decodeAll(body, decoder).catch(toEvertError);
    if (refusal !== undefined) {
      const known = await answeredBefore(server, topic, key, body);
      if (known === null) throw refusal;
      return jsonAnswer(known, known.position);
    }
    if (collected.length === 0) {
      throw new EvertError("invalid_request", "the body holds no record", {
        hint: "Send one JSON value, an array of them, or NDJSON.",
      });
    }
    const result = await collected.takeAll().append(appendOptions(key, body));
    return jsonAnswer(result, result.position);
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
  key: string | undefined,
  body: BodyReader,
): Promise<AppendResult | null> {
  if (key === undefined) return null;
  while ((await body.read()) !== undefined);
  return engine.appended(topic.name, appendOptions(key, body));
}

async function remove(c: RequestContext, server: ServerContext): Promise<Response> {
  queryMap(c, []);
  const topic = pathSegment(c, 2);
  const info = server.engine.topic(topic);
  if (info.key === null) {
    throw new EvertError("wrong_object_type", `topic ${JSON.stringify(topic)} has no key to delete by`, {
      hint: "Append a record that takes the other one back.",
    });
  }
  const segment = pathSegment(c, 4);
  const id = idempotencyKey(c);
  const options: AppendOptions =
    id === undefined
      ? {}
      : { idempotencyKey: id, requestDigest: `delete ${JSON.stringify([topic, segment])}` };
  const { position } = await server.engine.deleteKey(
    topic,
    keyFromText(segment, info.schema, info.key),
    options,
  );
  return jsonAnswer({ position } satisfies PositionAnswer, position);
}

async function read(c: RequestContext, server: ServerContext): Promise<Response> {
  const query = queryMap(c, withReadParameters("from", "limit", "follow"));
  const topic = pathSegment(c, 2);
  const from = startOf(query.get("from"));
  const limit = integerParameter(query, "limit", 0, Number.MAX_SAFE_INTEGER);
  const follow = booleanParameter(query, "follow", false);
  server.engine.topic(topic);
  await server.engine.reached(readOptions(query));
  const stopped = new AbortController();
  const { type, pieces } = openTopic(c, server, topic, { from, limit, follow, signal: stopped.signal });
  const body = pacedBody(pieces, {
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

/** The records in the format the request accepts. */
function openTopic(c: RequestContext, { engine }: ServerContext, topic: string, options: ReadTopicOptions) {
  if (!(c.req.header("Accept") ?? "").includes(contentTypes.arrow)) {
    return { type: contentTypes.ndjson, pieces: recordLines(engine.readTopic(topic, options)) };
  }
  if (engine.readTopicArrow === undefined) {
    const hint = `Send Accept: ${contentTypes.ndjson}.`;
    throw notSupported("Reading a topic as an Arrow stream", undefined, hint);
  }
  return { type: contentTypes.arrow, pieces: engine.readTopicArrow(topic, options) };
}

function startOf(text: string | undefined): ReadTopicOptions["from"] {
  if (text === undefined || text === "earliest" || text === "latest") return text;
  if (/^[0-9]{1,15}$/.test(text)) return Number(text);
  if (isTimeText(text)) return text;
  throw new EvertError("invalid_request", "from must be earliest, latest, an offset or a time", {
    detail: `It is ${JSON.stringify(text.slice(0, 80))}.`,
  });
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
