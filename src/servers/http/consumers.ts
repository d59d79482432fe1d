/** /v1/consumers: who reads topics under a name, how far each has come, and what is said of it. */
import { latestPosition } from "../../base/position.ts";
import type { ConsumerInfo, Engine } from "../../engine/api.ts";
import type { ConsumersAnswer, OpenedConsumerAnswer, PositionAnswer } from "../../wire/http/messages.ts";
import { parseOpenConsumerRequest, parseProgressRequest } from "../../wire/http/requests.ts";
import { jsonAnswer } from "./answer.ts";
import { BodyReader, bodyFormat, bodyText } from "./body.ts";
import type { App, RequestContext, ServerContext } from "./context.ts";
import { idempotencyKey } from "./idempotency.ts";
import { pathSegment, queryMap, startOf } from "./params.ts";

export function consumerRoutes(app: App, server: ServerContext): void {
  const { engine } = server;
  app.get("/v1/consumers", async (c) => {
    queryMap(c, []);
    const consumers = await engine.consumers();
    const position = shownAt(engine, consumers);
    return jsonAnswer({ consumers, position } satisfies ConsumersAnswer, position);
  });
  app.get("/v1/consumers/:consumer", async (c) => {
    queryMap(c, []);
    const consumer = await engine.consumer(pathSegment(c, 2));
    return jsonAnswer(consumer, shownAt(engine, [consumer]));
  });
  app.post("/v1/consumers", async (c) => {
    queryMap(c, []);
    const { name, topics, from, reset } = parseOpenConsumerRequest(await jsonBody(c, server));
    const options = { from: startOf(from), reset, idempotencyKey: idempotencyKey(c) };
    const opened = await engine.openConsumer(name, topics, options);
    return jsonAnswer(opened satisfies OpenedConsumerAnswer, opened.position);
  });
  app.put("/v1/consumers/:consumer", async (c) => {
    queryMap(c, []);
    const name = pathSegment(c, 2);
    const { epoch, progress } = parseProgressRequest(await jsonBody(c, server));
    const options = { idempotencyKey: idempotencyKey(c) };
    const { position } = await engine.advanceConsumer(name, epoch, progress, options);
    return jsonAnswer({ position } satisfies PositionAnswer, position);
  });
  app.delete("/v1/consumers/:consumer", async (c) => {
    queryMap(c, []);
    const { position } = await engine.dropConsumer(pathSegment(c, 2));
    return jsonAnswer({ position } satisfies PositionAnswer, position);
  });
}

/** The position of an answer that shows them: what they have said may be newer than what is read by now. */
function shownAt({ position }: Engine, consumers: readonly ConsumerInfo[]): string {
  const shown = consumers.flatMap(({ topics }) => topics.map((topic) => topic.position));
  return latestPosition(position, ...shown);
}

async function jsonBody(c: RequestContext, server: ServerContext): Promise<string> {
  bodyFormat(c, ["json"]);
  const body = new BodyReader(c, server, server.bodyBytesMax);
  try {
    return await bodyText(body);
  } finally {
    await body.done();
  }
}
