/** GET /v1/backup: which files a copy of the log has, as of one position; GET /v1/backup/{file}: bytes of one. */
import { EvertError } from "../../base/errors.ts";
import { resumed } from "../../base/iterators.ts";
import { type BackupAnswer, contentTypes, headers } from "../../wire/http/messages.ts";
import { breakOff, jsonAnswer } from "./answer.ts";
import type { App, RequestContext, ServerContext } from "./context.ts";
import { pacedBody } from "./paced-body.ts";
import { integerParameter, pathSegment, queryMap } from "./params.ts";

export function backupRoutes(app: App, server: ServerContext): void {
  app.get("/v1/backup", (c) => list(c, server));
  app.get("/v1/backup/:file", (c) => read(c, server));
}

async function list(c: RequestContext, { engine }: ServerContext): Promise<Response> {
  queryMap(c, []);
  const { logId, position, files } = await engine.backupSource.files();
  return jsonAnswer({ logId, position: String(position), files } satisfies BackupAnswer, String(position));
}

async function read(c: RequestContext, server: ServerContext): Promise<Response> {
  const query = queryMap(c, ["from", "to"]);
  const from = integerParameter(query, "from", 0, Number.MAX_SAFE_INTEGER) ?? 0;
  const to = integerParameter(query, "to", from, Number.MAX_SAFE_INTEGER);
  if (to === undefined) throw new EvertError("invalid_request", "to is missing: where the bytes end");
  const pieces = server.engine.backupSource.read(pathSegment(c, 2), from, to)[Symbol.asyncIterator]();
  // That there is no such file is said before there is an answer.
  const body = pacedBody(resumed([await pieces.next()], pieces), {
    stallMs: server.stallMs,
    breakOff: breakOff(c, server),
  });
  return new Response(body, {
    headers: {
      "Content-Type": contentTypes.bytes,
      "Cache-Control": "no-store",
      [headers.position]: server.engine.position,
    },
  });
}
