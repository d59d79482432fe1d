/** POST /v1/sql */
import type { SqlResponse, StatementResult } from "../../engine/api.ts";
import { parseSqlRequest } from "../../wire/http/requests.ts";
import { jsonArray, splicedAnswer } from "./answer.ts";
import { BodyReader, bodyFormat, bodyText } from "./body.ts";
import type { App, RequestContext, ServerContext } from "./context.ts";
import { queryMap } from "./params.ts";

export function sqlRoutes(app: App, server: ServerContext): void {
  app.post("/v1/sql", (c) => sql(c, server));
}

async function sql(c: RequestContext, server: ServerContext): Promise<Response> {
  queryMap(c, []);
  bodyFormat(c, ["json"]);
  const body = new BodyReader(c, server, server.bodyBytesMax);
  try {
    const call = parseSqlRequest(await bodyText(body));
    const { sql: text, params, atLeast, timeoutMs, format } = call;
    const response = await server.engine.sql(text, { params, atLeast, timeoutMs, signal: c.req.raw.signal });
    const texts = answerText(response, format);
    return splicedAnswer(texts, response.position, response.error?.status, { c, server });
  } finally {
    await body.done();
  }
}

function* answerText(response: SqlResponse, format: "json" | "text"): Generator<string, void, undefined> {
  let separator = '{"results":[';
  for (const result of response.results) {
    yield separator;
    yield* resultText(result, format);
    separator = ",";
  }
  yield separator === "," ? "]" : '{"results":[]';
  if (response.error !== undefined) {
    const { status: _, ...error } = response.error;
    yield `,"error":${JSON.stringify(error)}`;
  }
  yield `,"position":${JSON.stringify(response.position)}}`;
}

function* resultText(result: StatementResult, format: "json" | "text"): Generator<string, void, undefined> {
  yield `{"command":${JSON.stringify(result.command)},"columns":${JSON.stringify(result.columns)},"rows":`;
  // Written as the client takes it: beside the rows themselves nothing is held.
  yield* jsonArray(result.rowTexts(format));
  yield `,"rowCount":${result.rowCount}}`;
}
