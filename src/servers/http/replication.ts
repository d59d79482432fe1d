/**
 * Copies of the log that follow it: GET /v1/replication says who follows whom; POST /v1/promote makes a follower the leader. Between servers: GET
 * /v1/replication/log is what a follower lacks, without end; POST /v1/replication/progress tells what it has; POST /v1/replication/fence tells a former leader.
 */
import { EvertError } from "../../base/errors.ts";
import { resumed } from "../../base/iterators.ts";
import type { FollowingInfo } from "../../engine/replica/api.ts";
import { epochsFrom } from "../../engine/replica/epochs.ts";
import {
  contentTypes,
  type FollowingMessage,
  headers,
  type PromotionAnswer,
  type ReplicationAnswer,
} from "../../wire/http/messages.ts";
import { breakOff, jsonAnswer } from "./answer.ts";
import { BodyReader, bodyFormat, bodyText } from "./body.ts";
import type { App, RequestContext, ServerContext } from "./context.ts";
import { pacedBody } from "./paced-body.ts";
import { integerParameter, queryMap } from "./params.ts";

const bodyBytesMax = 64 * 1024;

export function replicationRoutes(app: App, server: ServerContext): void {
  app.get("/v1/replication", (c) => state(c, server));
  app.get("/v1/replication/log", (c) => log(c, server));
  app.post("/v1/replication/progress", (c) => progress(c, server));
  app.post("/v1/replication/fence", (c) => fence(c, server));
  app.post("/v1/promote", (c) => promote(c, server));
}

function state(c: RequestContext, { engine }: ServerContext): Response {
  queryMap(c, []);
  return jsonAnswer(replicationAnswer(engine), engine.position);
}

export function replicationAnswer({ replication }: ServerContext["engine"]): ReplicationAnswer {
  const { following, followers, ...rest } = replication.info();
  return {
    ...rest,
    ...(following === undefined ? {} : { following: followingMessage(following) }),
    followers: followers.map(({ id, position, behindBytes, connectedMs }) => {
      return { id, position: String(position), behindBytes, connectedSeconds: connectedMs / 1000 };
    }),
  };
}

function followingMessage(info: FollowingInfo): FollowingMessage {
  const { wasLevel: _, isPartial: __, isCopying: ___, error, ...rest } = info;
  return { ...rest, ...(error === undefined ? {} : { error: error.toJSON() }) };
}

async function log(c: RequestContext, server: ServerContext): Promise<Response> {
  const query = queryMap(c, ["follower", "logId", "from", "timeUs", "epochs"]);
  const whole = (name: string): number | undefined =>
    integerParameter(query, name, 0, Number.MAX_SAFE_INTEGER);
  const from = whole("from");
  const logId = whole("logId");
  const follower = query.get("follower");
  const epochs = epochsFrom(parsed(query.get("epochs") ?? "[]"));
  if (from === undefined || from === 0 || logId === undefined || follower === undefined || epochs === null) {
    throw new EvertError(
      "invalid_request",
      "this is for followers: follower, logId, from and epochs say who asks",
    );
  }
  const over = new AbortController();
  const request = { follower, logId, from, timeUs: whole("timeUs") ?? null, epochs };
  const messages = server.engine.replication.stream(request, over.signal)[Symbol.asyncIterator]();
  // Why it cannot follow is said before there is an answer.
  const body = pacedBody(resumed([await messages.next()], messages), {
    stallMs: server.stallMs,
    closing: server.closing,
    breakOff: breakOff(c, server),
    onEnd: () => over.abort(),
  });
  return new Response(body, {
    headers: {
      "Content-Type": contentTypes.bytes,
      "Cache-Control": "no-store",
      [headers.position]: server.engine.position,
    },
  });
}

async function progress(c: RequestContext, server: ServerContext): Promise<Response> {
  const { follower, position } = await jsonBody(c, server);
  if (typeof follower !== "string" || typeof position !== "string" || !/^\d{1,15}$/.test(position))
    throw new EvertError("invalid_request", "follower and position say who has come how far");
  server.engine.replication.progress(follower, Number(position));
  return jsonAnswer({}, server.engine.position);
}

async function fence(c: RequestContext, server: ServerContext): Promise<Response> {
  const { logId, epochs: listed } = await jsonBody(c, server);
  const epochs = epochsFrom(listed);
  if (!Number.isSafeInteger(logId) || epochs === null)
    throw new EvertError("invalid_request", "logId and epochs say of which log who leads");
  await server.engine.replication.fence({ logId: logId as number, epochs });
  return jsonAnswer({}, server.engine.position);
}

async function promote(c: RequestContext, server: ServerContext): Promise<Response> {
  queryMap(c, []);
  await jsonBody(c, server);
  const { epoch, position } = await server.engine.replication.promote();
  return jsonAnswer({ epoch, position } satisfies PromotionAnswer, position);
}

async function jsonBody(c: RequestContext, server: ServerContext): Promise<Record<string, unknown>> {
  bodyFormat(c, ["json"]);
  const body = new BodyReader(c, server, bodyBytesMax);
  try {
    const value = parsed(await bodyText(body));
    if (typeof value === "object" && value !== null && !Array.isArray(value))
      return value as Record<string, unknown>;
  } finally {
    await body.done();
  }
  throw new EvertError("invalid_request", "the body is no JSON object");
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
