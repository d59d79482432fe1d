/**
 * Idempotent producers over HTTP: the headers Producer-Id, Producer-Epoch and Producer-Seq of the Durable Streams protocol on an append;
 * POST /v1/producers, which begins an epoch; GET /v1/producers/{producer}.
 */
import { EvertError } from "../../base/errors.ts";
import { latestPosition } from "../../base/position.ts";
import type { AppendResult, ProducerSequence } from "../../engine/api.ts";
import { headers, type ProducerAnswer, type RegisteredAnswer } from "../../wire/http/messages.ts";
import { parseProducerRequest } from "../../wire/http/requests.ts";
import { jsonAnswer, type PlainAnswer, plainJson } from "./answer.ts";
import { BodyReader, bodyFormat, bodyText } from "./body.ts";
import type { App, Asked, RequestContext, ServerContext } from "./context.ts";
import { idempotencyKey } from "./idempotency.ts";
import { pathSegment, queryMap } from "./params.ts";

/** How long a request waits for those before it that it has overtaken. */
const EARLY_MS = 250;

export function producerRoutes(app: App, server: ServerContext): void {
  app.post("/v1/producers", (c) => register(c, server));
  app.get("/v1/producers/:producer", async (c) => {
    queryMap(c, []);
    const id = pathSegment(c, 2);
    const info = await server.engine.producer(id);
    if (info === null) throw new EvertError("not_found", `there is no producer ${JSON.stringify(id)}`);
    // What it has sent may be newer than what is read by now.
    const position = latestPosition(server.engine.position, ...info.topics.map((topic) => topic.position));
    return jsonAnswer(info satisfies ProducerAnswer, position);
  });
}

async function register(c: RequestContext, server: ServerContext): Promise<Response> {
  queryMap(c, []);
  bodyFormat(c, ["json"]);
  const body = new BodyReader(c, server, server.bodyBytesMax);
  try {
    const { id } = parseProducerRequest(await bodyText(body));
    const { epoch, position } = await server.engine.registerProducer(id, {
      idempotencyKey: idempotencyKey(c),
    });
    return jsonAnswer({ id, epoch, position } satisfies RegisteredAnswer, position);
  } finally {
    await body.done();
  }
}

/** What an append says of its producer; undefined: it has none. @throws EvertError invalid_request */
export function producerOf(c: Asked): ProducerSequence | undefined {
  const id = c.req.header(headers.producerId);
  const epoch = c.req.header(headers.producerEpoch);
  const seq = c.req.header(headers.producerSeq);
  if (id === undefined && epoch === undefined && seq === undefined) return undefined;
  if (id === undefined || epoch === undefined || seq === undefined) {
    const names = [headers.producerId, headers.producerEpoch, headers.producerSeq];
    throw new EvertError("invalid_request", `${names.join(", ")} come together`);
  }
  return { id, epoch: numberOf(headers.producerEpoch, epoch), seq: numberOf(headers.producerSeq, seq) };
}

function numberOf(name: string, text: string): number {
  const value = /^(0|[1-9][0-9]{0,15})$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(value)) return value;
  throw new EvertError("invalid_request", `${name} must be a whole number from 0 to 2^53 - 1`, {
    detail: `It is ${JSON.stringify(text.slice(0, 80))}.`,
  });
}

/** Requests that are on the way together may overtake each other: waits a moment for those before this one. */
export async function inTurn(
  { engine }: ServerContext,
  topic: string,
  place: ProducerSequence | undefined,
): Promise<void> {
  if (place !== undefined && place.seq > 0) await engine.producerReached(topic, place, EARLY_MS);
}

/** The answer to a producer's append. All of its numbers up to the one it says are stored. */
export function producerAnswer(result: AppendResult, { epoch, seq }: ProducerSequence): PlainAnswer {
  // It was stored too long ago for more to be known of it.
  const answer: PlainAnswer =
    result.count === 0 && result.deadLetters === undefined
      ? { status: 204, headers: {}, body: null }
      : plainJson(result, result.position);
  answer.headers[headers.producerEpoch] = String(epoch);
  answer.headers[headers.producerSeq] = String(seq);
  return answer;
}
