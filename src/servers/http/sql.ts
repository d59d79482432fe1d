/**
 * POST /v1/sql: results of statements as JSON; or, of one statement whose reader asks for NDJSON, its rows as objects, one a line.
 *
 * The rows of a SELECT that comes last are made as the client takes them, however many there are.
 */

import { EvertError } from "../../base/errors.ts";
import type { FlowingResult, SqlResponse, StatementResult } from "../../engine/api.ts";
import { contentTypes } from "../../wire/http/messages.ts";
import { parseSqlRequest } from "../../wire/http/requests.ts";
import { firstWanted } from "./accept.ts";
import { jsonArray, pieceChars, splicedAnswer, streamedAnswer } from "./answer.ts";
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
    const asLines = wantsLines(c);
    if (asLines && format === "text") {
      throw new EvertError("invalid_request", 'format "text" is of JSON answers', {
        hint: `Leave it out, or send Accept: ${contentTypes.json}.`,
      });
    }
    const response = await server.engine.sql(text, {
      params,
      atLeast,
      timeoutMs,
      signal: c.req.raw.signal,
      flowing: true,
      single: asLines,
    });
    const { position, flowing, error } = response;
    if (asLines && error === undefined)
      // Each part is whole lines, between which empty ones may stand.
      return await streamedAnswer(c, server, linesText(response), position, {
        type: contentTypes.ndjson,
        filler: "\n",
      });
    if (flowing !== undefined)
      // Each part is whole tokens of JSON, between which white space may stand.
      return await streamedAnswer(c, server, flowingText(response, flowing, format), position, {
        filler: "\n",
      });
    return splicedAnswer(answerText(response, format), position, { status: error?.status }, { c, server });
  } finally {
    await body.done();
  }
}

/** Whether the answer's first choice is NDJSON. */
function wantsLines(c: RequestContext): boolean {
  return firstWanted(c) === contentTypes.ndjson;
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

/** The answer with a last result that flows: of a long one the command comes behind its rows, for it counts them. */
async function* flowingText(
  { results, position }: SqlResponse,
  flowing: FlowingResult,
  format: "json" | "text",
): AsyncGenerator<string, void, undefined> {
  let before = "";
  const pieces = flowing.pieces(format, (row) => {
    const text = before + row;
    before = ",";
    return text;
  });
  try {
    let separator = '{"results":[';
    for (const result of results) {
      yield separator;
      yield* resultText(result, format);
      separator = ",";
    }
    yield separator;
    const columns = `"columns":${JSON.stringify(flowing.columns)}`;
    let first = "";
    let item = await pieces.next();
    for (; item.done !== true && first.length < pieceChars; item = await pieces.next()) first += item.value;
    const command = (): string => `"command":${JSON.stringify(flowing.command)}`;
    const end = (): string => `"rowCount":${flowing.rowCount}`;
    if (item.done === true) yield `{${command()},${columns},"rows":[${first}],${end()}}`;
    else {
      yield `{${columns},"rows":[${first}`;
      yield item.value;
      yield* pieces;
      yield `],${end()},${command()}}`;
    }
    yield `],"position":${JSON.stringify(position)}}`;
  } finally {
    await pieces.return();
    flowing.close();
  }
}

/** The rows of the one statement, each an object on a line of its own. */
async function* linesText({ results, flowing }: SqlResponse): AsyncGenerator<string, void, undefined> {
  const line = (row: string): string => `${row}\n`;
  if (flowing !== undefined) yield* flowing.pieces("objects", line);
  for (const result of results) yield* mapped(result.rowTexts("objects"), line);
}

function* mapped(texts: Iterable<string>, map: (text: string) => string): Generator<string, void, undefined> {
  for (const text of texts) yield map(text);
}
