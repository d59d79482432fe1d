/**
 * Answers: JSON with `Evert-Position`, errors as every wire of Evert spells them, and JSON texts of the engine spliced
 * into a body without being parsed again.
 */
import { type EvertError, toEvertError } from "../../base/errors.ts";
import { resumed } from "../../base/iterators.ts";
import { ProducerRefusal } from "../../engine/own/producers.ts";
import { contentTypes, type ErrorMessage, headers } from "../../wire/http/messages.ts";
import type { RequestContext, ServerContext } from "./context.ts";
import { pacedBody } from "./paced-body.ts";

/** Bodies longer than this go out in pieces, so that no single write or encoding holds up the event loop. */
export const pieceChars = 128 * 1024;

/** An answer that is no object of the Fetch standard yet, and need not become one. */
export interface PlainAnswer {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: string | null;
}

export function plainJson(value: unknown, position: string, status = 200): PlainAnswer {
  return { status, headers: answerHeaders(position), body: JSON.stringify(value) };
}

export function responseOf({ status, headers: named, body }: PlainAnswer): Response {
  const answer: Positioned = new Response(body, { status, headers: named });
  if (named[headers.position] !== undefined) answer[positioned] = true;
  return answer;
}

export function jsonAnswer(
  value: unknown,
  position: string,
  status = 200,
  more: Readonly<Record<string, string>> = {},
): Response {
  return answerOf(JSON.stringify(value), position, { status, more });
}

/** Said of an answer that tells its position: to look at its headers makes them an object of their own, which is then taken apart again. */
const positioned = Symbol("positioned");
type Positioned = Response & { [positioned]?: true };

interface AnswerOptions {
  readonly status?: number | undefined;
  readonly type?: string | undefined;
  /** Headers of its own. */
  readonly more?: Readonly<Record<string, string>> | undefined;
}

function answerOf(
  body: string | ReadableStream<Uint8Array>,
  position: string,
  { status = 200, type, more }: AnswerOptions = {},
): Response {
  const named = { ...answerHeaders(position, type), ...more };
  const answer: Positioned = new Response(body, { status, headers: named });
  answer[positioned] = true;
  return answer;
}

function answerHeaders(position: string, type: string = contentTypes.json): Record<string, string> {
  return { "Content-Type": type, "Cache-Control": "no-store", [headers.position]: position };
}

/** Every answer has a position: this one, unless it has its own. */
export function setPosition(answer: Response, position: string): void {
  if ((answer as Positioned)[positioned] === true || answer.headers.has(headers.position)) return;
  answer.headers.set(headers.position, position);
}

/** Whose connection is broken off if it takes no more of a long answer. */
interface Asker {
  readonly c: RequestContext;
  readonly server: ServerContext;
}

/** A body made of JSON texts. `parts` is walked once, lazily, at the pace of whoever reads it. */
export function splicedAnswer(
  parts: Iterable<string>,
  position: string,
  options: AnswerOptions = {},
  asker?: Asker,
): Response {
  const pieces = gather(parts);
  const first = pieces.next();
  const second = pieces.next();
  if (second.done) return answerOf(first.done ? "" : first.value, position, options);
  const rest = (async function* () {
    yield first.value as string;
    yield second.value;
    yield* pieces;
  })();
  const pace =
    asker === undefined ? {} : { stallMs: asker.server.stallMs, breakOff: breakOff(asker.c, asker.server) };
  return answerOf(pacedBody(rest, pace), position, options);
}

interface StreamOptions extends AnswerOptions {
  /** What may stand between any two parts and changes nothing: it is sent where none comes for a while, so that nobody takes the server for gone. */
  readonly filler?: string | undefined;
}

/** A body whose parts are made as the client takes them. With a filler it begins after a while also where little of it has come. */
export async function streamedAnswer(
  c: RequestContext,
  server: ServerContext,
  parts: AsyncIterator<string, void, undefined>,
  position: string,
  { filler, ...options }: StreamOptions = {},
): Promise<Response> {
  const waited = filler === undefined ? null : new Alarm(server.heartbeatMs);
  let first = "";
  let coming = parts.next();
  try {
    for (; first.length < pieceChars; coming = parts.next()) {
      const item = waited === null ? await coming : await Promise.race([coming, waited.rung]);
      if (item === null) break;
      if (item.done) return answerOf(first, position, options);
      first += item.value;
    }
  } finally {
    waited?.stop();
  }
  // Who takes it is told of its failure; who does not, has gone.
  coming.catch(() => undefined);
  const taken = first === "" ? [coming] : [{ done: false, value: first } as const, coming];
  const body = pacedBody(resumed(taken, parts), {
    stallMs: server.stallMs,
    breakOff: breakOff(c, server),
    ...(filler === undefined ? {} : { heartbeat: { text: filler, everyMs: server.heartbeatMs } }),
  });
  return answerOf(body, position, options);
}

/** Rings once. */
class Alarm {
  readonly rung: Promise<null>;
  #timer: NodeJS.Timeout | undefined;

  constructor(ms: number) {
    this.rung = new Promise((resolve) => {
      this.#timer = setTimeout(resolve, ms, null);
    });
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}

function* gather(parts: Iterable<string>): Generator<string, void, undefined> {
  let piece = "";
  for (const part of parts) {
    piece += part;
    if (piece.length < pieceChars) continue;
    yield piece;
    piece = "";
  }
  if (piece !== "") yield piece;
}

/** `[a,b,c]` of texts that are JSON already. */
export function* jsonArray(elements: Iterable<string>): Generator<string, void, undefined> {
  let separator = "[";
  for (const element of elements) {
    yield separator + element;
    separator = ",";
  }
  yield separator === "[" ? "[]" : "]";
}

export function plainError(
  error: EvertError,
  position: string,
  extra: Record<string, unknown> = {},
): PlainAnswer {
  const body: ErrorMessage = { error: error.toJSON(), ...extra };
  const answer = plainJson(body, position, error.status);
  const named = answer.headers;
  if (error.status === 429 || error.status === 503) named["Retry-After"] = "1";
  if (error instanceof ProducerRefusal) {
    named[headers.producerEpoch] = String(error.epoch);
    if (error.expected !== null) {
      named[headers.producerExpectedSeq] = String(error.expected.seq);
      named[headers.producerReceivedSeq] = String(error.expected.received);
    }
  }
  return answer;
}

export function errorAnswer(
  error: EvertError,
  position: string,
  extra: Record<string, unknown> = {},
): Response {
  return responseOf(plainError(error, position, extra));
}

/** The answer to a request that has failed with this; a bug is logged. */
export function failureAnswer(thrown: unknown, server: ServerContext): PlainAnswer {
  const error = toEvertError(thrown);
  if (error.code === "internal") server.logger.error({ err: error.cause ?? error }, "a request failed");
  return plainError(error, server.engine.position);
}

/** Breaks the request's connection off, for an answer that cannot be finished. */
export function breakOff(c: RequestContext, server: ServerContext): (reason: unknown) => void {
  return (reason) => {
    server.logger.debug({ err: reason, path: c.req.path }, "a connection is broken off");
    c.env.outgoing?.destroy();
  };
}
