/** Versions of a view: GET and POST /v1/views/{view}/versions, …/{version}/promote, POST /v1/views/{view}/rollback, GET /v1/views/{view}/diff. */
import { EvertError } from "../../base/errors.ts";
import type { VersionDiff } from "../../engine/api.ts";
import type {
  BuiltAnswer,
  DiffAnswer,
  PromotedAnswer,
  VersionMessage,
  VersionsAnswer,
} from "../../wire/http/messages.ts";
import { parseBuildRequest } from "../../wire/http/requests.ts";
import { encodeExact } from "../../wire/http/values.ts";
import { jsonAnswer, splicedAnswer } from "./answer.ts";
import { BodyReader, bodyFormat, bodyText } from "./body.ts";
import { viewMessage } from "./catalog.ts";
import type { App, RequestContext, ServerContext } from "./context.ts";
import { integerParameter, pathSegment, queryMap, readOptions, withReadParameters } from "./params.ts";

const versionMax = 999_999_999;
const rowsDefault = 100;
const rowsMax = 10_000;

export function versionRoutes(app: App, server: ServerContext): void {
  const { engine } = server;
  app.get("/v1/views/:view/versions", async (c) => {
    const name = pathSegment(c, 2);
    await engine.reached(readOptions(queryMap(c, withReadParameters())));
    const versions = engine.versions.list(name).map(({ version, isCurrent, isPrevious, info }) => {
      return { version, isCurrent, isPrevious, view: viewMessage(info) } satisfies VersionMessage;
    });
    const { position } = engine;
    return jsonAnswer({ versions, position } satisfies VersionsAnswer, position);
  });
  app.post("/v1/views/:view/versions", async (c) => {
    queryMap(c, []);
    const { sql, version } = parseBuildRequest(await jsonBody(c, server));
    const built = await engine.versions.build(pathSegment(c, 2), sql, version);
    return jsonAnswer(built satisfies BuiltAnswer, built.position);
  });
  app.post("/v1/views/:view/versions/:version/promote", async (c) => {
    queryMap(c, []);
    const promoted = await engine.versions.promote(pathSegment(c, 2), versionOf(pathSegment(c, 4)));
    return jsonAnswer(promoted satisfies PromotedAnswer, promoted.position);
  });
  app.post("/v1/views/:view/rollback", async (c) => {
    queryMap(c, []);
    const promoted = await engine.versions.rollback(pathSegment(c, 2));
    return jsonAnswer(promoted satisfies PromotedAnswer, promoted.position);
  });
  app.get("/v1/views/:view/diff", async (c) => {
    const name = pathSegment(c, 2);
    const query = queryMap(c, withReadParameters("from", "to", "limit"));
    await engine.reached(readOptions(query));
    const [from, to] = [needed(query, "from"), needed(query, "to")];
    const limit = integerParameter(query, "limit", 0, rowsMax) ?? rowsDefault;
    const found: VersionDiff = await engine.versions.diff(name, from, to, limit);
    // Values have all their digits.
    return splicedAnswer([encodeExact(found satisfies DiffAnswer)], found.position);
  });
}

function needed(query: ReadonlyMap<string, string>, name: string): number {
  const version = integerParameter(query, name, 1, versionMax);
  if (version === undefined) throw new EvertError("invalid_request", `${name} is missing: which version`);
  return version;
}

function versionOf(text: string): number {
  if (/^[1-9][0-9]{0,8}$/.test(text)) return Number(text);
  throw new EvertError("invalid_request", `${JSON.stringify(text.slice(0, 80))} is no version`, {
    hint: "A version is a whole number from 1.",
  });
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
