/**
 * What keeps other people's web pages out of a database that listens on this machine.
 *
 * - A page may point its own name at 127.0.0.1 and then be "same origin" with us (DNS rebinding). So a server bound to
 *   the loopback answers to loopback names only.
 * - A page may send some requests to any address without asking. Bodies must therefore be JSON or NDJSON by their
 *   Content-Type (see body.ts), which a browser asks about first; and a browser that says it acts for another site is
 *   refused whatever changes something.
 * - A page may open a WebSocket to any address and read what comes: nothing asks us before. So the page's origin must be ours.
 */
import { EvertError } from "../../base/errors.ts";
import type { Asked } from "./context.ts";

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
export function guardRequest(c: Asked, boundToLoopback: boolean): void {
  guardHost(c.req.header("Host"), boundToLoopback);
  const { method } = c.req;
  if (method !== "GET" && method !== "HEAD" && c.req.header("Sec-Fetch-Site") === "cross-site") {
    throw new EvertError("forbidden", "a page of another site may not change anything here");
  }
}

/** The header that was let in last: those who send many requests send one and the same. */
let letIn: string | undefined;

/** @throws EvertError forbidden. */
export function guardHost(header: string | undefined, boundToLoopback: boolean): void {
  if (!boundToLoopback || (header !== undefined && header === letIn)) return;
  const host = (header ?? "").replace(/:[0-9]*$/, "");
  if (isLoopback(host)) {
    letIn = header;
    return;
  }
  throw new EvertError("forbidden", `this server does not answer to the name ${JSON.stringify(host)}`, {
    detail: "It listens on the loopback address only, and answers to localhost, 127.0.0.1 and [::1].",
    hint: "Start it with --host to serve other names.",
  });
}

/**
 * A WebSocket belongs to the page that this server, or a proxy before it under the same name, has served. A program that is no browser sends no origin.
 * The scheme does not count: a proxy may speak https to the browser and http to us.
 * @throws EvertError forbidden.
 */
export function guardOrigin(origin: string | undefined, host: string | undefined): void {
  if (origin === undefined) return;
  const from = URL.canParse(origin) ? new URL(origin) : undefined;
  if (from !== undefined && host !== undefined) {
    const to = `${from.protocol}//${host}`;
    if (URL.canParse(to) && new URL(to).host === from.host) return;
  }
  throw new EvertError("forbidden", `a page of ${JSON.stringify(origin)} may not open a WebSocket here`, {
    detail:
      "Browsers let every page open a WebSocket to every address; this server takes those of its own pages.",
    hint: "Serve the page from this server, or through one proxy under the same name and port.",
  });
}
