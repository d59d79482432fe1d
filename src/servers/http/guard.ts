/**
 * What keeps other people's web pages out of a database that listens on this machine.
 *
 * - A page may point its own name at 127.0.0.1 and then be "same origin" with us (DNS rebinding). So a server bound to
 *   the loopback answers to loopback names only.
 * - A page may send some requests to any address without asking. Bodies must therefore be JSON or NDJSON by their
 *   Content-Type (see body.ts), which a browser asks about first; and a browser that says it acts for another site is
 *   refused whatever changes something.
 */
import { EvertError } from "../../base/errors.ts";
import type { RequestContext } from "./context.ts";

export function isLoopback(host: string): boolean {
  const name = host.toLowerCase().replace(/^\[(.*)\]$/, "$1");
  return (
    name === "localhost" ||
    name.endsWith(".localhost") ||
    name === "::1" ||
    /^127(\.[0-9]{1,3}){3}$/.test(name)
  );
}

/** @throws EvertError forbidden. */
export function guardRequest(c: RequestContext, boundToLoopback: boolean): void {
  if (boundToLoopback) {
    const host = (c.req.header("Host") ?? "").replace(/:[0-9]*$/, "");
    if (!isLoopback(host)) {
      throw new EvertError("forbidden", `this server does not answer to the name ${JSON.stringify(host)}`, {
        detail: "It listens on the loopback address only, and answers to localhost, 127.0.0.1 and [::1].",
        hint: "Start it with --host to serve other names.",
      });
    }
  }
  const { method } = c.req;
  if (method !== "GET" && method !== "HEAD" && c.req.header("Sec-Fetch-Site") === "cross-site") {
    throw new EvertError("forbidden", "a page of another site may not change anything here");
  }
}
