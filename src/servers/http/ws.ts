/** The door of /v1/ws: which requests become WebSockets (RFC 6455), and their end. */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { WebSocketServer } from "ws";
import { EvertError, toEvertError } from "../../base/errors.ts";
import { wsMessageCharsMax } from "../../wire/http/event-messages.ts";
import { errorAnswer } from "./answer.ts";
import { refuseSocket } from "./bare-refusal.ts";
import type { App, ServerContext } from "./context.ts";
import { guardHost, guardOrigin } from "./guard.ts";
import { WsConnection } from "./ws-connection.ts";

const path = "/v1/ws";
const upgradeRequired = 426;

export interface WsDoor {
  readonly accepts: (request: IncomingMessage) => boolean;
  readonly accept: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
  /** Resolves when no connection is left. */
  ended(): Promise<void>;
  /** Cuts off those that are left. */
  cut(): void;
}

/** Who asks without an upgrade is told what is wanted. */
export function wsRoutes(app: App, server: ServerContext): void {
  app.get(path, () => {
    const error = new EvertError("invalid_request", `${path} is a WebSocket`, {
      detail: "The request does not ask for one.",
      hint: "Open it as a WebSocket, or GET /v1/subscribe for an event stream.",
    });
    const { body, headers: answered } = errorAnswer(error, server.engine.position);
    answered.set("Upgrade", "websocket");
    return new Response(body, { status: upgradeRequired, headers: answered });
  });
}

export function createWsDoor(server: ServerContext, boundToLoopback: boolean): WsDoor {
  // One character may take three bytes, and more than is allowed is refused by the protocol itself. Nothing is compressed: it costs memory for each connection.
  const protocol = new WebSocketServer({
    noServer: true,
    maxPayload: 3 * wsMessageCharsMax,
    perMessageDeflate: false,
    clientTracking: false,
  });
  protocol.on("wsClientError", (cause, socket) => {
    const error = new EvertError("invalid_request", "this is no handshake of a WebSocket", {
      detail: cause.message,
      cause,
    });
    // RFC 6455, 4.4: who asked for another version is told which one there is.
    refuseSocket(socket, error, server.engine.position, error.status, { "Sec-WebSocket-Version": "13" });
  });
  const connections = new Map<WsConnection, Promise<void>>();

  function check(request: IncomingMessage): void {
    if (server.closing.aborted) throw new EvertError("shutting_down", "the server is shutting down");
    const { host, origin } = request.headers;
    guardHost(host, boundToLoopback);
    const [asked = "", query] = (request.url ?? "").split("?", 2);
    if (asked !== path) {
      throw new EvertError("not_found", `there is no WebSocket at ${asked}`, {
        hint: `There is one at ${path}.`,
      });
    }
    guardOrigin(origin, host);
    if (query !== undefined && query !== "") {
      throw new EvertError("invalid_request", `${path} has no parameters`, {
        hint: 'Say what to subscribe to in a message: {"type": "subscribe", "targets": [{"view": "charts"}]}.',
      });
    }
  }

  return {
    accepts: (request) => request.headers.upgrade?.toLowerCase() === "websocket",
    accept(request, socket, head) {
      const started = performance.now();
      const observe = (status: number): void =>
        server.metrics.requestDone(
          "GET",
          status === 404 ? "none" : path,
          status,
          (performance.now() - started) / 1000,
        );
      // A connection that breaks in the middle of its handshake has nobody to be told.
      socket.on("error", () => socket.destroy());
      try {
        check(request);
      } catch (thrown) {
        const error = toEvertError(thrown);
        observe(error.status);
        refuseSocket(socket, error, server.engine.position);
        return;
      }
      protocol.handleUpgrade(request, socket, head, (websocket) => {
        observe(101);
        const connection = new WsConnection(websocket, server);
        const run = connection.run().finally(() => connections.delete(connection));
        connections.set(connection, run);
      });
    },
    async ended() {
      await Promise.all(connections.values());
    },
    cut() {
      for (const connection of connections.keys()) connection.cut();
    },
  };
}
