/** GET /v1/views/{view}/rows and /rows/{key}: a view at one position, or (text/event-stream) from then on. */
import { EvertError } from "../../base/errors.ts";
import type { Answer, OrderColumn, ViewInfo } from "../../engine/api.ts";
import { rowTest } from "../../wire/http/event-filter.ts";
import { contentTypes, rowsParameters } from "../../wire/http/messages.ts";
import { checkPosition } from "../../wire/http/requests.ts";
import { keyFromText, valueFromText } from "../../wire/http/values.ts";
import { errorAnswer, splicedAnswer, streamedAnswer } from "./answer.ts";
import { columnsHeader } from "./columns-tag.ts";
import type { App, RequestContext, ServerContext } from "./context.ts";
import { firstRowsStream, lastEventId, viewEvents } from "./events.ts";
import type { ViewPart } from "./filtered-events.ts";
import { followedRowsMax } from "./first-rows.ts";
import {
  acceptsEventStream,
  givenTwice,
  integerParameter,
  pathSegment,
  queryMap,
  queryPairs,
  readOptions,
  unknownParameter,
  withReadParameters,
} from "./params.ts";

/** What is named may be newer than what this server reflects: `atLeast` is waited for before it is looked for. */
export function rowRoutes(app: App, server: ServerContext): void {
  app.get("/v1/views/:view/rows", (c) => rows(c, server));
  app.get("/v1/views/:view/rows/:key", (c) => row(c, server));
}

async function rows(c: RequestContext, server: ServerContext): Promise<Response> {
  const name = pathSegment(c, 2);
  await server.engine.reached(readOptions(new Map(queryPairs(c))));
  const view = server.engine.view(name);
  const { query, where } = readRowsQuery(c, view.info);
  if (acceptsEventStream(c)) {
    if (query.has("limit")) return followFirst(c, server, name, query, where);
    const passes = Object.keys(where).length === 0 ? null : rowTest(view.info.schema.fields, where);
    const order = orderOf(query.get("order"), view.info)?.map(orderColumn) ?? null;
    if (passes !== null || order !== null)
      return follow(c, server, query, name, undefined, { passes, order });
    return follow(c, server, query, name, undefined);
  }
  if (query.has("from")) throw fromNeedsEventStream();
  const order = orderOf(query.get("order"), view.info);
  const limit = integerParameter(query, "limit", 0, 2 ** 31 - 1);
  const { rowsJson, fields, ...answer } = await view.rowsJson({
    where,
    order,
    limit,
    ...readOptions(query),
  });
  const more = columnsHeader(fields);
  return streamedAnswer(c, server, rowsText(rowsJson, answer), answer.position, { more });
}

async function* rowsText(
  chunks: AsyncIterable<readonly string[]>,
  answer: Answer,
): AsyncGenerator<string, void, undefined> {
  let separator = '{"rows":[';
  for await (const rowsJson of chunks) {
    yield separator + rowsJson.join(",");
    separator = ",";
  }
  yield `${separator === "," ? "" : separator}],${answerText(answer)}}`;
}

/** Members of an answer beside its rows. */
function answerText({ position, stale, catchingUp }: Answer): string {
  const marks = `${stale === true ? ',"stale":true' : ""}${catchingUp === true ? ',"catchingUp":true' : ""}`;
  return `"position":${JSON.stringify(position)}${marks}`;
}

async function row(c: RequestContext, server: ServerContext): Promise<Response> {
  const query = queryMap(c, withReadParameters("from"));
  const name = pathSegment(c, 2);
  await server.engine.reached(readOptions(query));
  const view = server.engine.view(name);
  const segment = pathSegment(c, 4);
  const key = keyFromText(segment, view.info.schema, view.info.key);
  if (acceptsEventStream(c)) return follow(c, server, query, name, key);
  if (query.has("from")) throw fromNeedsEventStream();
  const { rowJson, fields, ...answer } = await view.getJson(key, readOptions(query));
  const { position } = answer;
  if (rowJson !== undefined) {
    const more = columnsHeader(fields);
    return splicedAnswer([`{"row":${rowJson},${answerText(answer)}}`], position, { more });
  }
  const missing = new EvertError("not_found", `view ${JSON.stringify(name)} has no row with key ${segment}`, {
    detail: `At position ${position}.`,
  });
  return errorAnswer(missing, position, answer);
}

async function follow(
  c: RequestContext,
  server: ServerContext,
  query: ReadonlyMap<string, string>,
  view: string,
  key: unknown,
  part?: ViewPart,
): Promise<Response> {
  const given = query.get("from");
  if (given !== undefined) checkPosition(given, "from");
  const from = lastEventId(c) ?? given;
  await server.engine.reached(readOptions(query));
  return viewEvents(c, server, { view, key, from }, part);
}

/** The first rows of a view in an order, followed: each step is answered by reading them again. */
async function followFirst(
  c: RequestContext,
  server: ServerContext,
  view: string,
  query: ReadonlyMap<string, string>,
  where: Readonly<Record<string, unknown>>,
): Promise<Response> {
  const { info } = server.engine.view(view);
  const limit = integerParameter(query, "limit", 0, 2 ** 31 - 1) as number;
  if (limit > followedRowsMax) {
    throw new EvertError(
      "invalid_request",
      `a stream of events follows at most ${followedRowsMax} first rows`,
      {
        hint: "Leave limit out to follow all of them, or make a view with ORDER BY … LIMIT.",
      },
    );
  }
  const given = query.get("from");
  if (given !== undefined) checkPosition(given, "from");
  const order = orderOf(query.get("order"), info);
  await server.engine.reached(readOptions(query));
  return firstRowsStream(c, server, {
    view,
    query: { where, order, limit },
    order: order?.map(orderColumn) ?? null,
    isResumed: (lastEventId(c) ?? given) !== undefined,
  });
}

function fromNeedsEventStream(): EvertError {
  return new EvertError("invalid_request", "from resumes a stream of events, and this is a single read", {
    hint: `Send Accept: ${contentTypes.eventStream}, or leave it out.`,
  });
}

/** The query's own parameters, and equality filters by column. A column of a parameter's name cannot be filtered by here. */
function readRowsQuery(c: RequestContext, info: ViewInfo) {
  const query = new Map<string, string>();
  const where: Record<string, unknown> = Object.create(null);
  for (const [name, value] of queryPairs(c)) {
    if (query.has(name) || name in where) throw givenTwice(name);
    if (rowsParameters.includes(name)) {
      query.set(name, value);
      continue;
    }
    const field = info.schema.fields.find((f) => f.name === name);
    if (field === undefined)
      throw unknownParameter(name, [...rowsParameters, ...info.schema.fields.map((f) => f.name)]);
    where[name] = valueFromText(value, field.type, name);
  }
  return { query, where };
}

function orderColumn(name: string): OrderColumn {
  const descending = name.startsWith("-");
  return { column: descending ? name.slice(1) : name, descending, nullsFirst: descending };
}

/** `order=-plays,id` */
function orderOf(text: string | undefined, info: ViewInfo): string[] | undefined {
  if (text === undefined) return undefined;
  const names = text.split(",");
  for (const name of names) {
    const column = name.startsWith("-") ? name.slice(1) : name;
    if (info.schema.fields.some((field) => field.name === column)) continue;
    throw new EvertError(
      "undefined_column",
      `view ${JSON.stringify(info.name)} has no column ${JSON.stringify(column)}`,
      {
        hint: `Columns: ${info.schema.fields.map((field) => field.name).join(", ")}.`,
      },
    );
  }
  return names;
}
