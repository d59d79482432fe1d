/** Refusals before anybody is asked: what came is no HTTP, no handshake of a WebSocket, or expects what there is not. The connection ends with the answer. */
import { type Server, type ServerResponse, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { EvertError } from "../../base/errors.ts";
import { contentTypes, type ErrorMessage, headers } from "../../wire/http/messages.ts";
import type { ServerContext } from "./context.ts";

export function refuseSocket(
  socket: Duplex,
  error: EvertError,
  position: string,
  status: number = error.status,
  more: Readonly<Record<string, string>> = {},
): void {
  const body = JSON.stringify({ error: error.toJSON() } satisfies ErrorMessage);
  const others = Object.entries(more).map(([name, value]) => `${name}: ${value}\r\n`);
  // The other end may never end its half, and nobody else has the socket.
  socket.once("finish", () => socket.destroy());
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n` +
      `Content-Type: ${contentTypes.json}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n` +
      `${headers.position}: ${position}\r\nConnection: close\r\n${others.join("")}\r\n${body}`,
  );
}

/** Of what a sender can expect there is `100-continue` alone (RFC 9110, 10.1.1). */
export function refuseExpectation(server: Server, { engine }: ServerContext): void {
  server.on("checkExpectation", ({ headers: { expect } }, answer) => {
    const error = new EvertError("invalid_request", "the server cannot do what the request expects", {
      detail: `Its header Expect is ${JSON.stringify(expect)}.`,
      hint: "Send 100-continue, or leave the header out.",
    });
    const body = JSON.stringify({ error: error.toJSON() } satisfies ErrorMessage);
    answer.writeHead(417, {
      "Content-Type": contentTypes.json,
      "Content-Length": Buffer.byteLength(body),
      [headers.position]: engine.position,
      Connection: "close",
    });
    answer.end(body);
  });
}

/**
 * Bytes that Node's parser does not take, and requests that did not come in time.
 *
 * Before them on the same connection whole requests may be under way, one or a pipeline of them. What they ask for is done, and a refusal in the place of their answers would
 * have their sender do it again: they are answered first, in their order, and what came behind them ends the connection.
 */
export function refuseWhatIsNoRequest(server: Server, { engine }: ServerContext): void {
  /** To the request of each connection that came last. */
  const lastAnswers = new WeakMap<Duplex, ServerResponse>();
  /** Whose connection ends when those under way are answered. */
  const ending = new WeakSet<Duplex>();

  server.on("request", ({ socket }, answer) => {
    lastAnswers.set(socket, answer);
  });

  server.on("clientError", (cause: NodeJS.ErrnoException, socket: Answering) => {
    if (cause.code === "ECONNRESET" || (!socket.writable && !socket.writableEnded)) {
      socket.destroy();
      return;
    }
    // The parser says it again of all that follows.
    if (ending.has(socket)) return;
    ending.add(socket);
    const last = lastAnswers.get(socket);
    // On one before the last it would keep those behind it from being answered.
    if (last?.req.complete === true && !last.headersSent) last.setHeader("Connection", "close");
    end(cause, socket, false);
  });

  /** `answered`: a request before this place was under way, and its answer is what the connection ends with. */
  function end(cause: NodeJS.ErrnoException, socket: Answering, answered: boolean): void {
    // By now a last answer has perhaps ended it.
    if (socket.writableEnded || socket.destroyed) return;
    const answer = socket._httpMessage ?? null;
    if (answer === null && answered) {
      socket.destroySoon();
    } else if (answer !== null && (answer.req.complete || answer.writableEnded)) {
      // Node's own listener, which comes before this one, has the connection go on to the next answer.
      answer.once("finish", () => end(cause, socket, true));
    } else if (answer?.headersSent === true) {
      // In the middle of an answer to what is broken nothing may be put.
      socket.destroy();
    } else {
      const { status, error } = refusalOf(cause);
      refuseSocket(socket, error, engine.position, status);
    }
  }
}

/** A socket as Node's own handler of such errors looks at it: with the answer whose turn it is. */
type Answering = Socket & { readonly _httpMessage?: ServerResponse | null };

function refusalOf(cause: NodeJS.ErrnoException): { readonly status: number; readonly error: EvertError } {
  switch (cause.code) {
    case "HPE_HEADER_OVERFLOW":
      return {
        status: 431,
        error: new EvertError("invalid_request", "the request's headers are longer than 16 KiB", { cause }),
      };
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return {
        status: 408,
        error: new EvertError("invalid_request", "the request's headers did not come in time", { cause }),
      };
    case "HPE_INVALID_EOF_STATE":
      return {
        status: 400,
        error: new EvertError("invalid_request", "the request was broken off before its end", { cause }),
      };
    default:
      return {
        status: 400,
        error: new EvertError("invalid_request", "what was sent is no request of HTTP/1.1", {
          detail: cause.message,
          cause,
        }),
      };
  }
}
