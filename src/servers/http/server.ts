/**
 * The HTTP server: a socket, the app on it, and an orderly end.
 *
 * close() drains: 1. nothing new is accepted, and what comes on open connections is refused; 2. event streams and WebSockets say
 * goodbye and end; 3. requests under way are answered; 4. what is left after `drainMs` is cut off.
 */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { getRequestListener, RequestError } from "@hono/node-server";
import { type Logger, pino } from "pino";
import { EvertError } from "../../base/errors.ts";
import type { Engine } from "../../engine/api.ts";
import { heartbeatMs } from "../../wire/http/event-messages.ts";
import { bodyBytesMax } from "../../wire/http/messages.ts";
import { failureAnswer, responseOf } from "./answer.ts";
import { createApp } from "./app.ts";
import { refuseExpectation, refuseWhatIsNoRequest } from "./bare-refusal.ts";
import { BodyBudget } from "./body-budget.ts";
import type { ServerContext } from "./context.ts";
import { directAppends } from "./direct-append.ts";
import { isLoopback } from "./guard.ts";
import { awaitContinue } from "./incoming.ts";
import { createMetrics } from "./metrics.ts";
import { createWsDoor, type WsDoor } from "./ws.ts";

export interface HttpServerOptions {
  /** Address to listen on. Default 127.0.0.1: this machine only. */
  readonly host?: string | undefined;
  /** 0: any free port. */
  readonly port: number;
  readonly logger?: Logger | undefined;
  /** A built page: its files, and its index.html for every path that is no file. */
  readonly staticDir?: string | undefined;
  readonly bodyLimitBytes?: number | undefined;
  /** How much of request bodies all requests together may hold. */
  readonly bodiesBytesMax?: number | undefined;
  readonly heartbeatMs?: number | undefined;
  readonly stallMs?: number | undefined;
  readonly drainMs?: number | undefined;
  /** A request's headers are to come within this time. Default 60,000. */
  readonly headersMsMax?: number | undefined;
}

export interface HttpServer {
  readonly url: string;
  readonly port: number;
  /** Drains and closes. The engine stays open: it is its owner's. */
  close(): Promise<void>;
}

/** @throws EvertError connection_failed when the address cannot be listened on. */
export async function createHttpServer(engine: Engine, options: HttpServerOptions): Promise<HttpServer> {
  const host = options.host ?? "127.0.0.1";
  const closing = new AbortController();
  const context: ServerContext = {
    engine,
    logger: options.logger ?? pino({ level: "silent" }),
    metrics: createMetrics(engine),
    closing: closing.signal,
    bodyBytesMax: options.bodyLimitBytes ?? bodyBytesMax,
    bodies: new BodyBudget(options.bodiesBytesMax ?? 4 * (options.bodyLimitBytes ?? bodyBytesMax)),
    heartbeatMs: options.heartbeatMs ?? heartbeatMs,
    stallMs: options.stallMs ?? 120_000,
  };
  const boundToLoopback = isLoopback(host);
  const app = createApp(context, { boundToLoopback, staticDir: options.staticDir });
  const door = createWsDoor(context, boundToLoopback);
  const framework = getRequestListener(app.fetch, {
    errorHandler: (thrown) => responseOf(failureAnswer(refusalOf(thrown), context)),
  });
  const listener = directAppends(context, boundToLoopback, framework);
  const headersTimeout = options.headersMsMax ?? 60_000;
  const server = createServer(
    {
      // A pipe into a chunked append may send for days. Without a time for the whole Node has none for the headers either, unless it is given one.
      requestTimeout: 0,
      headersTimeout,
      connectionsCheckingInterval: Math.min(30_000, headersTimeout),
      keepAlive: true,
      keepAliveInitialDelay: 30_000,
      noDelay: true,
      // Who names no host is told so as of everything else; Node would answer with a status alone.
      requireHostHeader: false,
      // Any other upgrade may be declined: the request is answered as if it had not asked.
      shouldUpgradeCallback: door.accepts,
    },
    listener,
  );
  server.on("upgrade", door.accept);
  server.on("checkContinue", (incoming, outgoing) => {
    awaitContinue(incoming, () => outgoing.writeContinue());
    listener(incoming, outgoing);
  });
  refuseExpectation(server, context);
  refuseWhatIsNoRequest(server, context);
  const port = await listen(server, host, options.port);
  return {
    url: `http://${urlHost(host)}:${port}`,
    port,
    close: () => drain(server, door, closing, options.drainMs ?? 5_000),
  };
}

/** A request that names nothing which could be looked for comes to no route. */
function refusalOf(thrown: unknown): unknown {
  if (!(thrown instanceof RequestError)) return thrown;
  return new EvertError("invalid_request", "the request's address cannot be read", {
    detail: `${thrown.message}.`,
    hint: "Send a path that begins with a slash, and the server's name in Host.",
    cause: thrown,
  });
}

function urlHost(host: string): string {
  return host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
}

/**
 * Connections that may wait until they are taken, as far as the system lets them: all subscribers come back at once when a server has been started again. Of those beyond
 * Linux sees to it that the client takes its connection for open, and hears half a minute later that there is none.
 */
const waitingMax = 16_384;

const unknownAddress = "Give an address of this machine; 0.0.0.0 and :: are all of them.";
const listenHints: Readonly<Record<string, string>> = {
  EADDRINUSE: "Stop it, or choose another port; port 0 takes any free one.",
  EADDRNOTAVAIL: unknownAddress,
  ENOTFOUND: unknownAddress,
  EACCES: "Ports below 1024 may be kept for others: choose another one.",
};

function listen(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      const taken = cause.code === "EADDRINUSE";
      reject(
        new EvertError("connection_failed", `cannot listen on ${urlHost(host)}:${port}`, {
          detail: taken ? "Another program listens there." : cause.message,
          hint: listenHints[cause.code ?? ""],
          cause,
        }),
      );
    });
    server.listen({ port, host, backlog: waitingMax }, () => resolve((server.address() as AddressInfo).port));
  });
}

async function drain(server: Server, door: WsDoor, closing: AbortController, drainMs: number): Promise<void> {
  if (!server.listening) return;
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  closing.abort();
  // A connection kept alive is idle only after its last answer, which may still be on its way.
  const idle = setInterval(() => server.closeIdleConnections(), 20);
  const cutOff = setTimeout(() => {
    server.closeAllConnections();
    door.cut();
  }, drainMs);
  await closed;
  await door.ended();
  clearInterval(idle);
  clearTimeout(cutOff);
}
