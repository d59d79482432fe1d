/** What a part of the HTTP server is given, for tests that have no server: it logs nothing, takes no body, and never closes. */
import { pino } from "pino";
import { BodyBudget } from "../../../src/servers/http/body-budget.ts";
import type { ServerContext } from "../../../src/servers/http/context.ts";
import { createMetrics } from "../../../src/servers/http/metrics.ts";
import type { FakeEngine } from "../fake-engine.ts";

export function serverContext(
  engine: FakeEngine,
  times: Pick<ServerContext, "heartbeatMs" | "stallMs">,
): ServerContext {
  return {
    engine,
    logger: pino({ level: "silent" }),
    metrics: createMetrics(engine),
    closing: new AbortController().signal,
    bodyBytesMax: 1,
    bodies: new BodyBudget(1),
    ...times,
  };
}
