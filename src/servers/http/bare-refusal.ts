/** Refusals where no request came to be: what came is no HTTP, or no handshake of a WebSocket. The answer is written to the socket itself, which ends with it. */
import { type Server, type ServerResponse, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { EvertError } from "../../base/errors.ts";
import { contentTypes, type ErrorMessage, headers } from "../../wire/http/messages.ts";
import type { ServerContext } from "./context.ts";

export function refuseSocket(
  socket: Duplex,
  error: EvertError,
  position: string,
  status: number = error.status,
): void {
  const body = JSON.stringify({ error: error.toJSON() } satisfies ErrorMessage);
  // The other end may never end its half, and nobody else has the socket.
  socket.once("finish", () => socket.destroy());
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n` +
      `Content-Type: ${contentTypes.json}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n` +
      `${headers.position}: ${position}\r\nConnection: close\r\n\r\n${body}`,
  );
}

/** Bytes that Node's parser does not take, and requests that did not come in time. */
export function refuseWhatIsNoRequest(server: Server, { engine }: ServerContext): void {
  server.on("clientError", (cause: NodeJS.ErrnoException, socket: Answering) => {
    // Gone, or in the middle of an answer that nothing may be put into.
    if (cause.code === "ECONNRESET" || !socket.writable || socket._httpMessage?.headersSent === true) {
      socket.destroy();
      return;
    }
    const { status, error } = refusalOf(cause);
    refuseSocket(socket, error, engine.position, status);
  });
}

/** A socket as Node's own handler of such errors looks at it. */
type Answering = Duplex & { readonly _httpMessage?: ServerResponse | null };

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
