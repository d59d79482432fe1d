/**
 * Subscriptions as server-sent events: one view (or one row of it) under /v1/views/{view}/rows, many under /v1/subscribe.
 *
 * An event carries an id, to resume from, only while everything the stream shows is whole at that position: not between
 * a reset or a view's first snapshot message and its last, and not while a view shows an error or stale rows. The reset and the error themselves
 * carry the id of nothing: a client that comes back after them is told all of it again.
 */
import { type ErrorBody, EvertError, toEvertError } from "../../base/errors.ts";
import type { SubscribeTarget, SubscriptionEvent } from "../../engine/api.ts";
import { joinShort, type Part, pushArray, snapshotMembers, stepMembers } from "../../wire/http/event-json.ts";
import { contentTypes, headers } from "../../wire/http/messages.ts";
import { checkPosition } from "../../wire/http/requests.ts";
import { encodeSse, encodeSseComment, encodeSseRetry } from "../../wire/http/sse.ts";
import { keyFromText } from "../../wire/http/values.ts";
import { breakOff } from "./answer.ts";
import type { App, RequestContext, ServerContext } from "./context.ts";
import { partOfEvents, type ViewPart } from "./filtered-events.ts";
import { type FirstRowsOf, firstRowsEvents } from "./first-rows.ts";
import { pacedBody } from "./paced-body.ts";
import { givenTwice, queryPairs, readOptions, unknownParameter, withReadParameters } from "./params.ts";

/** How long a browser waits before it connects again. */
const retryMs = 1000;
const viewsMax = 1000;
/** A position from which no view can be resumed. (To a browser no id at all means what its URL says, which may be a position that can.) */
const NOTHING = "0";

export function subscribeRoutes(app: App, server: ServerContext): void {
  app.get("/v1/subscribe", (c) => subscribe(c, server));
}

/** The stream of one view, of one of its rows, or of a part. */
export function viewEvents(
  c: RequestContext,
  server: ServerContext,
  target: SubscribeTarget,
  part?: ViewPart,
): Response {
  return eventStream(c, server, [target], [], encodeForView, (signal) => {
    const all = server.engine.subscribe([target], { signal });
    return part === undefined ? all : partOfEvents(all, part);
  });
}

/** The stream of a view's first rows, or of those of a part. */
export function firstRowsStream(c: RequestContext, server: ServerContext, first: FirstRowsOf): Response {
  const target = { view: first.view };
  return eventStream(c, server, [target], [], encodeForView, (signal) =>
    firstRowsEvents(server, first, signal),
  );
}

async function subscribe(c: RequestContext, server: ServerContext): Promise<Response> {
  const { targets, read } = readTargets(c, server);
  await server.engine.reached(readOptions(read));
  const found: SubscribeTarget[] = [];
  const missing: string[] = [];
  for (const target of targets) {
    try {
      found.push(resolve(target, server));
    } catch (thrown) {
      const error = toEvertError(thrown);
      if (error.code === "internal") throw error;
      missing.push(errorEvent(error.toJSON(), false, target.view));
    }
  }
  return eventStream(c, server, found, missing, encodeForMany, (signal) =>
    found.length === 0 ? never(signal) : server.engine.subscribe(found, { signal }),
  );
}

interface NamedTarget {
  readonly view: string;
  key?: string;
  from?: string;
}

/** `view=a&from=41&view=b&key=7`: `key` and `from` belong to the view before them, `from` before every view to all. */
function readTargets(c: RequestContext, server: ServerContext) {
  const known = withReadParameters("view", "key", "from");
  const targets: NamedTarget[] = [];
  const read = new Map<string, string>();
  let common: string | undefined;
  for (const [name, value] of queryPairs(c)) {
    const target = targets.at(-1);
    switch (name) {
      case "view":
        if (targets.some((t) => t.view === value)) {
          throw new EvertError("invalid_request", `view ${JSON.stringify(value)} is asked for twice`);
        }
        targets.push({ view: value });
        break;
      case "key":
        if (target === undefined)
          throw new EvertError("invalid_request", "key stands before the view it belongs to");
        if (target.key !== undefined) throw givenTwice(name);
        target.key = value;
        break;
      case "from":
        checkPosition(value, "from");
        if (target === undefined) common = value;
        else if (target.from !== undefined) throw givenTwice(name);
        else target.from = value;
        break;
      default:
        if (!known.includes(name)) throw unknownParameter(name, known);
        if (read.has(name)) throw givenTwice(name);
        read.set(name, value);
    }
  }
  if (targets.length === 0 || targets.length > viewsMax) {
    const views = server.engine.views().slice(0, 10);
    throw new EvertError("invalid_request", `subscribe to 1 to ${viewsMax} views`, {
      hint: views.length === 0 ? undefined : `For example ?view=${encodeURIComponent(views[0]!.name)}.`,
    });
  }
  const resumed = lastEventId(c);
  for (const target of targets) {
    const from = resumed ?? target.from ?? common;
    if (from !== undefined) target.from = from;
  }
  return { targets, read };
}

/**
 * The header of a browser that connects again. It goes before any `from`: the URL is still the one of the first time.
 * @throws EvertError invalid_request.
 */
export function lastEventId(c: RequestContext): string | undefined {
  const id = c.req.header(headers.lastEventId);
  if (id === undefined || id === "") return undefined;
  checkPosition(id, headers.lastEventId);
  return id;
}

function resolve(target: NamedTarget, server: ServerContext): SubscribeTarget {
  const { info } = server.engine.view(target.view);
  if (target.key === undefined) return { view: target.view, from: target.from };
  return { view: target.view, key: keyFromText(target.key, info.schema, info.key), from: target.from };
}

/** An event, a long one in parts. */
type Encoded = string | readonly Part[];
type Encoder = (event: SubscriptionEvent, id: string | undefined) => Encoded;

function eventStream(
  c: RequestContext,
  server: ServerContext,
  targets: readonly SubscribeTarget[],
  preface: readonly string[],
  encode: Encoder,
  open: (signal: AbortSignal) => AsyncIterable<SubscriptionEvent>,
): Response {
  const stopped = new AbortController();
  const events = open(stopped.signal);
  const frames = encodeEvents(events, targets, encodeSseRetry(retryMs) + preface.join(""), encode);
  const ended = server.metrics.streamOpened();
  const body = pacedBody(frames, {
    heartbeat: { text: encodeSseComment("heartbeat"), everyMs: server.heartbeatMs },
    closing: server.closing,
    farewell: () => {
      const error = new EvertError("shutting_down", "the server is shutting down", {
        hint: "Connect again.",
      });
      return errorEvent(error.toJSON(), true);
    },
    onError: (error) => {
      server.logger.debug({ err: error }, "a subscription failed");
      return errorEvent(toEvertError(error).toJSON(), true);
    },
    stallMs: server.stallMs,
    breakOff: breakOff(c, server),
    onEnd: () => {
      stopped.abort();
      ended();
    },
  });
  return new Response(body, {
    headers: {
      "Content-Type": contentTypes.eventStream,
      "Cache-Control": "no-store",
      // A proxy that collects answers would hold events back.
      "X-Accel-Buffering": "no",
      [headers.position]: server.engine.position,
    },
  });
}

async function* encodeEvents(
  events: AsyncIterable<SubscriptionEvent>,
  targets: readonly SubscribeTarget[],
  preface: string,
  encode: Encoder,
): AsyncGenerator<Encoded, void, undefined> {
  yield preface;
  /** Views of which the stream does not show one whole moment. */
  const partial = new Set(targets.filter((t) => t.from === undefined || t.from === null).map((t) => t.view));
  for await (const event of events) {
    switch (event.type) {
      case "snapshot":
        if (event.last && event.stale !== true) partial.delete(event.view);
        else partial.add(event.view);
        break;
      case "reset":
      case "error":
        partial.add(event.view);
        break;
      case "step":
        break;
    }
    if (event.type === "step" || event.type === "snapshot")
      yield encode(event, partial.size === 0 ? event.position : undefined);
    else yield encode(event, NOTHING);
  }
}

const encodeForView: Encoder = (event, id) => {
  switch (event.type) {
    case "snapshot":
      return encodeSse({ event: "snapshot", id, data: `{${snapshotMembers(event)}}` });
    case "step": {
      const [changes = []] = event.views.values();
      const data: Part[] = [`{"position":"${event.position}","changes":`];
      pushArray(data, changes);
      data.push("}");
      return encodeParts("change", id, data);
    }
    case "reset":
      return encodeSse({ event: "reset", id, data: JSON.stringify({ reason: event.reason }) });
    case "error":
      return errorEvent(event.error, false, undefined, id);
  }
};

const encodeForMany: Encoder = (event, id) => {
  switch (event.type) {
    case "snapshot":
      return encodeSse({
        event: "snapshot",
        id,
        data: `{"view":${JSON.stringify(event.view)},${snapshotMembers(event)}}`,
      });
    case "step":
      return encodeParts("step", id, ["{", ...stepMembers(event.position, event.views), "}"]);
    case "reset":
      return encodeSse({
        event: "reset",
        id,
        data: JSON.stringify({ view: event.view, reason: event.reason }),
      });
    case "error":
      return errorEvent(event.error, false, event.view, id);
  }
};

/** An event whose data, JSON without line breaks, is given in parts. */
function encodeParts(event: string, id: string | undefined, data: readonly Part[]): Encoded {
  const [head, tail] = encodeSse({ event, id, data: "\0" }).split("\0") as [string, string];
  return joinShort([head, ...data, tail]);
}

function errorEvent(error: ErrorBody, final: boolean, view?: string, id?: string): string {
  return encodeSse({ event: "error", id, data: JSON.stringify({ view, error, final }) });
}

/** Nothing, until it is stopped: a stream on which there is nothing to see. */
async function* never(signal: AbortSignal): AsyncGenerator<SubscriptionEvent, void, undefined> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
