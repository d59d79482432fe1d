/** A request is over: its figures for the metrics, and a line for who debugs. */
import type { ServerContext } from "./context.ts";

/** `started`: by performance.now(). */
export function observeRequest(
  server: Pick<ServerContext, "metrics" | "logger">,
  { method, path }: { readonly method: string; readonly path: string },
  route: string,
  status: number,
  started: number,
): void {
  const ms = performance.now() - started;
  server.metrics.requestDone(method, route, status, ms / 1000);
  if (server.logger.isLevelEnabled("debug")) {
    server.logger.debug({ method, path, status, ms: Math.round(ms * 1000) / 1000 }, "request");
  }
}
