/** The HTTP interface as one Hono app over an engine: no socket yet. */
import { Hono } from "hono";
import { matchedRoutes } from "hono/route";
import { EvertError } from "../../base/errors.ts";
import { otherMethods } from "./allowed.ts";
import { errorAnswer, failureAnswer, jsonAnswer, responseOf, setPosition } from "./answer.ts";
import { backupRoutes } from "./backup.ts";
import { catalogRoutes } from "./catalog.ts";
import { consumerRoutes } from "./consumers.ts";
import type { App, HttpEnv, RequestContext, ServerContext } from "./context.ts";
import { copyRoutes } from "./copy.ts";
import { subscribeRoutes } from "./events.ts";
import { guardRequest } from "./guard.ts";
import { observeRequest } from "./observe.ts";
import { openApiDocument } from "./openapi.ts";
import { operationsRoutes } from "./operations.ts";
import { tellOfProcessing } from "./processing.ts";
import { producerRoutes } from "./producers.ts";
import { recordRoutes } from "./records.ts";
import { registryRoutes } from "./registry.ts";
import { replicationRoutes } from "./replication.ts";
import { rowRoutes } from "./rows.ts";
import { sqlRoutes } from "./sql.ts";
import { staticRoutes } from "./static-files.ts";
import { transactionRoutes } from "./transactions.ts";
import { versionRoutes } from "./versions.ts";
import { wsRoutes } from "./ws.ts";

interface AppOptions {
  readonly boundToLoopback: boolean;
  readonly staticDir?: string | undefined;
}

export function createApp(server: ServerContext, options: AppOptions): App {
  const app: App = new Hono<HttpEnv>({ strict: true });
  app.use("*", async (c, next) => {
    const started = performance.now();
    await next();
    setPosition(c.res, server.engine.position);
    observeRequest(server, c.req, routeOf(c), c.res.status, started);
  });
  app.use("*", async (c, next) => {
    if (server.closing.aborted) throw new EvertError("shutting_down", "the server is shutting down");
    guardRequest(c, options.boundToLoopback);
    const over = tellOfProcessing(c, server);
    try {
      await next();
    } finally {
      over();
    }
  });
  sqlRoutes(app, server);
  copyRoutes(app, server);
  recordRoutes(app, server);
  producerRoutes(app, server);
  consumerRoutes(app, server);
  transactionRoutes(app, server);
  backupRoutes(app, server);
  replicationRoutes(app, server);
  registryRoutes(app, server);
  catalogRoutes(app, server);
  versionRoutes(app, server);
  rowRoutes(app, server);
  subscribeRoutes(app, server);
  wsRoutes(app, server);
  operationsRoutes(app, server);
  app.get("/v1/openapi.json", () => jsonAnswer(openApiDocument, server.engine.position));
  staticRoutes(app, options.staticDir);

  app.notFound((c) => {
    const other = otherMethods(app, c, server);
    if (other !== null) return other;
    const error = new EvertError("not_found", `there is no ${c.req.method} ${c.req.path}`, {
      hint: c.req.path.startsWith("/v1/v1/")
        ? "The address that a client is given is the server's, without /v1."
        : "GET /v1/openapi.json says what there is.",
    });
    return errorAnswer(error, server.engine.position);
  });
  app.onError((thrown) => responseOf(failureAnswer(thrown, server)));
  return app;
}

/** The pattern: the paths that people try are too many for a label. */
function routeOf(c: RequestContext): string {
  return matchedRoutes(c).find((matched) => matched.method !== "ALL")?.path ?? "none";
}
