/** Requests to one server: addresses, headers, and every way a request fails as an EvertError. */
import { type ErrorBody, type ErrorCode, EvertError, errorCodes } from "../base/errors.ts";
import { contentTypes, headers as headerNames, preferProcessing } from "../wire/http/messages.ts";
import { parseJson } from "./json.ts";
import type { ClientOptions } from "./types.ts";

export interface RequestInput {
  readonly method?: "GET" | "POST" | "PUT";
  readonly query?: URLSearchParams | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** JSON, unless the headers say otherwise. */
  readonly body?: string | Uint8Array<ArrayBuffer> | undefined;
  readonly signal?: AbortSignal | undefined;
  /**
   * A redirect is a failure to connect. A body of bytes is then copied once less by Node's fetch, which keeps it for the second request otherwise.
   */
  readonly refusesRedirects?: boolean;
}

export interface Transport {
  /** The server's address, without a slash at its end. */
  readonly base: string;
  /** @throws EvertError connection_failed; what the server answered with; or the signal's reason. */
  send(path: string, input?: RequestInput): Promise<Response>;
  /** A whole body. @throws as `send` does: a connection may break half-way. */
  text(response: Response, signal?: AbortSignal): Promise<string>;
}

export function createTransport(url: string, options: ClientOptions): Transport {
  const base = baseOf(url);
  const doFetch = options.fetch ?? globalThis.fetch.bind(globalThis);
  const common: Record<string, string> = { ...options.headers };
  if (options.token !== undefined) {
    checkToken(options.token);
    common["authorization"] = `Bearer ${options.token}`;
  }
  // Node's own fetch gives up after five minutes without an answer.
  if (options.fetch === undefined && isNode()) common[headerNames.prefer] = preferProcessing;

  return {
    base,

    async send(path, input = {}) {
      const query = input.query?.toString() ?? "";
      const address = `${base}${path}${query === "" ? "" : `?${query}`}`;
      const headers: Record<string, string> = { accept: contentTypes.json, ...common };
      if (input.body !== undefined) headers["content-type"] = contentTypes.json;
      Object.assign(headers, input.headers);
      let response: Response;
      try {
        response = await doFetch(address, {
          method: input.method ?? "GET",
          headers,
          cache: "no-store",
          ...(input.body === undefined ? {} : { body: input.body }),
          ...(input.signal === undefined ? {} : { signal: input.signal }),
          redirect: redirectOf(input),
        });
      } catch (cause) {
        throw failureOf(cause, base, input.signal);
      }
      if (isRedirect(response.status) || response.type === "opaqueredirect") {
        // Nobody reads it: the connection is free for the next request.
        response.body?.cancel().catch(() => undefined);
        throw redirectError(address, base, response.headers.get("location"));
      }
      if (!response.ok) throw await errorOf(response, base, input.signal);
      return response;
    },

    async text(response, signal) {
      try {
        return await response.text();
      } catch (cause) {
        throw failureOf(cause, base, signal);
      }
    },
  };
}

/**
 * Not only what no header may have: fetch takes a line feed at the end away and Node's own client refuses it, and their errors show the token.
 * @throws EvertError invalid_argument, which does not show it
 */
export function checkToken(token: string): void {
  if (/^[\t\x20-\x7e\x80-\xff]*$/.test(token)) return;
  throw new EvertError("invalid_argument", "the token cannot be sent", {
    detail: "It has a line feed or another character that no header may have.",
    hint: "Perhaps it was read from a file with the end of its line.",
  });
}

/** What changes something is followed nowhere: of 301 and 302 fetch makes a GET, whose answer would be taken for the one to what was sent. */
function redirectOf({ refusesRedirects, method = "GET" }: RequestInput): RequestRedirect {
  if (refusesRedirects === true) return "error";
  return method === "GET" ? "follow" : "manual";
}

export function isRedirect(status: number): boolean {
  return status === 301 || status === 302 || status === 303 || status === 307 || status === 308;
}

/** A request to `address`, which is below `base`, was answered with another address. */
export function redirectError(
  address: string,
  base: string,
  location: string | null | undefined,
): EvertError {
  const at =
    location == null || !URL.canParse(location, address) ? undefined : new URL(location, address).href;
  const message =
    at === undefined
      ? `the server at ${base} answers with a redirect`
      : `the server at ${base} answers with a redirect to ${at}`;
  return new EvertError("protocol_violation", message, {
    detail: "It is not followed: what is sent is to arrive where it was sent to, once.",
    hint:
      at === undefined
        ? "Use the address that it leads to."
        : `Use ${serverAt(at, address.slice(base.length))} as the server's address.`,
  });
}

/** Where the server is whose `path` is at this address; the address itself where that path is not its end. */
function serverAt(address: string, path: string): string {
  return address.endsWith(path) ? address.slice(0, -path.length) : address;
}

/** Whether it says so, or nothing of what it is. */
export function isJson(response: Response): boolean {
  const type = response.headers.get("content-type");
  return type === null || type.startsWith(contentTypes.json);
}

/** An answer of somebody else: a page to log in at, for one. */
export function noJson({ status, redirected, url }: Response, text: string): EvertError {
  const place = redirected ? `${url}, where a redirect led,` : "the server";
  return new EvertError("protocol_violation", `${place} answered with status ${status} and no JSON`, {
    detail: text.slice(0, 200),
    hint: "Is this the address of an evert server?",
  });
}

/** Whether this is Node, or what calls itself so. */
export function isNode(): boolean {
  const { process } = globalThis as { process?: { readonly versions?: { readonly node?: string } } };
  return process?.versions?.node !== undefined;
}

/**
 * Without a slash at its end. "" is the page's own origin; where there is no page (a render on a server) it stays as it is:
 * such a client may be made and asked for its empty views, and fetch refuses the address if it is ever used.
 */
function baseOf(url: string): string {
  const own = typeof location === "undefined" ? undefined : location.href;
  if (own === undefined && (url === "" || url.startsWith("/"))) return url.replace(/\/+$/, "");
  let parsed: URL;
  try {
    parsed = new URL(url === "" ? "/" : url, own);
  } catch (cause) {
    throw new EvertError("invalid_argument", `"${url}" is not the address of a server`, {
      hint: 'Give one like "http://127.0.0.1:7400".',
      cause,
    });
  }
  if (parsed.protocol !== "http:" && parsed.protocol !== "https:") {
    throw new EvertError("invalid_argument", `"${url}" is not the address of a server`, {
      detail: `Its protocol is "${parsed.protocol}"; a client speaks http and https.`,
    });
  }
  return `${parsed.origin}${parsed.pathname}`.replace(/\/+$/, "");
}

/** What a thrown fetch or read means: the caller's own abort, or a connection that failed. */
export function failureOf(cause: unknown, base: string, signal: AbortSignal | undefined): unknown {
  if (signal?.aborted) return signal.reason;
  if (cause instanceof EvertError) return cause;
  const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
  const isPlain = speaksNoTls(inner);
  return new EvertError("connection_failed", `the server at ${base} cannot be reached`, {
    detail: isPlain
      ? "What answers there does not speak TLS."
      : inner instanceof Error
        ? inner.message
        : String(inner),
    hint: isPlain
      ? "A server without a proxy in front speaks http: use http:// in place of https://."
      : "Is it running, and is this its address? evert start runs one, at http://127.0.0.1:7400 unless told otherwise.",
    cause,
  });
}

/** As Node's clients call it; a browser does not say why. */
function speaksNoTls(cause: unknown): boolean {
  const { code, message } = (cause ?? {}) as { readonly code?: unknown; readonly message?: unknown };
  return (
    code === "ERR_SSL_WRONG_VERSION_NUMBER" ||
    code === "ERR_SSL_PACKET_LENGTH_TOO_LONG" ||
    (code === "EPROTO" && String(message).includes("wrong version number"))
  );
}

/** The error a server answered with. */
async function errorOf(response: Response, base: string, signal: AbortSignal | undefined): Promise<unknown> {
  let text: string;
  try {
    text = await response.text();
  } catch (cause) {
    return failureOf(cause, base, signal);
  }
  let body: unknown;
  try {
    body = parseJson(text, false);
  } catch {
    // Not our JSON: some proxy answered. The status is all there is to go by.
    body = undefined;
  }
  const error = (body as { error?: unknown } | null | undefined)?.error;
  if (typeof error === "object" && error !== null)
    return errorFrom(error as Partial<ErrorBody>, response.status);
  return new EvertError(codeOfStatus(response.status), `the server answered with status ${response.status}`, {
    detail: text === "" ? undefined : text.slice(0, 500),
  });
}

/** An error of the wire as an EvertError. A code this client does not know falls back to what the status says. */
export function errorFrom(body: Partial<ErrorBody>, status = 500): EvertError {
  const known = typeof body.code === "string" && Object.hasOwn(errorCodes, body.code);
  return new EvertError(
    known ? (body.code as ErrorCode) : codeOfStatus(status),
    body.message ?? "the server reports an error",
    {
      detail: body.detail,
      hint: body.hint,
      position: body.position,
      sqlstate: body.sqlstate,
    },
  );
}

function codeOfStatus(status: number): ErrorCode {
  switch (status) {
    case 401:
      return "unauthorized";
    case 403:
      return "forbidden";
    case 404:
      return "not_found";
    case 409:
      return "conflict";
    case 410:
      return "records_gone";
    case 413:
      return "request_too_large";
    case 422:
      return "idempotency_conflict";
    case 429:
      return "too_many_requests";
    case 502:
    case 503:
      return "not_ready";
    case 504:
      return "timeout";
  }
  return status < 500 ? "invalid_request" : "internal";
}

/** The position an answer was made at, where the server says so (and, across origins, allows reading it). */
export function positionOf(response: Response): string | undefined {
  return response.headers.get(headerNames.position) ?? undefined;
}
