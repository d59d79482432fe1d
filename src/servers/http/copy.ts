/**
 * POST /v1/copy?statement=COPY…: the body is what COPY … FROM STDIN reads, the answer's body what COPY … TO STDOUT writes.
 *
 * A page of another origin may send text/plain without asking: rows come as text/csv or as bytes.
 */
import { EvertError } from "../../base/errors.ts";
import type { CopyIn } from "../../engine/api.ts";
import { jsonAnswer, streamedAnswer } from "./answer.ts";
import { BodyReader } from "./body.ts";
import type { App, RequestContext, ServerContext } from "./context.ts";
import { queryMap, readOptions, withReadParameters } from "./params.ts";

const bodyTypes = ["text/csv", "application/octet-stream"];

export function copyRoutes(app: App, server: ServerContext): void {
  app.post("/v1/copy", (c) => copy(c, server));
}

async function copy(c: RequestContext, server: ServerContext): Promise<Response> {
  const query = queryMap(c, withReadParameters("statement"));
  const statement = query.get("statement");
  if (statement === undefined) {
    throw new EvertError("invalid_request", "there is no statement", {
      hint: "Give it in the query string: ?statement=COPY…",
    });
  }
  const body = new BodyReader(c, server, server.bodyBytesMax, undefined, Number.POSITIVE_INFINITY);
  try {
    const call = await server.engine.copy(statement, { ...readOptions(query), signal: c.req.raw.signal });
    if (call.direction === "in") {
      checkType(c);
      return await rowsIn(call, body);
    }
    const { format, position, pieces } = call;
    const type = format === "csv" ? "text/csv; charset=utf-8" : "text/plain; charset=utf-8";
    return await streamedAnswer(c, server, pieces, position, { type });
  } finally {
    await body.done();
  }
}

async function rowsIn(call: CopyIn, body: BodyReader): Promise<Response> {
  try {
    for (let piece = await body.read(); piece !== undefined; piece = await body.read())
      await call.write(piece);
  } catch (thrown) {
    throw ofOneCommit(thrown);
  }
  const { command, rowCount, position } = await call.finish();
  return jsonAnswer({ command, rowCount, position }, position);
}

/** Whoever copies more than a commit may have is not helped by what a body of records may do. */
function ofOneCommit(thrown: unknown): unknown {
  if (!(thrown instanceof EvertError) || thrown.code !== "request_too_large") return thrown;
  return new EvertError("request_too_large", thrown.message, {
    detail: "COPY is one commit.",
    hint: "Copy less at once; evert append takes any number of records, of CSV too, and commits them in chunks.",
    cause: thrown,
  });
}

function checkType(c: RequestContext): void {
  const type = (c.req.header("Content-Type") ?? "").split(";")[0]!.trim().toLowerCase();
  if (bodyTypes.includes(type)) return;
  throw new EvertError(
    "invalid_request",
    `the body's format is not known: Content-Type is ${JSON.stringify(type)}`,
    {
      hint: `Send Content-Type: ${bodyTypes.join(" or ")}.`,
    },
  );
}
