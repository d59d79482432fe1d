/**
 * 102 (Processing), now and then, to those who ask for it (`Prefer: processing`) and wait for the beginning of an answer.
 *
 * Node's fetch gives up an answer that does not begin within five minutes; an interim response sets that clock back, and leaves the status to the answer. Not to everybody:
 * Python's own client, for one, takes it for the answer.
 */
import { headers, preferProcessing } from "../../wire/http/messages.ts";
import type { RequestContext, ServerContext } from "./context.ts";

/** Call what it returns when the answer begins. */
export function tellOfProcessing(c: RequestContext, server: ServerContext): () => void {
  const { outgoing, incoming } = c.env;
  if (outgoing === undefined || c.req.header(headers.prefer) !== preferProcessing) return nothing;
  if (incoming?.httpVersion === "1.0") return nothing;
  const timer = setInterval(() => {
    // One who reads nothing would have them pile up.
    if (!outgoing.headersSent && !outgoing.destroyed && outgoing.socket?.writableNeedDrain === false)
      outgoing.writeProcessing();
  }, server.heartbeatMs);
  return () => clearInterval(timer);
}

function nothing(): void {}
