/**
 * fetch by Node's own client, for as long as an answer takes.
 *
 * Node's fetch gives up an answer that begins after five minutes, and one that is silent for as long: a topic that is followed over a quiet night, a query that counts for
 * an hour. Here silence is no reason. Whether the other machine is still there the system asks (TCP keepalive), so that one that has vanished ends the answer in less than a minute.
 * Redirects are not followed: they are the caller's answer (client/transport.ts says to the user where they lead).
 */
import { type IncomingMessage, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { Readable } from "node:stream";

const keepAliveMs = 30_000;
/** Answers that have no body, as Response demands. */
const bodiless = [204, 205, 304];

export function patientFetch(input: string | URL | Request, init: RequestInit = {}): Promise<Response> {
  return new Promise((resolve, reject) => {
    const target = new URL(input instanceof Request ? input.url : input);
    const send = target.protocol === "https:" ? requestHttps : requestHttp;
    const signal = init.signal ?? undefined;
    const options = {
      method: init.method ?? "GET",
      headers: Object.fromEntries(new Headers(init.headers)),
      ...(signal === undefined ? {} : { signal }),
    };
    const request = send(target, options, (response) => resolve(responseOf(response)));
    request.setSocketKeepAlive(true, keepAliveMs);
    // Once there is an answer, its body tells the reader.
    request.on("error", reject);
    request.end(init.body);
  });
}

function responseOf(message: IncomingMessage): Response {
  const status = message.statusCode ?? 500;
  const headers = new Headers();
  for (const [name, values] of Object.entries(message.headersDistinct))
    for (const value of values ?? []) headers.append(name, value);
  const hasBody = !bodiless.includes(status);
  if (!hasBody) message.resume();
  const body = hasBody ? (Readable.toWeb(message) as ReadableStream<Uint8Array>) : null;
  return new Response(body, { status, headers });
}
